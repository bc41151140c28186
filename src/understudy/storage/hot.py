"""Where rollup rows lie in SQLite: the running hour in order of time, everything before by series.

A flush into the table by series would touch a page for each series; into the hot table it touches a
few. After each hour its rows are moved, a few series at a time, in transactions of a few milliseconds.
`moved.<tier>` in `meta` is the start before which rows are read from, and written to, the table by
series; it advances in one step when an hour has been copied whole, so a reader sees each row once
whatever happens in between, and a move that was cut off begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects import sqlite

from understudy.monitor.rollup import Row

from .dialect import replace
from .jobs import Steps, Work
from .retention import all_series
from .rollups import NUMBERS, Part, SqlRollups, Wanted, Whose, whose, written_by
from .tables import HOT, ROLL, meta, series

HOUR = 3600
#: An hour is moved this long after its end, s: its last rows have been written by then.
GRACE = 30
#: Rows in one transaction of a move.
MOVED_TOGETHER = 750
#: Up to this many series, each start is looked up in the hot table; for more it is read whole.
_FEW = 50

_KEY = ("ts", "api", "inst")


def _upsert(table: Table) -> str:
    """The statement that replaces one row, in SQLite's words, with its values in the order of the columns."""
    made = sqlite.insert(table)
    others = {name: made.excluded[name] for name in NUMBERS}
    made = made.on_conflict_do_update(index_elements=list(_KEY), set_=others)
    return str(made.values({column.name: None for column in table.columns}).compile(dialect=sqlite.dialect()))


class HotRollups(SqlRollups):
    """The rollups of SQLite."""

    def __init__(self, *parts: Any, generation: Callable[[], int]) -> None:
        super().__init__(*parts)
        self._generation = generation
        self._statements = {table: _upsert(table) for table in (*HOT.values(), *ROLL.values())}
        #: By tier: the start from which rows are written to the hot table; on the writer's thread only.
        self._boundary: dict[int, int] = {}
        self._boundary_of = -1
        #: The end of the hour that is being copied: what is written before it now goes to both tables.
        self._copying: dict[int, int] = {}

    def forget(self) -> None:
        """As `SqlRollups.forget`."""
        super().forget()
        self._boundary.clear()

    # -- writing ----------------------------------------------------------------------------------

    def write_rows(self, connection: Connection, tier: int, rows: Sequence[Row], inst: int | None = None) -> None:
        """As `SqlRollups.write_rows`."""
        ids = self.ids.of(connection, [row.series for row in rows])
        writer = self.inst if inst is None else inst
        if tier not in HOT:
            self._put(connection, ROLL[tier], [(ids[row[1]], row[0], writer, *row[2:]) for row in rows])
            return
        boundary = self._moved(connection, tier)
        copied = self._copying.get(tier, boundary)
        hot, roll = [], []
        for row in rows:
            api = ids[row[1]]
            if row[0] >= boundary:
                hot.append((row[0], api, writer, *row[2:]))
            if row[0] < copied:
                roll.append((api, row[0], writer, *row[2:]))
        self._put(connection, HOT[tier], hot)
        self._put(connection, ROLL[tier], roll)

    def _put(self, connection: Connection, table: Table, values: list[tuple[Any, ...]]) -> None:
        if values:
            connection.exec_driver_sql(self._statements[table], values)

    def _moved(self, connection: Connection, tier: int) -> int:
        if self._boundary_of != self._generation():
            self._boundary_of = self._generation()
            self._boundary.clear()
        if tier not in self._boundary:
            self._boundary[tier] = boundary(connection, tier)
        return self._boundary[tier]

    # -- reading ----------------------------------------------------------------------------------

    def parts(self, connection: Connection, wanted: Wanted) -> list[Part]:
        """As `SqlRollups.parts`: what was moved, and what lies in the hot table."""
        tier, chosen, start, end, inst = wanted
        border = boundary(connection, tier) if tier in HOT else end
        values = {name: value for name, value in (("chosen", chosen), ("inst", inst)) if value is not None}
        parts: list[Part] = []
        if start < border:
            old = _lasting(tier, some=chosen is not None, who=whose(inst))
            parts.append((old, {**values, "start": start, "border": min(border, end)}))
        if border < end:
            parts.append(_hot_part(connection, (tier, chosen, max(start, border), end, inst), values))
        # A span without any time in it is asked for as it is.
        return parts or [(_lasting(tier, some=False, who="all"), {"start": start, "border": start})]

    def latest(self, connection: Connection, tier: int, inst: int) -> int | None:
        """As `SqlRollups.latest`."""
        if tier in HOT:
            ts = HOT[tier].c.ts
            newest = select(ts).where(HOT[tier].c.inst == inst).order_by(ts.desc()).limit(1)
            found = connection.execute(newest).scalar()
            if found is not None:
                return int(found)
        return super().latest(connection, tier, inst)

    # -- moving -----------------------------------------------------------------------------------

    def move(self, now: float) -> Steps[int]:
        """Move every hour that is over to the table by series; the number of hours that were moved."""
        moved = 0
        limit = int((now - GRACE) // HOUR) * HOUR
        for tier in HOT:
            while (yield self._drop_moved(tier)):
                pass
            while (oldest := (yield _oldest(tier, limit))) is not None:
                yield from self._move_hour(tier, oldest // HOUR * HOUR)
                moved += 1
        return moved

    def _move_hour(self, tier: int, start: int) -> Steps[None]:
        end = start + HOUR
        self._copying[tier] = end
        try:
            numbers = yield all_series
            together = max(1, MOVED_TOGETHER * tier // HOUR)
            for place in range(0, len(numbers), together):
                some = numbers[place : place + together]
                yield _copy(tier, start, end, some[0], some[-1])
            yield self._advance(tier, end)
        finally:
            self._copying.pop(tier, None)
        while (yield self._drop_moved(tier)):
            pass

    def _advance(self, tier: int, end: int) -> Work[None]:
        def work(connection: Connection) -> None:
            connection.execute(replace(connection, meta), {"key": moved_key(tier), "value": str(end)})
            self._boundary.pop(tier, None)

        return work

    def _drop_moved(self, tier: int) -> Work[int]:
        """Take moved rows out of the hot table, some at a time; how many there were."""
        table = HOT[tier]

        def work(connection: Connection) -> int:
            moved = boundary(connection, tier)
            # Whole starts, as many as make up a transaction: the rows of a start lie side by side.
            rows = select(table.c.ts).where(table.c.ts < moved).order_by(*table.primary_key.columns)
            last = connection.execute(rows.limit(1).offset(MOVED_TOGETHER - 1)).scalar()
            if last is None:
                last = connection.execute(rows.order_by(None).with_only_columns(func.max(table.c.ts))).scalar()
            if last is None:
                return 0
            return connection.execute(delete(table).where(table.c.ts <= last, table.c.ts < moved)).rowcount

        return work


def boundary(connection: Connection, tier: int) -> int:
    """The start from which rows of a tier lie in the hot table."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == moved_key(tier))).scalar()
    return int(found) if found is not None else 0


def moved_key(tier: int) -> str:
    """Where `meta` says up to which start rows of a tier have been moved."""
    return f"moved.{tier}"


@cache
def _lasting(tier: int, *, some: bool, who: Whose) -> Select[Any]:
    """Rows from `start` up to `border` in the table by series."""
    table = ROLL[tier]
    rows = select(*_columns(table)).where(table.c.ts >= _at("start"), table.c.ts < _at("border"))
    # Everybody by way of the series: one look into the index for each. As a join, SQLite would scan the table instead.
    series_of = bindparam("chosen", expanding=True, type_=Integer) if some else select(series.c.id)
    rows = rows.where(table.c.api.in_(series_of))
    return written_by(rows, table, who)


@cache
def _hot(tier: int, *, some: bool, few: bool, who: Whose) -> Select[Any]:
    """Rows from `hot_start` up to `hot_end` in the hot table; of a few series each start is looked up."""
    table = HOT[tier]
    rows = select(*_columns(table))
    if few:
        starts = _starts(_at("hot_start"), _at("hot_end"), tier)
        rows = rows.select_from(starts.join(table, table.c.ts == starts.c.ts))
    else:
        rows = rows.where(table.c.ts >= _at("hot_start"), table.c.ts < _at("hot_end"))
    if some:
        rows = rows.where(table.c.api.in_(bindparam("chosen", expanding=True, type_=Integer)))
    return written_by(rows, table, who)


def _hot_part(connection: Connection, wanted: Wanted, values: Mapping[str, Any]) -> Part:
    tier, chosen, start, end, inst = wanted
    few = chosen is not None and len(chosen) <= _FEW
    if few:
        first, last = connection.execute(_ends(tier)).one()
        if first is not None:
            begin = max(start, first)
            start, end = begin + -begin % tier, min(end, last + 1)
    question = _hot(tier, some=chosen is not None, few=few, who=whose(inst))
    return question, {**values, "hot_start": start, "hot_end": end}


@cache
def _ends(tier: int) -> Select[Any]:
    """The first and the last start in the hot table: each by itself is a look at one end, together they read it all."""
    ts = HOT[tier].c.ts
    return select(*(select(end_of(ts)).scalar_subquery() for end_of in (func.min, func.max)))


def _at(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


def _columns(table: Table) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in (*_KEY, *NUMBERS)]


def _starts(begin: ColumnElement[int], end: ColumnElement[int], tier: int) -> Any:
    """The numbers from `begin` up to `end` in steps of `tier`, as a table."""
    starts = select(begin.label("ts")).where(begin < end).cte("starts", recursive=True)
    return starts.union_all(select(starts.c.ts + tier).where(starts.c.ts + tier < end))


def _oldest(tier: int, limit: int) -> Work[int | None]:
    ts = HOT[tier].c.ts

    def work(connection: Connection) -> int | None:
        return connection.execute(select(ts).where(ts < limit).order_by(ts).limit(1)).scalar()

    return work


def _copy(tier: int, start: int, end: int, first: int, last: int) -> Work[None]:
    hot, roll = HOT[tier], ROLL[tier]
    starts = _starts(literal(start), literal(end), tier)
    rows = (
        select(*_columns(hot))
        .select_from(starts.join(hot, hot.c.ts == starts.c.ts))
        .where(hot.c.api >= first, hot.c.api <= last)
        .order_by(hot.c.api, hot.c.ts)
    )

    def work(connection: Connection) -> None:
        connection.execute(insert(roll).prefix_with("OR REPLACE").from_select([*_KEY, *NUMBERS], rows))

    return work
