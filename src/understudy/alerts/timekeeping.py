"""The time base of evaluations: the wall clock, but for the jumps it makes when somebody sets it."""

from __future__ import annotations

from typing import NamedTuple

from understudy.core.clock import Clock

#: The wall clock may run that much faster or slower than the monotonic one between two evaluations, s; clocks that
#: are disciplined in small steps stay within it.
TOLERATED = 1.0


class Moment(NamedTuple):
    """When an evaluation takes place, epoch seconds, and by how much the wall clock was set since the last one."""

    at: float
    stepped: float = 0.0


class Timekeeper:
    """Says at which time to evaluate: each is greater than the one before, but for steps, which it tells.

    A step is told once, with the first moment after it: every timer is moved by as much (`Standing.shifted`), so
    that setting the clock neither ends nor prolongs anything.
    """

    __slots__ = ("_at", "_clock", "_monotonic")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at, self._monotonic = clock.time(), clock.monotonic()

    def now(self) -> Moment:
        """This moment."""
        at, monotonic = self._clock.time(), self._clock.monotonic()
        expected = self._at + monotonic - self._monotonic
        stepped = at - expected
        if abs(stepped) <= TOLERATED:
            stepped = 0.0
            # A clock that is slowed down, or read twice in one tick of it, still never stands still.
            at = max(at, self._at + 1e-6)
        self._at, self._monotonic = at, monotonic
        return Moment(at, stepped)
