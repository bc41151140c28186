"""What an API does in ten seconds or a minute, drawn once and used many times.

A history of a thousand APIs is tens of millions of buckets. Drawing each request of each bucket would
take days, so every API gets a few examples for each level of load and each state, as real buckets, and a
stretch of time is a choice among them. An example is also packed into one long integer with a field for
each number, so that a minute, an hour or a day is a sum: one addition for all numbers and the histogram.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import exp, log
from random import Random
from statistics import NormalDist
from struct import Struct
from typing import NamedTuple

from understudy.core.types import OutcomeClass
from understudy.monitor.rollup import Bucket, SeriesName, key_of, value_of

from .past_weather import Nature, State, some

#: Examples of one level and state.
EXAMPLES = 5
#: Levels of load: each is a fifth more than the one below.
_STEP = 1.2
_LOWEST = -14

#: Keys of histograms from half a millisecond to a minute.
_FIRST, _LAST = key_of(0.0005), key_of(60.0)
_KEYS = range(_FIRST, _LAST + 1)
_CLASSES: tuple[tuple[bool, str], ...] = tuple(
    (neutral, outcome.value)
    for neutral, outcomes in (
        (False, (OutcomeClass.PROVIDER, OutcomeClass.TIMEOUT, OutcomeClass.CONNECT, OutcomeClass.LOST)),
        (False, (OutcomeClass.SEMANTIC, OutcomeClass.BODY)),
        (True, (OutcomeClass.CALLER, OutcomeClass.RATE, OutcomeClass.QUOTA, OutcomeClass.CANCELLED)),
    )
    for outcome in outcomes
)
_COUNTS = ("n", "ok", "err", "fallback_used", "retries", "timed")
_SUMS = ("lat_sum_us", "err_lat_sum_us", "cost_microunits")
_LAYOUT = Struct(f"<{len(_SUMS)}Q{len(_COUNTS) + len(_CLASSES) + len(_KEYS)}I")
_CLASSES_AT = len(_SUMS) + len(_COUNTS)
_KEYS_AT = _CLASSES_AT + len(_CLASSES)

#: How failures of a state are spread over outcome classes, and how long one takes, s.
_WEIGHTS = {
    "well": {"provider": 4, "timeout": 3, "lost": 1, "semantic": 1},
    "degraded": {"timeout": 6, "provider": 3, "body": 1},
    "outage": {"provider": 5, "connect": 4, "timeout": 2},
    "throttled": {"provider": 1},
}
_TAKES = {"provider": 0.08, "timeout": 2.0, "connect": 0.004, "lost": 0.15, "semantic": 0.12, "body": 0.4}
_NOT_BILLED = ("connect", "rate", "quota")

#: The columns of a stored row behind its start and series.
Tail = tuple[object, ...]
NOBODY = SeriesName("api", "")


class Example(NamedTuple):
    """One bucket: as stored, packed, its extremes, as the calls of its route, and calls that a standby must take."""

    tail: Tail
    packed: int
    low: int
    high: int
    calls: int
    rescued: int


NOTHING = Example((), 0, 0, 0, 0, 0)


class Shapes:
    """The examples of one API, drawn when they are first asked for."""

    def __init__(self, nature: Nature, rng: Random, *, alone: bool) -> None:
        self._nature = nature
        self._rng = rng
        self._alone = alone
        self._pools: dict[tuple[State, int, int], list[Example]] = {}
        self._standby: dict[int, Example] = {}
        steps = range(-30, 31)
        shares = [NormalDist().pdf(step / 10) for step in steps]
        self._weights = list(accumulate(shares))
        self._normal = [_clamped(nature.median * exp(nature.spread * step / 10)) for step in steps]
        self._slow = [_clamped(3.0 * nature.median * exp(1.5 * nature.spread * step / 10)) for step in steps]

    def pool(self, state: State, load: float, seconds: int) -> list[Example]:
        """Examples of a stretch of `seconds` in that state, at that load beside the usual one."""
        level = max(_LOWEST, round(log(load) / log(_STEP))) if load > 0 else _LOWEST
        key = (state, level, seconds)
        found = self._pools.get(key)
        if found is None:
            mean = self._nature.per_minute * _STEP**level * seconds / 60
            found = self._pools[key] = [self._example(state, mean) for _ in range(EXAMPLES)]
        return found

    def standby(self, calls: int) -> Example:
        """What the API adds when it takes `calls` calls of others as a standby."""
        found = self._standby.get(calls)
        if found is None:
            bucket = Bucket()
            self._succeed(bucket, calls, self._normal)
            bucket.fallback_used = calls
            found = self._standby[calls] = example(bucket, packed(bucket), 0)
        return found

    def _example(self, state: State, mean: float) -> Example:
        rng, nature = self._rng, self._nature
        asked = some(mean, rng)
        bucket = Bucket()
        rescued = 0
        if state == "outage" and not self._alone:
            # Its breaker is open: some probes and trials still fail, everything else goes to the standbys.
            tried = some(0.06 * asked, rng)
            self._fail(bucket, state, tried)
            rescued = asked
        else:
            failing = {"well": nature.failing, "degraded": 0.06, "outage": 0.9, "throttled": nature.failing}[state]
            failed = some(failing * asked, rng)
            limited = some(0.3 * asked, rng) if state == "throttled" else 0
            refused = some(nature.refused * asked, rng)
            self._succeed(bucket, max(0, asked - failed - limited - refused), self._slow if state == "degraded" else
                          self._normal)  # fmt: skip
            self._fail(bucket, state, failed)
            self._refuse(bucket, "rate" if rng.random() < 0.8 else "quota", limited)
            self._refuse(bucket, "caller", refused)
            rescued = 0 if self._alone else failed + limited
        lost = some(0.02 * rescued, rng) if rescued else bucket.err * self._alone
        rescued = max(0, rescued - lost)
        return example(bucket, _calls(bucket, lost), rescued)

    def _succeed(self, bucket: Bucket, count: int, durations: Sequence[float]) -> None:
        if not count:
            return
        # A long stretch is a scaled draw: its shape is what can be seen of it.
        drawn = min(count, 400)
        rest = count - drawn
        seconds = self._rng.choices(durations, cum_weights=self._weights, k=drawn)
        for each in seconds:
            bucket.hist[key_of(each)] += 1
        for key, times in list(bucket.hist.items()) if rest else ():
            share = round(times * rest / drawn)
            bucket.hist[key] += share
        made = sum(bucket.hist.values())
        bucket.n += made
        bucket.ok += made
        bucket.timed += made
        bucket.lat_sum_us += round(1e6 * sum(seconds) * made / drawn)
        bucket.lat_min_us, bucket.lat_max_us = round(1e6 * min(seconds)), round(1e6 * max(seconds))
        bucket.cost_microunits += self._nature.price * made

    def _fail(self, bucket: Bucket, state: State, count: int) -> None:
        if not count:
            return
        weights = _WEIGHTS[state]
        for outcome in self._rng.choices(list(weights), list(weights.values()), k=min(count, 300)):
            _count(bucket, (False, outcome), 1)
        for outcome in list(weights)[:1]:
            _count(bucket, (False, outcome), max(0, count - 300))
        bucket.n += count
        bucket.err += count
        bucket.retries += some(0.3 * count, self._rng)
        for (_, outcome), times in bucket.classes.items():
            bucket.err_lat_sum_us += round(1e6 * times * _TAKES[outcome])
            bucket.cost_microunits += 0 if outcome in _NOT_BILLED else self._nature.price * times

    def _refuse(self, bucket: Bucket, outcome: str, count: int) -> None:
        if count:
            _count(bucket, (True, outcome), count)
            bucket.n += count
            bucket.cost_microunits += 0 if outcome in _NOT_BILLED else self._nature.price * count


def _count(bucket: Bucket, kind: tuple[bool, str], times: int) -> None:
    if times:
        bucket.classes[kind] = bucket.classes.get(kind, 0) + times


def _calls(bucket: Bucket, lost: int) -> int:
    """The bucket as calls of its route, packed: what succeeded here, and what nobody could serve."""
    calls = Bucket()
    calls.merge(bucket)
    calls.n, calls.err = bucket.ok + lost, lost
    calls.err_lat_sum_us = round(2e6 * lost)
    calls.classes = {(False, OutcomeClass.TIMEOUT.value): lost} if lost else {}
    return packed(calls)


def example(bucket: Bucket, calls: int, rescued: int) -> Example:
    """The bucket as an example."""
    tail = bucket.row(0, NOBODY)[2:]
    return Example(tail, packed(bucket), bucket.lat_min_us, bucket.lat_max_us, calls, rescued)


def packed(bucket: Bucket) -> int:
    """All numbers of a bucket but its extremes in one integer; sums of such are packed sums."""
    classes = [bucket.classes.get(kind, 0) for kind in _CLASSES]
    hist = [bucket.hist.get(key, 0) for key in _KEYS]
    numbers = [getattr(bucket, name) for name in (*_SUMS, *_COUNTS)]
    return int.from_bytes(_LAYOUT.pack(*numbers, *classes, *hist), "little")


def unpacked(total: int, low: int, high: int) -> Bucket:
    """The bucket of a packed sum, with the extremes that were found beside it."""
    fields = _LAYOUT.unpack(total.to_bytes(_LAYOUT.size, "little"))
    bucket = Bucket()
    for name, number in zip((*_SUMS, *_COUNTS), fields, strict=False):
        setattr(bucket, name, number)
    if bucket.n != bucket.ok:
        found = zip(_CLASSES, fields[_CLASSES_AT:_KEYS_AT], strict=True)
        bucket.classes = {kind: times for kind, times in found if times}
    if bucket.timed:
        bucket.lat_min_us, bucket.lat_max_us = low, high
        first, last = key_of(low / 1e6), key_of(high / 1e6)
        place = _KEYS_AT - _FIRST
        counts = fields[place + first : place + last + 1]
        bucket.hist.update({key: times for key, times in enumerate(counts, first) if times})
    return bucket


def extremes(of: Sequence[Example]) -> tuple[int, int]:
    """The smallest and the largest duration of several examples; zeros where there is none."""
    lows = [each.low for each in of if each.low]
    return (min(lows), max(each.high for each in of)) if lows else (0, 0)


def _clamped(seconds: float) -> float:
    """A duration in the middle of its key, so that sums agree with histograms."""
    return value_of(min(_LAST, max(_FIRST, key_of(seconds))))
