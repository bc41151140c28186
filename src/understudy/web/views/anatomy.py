"""One API over time, in full: percentiles, failures by class, and the histograms behind them as a heat-map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import floor, log2
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import StoreUnavailable
from understudy.core.types import OutcomeClass
from understudy.monitor.history import Span
from understudy.monitor.rollup import Bucket, SeriesName, value_of

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Points of a chart, and columns of a heat-map.
POINTS: Final = 120
#: A row of the heat-map is half an octave: from 1 ms to two minutes are 34.
_PER_OCTAVE: Final = 2
#: Failures as people tell them apart. What is in no list is counted as `other`.
CLASSES: Final[Mapping[str, tuple[OutcomeClass, ...]]] = {
    "timeout": (OutcomeClass.TIMEOUT,),
    "connect": (OutcomeClass.CONNECT, OutcomeClass.LOST, OutcomeClass.LOCAL),
    "tls": (OutcomeClass.TLS,),
    "limit": (OutcomeClass.RATE, OutcomeClass.QUOTA),
    "refused": (OutcomeClass.KEY, OutcomeClass.BILLING, OutcomeClass.CALLER),
    "server": (OutcomeClass.PROVIDER, OutcomeClass.HUB),
    "invalid": (OutcomeClass.SEMANTIC, OutcomeClass.BODY),
}
_CLASS_OF: Final = {outcome.value: name for name, outcomes in CLASSES.items() for outcome in outcomes}

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """Successes by latency and time: `rows[i][j]` of them took up to `bounds[i]` seconds in point `j`."""

    bounds: tuple[float, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def most(self) -> int:
        """The largest count of one cell."""
        return max((count for row in self.rows for count in row), default=0)

    def as_dict(self) -> dict[str, Any]:
        """The heat-map as JSON-ready values."""
        return {"bounds": list(self.bounds), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One API over a span. All lists have one value for each point, None where nothing was kept: a gap.

    `at` are epoch seconds at which points begin, `step` is their length and `tier` that of the stored buckets,
    seconds; latencies are seconds, `per_second` counts requests, `failures` those of each class in a point.
    """

    api: str
    start: int
    end: int
    step: int
    tier: int
    at: tuple[int, ...]
    requests: Values
    per_second: Values
    success_rate: Values
    p50: Values
    p95: Values
    p99: Values
    failures: Mapping[str, Values]
    heat: Heat
    total: int
    failed: int
    neutral: int
    cost: float
    whole: tuple[float | None, float | None, float | None]

    @property
    def rate(self) -> float | None:
        """The success rate of the span, percent."""
        rated = self.total - self.neutral
        return 100.0 * (1.0 - self.failed / rated) if rated else None

    def as_dict(self) -> dict[str, Any]:
        """The anatomy as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        p50, p95, p99 = self.whole
        whole = {"success_rate": self.rate, "p50": p50, "p95": p95, "p99": p99}
        return {**values, "failures": dict(self.failures), "heat": self.heat.as_dict(), "whole": whole}

    @classmethod
    async def of(cls, app: Understudy, api: str, start: float, end: float, points: int = POINTS) -> Anatomy | None:
        """One API over a span; None where nothing is kept, or cannot be read now."""
        if app.keeping is None:
            return None
        try:
            span, buckets = await app.keeping.history.buckets(SeriesName("api", api), start, end, points)
        except StoreUnavailable:
            return None
        return made(api, span, buckets)


def made(api: str, span: Span, buckets: Mapping[int, Bucket]) -> Anatomy:
    """The anatomy of merged buckets."""
    at = tuple(range(span.origin, span.end, span.step))
    some = [buckets.get(begin) for begin in at]
    whole = Bucket()
    for bucket in buckets.values():
        whole.merge(bucket)
    quantiles = [(None, None, None) if each is None else each.quantiles((0.5, 0.95, 0.99)) for each in some]
    p50, p95, p99 = whole.quantiles((0.5, 0.95, 0.99))
    return Anatomy(
        api=api, start=span.start, end=span.end, step=span.step, tier=span.tier, at=at,
        requests=tuple(None if each is None else float(each.n) for each in some),
        per_second=tuple(
            None if each is None else each.n / max(1, span.seconds(begin)) for begin, each in zip(at, some, strict=True)
        ),
        success_rate=tuple(None if each is None else _rate(each) for each in some),
        p50=tuple(each[0] for each in quantiles), p95=tuple(each[1] for each in quantiles),
        p99=tuple(each[2] for each in quantiles), failures=_failures(some), heat=_heat(some),
        total=whole.n, failed=whole.err, neutral=whole.n - whole.ok - whole.err,
        cost=whole.cost_microunits / 1e6, whole=(p50, p95, p99),
    )  # fmt: skip


def _rate(bucket: Bucket) -> float | None:
    rated = bucket.ok + bucket.err
    return 100.0 * bucket.ok / rated if rated else None


def _failures(buckets: Iterable[Bucket | None]) -> dict[str, Values]:
    """Failures by class and point; what a bucket counts without a class is `other`."""
    found: dict[str, list[float | None]] = {}
    for place, bucket in enumerate(buckets):
        counted: dict[str, float] = {}
        for (neutral, outcome), times in bucket.classes.items() if bucket is not None else ():
            if not neutral:
                name = _CLASS_OF.get(outcome, "other")
                counted[name] = counted.get(name, 0.0) + times
        if bucket is not None and (rest := bucket.err - sum(counted.values())) > 0:
            counted["other"] = counted.get("other", 0.0) + rest
        for name in (*CLASSES, "other"):
            values = found.setdefault(name, [])
            values.extend([None] * (place - len(values)))
            values.append(None if bucket is None else counted.get(name, 0.0))
    return {name: tuple(values) for name, values in found.items() if any(values)}


def _heat(buckets: Iterable[Bucket | None]) -> Heat:
    """The histograms, each key in the row of its half octave; only rows between the fastest and the slowest."""
    columns: list[dict[int, int]] = []
    for bucket in buckets:
        column: dict[int, int] = {}
        for key, times in bucket.hist.items() if bucket is not None else ():
            row = _row(value_of(key))
            column[row] = column.get(row, 0) + times
        columns.append(column)
    used = [row for column in columns for row in column]
    if not used:
        return Heat((), ())
    places = range(min(used), max(used) + 1)
    bounds = tuple(2.0 ** ((place + 1) / _PER_OCTAVE) / 1000.0 for place in places)
    return Heat(bounds, tuple(tuple(column.get(place, 0) for column in columns) for place in places))


def _row(seconds: float) -> int:
    """The half octave of a duration, counted from a millisecond; what is faster belongs to the first."""
    return max(0, floor(log2(seconds * 1000.0) * _PER_OCTAVE)) if seconds > 0 else 0
