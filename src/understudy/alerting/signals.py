"""What happens at once, for rules that cannot wait a second: told by events here, and by signals from other instances.

Here an event only says where to look: the gauges tell what is. An instance that does not evaluate leaves a
signal whenever one of its gauges turns, and again every so often while it lasts, so that the one which
evaluates takes it for ended when the other has died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from understudy.alerts.metrics import EVENTS
from understudy.alerts.model import Labels, Subject
from understudy.alerts.ports import Signal
from understudy.core.clock import Clock
from understudy.core.events import Event
from understudy.resilience import FallbackManager

#: A signal that lasts is left again so often, and one that was not for so long has ended, s.
AGAIN, OVER = 20.0, 60.0
#: Events after which an API's own gauges, or those of its keys, may be others.
_TELLING = ("breaker.", "key.", "quota.", "hold.", "fallback.reset", "network.")


class Touched:
    """The subjects that something has just happened to. `wake` is called when the first one is noted."""

    def __init__(self, fallback: FallbackManager, labels_of: Callable[[str], Labels]) -> None:
        self._fallback = fallback
        self._labels_of = labels_of
        self._noted: dict[tuple[Subject, tuple[tuple[str, str], ...]], Labels] = {}
        self.wake: Callable[[], None] = _nothing

    def heard(self, event: Event) -> None:
        """Note whom an event is about; a listener of the event bus."""
        if not event.kind.startswith(_TELLING):
            return
        if event.kind.startswith("network."):
            self.note("all", {})
        breaker = str(event.detail.get("breaker", ""))
        if breaker.startswith("hub:") and not event.api:
            self._hub(breaker.removeprefix("hub:"))
        elif event.api:
            self._api(event.api)
            if event.kind.startswith(("key.", "quota.")) and event.detail.get("key"):
                self.note("key", {"api": event.api, "key": str(event.detail["key"])})
        elif event.kind == "fallback.reset":
            for name in self._fallback.roster.apis:
                self._api(name)
        if self._noted:
            self.wake()

    def _api(self, name: str) -> None:
        self.note("api", self._labels_of(name))
        api = self._fallback.roster.apis.get(name)
        if api is None:
            return
        for route in self._fallback.roster.routes.values():
            if api in route.apis:
                self.note("route", {"route": route.name})

    def _hub(self, name: str) -> None:
        self.note("hub", {"hub": name})
        hub = self._fallback.roster.hubs.get(name)
        for api in hub.apis if hub is not None else ():
            self._api(api.name)

    def note(self, subject: Subject, labels: Labels) -> None:
        """Something happened to this subject."""
        self._noted[subject, tuple(labels.items())] = labels

    def take(self) -> list[tuple[Subject, Labels]]:
        """Whom something happened to since the last time."""
        noted, self._noted = self._noted, {}
        return [(subject, labels) for (subject, _), labels in noted.items()]


def _nothing() -> None:
    """Nobody is to be woken yet."""


@dataclass(slots=True)
class _Heard:
    signal: Signal
    at: float


class Remote:
    """The signals of other instances that last. Their subjects count as if it had happened here."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._lasting: dict[tuple[str, str, tuple[tuple[str, str], ...]], _Heard] = {}

    def take(self, instance: str, signal: Signal) -> tuple[Subject, Labels] | None:
        """Take in what an instance left; answers the subject that it is about, None for an unknown event."""
        known = EVENTS.get(signal.event)
        if known is None:
            return None
        key = (signal.event, instance, tuple(sorted(signal.labels.items())))
        if signal.active:
            self._lasting[key] = _Heard(signal, self._now())
        else:
            self._lasting.pop(key, None)
        return known[0], signal.labels

    def lasts(self, event: str, labels: Labels) -> bool:
        """Whether some other instance says so, and has said so lately."""
        if not self._lasting:
            return False
        wanted, now = tuple(sorted(labels.items())), self._now()
        for key, heard in list(self._lasting.items()):
            if now - heard.at > OVER:
                del self._lasting[key]
            elif key[0] == event and key[2] == wanted:
                return True
        return False


class Posting:
    """What an instance that does not evaluate leaves for the one that does: what began, lasts, and ended."""

    def __init__(self, clock: Clock, gauge: Callable[[str, Subject, Labels], float | None]) -> None:
        self._clock = clock
        self._gauge = gauge
        self._told: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Labels, float]] = {}

    def changes(self, touched: Iterable[tuple[Subject, Labels]]) -> list[Signal]:
        """The signals to leave now, after something happened to these subjects."""
        now, at = self._clock.monotonic(), self._clock.time()
        found: list[Signal] = []
        for subject, labels in touched:
            for event, (kind, gauge) in _POSTED.items():
                if kind == subject:
                    self._turn(event, labels, bool(self._gauge(gauge, subject, labels)), now, at, found)
        for (event, key), (labels, told_at) in list(self._told.items()):
            if now - told_at >= AGAIN:
                subject, gauge = EVENTS[event]
                self._told[event, key] = (labels, now)
                if not self._gauge(gauge, subject, labels):
                    del self._told[event, key]
                found.append(Signal(event, labels, (event, key) in self._told, at))
        return found

    def _turn(self, event: str, labels: Labels, active: bool, now: float, at: float, found: list[Signal]) -> None:
        key = (event, tuple(sorted(labels.items())))
        if active == (key in self._told):
            return
        if active:
            self._told[key] = (labels, now)
        else:
            del self._told[key]
        found.append(Signal(event, labels, active, at))

    def forget(self) -> None:
        """This instance evaluates itself from now on, or again from the beginning."""
        self._told.clear()


#: What another instance can know better than the one that evaluates.
_POSTED: Mapping[str, tuple[Subject, str]] = {
    name: known for name, known in EVENTS.items() if known[0] in ("api", "hub", "key", "route")
}
