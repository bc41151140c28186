"""Counts over a sliding window of equal slices: what the breaker and the retry budget judge by."""

from __future__ import annotations


class Window:
    """Counters that forget what is older than `seconds`, one slice at a time.

    The newest slice is still filling, so what is counted reaches back between `slices - 1` and
    `slices` slices. Nothing is allocated before the first count, because most breakers never fail.
    """

    __slots__ = ("_first", "_newest", "_rows", "_slices", "_width", "calls", "failures", "slow", "waited")

    def __init__(self, seconds: float, slices: int) -> None:
        self._width = seconds / slices
        self._slices = slices
        self._rows: list[list[int]] | None = None
        self._newest = 0
        self._first = True
        self.calls = 0
        self.failures = 0
        self.slow = 0
        #: Slow attempts that were no calls: their caller gave up.
        self.waited = 0

    def add(self, now: float, calls: int, failures: int = 0, slow: int = 0, waited: int = 0) -> None:
        """Count in the slice of `now`, monotonic seconds that never fall."""
        if self._rows is None:
            self._rows = [[0, 0, 0, 0] for _ in range(self._slices)]
        self.forget(now)
        row = self._rows[self._newest % self._slices]
        row[0] += calls
        row[1] += failures
        row[2] += slow
        row[3] += waited
        self.calls += calls
        self.failures += failures
        self.slow += slow
        self.waited += waited

    def forget(self, now: float) -> None:
        """Drop the slices that have become too old at `now`."""
        index = int(now / self._width)
        if self._first:
            self._first, self._newest = False, index
            return
        rows = self._rows
        if rows is not None:
            for passed in range(self._newest + 1, min(index, self._newest + self._slices) + 1):
                row = rows[passed % self._slices]
                self.calls -= row[0]
                self.failures -= row[1]
                self.slow -= row[2]
                self.waited -= row[3]
                row[:] = (0, 0, 0, 0)
        self._newest = max(self._newest, index)
