"""Topics that tell what happens, one thing after the other: points of charts, events, requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from understudy.core.events import Event
from understudy.monitor.requests import RequestEntry, RequestQuery, answers
from understudy.monitor.search import SearchError, parse
from understudy.web.views.happened import recent_events, worth_telling

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Things of one kind that are told in a second; people cannot read more, and what is beyond is counted.
MOST_LINES: Final = 200
MOST_EVENTS: Final = 50
#: What a line of the tail shows of an entry.
_SHOWN: Final = (
    "at", "call_id", "route", "api", "outcome", "latency", "attempts", "status", "endpoint", "error_class", "error",
)  # fmt: skip


class Points:
    """The seconds of one API, each once it is over."""

    def __init__(self, app: Understudy, argument: str, arrived: Callable[[], None]) -> None:
        self._app = app
        self._api = argument
        self._last = max((each["at"] for each in self._points()), default=0.0)

    def recent(self) -> list[Any]:
        """The newest second that was told."""
        return [each for each in self._points() if each["at"] <= self._last + 0.5][-1:]

    async def take(self) -> tuple[list[Any], int]:
        """The seconds that have ended since."""
        new = [each for each in self._points() if each["at"] > self._last + 0.5]
        if new:
            self._last = new[-1]["at"]
        return new, 0

    def close(self) -> None:
        """Nothing was opened."""

    def _points(self) -> list[dict[str, Any]]:
        if self._api not in self._app.fallback.roster.apis:
            return []
        return [point.as_dict() for point in self._app.monitor.history(self._api, "1m")[-10:-1]]


class Events:
    """What changed: breakers, keys, holds, switches, configuration, and alerts that fire or end."""

    def __init__(self, app: Understudy, argument: str, arrived: Callable[[], None]) -> None:
        self._app = app
        self._arrived = arrived
        self._new: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._told: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._told.extend(reversed(recent_events(app, MOST_EVENTS)))
        self._skipped = 0
        self._unsubscribe = app.events.subscribe(self._heard)
        self._firing = self._fires()

    def recent(self) -> list[Any]:
        """The last ones, the oldest first."""
        return [each.as_dict() for each in self._told]

    async def take(self) -> tuple[list[Any], int]:
        """Those since."""
        self._alerts()
        new = [each.as_dict() for each in self._new]
        self._told.extend(self._new)
        skipped, self._skipped = self._skipped, 0
        self._new.clear()
        return new, skipped

    def close(self) -> None:
        """Listen no more."""
        self._unsubscribe()

    def _heard(self, event: Event) -> None:
        if worth_telling(event):
            self._add(event)
            self._arrived()

    def _add(self, event: Event) -> None:
        self._skipped += len(self._new) == MOST_EVENTS
        self._new.append(event)

    def _alerts(self) -> None:
        """Tell of alerts that began to fire or ended since the last look."""
        before, self._firing = self._firing, self._fires()
        now = self._app.clock.time()
        for fingerprint, told in self._firing.items():
            if fingerprint not in before:
                self._add(_alert_event("alert.fired", now, fingerprint, told))
        for fingerprint, told in before.items():
            if fingerprint not in self._firing:
                self._add(_alert_event("alert.resolved", now, fingerprint, told))

    def _fires(self) -> dict[str, dict[str, Any]]:
        if self._app.keeping is None:
            return {}
        return {
            each.fingerprint: {"rule": each.rule, "severity": each.severity, "labels": dict(each.labels)}
            for each in self._app.alerts.active()
            if each.phase != "pending"
        }


def _alert_event(kind: str, at: float, fingerprint: str, told: Mapping[str, Any]) -> Event:
    labels = told["labels"]
    detail = {"rule": told["rule"], "severity": told["severity"], "alert": fingerprint}
    return Event(kind, at, labels.get("api", ""), labels.get("route", ""), detail)


class Requests:
    """Calls that answer a search, as they end. A search that cannot be read finds nothing."""

    def __init__(self, app: Understudy, argument: str, arrived: Callable[[], None]) -> None:
        self._new: list[RequestEntry] = []
        self._skipped = 0
        self._query: RequestQuery | None = None
        self._unfollow: Callable[[], None] | None = None
        if app.keeping is None:
            return
        try:
            self._query = parse(argument, app.clock.time())
        except SearchError:
            return
        self._unfollow = app.keeping.request_log.follow(self._heard)

    def recent(self) -> list[Any]:
        """None: the page shows what is kept."""
        return []

    async def take(self) -> tuple[list[Any], int]:
        """Those since, the oldest first."""
        new, self._new = self._new, []
        skipped, self._skipped = self._skipped, 0
        return [{name: getattr(each, name) for name in _SHOWN} for each in new], skipped

    def close(self) -> None:
        """Listen no more."""
        if self._unfollow is not None:
            self._unfollow()

    def _heard(self, entry: RequestEntry) -> None:
        if self._query is None or not answers(entry, self._query):
            return
        if len(self._new) >= MOST_LINES:
            self._skipped += 1
        else:
            self._new.append(entry)
