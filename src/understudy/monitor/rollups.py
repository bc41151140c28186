"""Rollups: closes ten-second buckets, adds them up to minutes, hours and days, and has them kept.

Each tier is added up in memory from the one below, so a closed bucket is written once, as absolute
numbers; writing it again changes nothing. What is open when a process ends is rebuilt at its next
start from the finer rows that it wrote before.

Stamps come from the wall clock. A period that is entered a second time (after a restart, or because
the clock was set back) goes on from what is already kept of it, so no stamp ever replaces another's
numbers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable
from understudy.core.turn import Slices

from .collector import Collector
from .ports import RollupStore
from .rollup import TIERS, Bucket, Row, SeriesName

_log = logging.getLogger("understudy.monitor")

_FINEST = TIERS[0]
#: A store that cannot be read yet is asked again after this, s.
_AGAIN = 1.0

Buckets = dict[SeriesName, Bucket]


class _Open:
    """A period that is not over: what was kept of it when it was entered, and what has been added since.

    The two are apart because the longer period around it has the former already.
    """

    __slots__ = ("added", "kept", "start")

    def __init__(self, start: int, kept: Buckets) -> None:
        self.start = start
        self.kept = kept
        self.added: Buckets = {}


class Rollups:
    """The rollups of one process, on the loop that owns the application.

    `drain` settles everything that was recorded, so that a bucket holds all that happened in its time.
    """

    def __init__(
        self, collector: Collector, store: RollupStore, clock: Clock, drain: Callable[[], Awaitable[None]]
    ) -> None:
        self._collector = collector
        self._store = store
        self._clock = clock
        self._drain = drain
        #: Start of the ten seconds that are being gathered; None before `begin`.
        self._at: int | None = None
        #: The open minute, hour and day.
        self._open: dict[int, _Open] = {}
        #: No ten seconds later than this have been entered yet: there is nothing to go on from.
        self._high = -1
        self._lock = asyncio.Lock()
        #: Epoch seconds at which buckets were last handed to the store; None before the first time.
        self.flushed_at: float | None = None

    async def run(self) -> None:
        """Gather, close and hand over until cancelled; `stop` hands over the rest."""
        while self._at is None:
            try:
                await self.begin()
            except StoreUnavailable as problem:
                _log.warning("history waits for its store: %s", problem)
                await pause(self._clock, _AGAIN)
        while True:
            now = self._clock.time()
            await pause(self._clock, _FINEST - now % _FINEST)
            # A cancellation must not fall between taking what was gathered and handing it over.
            await asyncio.shield(self.flush())

    async def begin(self) -> None:
        """Take up what an earlier process left open; until then everything is only gathered.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """
        async with self._lock:
            if self._at is None:
                await self._take_up(await self._store.last(_FINEST))

    async def flush(self) -> None:
        """Close the ten seconds that have passed; nothing happens while they last."""
        async with self._lock:
            now = _start(self._clock.time(), _FINEST)
            if self._at is None or now == self._at:
                return
            await self._drain()
            try:
                await self._turn_over(self._at, now)
            except StoreUnavailable as problem:
                _log.warning("history goes on gathering, as its store cannot be read: %s", problem)

    async def stop(self) -> None:
        """Hand over everything, the open periods as they stand; a later start goes on from there.

        Raises:
            StoreUnavailable: the store could not be read since the start, and what was gathered is lost.
        """
        await self.begin()
        async with self._lock:
            if self._at is None:
                return
            await self._drain()
            fine = await self._gathered(self._at)
            coarse: dict[int, list[Row]] = {}
            since: Buckets = {}
            for tier in TIERS[1:]:
                period = self._open[tier]
                since = await self._sum(since, period.added)
                coarse[tier] = await self._rows(period.start, await self._sum(period.kept, since))
            await self._write({**dict(reversed(coarse.items())), _FINEST: fine})
            self._at, self._open = None, {}

    # -- inside -----------------------------------------------------------------------------------

    async def _take_up(self, last: int | None) -> None:
        """Finish the periods in which an earlier process ended, and enter the present ones."""
        now = self._clock.time()
        if last is not None:
            self._high = max(self._high, last)
            for tier in TIERS[1:]:
                period = _start(last, tier)
                if period != _start(now, tier):
                    await self._write({tier: await self._rows(period, await self._kept(tier, period))})
        self._open = {tier: await self._entered(tier, now) for tier in TIERS[1:]}
        self._at = _start(now, _FINEST)

    async def _turn_over(self, at: int, now: int) -> None:
        """Close the ten seconds that began at `at`, and every longer period that ended with them.

        What has to be read is read first: a store that cannot be read changes nothing, and what was
        gathered waits for the next time.
        """
        ended = []
        for tier in TIERS[1:]:
            if _start(now, tier) == self._open[tier].start:
                break
            ended.append(tier)
        entered = {tier: await self._entered(tier, now) for tier in ended}
        fine = await self._gathered(at)
        coarse: dict[int, list[Row]] = {}
        for tier in ended:
            period = self._open[tier]
            coarse[tier] = await self._rows(period.start, await self._sum(period.kept, period.added))
            if tier != TIERS[-1]:
                await self._add(period.added, self._open[TIERS[TIERS.index(tier) + 1]].added)
        self._open.update(entered)
        self._at = now
        self._high = max(self._high, at)
        # The coarse rows go first: a crash in between loses ten seconds of the finest tier, and the
        # restart, which adds up the finer rows again, makes the coarse ones agree with them.
        await self._write({**dict(reversed(coarse.items())), _FINEST: fine})

    async def _gathered(self, at: int) -> list[Row]:
        """The rows of the ten seconds that began at `at`, which are added to the open minute."""
        kept = await self._store.own(_FINEST, at, at + _FINEST) if at <= self._high else []
        taken = self._collector.take()
        await self._add(taken, self._open[TIERS[1]].added)
        for row in kept:
            taken.setdefault(row.series, Bucket()).take_in(row)
        return await self._rows(at, taken)

    async def _entered(self, tier: int, now: float) -> _Open:
        """The period of `tier` that holds `now`: empty, or with what is kept of it.

        What is kept is written back, so that the longer period around it, entered next, finds it there:
        a process that was killed had not written it.
        """
        start = _start(now, tier)
        kept = await self._kept(tier, start) if start <= self._high else {}
        await self._write({tier: await self._rows(start, kept)})
        return _Open(start, kept)

    async def _kept(self, tier: int, start: int) -> Buckets:
        """A period as its finer rows say."""
        finer = TIERS[TIERS.index(tier) - 1]
        slices = Slices(self._clock.monotonic)
        found: Buckets = {}
        for row in await self._store.own(finer, start, start + tier):
            found.setdefault(row.series, Bucket()).take_in(row)
            await slices.breath()
        return found

    async def _sum(self, first: Buckets, second: Buckets) -> Buckets:
        """Both, as new buckets; the second itself where the first is empty."""
        if not first:
            return second
        together: Buckets = {}
        await self._add(first, together)
        await self._add(second, together)
        return together

    async def _add(self, source: Buckets, target: Buckets) -> None:
        slices = Slices(self._clock.monotonic)
        for name, bucket in source.items():
            target.setdefault(name, Bucket()).merge(bucket)
            await slices.breath()

    async def _rows(self, start: int, buckets: Buckets) -> list[Row]:
        slices = Slices(self._clock.monotonic)
        rows = []
        for name, bucket in buckets.items():
            rows.append(bucket.row(start, name))
            await slices.breath()
        return rows

    async def _write(self, rows: dict[int, list[Row]]) -> None:
        filled = {tier: some for tier, some in rows.items() if some}
        if filled:
            await self._store.write(filled)
            self.flushed_at = self._clock.time()


def _start(at: float, tier: int) -> int:
    return int(at // tier) * tier
