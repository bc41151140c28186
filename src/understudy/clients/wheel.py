"""One coarse timer for all the requests in flight of a client: connect and idle limits.

A timer per request costs more than the rest of our work on a request, so the limits are looked at
every 50 ms by one callback, which exists only while something is in flight. The wheel keeps its own
time: a loop that stood still for a second does not count as a second of silence of the other side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from understudy.core.clock import Clock, Timer

#: Seconds between two looks; a limit is enforced at most two of them late.
RESOLUTION = 0.05
#: The most that one look moves the wheel's time, however long the loop was busy elsewhere.
_MAX_STEP = 4 * RESOLUTION


class Watched(Protocol):
    """Something with a limit. `due` is in the wheel's own time; infinite while nobody waits."""

    due: float

    def expired(self) -> None:
        """The limit has passed; called once, the watch is over."""

    def look(self) -> None:
        """Called at every look before that, to notice what the transport does not report."""

    def abandoned(self) -> None:
        """The wheel stops, as its connections are about to be closed; the watch is over."""


class Wheel:
    """Calls `expired` on what is overdue; its timer runs only while something is watched."""

    def __init__(self, clock: Clock) -> None:
        self._monotonic: Callable[[], float] = clock.monotonic
        self._call_later = clock.call_later
        self._watched: dict[int, Watched] = {}
        self._timer: Timer | None = None
        self._seen = 0.0
        #: Seconds in the wheel's own time; stands still while nothing is watched.
        self.now = 0.0

    def watch(self, item: Watched, limit: float) -> None:
        """Expect progress of `item` within `limit` seconds."""
        item.due = self.now + limit + RESOLUTION if limit > 0 else math.inf
        self._watched[id(item)] = item
        if self._timer is None:
            self._seen = self._monotonic()
            self._timer = self._call_later(RESOLUTION, self._tick)

    def unwatch(self, item: Watched) -> None:
        """Expect nothing more of `item`."""
        self._watched.pop(id(item), None)

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def running(self) -> bool:
        """Whether a timer is set."""
        return self._timer is not None

    def stop(self) -> None:
        """Tell everything watched that nothing will come any more, and call the timer off."""
        watched, self._watched = list(self._watched.values()), {}
        for item in watched:
            item.abandoned()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if not self._watched:
            return
        seen = self._monotonic()
        self.now = now = self.now + min(max(seen - self._seen, 0.0), _MAX_STEP)
        self._seen = seen
        for item in list(self._watched.values()):
            if item.due <= now:
                self.unwatch(item)
                item.expired()
            else:
                item.look()
        self._timer = self._call_later(RESOLUTION, self._tick)
