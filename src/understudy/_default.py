"""The process-wide instance, and the getters of the original document. The only `global` is here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from .app import Understudy

if TYPE_CHECKING:
    from .alerts.manager import AlertManager
    from .alerts.model import Rule
    from .channels.options import ChannelOptions
    from .monitor import PerformanceMonitor
    from .notifications.manager import NotificationManager
    from .resilience import FallbackManager

_log = logging.getLogger("understudy.notifications")
_current: Understudy | None = None


def current() -> Understudy:
    """The process-wide instance; made with the defaults at first use."""
    global _current
    if _current is None:
        _current = Understudy.build()
    return _current


def configure(settings: Any = None, **parts: Any) -> Understudy:
    """Make the process-wide instance from `settings`; replaces the one before. See `Understudy.build`."""
    global _current
    _current = Understudy.build(settings, **parts)
    return _current


def reset() -> None:
    """Forget the process-wide instance; the next use makes a new one."""
    global _current
    _current = None


@contextmanager
def using(app: Understudy) -> Iterator[Understudy]:
    """Let `app` be the process-wide instance within the block; for tests."""
    global _current
    before, _current = _current, app
    try:
        yield app
    finally:
        _current = before


def get_performance_monitor() -> PerformanceMonitor:
    """The monitor of the process-wide instance."""
    return current().monitor


def get_fallback_manager() -> FallbackManager:
    """The fallback manager of the process-wide instance."""
    return current().fallback


def get_notification_manager() -> NotificationManager:
    """The notifications of the process-wide instance."""
    return current().notifications


def get_alert_manager() -> AlertManager:
    """The alerts of the process-wide instance. Its rules are evaluated from now on, while an event loop runs."""
    return current().alerts


async def add_custom_alert_rule(
    name: str,
    metric: str,
    threshold: float,
    operator: str = ">",
    severity: str = "warning",
    description: str = "",
    cooldown_seconds: float = 300.0,
    escalation_threshold: int | None = None,
) -> Rule:
    """Put a rule about every API in force; see `AlertManager.add_custom_alert_rule`."""
    return await get_alert_manager().add_custom_alert_rule(
        name, metric, threshold, operator, severity, description, cooldown_seconds, escalation_threshold
    )


def setup_email_notifications(
    smtp_server: str,
    smtp_port: int | str = 587,
    username: str = "",
    password: str = "",
    from_email: str = "",
    to_emails: str | Sequence[str] = (),
    **options: Any,
) -> str:
    """Send notifications by mail; answers the channel's name. Without recipients, whoever sends gets them.

    Port 465 means TLS from the first byte, any other STARTTLS. `options` are further ones of `[channels.NAME]`.
    Where a value is still the one of the template, the channel stays off, and a warning in the log says so. No event
    loop need run.

    Raises:
        OptionError: something cannot be used as it is; nothing has changed.
    """
    from .channels.email import EmailOptions
    from .core.secrets import Secret

    if _left_as_shown("email", smtp_server, username, password, from_email):
        return "email"
    sender = from_email or username
    if isinstance(smtp_port, str) and smtp_port.strip().isdecimal():
        smtp_port = int(smtp_port)  # variables of the environment are texts
    security = options.pop("security", "tls" if smtp_port == _TLS_PORT else "starttls")
    chosen = EmailOptions(
        host=smtp_server, port=cast("int", smtp_port), username=username, password=Secret(password), from_email=sender,
        to_emails=_several(to_emails) or (sender,), security=security, **options,
    )  # fmt: skip
    return _set_up("email", chosen)


def setup_slack_notifications(webhook_url: str, **options: Any) -> str:
    """Send notifications to a Slack webhook; as `setup_email_notifications`."""
    from .channels.slack import SlackOptions
    from .core.secrets import Secret

    if _left_as_shown("slack", webhook_url):
        return "slack"
    return _set_up("slack", SlackOptions(url=Secret(webhook_url), **options))


def setup_discord_notifications(webhook_url: str, **options: Any) -> str:
    """Send notifications to a Discord webhook; as `setup_email_notifications`."""
    from .channels.discord import DiscordOptions
    from .core.secrets import Secret

    if _left_as_shown("discord", webhook_url):
        return "discord"
    return _set_up("discord", DiscordOptions(url=Secret(webhook_url), **options))


def setup_telegram_notifications(bot_token: str, chat_id: str | int | Sequence[str | int], **options: Any) -> str:
    """Send notifications to one or several chats of Telegram; as `setup_email_notifications`."""
    from .channels.telegram import TelegramOptions
    from .core.secrets import Secret

    if _left_as_shown("telegram", bot_token, chat_id):
        return "telegram"
    chats = (str(chat_id),) if isinstance(chat_id, int) else _several(chat_id)
    return _set_up("telegram", TelegramOptions(bot_token=Secret(bot_token), chat_id=chats, **options))


#: The port of mail that is encrypted from the first byte.
_TLS_PORT = 465


def _several(given: str | Sequence[str | int]) -> tuple[str, ...]:
    parts = given.split(",") if isinstance(given, str) else map(str, given)
    return tuple(part.strip() for part in parts if part.strip())


def _set_up(name: str, options: ChannelOptions) -> str:
    current().add_channel(name, options)
    return name


def _left_as_shown(name: str, *given: object) -> bool:
    """Whether a value is still the one of the template; then the channel stays off, which is told."""
    from .config.environ import is_placeholder

    if not any(isinstance(each, str) and is_placeholder(each) for each in given):
        return False
    _log.warning("the channel %s is not configured, and stays off: a value in it is a placeholder", name)
    return True
