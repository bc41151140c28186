"""The past as a source of metrics: buckets of calls, one after the other, that rules are judged on once more.

Whoever reads the history or a test's series makes `PastBucket`s; sums over any window are differences of
running sums, so that a month of minutes is judged in about a second. A window covers the buckets that begin in
it, the last one in any case: nothing is known more finely than they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from .model import Labels, Subject
from .ports import Sample
from .stretches import begin_of

#: How far back the last calls of a subject are looked for, s; as the live source does.
REACH = 3600.0

#: Answers a quantile (a share of 1) of the durations that some buckets hold, out of their `durations`.
Quantiles = Callable[[Sequence[Any]], Callable[[float], float | None]]
#: A number of the present that is no rate, at a time: `MetricSource.gauge` for it.
Gauge = Callable[[str, Subject, Labels, float], float | None]


class PastBucket(NamedTuple):
    """What one subject did from `start` to `end` (epoch seconds). Seconds are those of successes.

    `durations` is whatever the series' `Quantiles` understands.
    """

    start: float
    end: float
    total: int
    successes: int
    failures: int
    seconds: float = 0.0
    fastest: float | None = None
    slowest: float | None = None
    durations: Any = None


def _none(durations: Sequence[Any]) -> Callable[[float], float | None]:
    return lambda share: None


class PastSeries:
    """The buckets of one subject, in order, none overlapping another.

    `as_live`: windows begin where those of the live source would; else exactly where their length says.
    """

    def __init__(self, buckets: Sequence[PastBucket], quantiles: Quantiles = _none, *, as_live: bool = False) -> None:
        self.buckets = buckets
        self.quantiles = quantiles
        self._as_live = as_live
        self._starts = [each.start for each in buckets]
        self._ends = [each.end for each in buckets]
        self._totals = [0, *accumulate(each.total for each in buckets)]
        self._rated = [0, *accumulate(each.successes + each.failures for each in buckets)]
        self._successes = [0, *accumulate(each.successes for each in buckets)]
        self._failures = [0, *accumulate(each.failures for each in buckets)]
        self._seconds = [0.0, *accumulate(each.seconds for each in buckets)]

    @property
    def since(self) -> float | None:
        """When the subject was first heard of."""
        return self._starts[0] if self._starts else None

    def ended(self, at: float) -> int:
        """How many buckets have ended by then."""
        return bisect_right(self._ends, at)

    def window(self, at: float, window: float) -> tuple[int, int]:
        """The buckets of a window that ends at `at`, as a range of their places."""
        last = bisect_right(self._ends, at)
        begin = begin_of(window, at) if self._as_live else at - window
        first = bisect_left(self._starts, begin, 0, last)
        if first == last and last and self._ends[last - 1] == at:
            first -= 1  # a window shorter than a bucket
        return first, last

    def width(self, first: int, last: int) -> float:
        """From the begin of the first to the end of the last of a range of buckets, s."""
        return self._ends[last - 1] - self._starts[first] if first < last else 0.0

    def back_to(self, at: float, count: int) -> tuple[int, int]:
        """The last buckets that hold `count` successes and failures together, none older than an hour."""
        last = bisect_right(self._ends, at)
        oldest = bisect_left(self._starts, at - REACH, 0, last)
        enough = bisect_right(self._rated, self._rated[last] - count, 0, last + 1) - 1
        return max(oldest, enough), last

    def add(self, first: int, last: int, sample: Sample) -> None:
        """Add a range of buckets to a sample."""
        if first >= last:
            return
        sample.total += self._totals[last] - self._totals[first]
        sample.successes += (good := self._successes[last] - self._successes[first])
        sample.failures += self._failures[last] - self._failures[first]
        sample.seconds += self._seconds[last] - self._seconds[first]
        if good:
            for bucket in self.buckets[first:last]:
                low, high = bucket.fastest, bucket.slowest
                if low is not None and (sample.fastest is None or low < sample.fastest):
                    sample.fastest = low
                if high is not None and (sample.slowest is None or high > sample.slowest):
                    sample.slowest = high


class PastSource:
    """A `MetricSource` of the past. `advance` says which moment is asked about.

    `groups` holds, for each kind of subject, label sets with the series that make them up: one for an API,
    those of its APIs for a hub.
    """

    def __init__(
        self,
        groups: Mapping[Subject, Sequence[tuple[Labels, Sequence[PastSeries]]]],
        gauge: Gauge = lambda metric, subject, labels, at: None,
    ) -> None:
        self.at = self.now = 0.0
        self._gauge = gauge
        self._groups = {
            subject: {_key(labels): (labels, tuple(series)) for labels, series in found}
            for subject, found in groups.items()
        }

    def advance(self, at: float, *, whole: bool = True) -> None:
        """Go to a moment, epoch seconds, at which a bucket has ended; not `whole`: only time has passed."""
        self.now = at
        if whole:
            self.at = at

    def subjects(self, subject: Subject) -> Iterable[Labels]:
        """The label sets that had been heard of by then."""
        if subject == "all" and "all" not in self._groups:
            return ({},)
        return [
            labels
            for labels, series in self._groups.get(subject, {}).values()
            if any(each.since is not None and each.since <= self.at for each in series) or not series
        ]

    def sample(self, subject: Subject, labels: Labels, window: float) -> Sample | None:
        """The window that ends then; None for a subject that is not of the past."""
        found = self._groups.get(subject, {}).get(_key(labels))
        if found is None:
            return None
        return self._summed(found[1], window, [each.window(self.at, window) for each in found[1]])

    def last_calls(self, subject: Subject, labels: Labels, count: int) -> Sample | None:
        """The buckets that hold the last `count` calls, of at most one hour."""
        found = self._groups.get(subject, {}).get(_key(labels))
        if found is None:
            return None
        return self._summed(found[1], REACH, [each.back_to(self.at, count) for each in found[1]])

    def gauge(self, metric: str, subject: Subject, labels: Labels) -> float | None:
        """A number of that moment; None where the past does not tell."""
        return self._gauge(metric, subject, labels, self.at)

    def moved(self, subject: Subject, labels: Labels) -> int:
        """Differs with each bucket that has ended."""
        found = self._groups.get(subject, {}).get(_key(labels))
        return sum(each.ended(self.at) for each in found[1]) if found is not None else 0

    def _summed(self, series: Sequence[PastSeries], window: float, ranges: Sequence[tuple[int, int]]) -> Sample:
        since = min((each.since for each in series if each.since is not None), default=self.at)
        # A bucket that is longer than the window is told as what it is: a rate over it is one over its own length.
        wide = max((each.width(*found) for each, found in zip(series, ranges, strict=True)), default=0.0)
        sample = Sample(self.at, max(window, wide), max(0.0, min(max(window, wide), self.at - since)))
        for each, (first, last) in zip(series, ranges, strict=True):
            each.add(first, last, sample)
        sample.neutral = sample.total - sample.successes - sample.failures

        def quantile(share: float) -> float | None:
            durations = [
                bucket.durations
                for each, (first, last) in zip(series, ranges, strict=True)
                for bucket in each.buckets[first:last]
            ]
            return series[0].quantiles(durations)(share) if series else None

        sample.quantile = quantile
        return sample


def _key(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items())) if len(labels) > 1 else tuple(labels.items())
