"""Strict stand-ins for notification services on this machine, each with a channel that sends to it.

For drills and the demo: what they accept, the services themselves would; nothing leaves the machine.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from understudy.channels.discord import DiscordOptions
from understudy.channels.email import EmailOptions
from understudy.channels.opsgenie import OpsgenieOptions
from understudy.channels.options import ChannelOptions
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.channels.slack import SlackOptions
from understudy.channels.telegram import TelegramOptions
from understudy.channels.webhook import WebhookOptions
from understudy.core.secrets import Secret
from understudy.testing.receivers import (
    DiscordReceiver,
    OpsgenieReceiver,
    PagerDutyReceiver,
    Receiver,
    SlackReceiver,
    SmtpReceiver,
    TelegramReceiver,
    WebhookReceiver,
)

#: What signs the webhooks of a drill; it protects nothing.
_SIGNING = "whsec_" + base64.b64encode(b"only for this machine, 32 bytes.").decode()
_CHAT, _READER = "42", "reader@example.com"
_WRITES = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Local:
    """One receiver: the options of the channel that sends to it, and what it has seen."""

    options: ChannelOptions
    #: Messages that it accepted.
    accepted: Callable[[], int]
    #: Why it refused others.
    refusals: Callable[[], list[str]]


@asynccontextmanager
async def local_receivers(*kinds: str, language: str = "en") -> AsyncIterator[dict[str, Local]]:
    """Receivers of these kinds, or of every kind, by name; they end with the block."""
    async with AsyncExitStack() as stack:
        found: dict[str, Local] = {}
        for kind in kinds or KINDS:
            common: dict[str, Any] = {"allow_private": True, "language": language}
            if kind == "email":
                mail = await stack.enter_async_context(SmtpReceiver())
                options = EmailOptions(
                    host="127.0.0.1", port=mail.port, security="none", from_email="understudy@example.com",
                    to_emails=(_READER,), **common,
                )  # fmt: skip
                found[kind] = _mailbox(options, mail)
                continue
            make, configure = _MADE[kind]
            receiver = await stack.enter_async_context(make())
            found[kind] = Local(configure(receiver, common), _accepted(receiver), _refusals(receiver))
        yield found


def _mailbox(options: ChannelOptions, mail: SmtpReceiver) -> Local:
    return Local(options, lambda: len(mail.mails), lambda: list(mail.faults))


def _refusals(receiver: Receiver) -> Callable[[], list[str]]:
    return lambda: list(receiver.refusals)


def _accepted(receiver: Receiver) -> Callable[[], int]:
    def count() -> int:
        kept = getattr(receiver, "accepted", None)
        if kept is not None:
            return len(kept)  # new messages: one that was changed afterwards is still one
        return sum(each.method in _WRITES for each in receiver.requests) - len(receiver.refusals)

    return count


_Made = tuple[Callable[[], Any], Callable[[Any, dict[str, Any]], ChannelOptions]]
_MADE: Mapping[str, _Made] = {
    "slack": (SlackReceiver, lambda at, common: SlackOptions(url=Secret(at.url), **common)),
    "discord": (DiscordReceiver, lambda at, common: DiscordOptions(url=Secret(at.url), **common)),
    "telegram": (
        lambda: TelegramReceiver(_CHAT),
        lambda at, common: TelegramOptions(bot_token=Secret(at.token), chat_id=(_CHAT,), api_base=at.base, **common),
    ),
    "pagerduty": (
        lambda: PagerDutyReceiver("0" * 32),
        lambda at, common: PagerDutyOptions(routing_key=Secret("0" * 32), api_base=at.base, **common),
    ),
    "opsgenie": (
        lambda: OpsgenieReceiver("only-for-this-machine"),
        lambda at, common: OpsgenieOptions(api_key=Secret("only-for-this-machine"), api_base=at.base, **common),
    ),
    "webhook": (
        lambda: WebhookReceiver(_SIGNING),
        lambda at, common: WebhookOptions(url=Secret(at.url), secrets=(Secret(_SIGNING),), **common),
    ),
}

#: Every kind that there is a receiver for.
KINDS = ("email", *_MADE)
