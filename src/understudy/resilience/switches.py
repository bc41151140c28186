"""Who served each route when: the last changes of its lead, and what changed them."""

from __future__ import annotations

from collections import deque

from understudy.core.events import Event

from .directions import BEGUN, DRAIN, ENDED, FORCE, PIN_EVENTS
from .roster import Roster

#: Changes of one route that are remembered.
_KEPT = 100
#: About one API of one route.
_OF_BREAKERS = frozenset(("breaker.opened", "breaker.closed", "breaker.half_opened"))
#: About an API in every route that it is in.
_OF_APIS = frozenset((BEGUN[DRAIN], ENDED[DRAIN], BEGUN[FORCE], ENDED[FORCE], "fallback.reset"))
_TOLD = _OF_BREAKERS | _OF_APIS | PIN_EVENTS | {"selection.changed"}


class Switches:
    """Listens to the events of one application, and keeps those that say why a route is served as it is."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._kept: dict[str, deque[Event]] = {}

    def heard(self, event: Event) -> None:
        """Keep an event, if it is one of them."""
        if event.kind not in _TOLD:
            return
        if event.route:
            names = [event.route] if event.route in self._roster.routes else []
        elif event.kind in _OF_APIS:
            names = [
                name
                for name, route in self._roster.routes.items()
                if not event.api or any(api.name == event.api for api in route.apis)
            ]
        else:
            names = []
        for name in names:
            self._kept.setdefault(name, deque(maxlen=_KEPT)).append(event)

    def of(self, route: str) -> list[Event]:
        """The last changes of a route, newest first."""
        return list(self._kept.get(route, ()))[::-1]
