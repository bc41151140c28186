"""The picture that `watch` makes of the last hour, of longer spans: from what is kept, read once for all readers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from understudy.core.errors import StoreUnavailable
from understudy.monitor.history import WEEK, Span
from understudy.monitor.rollup import Bucket, SeriesName, Total
from understudy.web.http import Problem

from .watch import LIVE, Cell, Moment, Slice, Watch, watch_of

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

#: Spans until now: seconds, and about how many columns they are cut into. A column is whole buckets of the history.
SPANS: Final[Mapping[str, tuple[float, int]]] = {
    "6h": (21_600.0, 36), "24h": (86_400.0, 24), "7d": (604_800.0, 28), "30d": (2_592_000.0, 30),
}  # fmt: skip
#: Columns of a span between two times.
_COLUMNS: Final = 30
#: How old a picture may be, as a share of its span, and within which bounds, s.
_AGE, _LEAST_AGE, _MOST_AGE = 1 / 300, 10.0, 300.0
#: Percentiles of everything together are read up to so many rows of the history: more take longer than anybody waits.
_MOST_ROWS: Final = 30_000
#: The share of a span at its begin in which nothing need have been called.
_QUIET: Final = 0.1
#: Longest that a reader waits for numbers of a week ago and percentiles, s.
_PATIENCE: Final = 0.4
_HOUR: Final = 3600
#: Spans between two times whose pictures are remembered.
_REMEMBERED: Final = 8

#: A live window, a span of `SPANS`, or a span between two times, epoch seconds.
Reach = str | tuple[float, float]


class KeptWatch(Watch):
    """The columns of one span, with its sums beside those of the same span a week before."""

    def __init__(self, app: Understudy, keeping: Keeping, reach: Reach) -> None:
        super().__init__(app, LIVE[-1])  # nothing of which stays when it is read
        self._keeping = keeping
        self._reach = reach
        self._read_at = float("-inf")
        #: The span as it was read, epoch seconds.
        self.start = self.end = 0.0
        #: About how many columns it was cut into.
        self.columns = _COLUMNS
        self.sums: Mapping[str, float] = {}
        self.week: Mapping[str, float] = {}
        self._more: asyncio.Task[None] | None = None

    def at(self, number: int) -> float:
        """As `Watch.at`: columns begin at multiples of their width."""
        return float(number * self.width)

    def _traffic(self, recent: Mapping[int, Cell], past: Mapping[int, Cell]) -> float:
        """Nothing: over hours and days traffic goes with the time of day and of the week."""
        return 0.0

    async def slices_of(self, name: str) -> list[Slice]:
        """As `Watch.slices_of`. Raises StoreUnavailable."""
        if self.start >= self.end:
            return []
        read = await self._keeping.history.series(SeriesName("api", name), self.start, self.end, self.columns)
        found = {each.at: each for each in read.points}
        return [
            Slice(at, read.step, each.ok, each.err, each.p50, each.p95) if (each := found.get(at)) is not None
            else Slice(at, read.step, 0, 0, None, None)
            for at in (int(self.at(number)) for number in self.numbers)
        ]  # fmt: skip

    async def look(self) -> KeptWatch:
        """Read it, unless it was a moment ago. Raises StoreUnavailable."""
        async with self._lock.here():
            now = self._app.clock.time()
            start, end, columns = self._span(now)
            if now - self._read_at >= min(_MOST_AGE, max(_LEAST_AGE, (end - start) * _AGE)):
                await self._take(start, end, columns)
                self._read_at = now
        return self

    def _span(self, now: float) -> tuple[float, float, int]:
        if isinstance(self._reach, str):
            seconds, columns = SPANS[self._reach]
            return now - seconds, now, columns
        start, end = self._reach
        return start, min(end, now), _COLUMNS

    async def _take(self, start: float, end: float, columns: int) -> None:
        span, found = await self._keeping.history.slices("api", start, end, columns)
        self.columns = columns
        self._set(span, found)
        # What takes longer is there at a later look: nobody waits for the week before, or for percentiles.
        if self._more is None or self._more.done():
            self._more = asyncio.create_task(self._rest(span, found))
        await asyncio.wait((self._more,), timeout=_PATIENCE)

    async def _rest(self, span: Span, found: Mapping[str, Mapping[int, Total]]) -> None:
        history, columns = self._keeping.history, self.columns
        try:
            ago, before = await history.slices("api", span.start - WEEK, span.end - WEEK, columns)
            # A span that began before anything was kept is no measure for this one; a quiet hour or two is not that.
            began = any(min(there) <= ago.start + (ago.end - ago.start) * _QUIET for there in before.values())
            self.week = _sums(before, ago.end - ago.start) if began else {}
            # Of whole buckets only: their edges would cost as much again.
            end = span.end // span.tier * span.tier
            if len(found) * (end - span.start) // span.tier > _MOST_ROWS or end <= span.start:
                return
            _, whole = await history.together("api", span.start, end, columns)
            self._percentiles(span, whole)
            if began:
                _, then = await history.together("api", ago.start, end - WEEK, columns)
                self.week = {**self.week, **_p95(then)}
        except StoreUnavailable:
            pass  # it stays unknown until the next look

    def _set(self, span: Span, found: Mapping[str, Mapping[int, Total]]) -> None:
        self.width, self.start, self.end = span.step, span.start, span.end
        self.last = (span.end - 1) // span.step
        self.count = self.last - span.origin // span.step + 1
        self.cells = {
            name: {
                at // span.step: Cell(total.ok, total.err, total.ok, total.lat_sum_us / 1e6)
                for at, total in there.items()
            }
            for name, there in found.items()
        }
        by_column: dict[int, list[Total]] = {}
        for there in found.values():
            for at, total in there.items():
                by_column.setdefault(at, []).append(total)
        self.moments = {at // span.step: _moment(totals) for at, totals in by_column.items()}
        self.sums = _sums(found, span.end - span.start)

    def _percentiles(self, span: Span, whole: Mapping[int, Bucket]) -> None:
        """Put percentiles beside the sums."""
        self.sums = {**self.sums, **_p95(whole)}
        for at, bucket in whole.items():
            number = at // span.step
            if number in self.moments:
                self.moments[number] = replace(self.moments[number], p95=bucket.quantiles((0.95,))[0])

    def seconds(self, number: int) -> float:
        """How much of a column lies within the span, s."""
        return max(1.0, min(self.at(number + 1), self.end) - max(self.at(number), self.start))


_PICTURES: WeakKeyDictionary[Understudy, dict[Reach, KeptWatch]] = WeakKeyDictionary()


def picture_of(app: Understudy, reach: Reach) -> Watch:
    """The watch of a live window, or of a longer span, which is made at first use.

    Raises:
        Problem: 404 for a longer span where nothing is kept.
    """
    if isinstance(reach, str) and reach in LIVE:
        return watch_of(app, reach)
    if app.keeping is None:
        raise Problem(404, "nothing is kept here, so no more than the last hour is known")
    pictures = _PICTURES.setdefault(app, {})
    if reach not in pictures:
        others = [each for each in pictures if not isinstance(each, str)]
        if not isinstance(reach, str) and len(others) >= _REMEMBERED:
            del pictures[others[0]]
        pictures[reach] = KeptWatch(app, app.keeping, reach)
    return pictures[reach]


def _moment(totals: list[Total]) -> Moment:
    """As `watch` counts one: who had failures in 1 % of the calls or more, and who in half."""
    rated = [(total.err, total.ok + total.err) for total in totals if total.ok + total.err]
    return Moment(
        sum(total.n for total in totals), sum(total.ok for total in totals), sum(total.err for total in totals), None,
        len(rated), sum(err >= 0.01 * calls for err, calls in rated), sum(err >= 0.5 * calls for err, calls in rated),
    )  # fmt: skip


def _sums(found: Mapping[str, Mapping[int, Total]], seconds: float) -> dict[str, float]:
    """Calls a second, the success rate and the cost of everything together; empty without calls."""
    every = [total for there in found.values() for total in there.values()]
    calls, ok, err = (sum(total[place] for total in every) for place in range(3))
    if not calls:
        return {}
    rated = {"success": 100.0 * ok / (ok + err)} if ok + err else {}
    return {"rate": calls / seconds, "cost": sum(total.cost_microunits for total in every) / 1e6, **rated}


def _p95(buckets: Mapping[int, Bucket]) -> dict[str, float]:
    whole = Bucket()
    for bucket in buckets.values():
        whole.merge(bucket)
    (p95,) = whole.quantiles((0.95,))
    return {} if p95 is None else {"p95": p95}


_HOURS: WeakKeyDictionary[Keeping, dict[int, asyncio.Task[float | None]]] = WeakKeyDictionary()


async def p95_a_week_ago(app: Understudy) -> float | None:
    """The p95 of everything together in the whole hour that lies nearest to an hour a week before the last one.

    Read once in an hour; None where it is not known, and while it is read for longer than anybody waits.
    """
    keeping = app.keeping
    if keeping is None:
        return None
    begin = round((app.clock.time() - WEEK) / _HOUR - 1) * _HOUR
    known = _HOURS.setdefault(keeping, {})
    if begin not in known or (known[begin].done() and known[begin].exception() is not None):
        known.clear()
        known[begin] = asyncio.create_task(_p95_of_hour(keeping, begin))
    task = known[begin]
    await asyncio.wait((task,), timeout=_PATIENCE)
    return task.result() if task.done() and task.exception() is None else None


async def _p95_of_hour(keeping: Keeping, begin: int) -> float | None:
    _, found = await keeping.history.together("api", begin, begin + _HOUR, 1)
    return _p95(found).get("p95")
