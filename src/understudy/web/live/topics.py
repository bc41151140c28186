"""What can be listened to: each topic with its permission, how often it is looked at, and what is told of it.

A topic is a name, or a name and an argument after a colon: `overview`, `rows:fx,odds`, `series:fx`. Names of APIs
in lists are percent-encoded where they hold a comma or a percent sign.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from understudy.web.auth.permissions import Permission

from . import feeds, looks

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.web.auth.permissions import Identity


class Feed(Protocol):
    """Things that happen one after the other."""

    def recent(self) -> list[Any]:
        """What came last, for whoever begins to listen."""

    async def take(self) -> tuple[list[Any], int]:
        """What came since it was last asked, and how many more there were than anybody reads."""

    def close(self) -> None:
        """Nobody listens any more."""


#: All that there is to know of a topic, by key; values as JSON has them.
Look = Callable[["Understudy", str], Awaitable[Mapping[str, Any]]]
#: Opens a feed; the last argument is called when something has come.
Open = Callable[["Understudy", str, Callable[[], None]], Feed]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of topic. Either `look` or `open` is set; `on` are beginnings of events that make it look at once."""

    needs: Permission
    #: Seconds between two looks while somebody listens.
    every: float
    look: Look | None = None
    open: Open | None = None
    argument: bool = False
    #: Which APIs an argument is about; None: about all that there are.
    names: Callable[[str], Sequence[str]] | None = None
    on: tuple[str, ...] = ()


#: Events after which routes and their APIs stand differently.
SWITCHES: Final = ("breaker.", "selection.", "hold.", "key.", "route.", "api.", "fallback.reset", "config.", "probe.")

KINDS: Final[Mapping[str, Kind]] = {
    "overview": Kind(Permission.READ, 1.0, looks.overview, on=SWITCHES),
    "rows": Kind(Permission.READ, 1.0, looks.rows, argument=True, on=SWITCHES, names=looks.names_of),
    "newest": Kind(Permission.READ, 1.0, looks.newest, argument=True, names=looks.newest_names),
    "heat": Kind(Permission.READ, 5.0, looks.heat, argument=True),
    "series": Kind(Permission.READ, 1.0, open=feeds.Points, argument=True, names=lambda name: (name,)),
    "events": Kind(Permission.READ, 1.0, open=feeds.Events),
    "alerts": Kind(Permission.READ, 1.0, looks.alerts, on=("alerts.",)),
    "requests": Kind(Permission.READ, 1.0, open=feeds.Requests, argument=True),
    "routes": Kind(Permission.READ, 1.0, looks.routes, on=SWITCHES),
    "channels": Kind(Permission.CHANNELS, 2.0, looks.channels),
    "troubles": Kind(Permission.READ, 2.0, looks.troubles),
    "system": Kind(Permission.READ, 2.0, looks.system),
}

#: Longest name of a topic, characters: sixty rows with long names fit into it.
LONGEST: Final = 16_000


def refusal(topic: str, who: Identity) -> str:
    """Why somebody may not listen to a topic; empty where they may. A token for some APIs hears of those only."""
    found = kind_of(topic)
    if isinstance(found, str):
        return found
    kind, argument = found
    if not who.may(kind.needs):
        return f"this needs the permission {kind.needs}"
    if who.apis and (kind.names is None or not set(kind.names(argument)) <= set(who.apis)):
        return f"this token is for the APIs {', '.join(who.apis)}; ask for rows, newest or series of those"
    return ""


def kind_of(topic: str) -> tuple[Kind, str] | str:
    """The kind of a topic and its argument, or why there is none."""
    if len(topic) > LONGEST:
        return f"a topic is at most {LONGEST} characters long"
    name, colon, argument = topic.partition(":")
    kind = KINDS.get(name)
    if kind is None:
        return f"there is no such topic; there are {', '.join(KINDS)}"
    if bool(colon) != kind.argument or (colon and name != "requests" and not argument):
        return f"{name} takes {'something after a colon' if kind.argument else 'nothing after it'}"
    return kind, argument
