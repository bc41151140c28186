"""The environment variables of the original document."""

from __future__ import annotations

import re

#: Variables that set one value of the tree.
SEED_PATHS: dict[str, tuple[str, ...]] = {
    "ENVIRONMENT": ("environment",),
    "LOG_LEVEL": ("log", "level"),
    "LOG_FILE": ("log", "file"),
    "LOG_FORMAT": ("log", "format"),
    "DASHBOARD_HOST": ("service", "host"),
    "DASHBOARD_PORT": ("service", "port"),
    "DASHBOARD_SECRET_KEY": ("service", "secret_key"),
    "ALERT_SUCCESS_RATE_THRESHOLD": ("alerts", "success_rate"),
    "ALERT_RESPONSE_TIME_THRESHOLD": ("alerts", "response_time"),
    "ALERT_ERROR_RATE_THRESHOLD": ("alerts", "error_rate"),
}

#: Each variable with the sentence that the template writes above it, and an example that is no secret.
SEED_VARIABLES: dict[str, tuple[str, str]] = {
    "ENVIRONMENT": ("development, staging or production", "production"),
    "LOG_LEVEL": ("DEBUG, INFO, WARNING, ERROR or CRITICAL", "INFO"),
    "LOG_FILE": ("file of the log; empty: standard error", "logs/understudy.log"),
    "LOG_FORMAT": ("text or json", "text"),
    "SMTP_SERVER": ("mail server", "smtp.gmail.com"),
    "SMTP_PORT": ("its port", "587"),
    "SMTP_USERNAME": ("its user", "seu_email@gmail.com"),
    "SMTP_PASSWORD": ("its password", "sua_senha_app"),
    "FROM_EMAIL": ("sender", "seu_email@gmail.com"),
    "TO_EMAILS": ("recipients, comma separated", "seu_email@gmail.com"),
    "SLACK_WEBHOOK_URL": ("incoming webhook of Slack", "https://hooks.slack.com/services/..."),
    "DISCORD_WEBHOOK_URL": ("webhook of Discord", "https://discord.com/api/webhooks/..."),
    "TELEGRAM_BOT_TOKEN": ("token of the Telegram bot", "seu_bot_token"),
    "TELEGRAM_CHAT_ID": ("chats, comma separated", "seu_chat_id"),
    "DASHBOARD_HOST": ("address to listen on", "127.0.0.1"),
    "DASHBOARD_PORT": ("port to listen on", "8080"),
    "DASHBOARD_SECRET_KEY": ("signs links of messages, digests API tokens", "sua_chave_secreta"),
    "ALERT_SUCCESS_RATE_THRESHOLD": ("lowest good success rate, %", "80.0"),
    "ALERT_RESPONSE_TIME_THRESHOLD": ("highest good response time, s", "2.0"),
    "ALERT_ERROR_RATE_THRESHOLD": ("highest good error rate, %", "20.0"),
}

_PLACEHOLDER = re.compile(
    r"^(sua|seu|suas|seus|your)([_ .-]|e?-?mail)|\.\.\.$|^<.*>$|^change[_-]?me|^x{3,}$|/YOUR[/_-]|^example$",
    re.IGNORECASE,
)


def is_placeholder(value: str) -> bool:
    """Whether a value was left as the template has it."""
    return _PLACEHOLDER.search(value.strip()) is not None


def split(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
