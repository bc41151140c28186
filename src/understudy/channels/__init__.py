"""Ways to reach people: one file for each, and one entry here.

A new channel is a module with an options class (its `kind` a `Literal`) and a class that satisfies
`notifications.ports.Channel`, made from name, options and `ChannelDeps`; then a line in `AnyChannelOptions` and one
in `KINDS`. Configuration, schema, reference and set-up follow from these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.core.errors import UnknownName
from understudy.notifications.ports import Channel

from .apprise import AppriseChannel, AppriseOptions
from .discord import DiscordChannel, DiscordOptions
from .email import EmailChannel, EmailOptions
from .opsgenie import OpsgenieChannel, OpsgenieOptions
from .options import ChannelDeps, ChannelOptions
from .pagerduty import PagerDutyChannel, PagerDutyOptions
from .slack import SlackChannel, SlackOptions
from .telegram import TelegramChannel, TelegramOptions
from .webhook import WebhookChannel, WebhookOptions

#: The options of every kind: what `[channels.NAME]` may be, told apart by `kind`.
AnyChannelOptions = (
    EmailOptions
    | SlackOptions
    | DiscordOptions
    | TelegramOptions
    | PagerDutyOptions
    | OpsgenieOptions
    | WebhookOptions
    | AppriseOptions
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of channel is configured and made."""

    options: type[ChannelOptions]
    #: Takes the channel's name, its options and what it is made with.
    make: Callable[[str, Any, ChannelDeps], Channel]


KINDS: Mapping[str, Kind] = {
    "email": Kind(EmailOptions, EmailChannel),
    "slack": Kind(SlackOptions, SlackChannel),
    "discord": Kind(DiscordOptions, DiscordChannel),
    "telegram": Kind(TelegramOptions, TelegramChannel),
    "pagerduty": Kind(PagerDutyOptions, PagerDutyChannel),
    "opsgenie": Kind(OpsgenieOptions, OpsgenieChannel),
    "webhook": Kind(WebhookOptions, WebhookChannel),
    "apprise": Kind(AppriseOptions, AppriseChannel),
}


def build(name: str, options: ChannelOptions, deps: ChannelDeps) -> Channel:
    """The channel that the options describe.

    Raises:
        UnknownName: there is no such kind.
        NotInstalled: it needs an extra that is not installed.
    """
    kind = KINDS.get(options.kind)
    if kind is None:
        raise UnknownName("kind of channel", options.kind)
    return kind.make(name, options, deps)


__all__ = ["KINDS", "AnyChannelOptions", "ChannelDeps", "ChannelOptions", "Kind", "build"]
