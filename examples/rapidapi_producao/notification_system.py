"""O sistema de notificações: os nomes do documento, tal como o Understudy os tem."""

from understudy import (
    NotificationManager,
    NotificationMessage,
    NotificationResult,
    get_notification_manager,
    setup_discord_notifications,
    setup_email_notifications,
    setup_slack_notifications,
    setup_telegram_notifications,
)

__all__ = [
    "NotificationManager",
    "NotificationMessage",
    "NotificationResult",
    "get_notification_manager",
    "setup_discord_notifications",
    "setup_email_notifications",
    "setup_slack_notifications",
    "setup_telegram_notifications",
]
