"""Every channel before its own receiver: what the matrix of faults goes through."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from understudy.channels.discord import DiscordOptions
from understudy.channels.email import EmailOptions
from understudy.channels.opsgenie import OpsgenieOptions
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.channels.slack import SlackOptions
from understudy.channels.telegram import TelegramOptions
from understudy.channels.webhook import WebhookOptions
from understudy.core.secrets import Secret
from understudy.testing.receivers import Fault, OpsgenieReceiver, PagerDutyReceiver, SmtpReceiver, WebhookReceiver
from understudy.testing.receivers.base import status
from understudy.testing.receivers.discord import DiscordReceiver
from understudy.testing.receivers.opsgenie import API_KEY
from understudy.testing.receivers.pagerduty import ROUTING_KEY
from understudy.testing.receivers.slack import SlackReceiver
from understudy.testing.receivers.telegram import TelegramReceiver

SIGNING = "whsec_" + base64.b64encode(b"n" * 32).decode()
ANA, BEA, CAI = "ana@example.com", "bea@example.com", "cai@example.com"


@dataclass(frozen=True)
class Case:
    """One channel over HTTP. `seen` counts what a person would see, repeats and all."""

    name: str
    receiver: Callable[..., Any]
    options: Callable[..., Any]
    #: What the service says when its key or address was taken back.
    revoked: Fault
    seen: Callable[[Any], int] = field(default=lambda receiver: len(receiver.accepted))
    #: Whether the service itself knows a repeat, so that it is seen once.
    keyed: bool = False
    #: Whether any page with status 200 is its success.
    trusting: bool = False

    def __str__(self) -> str:
        return self.name


def json_fault(code: int, text: str) -> Fault:
    return status(code, text, content_type="application/json")


CASES = [
    Case(
        "slack", SlackReceiver,
        lambda at, **more: SlackOptions(url=Secret(at.url), allow_private=True, **more),
        status(404, "no_service"),
    ),
    Case(
        "discord", DiscordReceiver,
        lambda at, **more: DiscordOptions(url=Secret(at.url), allow_private=True, **more),
        json_fault(404, '{"message": "Unknown Webhook", "code": 10015}'),
    ),
    Case(
        "telegram", TelegramReceiver,
        lambda at, **more: TelegramOptions(
            bot_token=Secret(at.token), chat_id=("42",), api_base=at.base, allow_private=True, **more
        ),
        json_fault(401, '{"ok": false, "error_code": 401, "description": "Unauthorized"}'),
    ),
    Case(
        "pagerduty", PagerDutyReceiver,
        lambda at, **more: PagerDutyOptions(
            routing_key=Secret(ROUTING_KEY), api_base=at.base, allow_private=True, **more
        ),
        json_fault(400, '{"status": "invalid key", "message": "unrecognized", "errors": ["invalid routing key"]}'),
        seen=lambda receiver: len(receiver.incidents), keyed=True,
    ),
    Case(
        "opsgenie", OpsgenieReceiver,
        lambda at, **more: OpsgenieOptions(api_key=Secret(API_KEY), api_base=at.base, allow_private=True, **more),
        json_fault(401, '{"message": "Could not authenticate", "took": 0.0}'),
        seen=lambda receiver: len(receiver.alerts), keyed=True,
    ),
    Case(
        "webhook", lambda **more: WebhookReceiver(SIGNING, **more),
        lambda at, **more: WebhookOptions(url=Secret(at.url), secrets=(Secret(SIGNING),), allow_private=True, **more),
        status(410), keyed=True, trusting=True,
    ),
]  # fmt: skip


def mail_options(at: SmtpReceiver, **more: Any) -> EmailOptions:
    """A relay without encryption, unless `more` says otherwise."""
    values = {"host": "127.0.0.1", "port": at.port, "security": "none", "from_email": "u@example.com"}
    return EmailOptions(**{**values, "to_emails": (ANA,), "allow_private": True, **more})
