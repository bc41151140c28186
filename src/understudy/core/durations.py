"""Counts of durations in fixed buckets, as Prometheus' histograms want them: cheap to add to, never emptied."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import isfinite

#: Upper bounds in seconds, from a millisecond to an hour: for evaluations and for messages on their way alike.
BOUNDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
)  # fmt: skip


class Durations:
    """How long something took, each time since the start of the process. Belongs to one thread."""

    __slots__ = ("_buckets", "bounds", "count", "seconds")

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self.bounds = bounds
        self._buckets = [0] * (len(bounds) + 1)
        #: How many there were, and their sum.
        self.count = 0
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one. What is negative counts as nothing at all, what is not finite not at all."""
        if not isfinite(seconds):
            return
        seconds = max(0.0, seconds)
        self._buckets[bisect_left(self.bounds, seconds)] += 1
        self.count += 1
        self.seconds += seconds

    def cumulative(self) -> list[int]:
        """How many took at most each bound; the last one is the count of all."""
        return list(accumulate(self._buckets))
