"""Counts of one subject over windows of any length, at a cost that does not depend on how much happened.

A track keeps running sums, and for each stretch of time in which something happened what the sums were
when it began. A window is the difference of two sums, found by bisection. Stretches are seconds at first;
older ones are thinned to five seconds, minutes and hours (`alerts.stretches`), so that a window is up to one
stretch shorter than its name, never longer. Idle time takes no room. Time is the monotonic second handed in;
nothing here reads a clock or takes a lock. Sums are whole microseconds: they do not drift, whatever is added and
taken off.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import NamedTuple

from understudy.alerts.ports import Sample
from understudy.alerts.stretches import width_of

#: Thinning is done when so many stretches have been added since the last time.
_THIN_EVERY = 64
#: The longest duration that is added up, s: what claims to be longer is an error of its clock.
_LONGEST = 1e9
#: `last` looks back that far, s.
LAST_WITHIN = 3600.0

Quantile = Callable[[float], float | None]


class Counted(NamedTuple):
    """What happened at once. `timed` successes took `seconds` in all, between `low` and `high` each."""

    ok: int
    failed: int
    neutral: int
    timed: int
    seconds: float
    low: float = inf
    high: float = -inf


class Past(NamedTuple):
    """A stretch that was counted elsewhere or before: its start on this process's monotonic clock, and its counts."""

    start: float
    counted: Counted


def _unknown(_: float) -> None:
    return None


class Track:
    """The counts of one subject. `reach` is the longest window that is asked for, s.

    `offset` is the wall clock minus the monotonic one: stretches begin where the buckets of the history do.
    """

    __slots__ = (
        "_added", "_failed_then", "_high", "_low", "_micros_then", "_neutral_then", "_offset", "_ok_then", "_second",
        "_starts", "_timed_then", "failed", "micros", "moved", "neutral", "ok", "reach", "since", "timed",
    )  # fmt: skip

    def __init__(self, since: float, reach: float = LAST_WITHIN, offset: float = 0.0) -> None:
        #: Since when it is known what the subject does, monotonic.
        self.since = since
        self.reach = reach
        self._offset = offset
        #: Grows with everything that is counted.
        self.moved = 0
        self.ok = self.failed = self.neutral = self.timed = self.micros = 0
        self._added = 0
        self._second = -1
        self._starts = array("d")
        self._ok_then, self._failed_then, self._neutral_then = array("q"), array("q"), array("q")
        self._timed_then, self._micros_then = array("q"), array("q")
        #: The shortest and the longest success within each stretch.
        self._low, self._high = array("d"), array("d")

    def count(self, now: float, counted: Counted) -> None:
        """Add what has just happened."""
        second = int(now)
        if second > self._second:
            self._begin(second)
        ok, failed, neutral, timed, seconds, low, high = counted
        self.moved += 1
        self.ok += ok
        self.failed += failed
        self.neutral += neutral
        if timed:
            self.timed += timed
            self.micros += round(min(seconds, _LONGEST) * 1e6)
            self._low[-1] = min(self._low[-1], low)
            self._high[-1] = max(self._high[-1], high)

    def _begin(self, second: float) -> None:
        """A stretch begins: what the sums are now is what they were then."""
        if self._added >= _THIN_EVERY:
            self._thin(second)
        self._second = int(second)
        self._added += 1
        self._append(float(second), self.ok, self.failed, self.neutral, self.timed, self.micros, inf, -inf)

    def _append(
        self, start: float, ok: int, failed: int, neutral: int, timed: int, micros: int, low: float, high: float
    ) -> None:
        self._starts.append(start)
        self._ok_then.append(ok)
        self._failed_then.append(failed)
        self._neutral_then.append(neutral)
        self._timed_then.append(timed)
        self._micros_then.append(micros)
        self._low.append(low)
        self._high.append(high)

    # -- reading ----------------------------------------------------------------------------------

    @property
    def newest(self) -> float:
        """When something was counted last, monotonic; long ago where nothing was."""
        return self._starts[-1] if self._starts else -inf

    def sample(self, now: float, at: float, window: float, quantile: Quantile = _unknown) -> Sample:
        """The window that ends now; `at` is the same moment in epoch seconds."""
        place = bisect_left(self._starts, now - window)
        return self._since(place, at, window, min(window, max(0.0, now - self.since)), quantile)

    def last(self, now: float, at: float, count: int, quantile: Callable[[float], Quantile]) -> Sample:
        """The newest stretches that hold `count` rated calls between them, at most an hour of them.

        `quantile` makes, from how far back they reach (s), what reads their durations.
        """
        oldest = bisect_left(self._starts, now - LAST_WITHIN)
        place = len(self._starts)
        wanted = self.ok + self.failed - count
        while place > oldest:
            place -= 1
            if self._ok_then[place] + self._failed_then[place] <= wanted:
                break
        window = now - self._starts[place] if place < len(self._starts) else LAST_WITHIN
        return self._since(place, at, window, min(window, max(0.0, now - self.since)), quantile(window))

    def _since(self, place: int, at: float, window: float, covered: float, quantile: Quantile) -> Sample:
        if place == len(self._starts):
            return Sample(at, window, covered)
        ok, failed = self.ok - self._ok_then[place], self.failed - self._failed_then[place]
        neutral = self.neutral - self._neutral_then[place]
        if self.timed == self._timed_then[place]:
            return Sample(at, window, covered, ok + failed + neutral, ok, failed, neutral)
        return Sample(
            at, window, covered, ok + failed + neutral, ok, failed, neutral,
            (self.micros - self._micros_then[place]) / 1e6,
            min(self._low[place:]), max(self._high[place:]), quantile,
        )  # fmt: skip

    def stretches(self) -> Iterator[Past]:
        """What was counted, stretch by stretch, in order of time."""
        ends = (*zip(self._ok_then[1:], self._failed_then[1:], self._neutral_then[1:], self._timed_then[1:],
                     self._micros_then[1:], strict=True),
                (self.ok, self.failed, self.neutral, self.timed, self.micros))  # fmt: skip
        for place, (ok, failed, neutral, timed, micros) in enumerate(ends[: len(self._starts)]):
            yield Past(self._starts[place], Counted(
                ok - self._ok_then[place], failed - self._failed_then[place], neutral - self._neutral_then[place],
                timed - self._timed_then[place], (micros - self._micros_then[place]) / 1e6,
                self._low[place], self._high[place],
            ))  # fmt: skip

    # -- what is old ------------------------------------------------------------------------------

    def seed(self, past: Iterable[Past]) -> None:
        """Put what was counted before this process began in front, in order of time; done once."""
        before = Track(self.since, self.reach, self._offset)
        for start, counted in past:
            before._begin(start)
            before.count(start, counted)
        if not before._starts:
            return
        for start, ok, failed, neutral, timed, micros, low, high in zip(
            self._starts, self._ok_then, self._failed_then, self._neutral_then, self._timed_then, self._micros_then,
            self._low, self._high, strict=True,
        ):  # fmt: skip
            before._append(
                start, ok + before.ok, failed + before.failed, neutral + before.neutral, timed + before.timed,
                micros + before.micros, low, high,
            )  # fmt: skip
        self.since = min(self.since, before._starts[0])
        self._take(before)
        self.ok += before.ok
        self.failed += before.failed
        self.neutral += before.neutral
        self.timed += before.timed
        self.micros += before.micros
        self.moved += 1

    def _thin(self, now: float) -> None:
        """Join old stretches, and drop those that no window reaches."""
        self._added = 0
        thinner = Track(self.since, self.reach, self._offset)
        group: tuple[int, int] | None = None
        first = bisect_left(self._starts, now - self.reach - 60.0)
        for place in range(first, len(self._starts)):
            start = self._starts[place]
            width = width_of(now - start)
            mine = (width, int((start + self._offset) // width))
            if width > 1 and mine == group:
                thinner._low[-1] = min(thinner._low[-1], self._low[place])
                thinner._high[-1] = max(thinner._high[-1], self._high[place])
                continue
            group = mine
            thinner._append(
                start, self._ok_then[place], self._failed_then[place], self._neutral_then[place],
                self._timed_then[place], self._micros_then[place], self._low[place], self._high[place],
            )  # fmt: skip
        self._take(thinner)

    def _take(self, other: Track) -> None:
        """Its stretches from now on."""
        self._starts, self._low, self._high = other._starts, other._low, other._high
        self._ok_then, self._failed_then, self._neutral_then = other._ok_then, other._failed_then, other._neutral_then
        self._timed_then, self._micros_then = other._timed_then, other._micros_then
