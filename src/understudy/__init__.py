"""Understudy keeps software standing when the third-party HTTP APIs it depends on do not."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._default import (
        add_custom_alert_rule,
        configure,
        current,
        get_alert_manager,
        get_fallback_manager,
        get_notification_manager,
        get_performance_monitor,
        reset,
        setup_discord_notifications,
        setup_email_notifications,
        setup_slack_notifications,
        setup_telegram_notifications,
        using,
    )
    from .alerts.manager import AlertManager
    from .alerts.model import Level, Rule
    from .app import Understudy
    from .config.production import ProductionConfig, load_production_config
    from .core.errors import (
        AllApisFailed,
        AttemptTimeout,
        BadResponse,
        BodyBroken,
        BodyTooLarge,
        BreakerOpen,
        BudgetSpent,
        BulkheadFull,
        CallError,
        ConfigError,
        ConnectFailed,
        ConnectionLost,
        DeadlineExceeded,
        InvalidRequest,
        KeysUnavailable,
        NoEligibleApi,
        NotInstalled,
        OptionError,
        PoolTimeout,
        QuotaExhausted,
        RateLimited,
        Rejected,
        StoreUnavailable,
        StoreUnusable,
        TransportError,
        TruncatedResponse,
        UnderstudyError,
        UnknownName,
    )
    from .core.secrets import Secret
    from .core.types import Explanation
    from .monitor import PerformanceMonitor
    from .notifications.manager import NotificationManager
    from .notifications.message import NotificationMessage, NotificationResult
    from .resilience import FallbackManager
    from .resilience.api import ApiOptions, RouteOptions
    from .resilience.breaker_options import BreakerOptions
    from .resilience.budget import BudgetOptions
    from .resilience.bulkhead import BulkheadOptions
    from .resilience.call import Result
    from .resilience.deadline import TimeoutOptions
    from .resilience.healthcheck import HealthCheckOptions
    from .resilience.keys import AuthOptions, KeyOptions
    from .resilience.limiter import RateLimitOptions
    from .resilience.outcome_options import OutcomeRule, SuccessOptions
    from .resilience.quota import QuotaOptions
    from .resilience.retry import RetryOptions

#: Where each public name lives; it is imported when it is first asked for.
_HOMES = {
    name: home
    for home, names in {
        "._default": (
            "add_custom_alert_rule configure current get_alert_manager get_fallback_manager get_notification_manager "
            "get_performance_monitor reset setup_discord_notifications setup_email_notifications "
            "setup_slack_notifications setup_telegram_notifications using"
        ),
        ".alerts.manager": "AlertManager",
        ".alerts.model": "Level Rule",
        ".app": "Understudy",
        ".config.production": "ProductionConfig load_production_config",
        ".core.errors": (
            "AllApisFailed AttemptTimeout BadResponse BodyBroken BodyTooLarge BreakerOpen BudgetSpent "
            "BulkheadFull CallError ConfigError ConnectFailed ConnectionLost DeadlineExceeded InvalidRequest "
            "KeysUnavailable NoEligibleApi NotInstalled OptionError PoolTimeout QuotaExhausted RateLimited "
            "Rejected StoreUnavailable StoreUnusable TransportError TruncatedResponse UnderstudyError UnknownName"
        ),
        ".core.secrets": "Secret",
        ".core.types": "Explanation",
        ".monitor": "PerformanceMonitor",
        ".notifications.manager": "NotificationManager",
        ".notifications.message": "NotificationMessage NotificationResult",
        ".resilience": "FallbackManager",
        ".resilience.api": "ApiOptions RouteOptions",
        ".resilience.breaker_options": "BreakerOptions",
        ".resilience.budget": "BudgetOptions",
        ".resilience.bulkhead": "BulkheadOptions",
        ".resilience.call": "Result",
        ".resilience.deadline": "TimeoutOptions",
        ".resilience.healthcheck": "HealthCheckOptions",
        ".resilience.keys": "AuthOptions KeyOptions",
        ".resilience.limiter": "RateLimitOptions",
        ".resilience.outcome_options": "OutcomeRule SuccessOptions",
        ".resilience.quota": "QuotaOptions",
        ".resilience.retry": "RetryOptions",
    }.items()
    for name in names.split()
}

__all__ = [
    "AlertManager",
    "AllApisFailed",
    "ApiOptions",
    "AttemptTimeout",
    "AuthOptions",
    "BadResponse",
    "BodyBroken",
    "BodyTooLarge",
    "BreakerOpen",
    "BreakerOptions",
    "BudgetOptions",
    "BudgetSpent",
    "BulkheadFull",
    "BulkheadOptions",
    "CallError",
    "ConfigError",
    "ConnectFailed",
    "ConnectionLost",
    "DeadlineExceeded",
    "Explanation",
    "FallbackManager",
    "HealthCheckOptions",
    "InvalidRequest",
    "KeyOptions",
    "KeysUnavailable",
    "Level",
    "NoEligibleApi",
    "NotInstalled",
    "NotificationManager",
    "NotificationMessage",
    "NotificationResult",
    "OptionError",
    "OutcomeRule",
    "PerformanceMonitor",
    "PoolTimeout",
    "ProductionConfig",
    "QuotaExhausted",
    "QuotaOptions",
    "RateLimitOptions",
    "RateLimited",
    "Rejected",
    "Result",
    "RetryOptions",
    "RouteOptions",
    "Rule",
    "Secret",
    "StoreUnavailable",
    "StoreUnusable",
    "SuccessOptions",
    "TimeoutOptions",
    "TransportError",
    "TruncatedResponse",
    "Understudy",
    "UnderstudyError",
    "UnknownName",
    "add_custom_alert_rule",
    "configure",
    "current",
    "get_alert_manager",
    "get_fallback_manager",
    "get_notification_manager",
    "get_performance_monitor",
    "load_production_config",
    "reset",
    "setup_discord_notifications",
    "setup_email_notifications",
    "setup_slack_notifications",
    "setup_telegram_notifications",
    "using",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'understudy' has no attribute {name!r}")
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
