"""The questions about channels: what each kind needs, and a test message that really arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from .screen import safe
from .setup_checks import send_tests, show
from .setup_steps import Session


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that a channel needs: the variable it goes to."""

    variable: str
    message: str
    secret: bool = False
    default: str = ""
    #: The key of the channel's table that refers to the variable; empty: the original document's own variable.
    key: str = ""
    optional: bool = False


def channels(session: Session) -> None:
    """Add channels until none is chosen."""
    _ = session.text
    while True:
        settings = session.settings()
        for name, options in settings.channels.items():
            session.screen.line(f"  {safe(name)}  {options.kind}")
        kinds = [
            ("", _("no further one")), ("email", _("e-mail")), ("slack", "Slack"), ("discord", "Discord"),
            ("telegram", "Telegram"), ("pagerduty", "PagerDuty"), ("opsgenie", "Opsgenie"),
            ("webhook", _("webhook: a signed JSON request")),
        ]  # fmt: skip
        kind = session.ask.one(_("Who is told, and how? Add a channel:"), kinds, "")
        if not kind:
            return
        _one(session, kind)


def _one(session: Session, kind: str) -> None:
    _, draft = session.text, session.draft
    table: dict[str, object] = {"kind": kind}
    for each in _needed(session, kind):
        now = session.target.environment(draft).get(each.variable, each.default)
        given = session.ask.secret(each.message) if each.secret else session.ask.text(each.message, now)
        if not given and each.optional:
            continue
        if given:
            draft.variables[each.variable] = given
        if each.variable in draft.missing:
            draft.missing.remove(each.variable)
        if each.key:
            table[each.key] = f"env:{each.variable}"
    if len(table) > 1:
        draft.tables["channels", kind] = table
    loaded = session.loaded()
    if loaded is None or kind not in loaded.settings.channels:
        for warning in loaded.warnings if loaded is not None else ():
            session.screen.line(safe(warning, 400), "degraded")
        return
    if session.ask.yes(_("Send a test message now?")):
        show(session.screen, asyncio.run(send_tests(session.screen, loaded.settings, [kind])))


def _needed(session: Session, kind: str) -> Sequence[Asked]:
    _ = session.text
    match kind:
        case "email":
            return (
                Asked("SMTP_SERVER", _("Mail server"), default="smtp.gmail.com"),
                Asked("SMTP_PORT", _("Its port"), default="587"),
                Asked("SMTP_USERNAME", _("User")),
                Asked("SMTP_PASSWORD", _("Password (Gmail: an app password)"), secret=True),
                Asked("FROM_EMAIL", _("Sender")),
                Asked("TO_EMAILS", _("Recipients, comma separated")),
            )
        case "slack":
            return (Asked("SLACK_WEBHOOK_URL", _("URL of the incoming webhook"), secret=True),)
        case "discord":
            return (Asked("DISCORD_WEBHOOK_URL", _("URL of the webhook"), secret=True),)
        case "telegram":
            return (
                Asked("TELEGRAM_BOT_TOKEN", _("Token of the bot, from @BotFather"), secret=True),
                Asked("TELEGRAM_CHAT_ID", _("Chats, comma separated")),
            )
        case "pagerduty":
            return (Asked("PAGERDUTY_ROUTING_KEY", _("Integration key (Events API v2)"), True, key="routing_key"),)
        case "opsgenie":
            return (Asked("OPSGENIE_API_KEY", _("Key of the API integration"), True, key="api_key"),)
    return (
        Asked("WEBHOOK_URL", _("URL that receives the requests"), True, key="url"),
        Asked("WEBHOOK_SECRET", _("Secret that signs them: whsec_… (empty: none)"), True, key="secret", optional=True),
    )
