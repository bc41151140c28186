"""Gathers what happens into one open bucket for each API and route, until the rollups take it.

An API's bucket counts attempts: every drained batch of its series. A route's bucket counts calls. A
call that took the prepared path is known only by its number in the series of (API, operation), so
every success there is one clean call, unless the pipeline booked it: those are told apart by
`booked`, and the call itself arrives as its decision record, with the time that the caller waited.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from understudy.core.types import Explanation, OutcomeClass

from .histogram import Digest, as_number, digest
from .rollup import Bucket, SeriesName
from .window import Kinds

#: Attempts that an API never executed, and so does not bill (resilience rule R1).
_NOT_EXECUTED = frozenset(
    each.value
    for each in (
        OutcomeClass.CONNECT,
        OutcomeClass.TLS,
        OutcomeClass.RATE,
        OutcomeClass.QUOTA,
        OutcomeClass.KEY,
        OutcomeClass.BILLING,
        OutcomeClass.LOCAL,
        OutcomeClass.REJECTED,
    )
)


def _free(_: str) -> int:
    return 0


class Collector:
    """The open buckets of one process. Safe from any thread; asked at drains and at the end of recorded calls only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[SeriesName, Bucket] = {}
        #: Millionths of a currency unit that one executed attempt on an API costs.
        self.price_of: Callable[[str], int] = _free

    def attempts(
        self,
        api: str,
        route: str,
        numbers: Digest,
        kinds: Kinds | None,
        neutral: int,
        batch: Sequence[float],
        booked: Sequence[float],
    ) -> None:
        """Count a drained batch of an API in the service of `route` (empty: recorded by hand, no call of ours).

        `booked` are the successes of the batch that belong to calls which arrive by `called`.
        """
        price = self.price_of(api)
        batch, clean = clean_calls(batch, booked if route else None)
        with self._lock:
            bucket = self._bucket(SeriesName("api", api))
            bucket.add(numbers, kinds, neutral, batch)
            cost = 0
            if price:
                cost = price * executed(numbers, kinds, neutral)
                bucket.cost_microunits += cost
            if not route:
                return
            if clean or cost:
                calls = self._bucket(SeriesName("route", route))
                calls.cost_microunits += cost
                if clean:
                    calls.add(numbers if len(clean) == len(batch) else digest(clean), None, 0, clean)

    def called(self, record: Explanation, *, part: bool = False) -> None:
        """Count a call that left the prepared path, from its decision record.

        `part`: the attempts repeat those of a call that was counted before.
        """
        tries = Counter(attempt.api for attempt in record.attempts)
        with self._lock:
            bucket = self._bucket(SeriesName("route", record.route))
            if part:
                bucket.retries += len(record.attempts)
                for api, times in tries.items():
                    self._bucket(SeriesName("api", api)).retries += times
                return
            if record.outcome in ("success", "fallback"):
                bucket.add_one(record.duration)
                bucket.fallback_used += record.outcome == "fallback"
            else:
                neutral = record.outcome == "cancelled"
                bucket.n += 1
                if not neutral:
                    bucket.err += 1
                    bucket.err_lat_sum_us += round(record.duration * 1e6)
                kind = (neutral, _class_of(record))
                bucket.classes[kind] = bucket.classes.get(kind, 0) + 1
            bucket.retries += max(0, sum(tries.values()) - len(tries))
            for api, times in tries.items():
                if times > 1:
                    self._bucket(SeriesName("api", api)).retries += times - 1
            if record.outcome == "fallback":
                self._bucket(SeriesName("api", record.chosen)).fallback_used += 1

    def take(self) -> dict[SeriesName, Bucket]:
        """What was gathered since the last time; series without traffic are not in it."""
        with self._lock:
            taken, self._open = self._open, {}
        return taken

    def _bucket(self, name: SeriesName) -> Bucket:
        bucket = self._open.get(name)
        if bucket is None:
            bucket = self._open[name] = Bucket()
        return bucket


def executed(numbers: Digest, kinds: Kinds | None, neutral: int) -> int:
    """How many attempts of a batch the API executed, and so bills (resilience rule R1)."""
    attempts = numbers[0] + numbers[1] + neutral
    if kinds:
        attempts -= sum(times for (_, outcome, _), times in kinds.items() if outcome in _NOT_EXECUTED)
    return max(0, attempts)


def clean_calls(batch: Sequence[float], booked: Sequence[float] | None) -> tuple[Sequence[float], Sequence[float]]:
    """The batch as numbers, and those of its successes that are calls by themselves; none when `booked` is None.

    A failure always leaves the prepared path, and so arrives by `called`, as do the calls that are booked.
    """
    if booked is None:
        return batch, ()
    try:
        return batch, _clean(batch, booked)
    except TypeError:  # the raw append is not checked: what is no number has no duration
        batch = [as_number(each) for each in batch]
        return batch, _clean(batch, booked)


def _clean(batch: Sequence[float], booked: Sequence[float]) -> Sequence[float]:
    if not booked and (not batch or min(batch) > 0.0):
        return batch
    left = Counter(booked)
    clean = []
    for seconds in batch:
        if seconds <= 0.0 and str(seconds).startswith("-"):
            continue
        if left[seconds] > 0:
            left[seconds] -= 1
        else:
            clean.append(seconds)
    return clean


def _class_of(record: Explanation) -> str:
    """What a call that nobody served is counted as: how its last attempt ended, or why there was none."""
    if record.outcome == "cancelled":
        return OutcomeClass.CANCELLED.value
    if record.attempts:
        last = record.attempts[-1].outcome
        return (OutcomeClass.TIMEOUT if last is OutcomeClass.CANCELLED else last).value
    return OutcomeClass.TIMEOUT.value if record.outcome == "deadline" else OutcomeClass.REJECTED.value
