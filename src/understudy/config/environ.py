"""The environment variables of the original document, and what they say about channels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from understudy.core.secrets import Secret

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
    "DASHBOARD_SECRET_KEY": ("signs sessions", "sua_chave_secreta"),
    "ALERT_SUCCESS_RATE_THRESHOLD": ("lowest good success rate, %", "80.0"),
    "ALERT_RESPONSE_TIME_THRESHOLD": ("highest good response time, s", "2.0"),
    "ALERT_ERROR_RATE_THRESHOLD": ("highest good error rate, %", "20.0"),
}

_PLACEHOLDER = re.compile(
    r"^(sua|seu|suas|seus|your)([_ .-]|e?-?mail)|\.\.\.$|^<.*>$|^change[_-]?me|^x{3,}$|/YOUR[/_-]|^example$",
    re.IGNORECASE,
)

#: Variables that hold several values, comma separated.
_LISTS = ("TO_EMAILS", "TELEGRAM_CHAT_ID")


@dataclass(frozen=True, slots=True)
class SmtpChannel:
    """Mail."""

    server: str
    port: int
    username: str
    password: Secret
    from_email: str
    to_emails: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlackChannel:
    """Slack's incoming webhook, which is a secret as a whole."""

    webhook_url: Secret


@dataclass(frozen=True, slots=True)
class DiscordChannel:
    """Discord's webhook, likewise."""

    webhook_url: Secret


@dataclass(frozen=True, slots=True)
class TelegramChannel:
    """A bot and the chats it writes to."""

    bot_token: Secret
    chat_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeedChannels:
    """The channels that the original document's variables configure; None: off."""

    smtp: SmtpChannel | None = None
    slack: SlackChannel | None = None
    discord: DiscordChannel | None = None
    telegram: TelegramChannel | None = None

    def names(self) -> list[str]:
        """Names of the configured channels: email, slack, discord, telegram."""
        channels = {"email": self.smtp, "slack": self.slack, "discord": self.discord, "telegram": self.telegram}
        return [name for name, channel in channels.items() if channel is not None]


def is_placeholder(value: str) -> bool:
    """Whether a value was left as the template has it."""
    return _PLACEHOLDER.search(value.strip()) is not None


def split(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


class ChannelReader:
    """Builds `SeedChannels` from variables; `warnings` says by name what is not configured and why."""

    def __init__(self, read: Callable[[str], tuple[str, str]]) -> None:
        self._read = read  # name -> (value, source); both empty when it is not set
        self.warnings: list[str] = []

    def channels(self) -> SeedChannels:
        """What the variables configure."""
        return SeedChannels(self._smtp(), self._slack(), self._discord(), self._telegram())

    def _usable(self, channel: str, *names: str, optional: tuple[str, ...] = ()) -> dict[str, Secret] | None:
        """The values, when all are there and none is a placeholder; a half-set channel is a warning."""
        found = {name: self._read(name) for name in (*names, *optional)}
        parts = {name: split(value) if name in _LISTS else (value,) for name, (value, _) in found.items()}
        missing = [name for name in names if not any(parts[name])]
        if len(missing) == len(names):
            return None
        left = [name for name in found if any(map(is_placeholder, parts[name]))]
        if missing or left:
            reasons = [f"{name} is not set" for name in missing] + [f"{name} is a placeholder" for name in left]
            self.warnings.append(f"channel {channel} is not configured: {', '.join(reasons)}")
            return None
        return {name: Secret(value, source) for name, (value, source) in found.items()}

    def _smtp(self) -> SmtpChannel | None:
        names = ("SMTP_SERVER", "SMTP_USERNAME", "SMTP_PASSWORD")
        values = self._usable("email", *names, optional=("FROM_EMAIL", "TO_EMAILS"))
        if values is None:
            return None
        port = self._read("SMTP_PORT")[0] or "587"
        if not (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536):
            self.warnings.append("channel email is not configured: SMTP_PORT is no port number")
            return None
        user = values["SMTP_USERNAME"].reveal()
        sender = values["FROM_EMAIL"].reveal() or user
        to = split(values["TO_EMAILS"].reveal()) or (sender,)
        return SmtpChannel(values["SMTP_SERVER"].reveal(), int(port), user, values["SMTP_PASSWORD"], sender, to)

    def _slack(self) -> SlackChannel | None:
        values = self._usable("slack", "SLACK_WEBHOOK_URL")
        return SlackChannel(values["SLACK_WEBHOOK_URL"]) if values else None

    def _discord(self) -> DiscordChannel | None:
        values = self._usable("discord", "DISCORD_WEBHOOK_URL")
        return DiscordChannel(values["DISCORD_WEBHOOK_URL"]) if values else None

    def _telegram(self) -> TelegramChannel | None:
        values = self._usable("telegram", "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID")
        if values is None:
            return None
        return TelegramChannel(values["TELEGRAM_BOT_TOKEN"], split(values["TELEGRAM_CHAT_ID"].reveal()))
