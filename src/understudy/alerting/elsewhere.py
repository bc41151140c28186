"""What other services on the same store did, and library processes that report here: added to the windows of rules.

Their rows of ten seconds are read every ten seconds. What lies further back than a minute is settled: it is
counted once, and rows that come later than that are in the history, not in the windows of rules.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from understudy.alerts.model import Subject
from understudy.alerts.ports import Sample
from understudy.core.clock import Clock
from understudy.monitor.ports import RollupStore
from understudy.monitor.rollup import Row, SeriesName, add_histogram, decode_histogram

from .track import Counted, Past, Track

#: How often rows are read, their length, and how far back they may still change, s.
EVERY, TIER, OPEN = 10.0, 10, 60
#: Histograms are kept for that long, s.
_KEPT = 3600.0


class _Row(NamedTuple):
    start: float
    counted: Counted
    hist: bytes | None


class _Series:
    """What others did of one API or route."""

    def __init__(self, since: float, reach: float, offset: float) -> None:
        self.settled = Track(since, reach, offset)
        self.open: list[_Row] = []
        self.hists: deque[tuple[float, bytes]] = deque()

    def settle(self, row: _Row) -> None:
        self.settled.count(row.start, row.counted)
        if row.hist:
            self.hists.append((row.start, row.hist))


class Elsewhere:
    """The windows of what others did. `store` None: there are no others."""

    def __init__(self, clock: Clock, store: RollupStore | None) -> None:
        self._now, self._wall = clock.monotonic, clock.time
        self._store = store
        self._series: dict[tuple[str, str], _Series] = {}
        self._settled_to: float | None = None
        #: Grows with each reading that brought something.
        self.moved = 0

    def use(self, store: RollupStore | None) -> None:
        """Read from this store from now on."""
        self._store, self._settled_to = store, None
        self._series.clear()

    def names(self, kind: str) -> list[str]:
        """The APIs or routes that others know of."""
        return [name for (each, name) in self._series if each == kind]

    # -- reading the store ------------------------------------------------------------------------

    async def refresh(self, reach: float = 3600.0) -> None:
        """Read what is new.

        Raises:
            StoreUnavailable: the store cannot be read now; what is known stays.
        """
        if self._store is None:
            return
        now = self._wall()
        border = int(now - OPEN) // TIER * TIER
        start = int(now - reach) // TIER * TIER if self._settled_to is None else int(self._settled_to)
        rows = await self._store.others(TIER, start, int(now) + TIER, _plain)
        offset = self._wall() - self._now()
        for series in self._series.values():
            series.open = []
        for row in rows:
            known = self._series.get(row.series)
            if known is None:
                known = self._series[row.series] = _Series(row.ts - offset, reach, offset)
            mine = _Row(row.ts - offset, counted(row), row.hist)
            if row.ts < border:
                known.settle(mine)
            else:
                known.open.append(mine)
        self._settled_to = float(max(border, start))
        self.moved += bool(rows)
        self._forget(self._now() - max(reach, _KEPT))

    def _forget(self, oldest: float) -> None:
        for name, series in list(self._series.items()):
            while series.hists and series.hists[0][0] < self._now() - _KEPT:
                series.hists.popleft()
            newest = series.open[-1].start if series.open else series.settled.newest
            if newest < oldest:
                del self._series[name]

    # -- windows ----------------------------------------------------------------------------------

    def added(self, mine: Sample, subject: Subject, name: str, now: float, window: float) -> Sample:
        """A sample of ours with what others did in the same window."""
        series = self._of(subject, name)
        if not series:
            return mine
        for each in series:
            _add(mine, each.settled.sample(now, mine.at, window))
            for row in each.open:
                if row.start >= now - window:
                    _count(mine, row.counted)
        return mine

    def durations(self, subject: Subject, name: str, window: float) -> Counter[int]:
        """Durations of what others did in the last `window` seconds, by the key of stored histograms."""
        oldest = self._now() - window
        found: Counter[int] = Counter()
        for each in self._of(subject, name):
            for start, blob in (*each.hists, *((row.start, row.hist) for row in each.open)):
                if start >= oldest and blob:
                    add_histogram(blob, found)
        return found

    def _of(self, subject: Subject, name: str) -> Sequence[_Series]:
        if not self._series:
            return ()
        if subject == "all":
            return [series for (kind, _), series in self._series.items() if kind == "api"]
        found = self._series.get((subject, name))
        return () if found is None else (found,)


def counted(row: Row) -> Counted:
    """A stored bucket as what happened at once."""
    timed = sum(decode_histogram(row.hist).values()) if row.hist else 0
    neutral = row.n - row.ok - row.err
    if not timed:
        return Counted(row.ok, row.err, neutral, 0, 0.0)
    return Counted(
        row.ok, row.err, neutral, timed, row.lat_sum_us / 1e6, row.lat_min_us / 1e6, row.lat_max_us / 1e6
    )  # fmt: skip


def past_of(rows: Iterable[Row], offset: float) -> dict[SeriesName, list[Past]]:
    """Stored buckets by series, in order of time; `offset` is the wall clock minus the monotonic one."""
    found: dict[SeriesName, list[Past]] = {}
    for row in sorted(rows, key=lambda each: each.ts):
        found.setdefault(row.series, []).append(Past(row.ts - offset, counted(row)))
    return found


def _plain(rows: Iterable[Row]) -> list[Row]:
    return list(rows)


def _add(mine: Sample, other: Sample) -> None:
    mine.covered = max(mine.covered, other.covered)
    if other.total:
        low = inf if other.fastest is None else other.fastest
        high = -inf if other.slowest is None else other.slowest
        _count(mine, Counted(
            other.successes, other.failures, other.neutral, int(other.slowest is not None), other.seconds, low, high,
        ))  # fmt: skip


def _count(mine: Sample, counted: Counted) -> None:
    ok, failed, neutral, timed, seconds, low, high = counted
    mine.total += ok + failed + neutral
    mine.successes += ok
    mine.failures += failed
    mine.neutral += neutral
    if timed:
        mine.seconds += seconds
        mine.fastest = low if mine.fastest is None else min(mine.fastest, low)
        mine.slowest = high if mine.slowest is None else max(mine.slowest, high)
