"""What library processes report, added to the rows of the service that receives it.

A report adds to ten-second rows. The coarser rows of a period are added up from the finer ones when it
is over; `closed.<inst>.<tier>` in `meta` says up to where that was done. What arrives for a period that
is over is added to its coarser rows as well, so they stay right although finer rows may be gone by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sqlalchemy import Connection, select

from understudy.core.clock import Clock
from understudy.monitor.delta import LARGEST
from understudy.monitor.rollup import COUNTERS, TIERS, Bucket, Row, SeriesName

from .control import Desk
from .dialect import replace, safe
from .jobs import Steps, Work
from .retention import all_series
from .rollups import SqlRollups
from .seen import take
from .tables import meta

#: A period is closed this long after its end, s: reports arrive each second.
_GRACE = 15
#: Series in one transaction of adding up.
_TOGETHER = 20

Buckets = dict[tuple[int, SeriesName], Bucket]


class SqlDeltas:
    """The `DeltaStore` of the SQL stores."""

    def __init__(self, desk: Desk, rollups: SqlRollups, clock: Clock) -> None:
        self._desk = desk
        self._rollups = rollups
        self._clock = clock
        #: The end of the periods that are being added up, by writer and tier; on the writer's thread only.
        self._closing: dict[tuple[int, int], int] = {}

    @property
    def inst(self) -> int:
        """The number under which reported rows lie: beside our own."""
        return self._rollups.inst + 1

    async def apply(self, instance: str, boot: str, seq: int, rows: Sequence[Row]) -> bool:
        """As `monitor.ports.DeltaStore.apply`."""

        def work(connection: Connection) -> bool:
            now = self._clock.time()
            safe(connection)  # the reporter is told that it need not keep this any longer
            if not take(connection, instance, boot, seq, round(now * 1000)):
                return False
            self._add(connection, TIERS[0], rows)
            for tier in TIERS[1:]:
                closed = closed_until(connection, self.inst, tier)
                if closed is None:
                    # The first report of all: from here on periods are closed.
                    closed = _start(min((row.ts for row in rows), default=now), tier)
                    _set_closed(connection, self.inst, tier, closed)
                closed = max(closed, self._closing.get((self.inst, tier), closed))
                self._add(connection, tier, [row for row in rows if row.ts < closed])
            return True

        return await self._desk.statistics(work)

    def _add(self, connection: Connection, tier: int, rows: Sequence[Row]) -> None:
        """Add numbers to the rows of a tier."""
        if not rows:
            return
        sums: Buckets = {}
        for row in rows:
            sums.setdefault((_start(row.ts, tier), row.series), Bucket()).take_in(row)
        known = self._rollups.ids.of(connection, [name for _, name in sums])
        for ts in {ts for ts, _ in sums}:
            numbers = sorted({known[name] for at, name in sums if at == ts})
            for kept in self._rollups.rows(connection, (tier, numbers, ts, ts + 1, self.inst), writing=True):
                sums[ts, kept.series].take_in(kept)
        self._write(connection, tier, sums, self.inst)

    def _write(self, connection: Connection, tier: int, sums: Buckets, inst: int) -> None:
        rows = [_bounded(bucket.row(*key)) for key, bucket in sums.items()]
        self._rollups.write_rows(connection, tier, rows, inst)

    def close(self, inst: int, now: float) -> Steps[int]:
        """Add up every period of `inst` that is over since the last time; the number of tiers that had one.

        A few series at a time. What arrives meanwhile for these periods is added to the coarse rows as
        well: where those are still to come, they will be written whole and so hold it once.
        """
        tiers = 0
        for finer, tier in pairwise(TIERS):
            closed = yield _closed(inst, tier)
            end = _start(now - _GRACE, tier)
            if closed is None or closed >= end:
                continue
            self._closing[inst, tier] = end
            try:
                numbers = yield all_series
                for place in range(0, len(numbers), _TOGETHER):
                    yield self._add_up(inst, finer, tier, (closed, end), numbers[place : place + _TOGETHER])
                yield _advance(inst, tier, end)
            finally:
                self._closing.pop((inst, tier), None)
            tiers += 1
        return tiers

    def finish(self, inst: int, now: float) -> Steps[bool]:
        """Add up the periods in which a writer that is gone wrote last; False while one of them is not over yet."""
        last: int | None = yield lambda connection: self._rollups.latest(connection, TIERS[0], inst)
        for finer, tier in pairwise(TIERS):
            if last is None:
                break
            start = _start(last, tier)
            if start + tier > now - _GRACE:
                return False
            numbers = yield all_series
            for place in range(0, len(numbers), _TOGETHER):
                yield self._add_up(inst, finer, tier, (start, start + tier), numbers[place : place + _TOGETHER])
        return True

    def _add_up(self, inst: int, finer: int, tier: int, span: tuple[int, int], numbers: Sequence[int]) -> Work[None]:
        def work(connection: Connection) -> None:
            sums: Buckets = {}
            for row in self._rollups.rows(connection, (finer, numbers, *span, inst), writing=True):
                sums.setdefault((_start(row.ts, tier), row.series), Bucket()).take_in(row)
            self._write(connection, tier, sums, inst)

        return work


def _bounded(row: Row) -> Row:
    """The row with no number beyond `LARGEST`: whoever may report could add up more than a database can hold."""
    if max(row[2:12]) <= LARGEST:
        return row
    return row._replace(**{name: min(getattr(row, name), LARGEST) for name in COUNTERS})


def closed_until(connection: Connection, inst: int, tier: int) -> int | None:
    """Up to where the rows of a tier were added up; None when nothing was ever reported."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == _closed_key(inst, tier))).scalar()
    return None if found is None else int(found)


def _closed(inst: int, tier: int) -> Work[int | None]:
    return lambda connection: closed_until(connection, inst, tier)


def _advance(inst: int, tier: int, end: int) -> Work[None]:
    return lambda connection: _set_closed(connection, inst, tier, end)


def _set_closed(connection: Connection, inst: int, tier: int, end: int) -> None:
    connection.execute(replace(connection, meta), {"key": _closed_key(inst, tier), "value": str(end)})


def _closed_key(inst: int, tier: int) -> str:
    return f"closed.{inst}.{tier}"


def _start(at: float, tier: int) -> int:
    return int(at // tier) * tier
