"""A token bucket for each key (resilience rule R6)."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.clock import Clock
from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class RateLimitOptions(Options):
    """At most `rate` attempts in `per` seconds, `burst` of them at once."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    rate: Annotated[float, at.Gt(0), at.Le(1e9), Doc("attempts in `per` seconds", "attempts")] = 10.0
    per: Annotated[float, at.Gt(0), at.Le(86400), Doc("the time `rate` is meant for", "s")] = 1.0
    burst: Annotated[int, at.Ge(1), at.Le(1000000), Doc("attempts that may go at once", "attempts")] = 1


#: Two moments closer than this are the same; well below any interval that a limit can ask for, s.
_SAME = 1e-9


class RateLimiter:
    """Spaces attempts so that no stretch of time holds more than the limit allows.

    Each attempt reserves the moment at which it may go. One number says when the next free moment is
    (the generic cell rate algorithm), so a limiter costs nothing while nobody asks.
    """

    __slots__ = ("_before", "_burst", "_clock", "_freed", "_interval", "_next", "_options", "_taken", "would_wait")

    def __init__(self, options: RateLimitOptions | None, clock: Clock) -> None:
        """Without options nothing is limited until `learn` is told of a limit."""
        self._clock = clock
        self._options = options
        self._interval = 0.0 if options is None else options.per / options.rate
        self._burst = 1 if options is None else options.burst
        self._next = float("-inf")
        #: Moments given back, in order, that still lie ahead.
        self._freed: list[float] = []
        #: The last reservation, and what `_next` was before it (None: it was a freed moment).
        self._taken: float | None = None
        self._before: float | None = None
        #: Attempts that mode observe let through too early, since the start.
        self.would_wait = 0

    def reserve(self) -> float:
        """Take the next free moment; the seconds until then, 0.0 for at once."""
        mode = Mode.ENFORCE if self._options is None else self._options.mode
        if mode is Mode.OFF or self._interval <= 0.0:
            return 0.0
        now = self._clock.monotonic()
        moment = self._moment(now)
        if mode is Mode.OBSERVE:
            if moment > now:
                self.would_wait += 1
                return 0.0
            self._take(now, now)
            return 0.0
        self._take(moment, now)
        return max(0.0, moment - now)

    def wait_time(self) -> float:
        """The seconds that `reserve` would answer; takes nothing."""
        mode = Mode.ENFORCE if self._options is None else self._options.mode
        if mode is not Mode.ENFORCE or self._interval <= 0.0:
            return 0.0
        now = self._clock.monotonic()
        return max(0.0, self._moment(now) - now)

    def give_back(self, moment: float | None = None) -> None:
        """Return a reservation that was not used.

        Args:
            moment: the monotonic moment it was for, which is the time of `reserve` plus its answer;
                None for the reservation made last. What still lies ahead goes to the next caller.
                What does not, and was not the last, is lost: handed out late, it would break the limit.
        """
        if moment is None or moment == self._taken:
            self._undo()
        elif moment > self._clock.monotonic() and self._freed.count(moment) == 0:
            insort(self._freed, moment)
        self._shrink()

    def _undo(self) -> None:
        """Make the last reservation unmade, as long as nothing was reserved since."""
        if self._taken is None:
            return
        if self._before is None:
            insort(self._freed, self._taken)
        else:
            self._next = self._before
        self._taken = None

    def _shrink(self) -> None:
        """Drop freed moments at the end of the line: the line has become shorter."""
        while self._freed and abs(self._freed[-1] - (self._next - self._burst * self._interval)) < _SAME:
            self._next -= self._interval
            del self._freed[-1]

    def learn(self, limit: float, per: float) -> None:
        """Take the limit that the provider's own headers tell: `limit` attempts in `per` seconds.

        The configured rate is what the user wants at most, so the stricter of both holds.
        """
        if not limit > 0 or not per > 0:
            return
        told = per / limit
        interval = told if self._options is None else max(told, self._options.per / self._options.rate)
        burst = 1 if self._options is None else max(1, min(self._options.burst, int(limit)))
        if (interval, burst) == (self._interval, self._burst):
            return  # each answer tells it again, and what was reserved stays so
        self._interval, self._burst = interval, burst
        self._freed.clear()
        self._taken = None

    def _moment(self, now: float) -> float:
        """The first moment that is free and not over."""
        if self._freed:
            del self._freed[: bisect_left(self._freed, now)]
            if self._freed:
                return self._freed[0]
        return max(now, self._next - (self._burst - 1) * self._interval)

    def _take(self, moment: float, now: float) -> None:
        self._taken = moment
        if self._freed:
            self._before = None
            del self._freed[0]
        else:
            self._before = self._next
            self._next = max(self._next, now) + self._interval
