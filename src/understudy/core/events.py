"""Typed events: what changed, told once, in order; a raising listener is isolated and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is dotted (`breaker.opened`, `key.quarantined`, `config.reloaded`); `at` epoch seconds."""

    kind: str
    at: float
    api: str = ""
    route: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The event as plain JSON-ready values."""
        return {"kind": self.kind, "at": self.at, "api": self.api, "route": self.route, "detail": dict(self.detail)}


Listener = Callable[[Event], object]
#: Beginnings of the kinds that tell of single calls: an outage makes hundreds of them a second.
OF_CALLS: Final = (
    "attempt.", "budget.", "bulkhead.would_", "fallback.exhausted", "fallback.served", "quota.would_", "rate.would_",
    "retry.", "self.failure",
)  # fmt: skip


class EventBus:
    """Delivers events to listeners synchronously, and keeps the last ones for people to read.

    What changed is kept apart from what happened to single calls, which would drive it out within a minute.
    """

    def __init__(self, keep: int = 1000) -> None:
        self._listeners: list[list[Listener]] = []
        self._recent: deque[Event] = deque(maxlen=keep)
        self._changes: deque[Event] = deque(maxlen=keep)
        #: Listeners that raised, for `/metrics`; the call that caused the event never notices.
        self.listener_errors = 0
        self.last_listener_error: BaseException | None = None

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; returns what ends that.

        Raises:
            TypeError: `listener` is a coroutine function; nobody would await what it returns.
        """
        if iscoroutinefunction(listener):
            raise TypeError("a listener is called, not awaited: give a plain function, which may start a task")
        entry = [listener]  # a list is itself only: the same function, subscribed twice, is told twice and ends twice
        self._listeners.append(entry)

        def unsubscribe() -> None:
            self._listeners = [each for each in self._listeners if each is not entry]

        return unsubscribe

    def emit(self, event: Event) -> None:
        """Tell everybody; never raises."""
        self._recent.append(event)
        if not event.kind.startswith(OF_CALLS):
            self._changes.append(event)
        for (listener,) in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a listener is user code: isolated, counted, shown
                self.listener_errors += 1
                self.last_listener_error = error

    def recent(self, limit: int = 100) -> list[Event]:
        """The last events, newest first."""
        return list(self._recent)[: -limit - 1 : -1]

    def changes(self, limit: int = 100) -> list[Event]:
        """The last events that tell of more than one call, newest first."""
        return list(self._changes)[: -limit - 1 : -1]
