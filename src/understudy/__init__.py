"""Understudy keeps software standing when the third-party HTTP APIs it depends on do not."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._default import configure, current, get_fallback_manager, get_performance_monitor, reset, using
    from .app import Understudy
    from .config.production import ProductionConfig, load_production_config
    from .core.errors import (
        AllApisFailed,
        BadResponse,
        BreakerOpen,
        CallError,
        ConfigError,
        DeadlineExceeded,
        NoEligibleApi,
        TransportError,
        UnderstudyError,
    )
    from .core.secrets import Secret
    from .core.types import Explanation
    from .monitor import PerformanceMonitor
    from .resilience import FallbackManager
    from .resilience.api import ApiOptions, RouteOptions
    from .resilience.call import Result

_HOMES = {
    "Understudy": ".app",
    "configure": "._default",
    "current": "._default",
    "get_fallback_manager": "._default",
    "get_performance_monitor": "._default",
    "reset": "._default",
    "using": "._default",
    "ProductionConfig": ".config.production",
    "load_production_config": ".config.production",
    **dict.fromkeys(
        (
            "AllApisFailed",
            "BadResponse",
            "BreakerOpen",
            "CallError",
            "ConfigError",
            "DeadlineExceeded",
            "NoEligibleApi",
            "TransportError",
            "UnderstudyError",
        ),
        ".core.errors",
    ),
    "Secret": ".core.secrets",
    "Explanation": ".core.types",
    "PerformanceMonitor": ".monitor",
    "FallbackManager": ".resilience",
    "ApiOptions": ".resilience.api",
    "RouteOptions": ".resilience.api",
    "Result": ".resilience.call",
}

__all__ = [
    "AllApisFailed",
    "ApiOptions",
    "BadResponse",
    "BreakerOpen",
    "CallError",
    "ConfigError",
    "DeadlineExceeded",
    "Explanation",
    "FallbackManager",
    "NoEligibleApi",
    "PerformanceMonitor",
    "ProductionConfig",
    "Result",
    "RouteOptions",
    "Secret",
    "TransportError",
    "Understudy",
    "UnderstudyError",
    "configure",
    "current",
    "get_fallback_manager",
    "get_performance_monitor",
    "load_production_config",
    "reset",
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
