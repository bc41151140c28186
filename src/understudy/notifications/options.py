"""What can be set about notifications as a whole; each channel has options of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.secrets import Secret


@dataclass(frozen=True, slots=True)
class NotificationOptions(Options):
    """Notifications, as in `[notifications]`."""

    public_url: Annotated[
        str, at.MaxLen(2000), Doc("where people reach the service, for the links in messages; empty: no links")
    ] = ""
    link_valid: Annotated[float, at.Ge(60), at.Le(2592000), Doc("a link to acknowledge or silence works", "s")] = (
        604800.0
    )
    message_cooldown: Annotated[
        float, at.Ge(0), at.Le(604800), Doc("a message with the same title and severity is not sent again within", "s")
    ] = 0.0
    heartbeat_url: Annotated[
        Secret | None, Doc("asked each minute while all is well, for a dead man's switch; env:NAME or file:PATH")
    ] = None
    heartbeat_every: Annotated[float, at.Ge(10), at.Le(86400), Doc("between two heartbeats", "s")] = 60.0
    tell_dead_letters: Annotated[bool, Doc("tell the other channels when messages of one were given up")] = True
