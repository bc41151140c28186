"""History: any series over any span, at the tier that fits, never more than 2,000 points.

A span is read from the coarsest tier that is fine enough for its points; its edges, and the part of it that
has no closed bucket in that tier yet, come from the finer ones. So a month holds nothing of its neighbours,
as long as the finer tiers are kept. Percentiles are those of merged histograms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil
from operator import add
from typing import Any

from understudy.core.clock import Clock
from understudy.core.turn import Slices

from .ports import RollupStore
from .rollup import TIERS, Bucket, Row, SeriesName, Total

MAX_POINTS = 2000
#: Most buckets of a tier that are read for one series: a week of minutes. More take longer than anybody waits.
MOST_BUCKETS = 10_080
#: Points of a span when nobody says how many.
POINTS = 300
#: A period is taken from its own tier this long after its end, s: by then every writer has closed it.
SETTLED = 60
#: Series of which the wholes are read at once: a reader's thread is busy with them for some 0.1 s.
READ_TOGETHER = 40
#: Most series in one comparison.
MOST_COMPARED = 6
_HOUR, WEEK = 3600, 7 * 86400
#: An overview is read from buckets of about this share of its span: its edges are that exact.
OVERVIEW_POINTS = 60


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One point: `at` is the epoch second at which it begins; rates are percentages, durations seconds."""

    at: int
    n: int
    ok: int
    err: int
    neutral: int
    success_rate: float | None
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    requests_per_minute: float
    fallback_used: int
    retries: int
    cost: float

    def as_dict(self) -> dict[str, Any]:
        """The point as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """One series over a span: its points in order of time (gaps are left out), and the span as one point.

    `step` is the length of a point and `tier` that of the stored buckets, seconds; `errors` counts
    failures by outcome class over the span.
    """

    series: SeriesName
    start: int
    end: int
    step: int
    tier: int
    points: tuple[HistoryPoint, ...]
    whole: HistoryPoint
    errors: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The history as JSON-ready values."""
        return {
            "kind": self.series.kind,
            "name": self.series.name,
            "start": self.start,
            "end": self.end,
            "step": self.step,
            "tier": self.tier,
            "points": [point.as_dict() for point in self.points],
            "whole": self.whole.as_dict(),
            "errors": dict(self.errors),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A number of the span beside the same span a week before; `change` is relative (0.1: a tenth more)."""

    metric: str
    now: float | None
    before: float | None

    @property
    def change(self) -> float | None:
        """How much more now, as a share of before; None when either is unknown or before is zero."""
        return None if self.now is None or not self.before else self.now / self.before - 1.0

    def as_dict(self) -> dict[str, Any]:
        """The change as JSON-ready values."""
        return {"metric": self.metric, "now": self.now, "before": self.before, "change": self.change}


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each tier is kept, seconds; None: for ever."""

    keep: Mapping[int, float | None]

    def reaches(self, tier: int, start: float, now: float) -> bool:
        """Whether the tier still holds what began at `start`."""
        kept = self.keep.get(tier)
        return kept is None or start >= now - kept


@dataclass(frozen=True, slots=True)
class Span:
    """A plan of reading: what is read, the grid of the points, and from which tier each stretch comes.

    A point begins at `origin` or a whole number of steps later; the first one may begin before `start`.
    """

    start: int
    end: int
    origin: int
    step: int
    tier: int
    stretches: tuple[tuple[int, int, int], ...]

    def seconds(self, at: int) -> int:
        """How much of the point that begins at `at` lies within the span, s."""
        return min(at + self.step, self.end) - max(at, self.start)


def plan(start: float, end: float, now: float, points: int, retention: Retention) -> Span:
    """How to read `start` to `end` (epoch seconds) in about `points` points.

    Raises:
        ValueError: the span is empty, or the number of points is not 1 to 2,000.
    """
    if not 1 <= points <= MAX_POINTS:
        raise ValueError(f"points: expected 1 to {MAX_POINTS}, found {points}")
    end = min(end, now)
    if not start < end:
        raise ValueError("the span is empty: its start must lie before its end and before now")
    tier = _tier((end - start) / points, end - start, start, now, retention)
    stretches = tuple(_stretches(TIERS.index(tier), start, end, now, retention))
    begin, until = stretches[0][1], stretches[-1][2]
    length = until - begin
    # The nearest step that whole buckets can make: up to half as many points more or fewer than were asked for.
    step = (ceil(length / tier) if points == 1 else max(1, round(length / points / tier))) * tier
    # Points begin at multiples of their step, so that they stay where they are while the span moves on.
    origin = begin if points == 1 else begin // step * step
    while ceil((until - origin) / step) > MAX_POINTS:
        step += tier
        origin = begin // step * step
    return Span(begin, until, origin, step, tier, stretches)


def _tier(wanted: float, length: float, start: float, now: float, retention: Retention) -> int:
    """The coarsest tier no longer than a point; a coarser one where that is not kept any more, or too much to read."""
    fitting = [tier for tier in TIERS if tier <= wanted] or [TIERS[0]]
    tier = fitting[-1]
    while tier != TIERS[-1] and (not retention.reaches(tier, start, now) or length > MOST_BUCKETS * tier):
        tier = TIERS[TIERS.index(tier) + 1]
    return tier


def _stretches(
    place: int, start: float, end: float, now: float, retention: Retention
) -> Iterable[tuple[int, int, int]]:
    """(tier, from, to) in order of time: closed buckets that lie within, the rest from the finer tiers."""
    tier = TIERS[place]
    if place == 0:  # ten-second rows are read to the end: nothing is finer
        yield tier, int(start // tier) * tier, ceil(end / tier) * tier
        return
    closed = int((now - SETTLED) // tier) * tier
    first, last = ceil(start / tier) * tier, int(min(end // tier * tier, closed))
    finer = TIERS[place - 1]
    # What the finer tier no longer holds is taken as a whole bucket: an edge that is too wide beats a hole.
    if first > start and not retention.reaches(finer, start, now):
        first = int(start // tier) * tier
    if last < end <= closed and not retention.reaches(finer, last, now):
        last = ceil(end / tier) * tier
    if first >= last:
        yield from _stretches(place - 1, start, end, now, retention)
        return
    if start < first:
        yield from _stretches(place - 1, start, first, now, retention)
    yield tier, first, last
    if last < end:
        yield from _stretches(place - 1, last, end, now, retention)


class History:
    """Reads what was kept. All spans are epoch seconds."""

    def __init__(self, store: RollupStore, clock: Clock, retention: Retention) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention

    async def series(self, name: SeriesName, start: float, end: float, points: int = POINTS) -> SeriesHistory:
        """One series over a span.

        Raises:
            ValueError: the span is empty, or the number of points is not 1 to 2,000.
            StoreUnavailable: the history cannot be read now.
        """
        return (await self._read([name], start, end, points))[name]

    async def compare(
        self, names: Sequence[SeriesName], start: float, end: float, points: int = POINTS
    ) -> dict[SeriesName, SeriesHistory]:
        """Two to six series over the same span and points.

        Raises:
            ValueError: not two to six different series; or as `series`.
        """
        chosen = list(dict.fromkeys(names))
        if not 2 <= len(chosen) <= MOST_COMPARED:
            raise ValueError(f"compare: expected 2 to {MOST_COMPARED} different names, found {len(chosen)}")
        return await self._read(chosen, start, end, points)

    async def buckets(
        self, name: SeriesName, start: float, end: float, points: int = POINTS
    ) -> tuple[Span, dict[int, Bucket]]:
        """One series as merged buckets by the begin of their point, for who needs histograms and classes.

        Raises as `series`.
        """
        span = plan(start, end, self._clock.time(), points, self._retention)
        return span, (await self._gathered([name], span))[name]

    async def wholes(self, names: Sequence[SeriesName], start: float, end: float) -> dict[SeriesName, SeriesHistory]:
        """Any number of series, each over the same span as one number; raises as `series`."""
        found: dict[SeriesName, SeriesHistory] = {}
        for place in range(0, len(names), READ_TOGETHER):
            found |= await self._read(names[place : place + READ_TOGETHER], start, end, 1)
        return found

    async def against_last_week(self, name: SeriesName, start: float, end: float) -> list[Change]:
        """The numbers of a span beside those of the same span a week before; raises as `series`."""
        end = min(end, self._clock.time())
        now = (await self._read([name], start, end, 1))[name].whole
        before = (await self._read([name], start - WEEK, end - WEEK, 1))[name].whole
        metrics = ("requests_per_minute", "success_rate", "mean", "p50", "p95", "p99", "cost")
        return [Change(metric, _measured(now, metric), _measured(before, metric)) for metric in metrics]

    async def overview(self, kind: str, start: float, end: float) -> dict[str, dict[str, Any]]:
        """Every series of a kind over a span, added up by the store: numbers and means, no percentiles.

        Raises:
            ValueError: the span is empty.
            StoreUnavailable: the history cannot be read now.
        """
        now = self._clock.time()
        tier = plan(start, end, now, OVERVIEW_POINTS, self._retention).tier
        # It begins with a whole bucket: what the finer tiers hold before would cost as much again.
        span = plan(int(start // tier) * tier, end, now, OVERVIEW_POINTS, self._retention)
        pieces = _cut(span.stretches, int(now // _HOUR) * _HOUR)
        parts = await asyncio.gather(*(self._store.totals(each, kind, first, last) for each, first, last in pieces))
        sums: dict[str, Total] = {}
        for part in parts:
            for name, mine in part.items():
                known = sums.get(name)
                sums[name] = mine if known is None else Total._make(map(add, known, mine))
        return {name: _summed(total, span.end - span.start) for name, total in sorted(sums.items())}

    async def slices(
        self, kind: str, start: float, end: float, points: int
    ) -> tuple[Span, dict[str, dict[int, Total]]]:
        """Every series of a kind in about `points` points, added up by the store, by name and begin of the point.

        Raises as `overview`.
        """
        now = self._clock.time()
        tier = plan(start, end, now, points, self._retention).tier
        span = plan(int(start // tier) * tier, end, now, points, self._retention)
        found: dict[str, dict[int, Total]] = {}
        for each, first, last in span.stretches:
            for begin in range(span.origin + (first - span.origin) // span.step * span.step, last, span.step):
                ends = min(begin + span.step, last)
                for name, mine in (await self._store.totals(each, kind, max(begin, first), ends)).items():
                    there = found.setdefault(name, {})
                    known = there.get(begin)
                    there[begin] = mine if known is None else Total._make(map(add, known, mine))
        return span, found

    async def together(self, kind: str, start: float, end: float, points: int) -> tuple[Span, dict[int, Bucket]]:
        """All series of a kind as one, in merged buckets by the begin of their point; raises as `series`.

        Every row of the span is read: for few series, or few buckets of each.
        """
        span = plan(start, end, self._clock.time(), points, self._retention)
        fold = _folder(span.origin, span.step, kind)
        gathered: dict[int, Bucket] = {}
        for tier, begin, until in span.stretches:
            part = await self._store.read(tier, None, begin, until, fold)
            for at, bucket in part.get(_ALL, {}).items():
                if at in gathered:
                    gathered[at].merge(bucket)
                else:
                    gathered[at] = bucket
        return span, gathered

    async def _read(
        self, names: Sequence[SeriesName], start: float, end: float, points: int
    ) -> dict[SeriesName, SeriesHistory]:
        span = plan(start, end, self._clock.time(), points, self._retention)
        gathered = await self._gathered(names, span)
        slices = Slices(self._clock.monotonic)
        return {name: await _history(name, span, buckets, slices) for name, buckets in gathered.items()}

    async def _gathered(self, names: Sequence[SeriesName], span: Span) -> dict[SeriesName, dict[int, Bucket]]:
        """The buckets of each series, merged to the points of the span."""
        fold = _folder(span.origin, span.step)
        parts = await asyncio.gather(
            *(self._store.read(tier, names, begin, until, fold) for tier, begin, until in span.stretches)
        )
        gathered: dict[SeriesName, dict[int, Bucket]] = {name: {} for name in names}
        for part in parts:
            for name, buckets in part.items():
                mine = gathered[name]
                for at, bucket in buckets.items():
                    if at in mine:
                        mine[at].merge(bucket)
                    else:
                        mine[at] = bucket
        return gathered


def _cut(stretches: Iterable[tuple[int, int, int]], at: int) -> Iterable[tuple[int, int, int]]:
    """The stretches cut at the begin of the running hour: a store that keeps it apart adds up both side by side."""
    for tier, first, last in stretches:
        if first < at < last and at % tier == 0:
            yield tier, first, at
            yield tier, at, last
        else:
            yield tier, first, last


def _summed(total: Total, seconds: int) -> dict[str, Any]:
    n, ok, err, fallback_used, retries, lat_sum_us, cost = total
    return {
        "n": n,
        "ok": ok,
        "err": err,
        "success_rate": 100.0 * ok / (ok + err) if ok + err else None,
        "mean": lat_sum_us / 1e6 / ok if ok else None,
        "requests_per_minute": n * 60.0 / seconds,
        "fallback_used": fallback_used,
        "retries": retries,
        "cost": cost / 1e6,
    }


#: Stands for all series of a kind together.
_ALL = SeriesName("api", "")


def _folder(
    origin: int, step: int, together: str = ""
) -> Callable[[Iterable[Row]], dict[SeriesName, dict[int, Bucket]]]:
    """Adds stored rows up to points; with `together` all series of that kind as one. Runs on the reader's thread."""

    def fold(rows: Iterable[Row]) -> dict[SeriesName, dict[int, Bucket]]:
        found: dict[SeriesName, dict[int, Bucket]] = {}
        for row in rows:
            if together and row.series.kind != together:
                continue
            points = found.setdefault(_ALL if together else row.series, {})
            at = origin + (row.ts - origin) // step * step
            bucket = points.get(at)
            if bucket is None:
                bucket = points[at] = Bucket()
            bucket.take_in(row)
        return found

    return fold


async def _history(name: SeriesName, span: Span, buckets: Mapping[int, Bucket], slices: Slices) -> SeriesHistory:
    """The points and the whole; 2,000 points take tens of milliseconds, so the loop turns in between."""
    whole = Bucket()
    points = []
    for at in sorted(buckets):
        points.append(_point(at, buckets[at], span.seconds(at)))
        whole.merge(buckets[at])
        await slices.breath()
    errors: dict[str, int] = {}
    for (neutral, outcome), times in whole.classes.items():
        if not neutral:
            errors[outcome] = errors.get(outcome, 0) + times
    length = span.end - span.start
    return SeriesHistory(
        name, span.start, span.end, span.step, span.tier, tuple(points), _point(span.start, whole, length), errors
    )


def _point(at: int, bucket: Bucket, length: int) -> HistoryPoint:
    rated = bucket.ok + bucket.err
    p50, p95, p99 = bucket.quantiles((0.5, 0.95, 0.99))
    return HistoryPoint(
        at=at,
        n=bucket.n,
        ok=bucket.ok,
        err=bucket.err,
        neutral=bucket.n - rated,
        success_rate=100.0 * bucket.ok / rated if rated else None,
        mean=bucket.mean,
        p50=p50,
        p95=p95,
        p99=p99,
        requests_per_minute=bucket.n * 60.0 / length,
        fallback_used=bucket.fallback_used,
        retries=bucket.retries,
        cost=bucket.cost_microunits / 1e6,
    )


def _measured(point: HistoryPoint, metric: str) -> float | None:
    """A metric of a span; None where nothing was recorded at all."""
    value: float | None = getattr(point, metric)
    return value if point.n else None
