"""What can be set about notifications as a whole; each channel has options of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.options import Doc, Options, check
from understudy.core.secrets import Secret

#: The days of the week, from Monday, as `drill_at` names them.
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHEN: Final = re.compile(rf"(?:{'|'.join(DAYS)}) (?:[01]\d|2[0-3]):[0-5]\d")


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
    drill: Annotated[
        Literal["never", "weekly", "monthly"], Doc("an outage is played that often, to see whether every channel tells")
    ] = "never"
    drill_at: Annotated[str, at.MaxLen(9), Doc("day and time of drills; monthly: the first such day")] = "tue 10:00"
    drill_zone: Annotated[str, at.MinLen(1), at.MaxLen(100), Doc("time zone of that time: America/Sao_Paulo")] = "UTC"
    drill_pagers: Annotated[bool, Doc("drills ring pagers, too")] = False

    def __post_init__(self) -> None:
        check(self)
        if not _WHEN.fullmatch(self.drill_at):
            raise OptionError("NotificationOptions", "drill_at", self.drill_at, "a day and a time, such as tue 10:00")
        try:
            ZoneInfo(self.drill_zone)
        except (ValueError, KeyError, OSError):
            wanted = "the name of a time zone, such as America/Sao_Paulo"
            raise OptionError("NotificationOptions", "drill_zone", self.drill_zone, wanted) from None
