"""Rollup rows in SQL: written by the writer from its spool, read by the readers' threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import add
from typing import Any, Literal, TypeVar

from sqlalchemy import BigInteger, Connection, Integer, Select, Table, bindparam, cast, func, select, union_all

from understudy.core.errors import StoreUnavailable
from understudy.core.turn import Turn
from understudy.monitor.rollup import COUNTERS, Row, SeriesName, Total

from .jobs import outcome
from .readers import Readers
from .series import SeriesIds, SeriesNames
from .spool import Spool
from .tables import ROLL, series
from .writer import Writer

T = TypeVar("T")

#: Rows that are put into the spool before the event loop gets its turn.
_AT_ONCE = 500

#: The columns of a row behind `ts` and `api`, as `Row` has them.
NUMBERS = (*COUNTERS, "classes", "hist")

#: A question with names in the place of values, and the values. Names differ between the parts of one table each.
Part = tuple[Select[Any], Mapping[str, Any]]


class Besides(int):
    """Every writer but this one."""


#: Which rows: the tier, numbers of series (None: all), start, end, and the writer (None: all; `Besides`: the others).
Wanted = tuple[int, Sequence[int] | None, int, int, int | None]
#: Whose rows a question is about.
Whose = Literal["all", "one", "others"]


class SqlRollups:
    """The `RollupStore` of the SQL stores; subclasses know where the rows lie."""

    def __init__(
        self, writer: Writer, readers: Readers, spool: Spool, ids: SeriesIds, names: SeriesNames,
        patience: float,
    ) -> None:  # fmt: skip
        self._writer = writer
        self._readers = readers
        self._spool = spool
        self.ids = ids
        self.names = names
        #: As `names`, for what the writer's thread reads in transactions that may not be committed.
        self.written_names = SeriesNames(names.generation)
        self._patience = patience
        #: The number under which this process writes.
        self.inst = 0

    # -- where rows lie: for subclasses -----------------------------------------------------------

    def write_rows(self, connection: Connection, tier: int, rows: Sequence[Row], inst: int | None = None) -> None:
        """Put rows in their place, each instead of an older one; on the writer's thread."""
        raise NotImplementedError

    def parts(self, connection: Connection, wanted: Wanted) -> list[Part]:
        """The wanted rows in parts of one table each, with the columns ts, api, inst and numbers, in no order.

        The questions are made once and kept: making one takes as long as answering it.
        """
        raise NotImplementedError

    # -- RollupStore ------------------------------------------------------------------------------

    async def write(self, rows: Mapping[int, Sequence[Row]]) -> None:
        """As `monitor.ports.RollupStore.write`."""
        for tier, some in rows.items():
            for place in range(0, len(some), _AT_ONCE):
                self._spool.put({tier: some[place : place + _AT_ONCE]})
                await Turn()
        try:
            await outcome(self._writer.flush(), self._patience, str)
        except StoreUnavailable:
            pass  # it waits in the spool, and is tried again

    async def read(
        self, tier: int, names: Sequence[SeriesName] | None, start: int, end: int, fold: Callable[[Iterable[Row]], T]
    ) -> T:
        """As `monitor.ports.RollupStore.read`."""

        def work(connection: Connection) -> T:
            chosen = None if names is None else self.names.ids(connection, names)
            return fold(self.rows(connection, (tier, chosen, start, end, None)))

        return await self._readers.read(work)

    async def totals(self, tier: int, kind: str, start: int, end: int) -> dict[str, Total]:
        """As `monitor.ports.RollupStore.totals`."""

        def work(connection: Connection) -> dict[str, Total]:
            names = self.names.all(connection)
            found: dict[str, Total] = {}
            for question, values in self.parts(connection, (tier, None, start, end, None)):
                for row in connection.execute(_added_up(question), values).all():
                    name = names.get(row[0])
                    if name is not None and name.kind == kind:
                        mine = Total._make(row[1:])
                        known = found.get(name.name)
                        found[name.name] = mine if known is None else Total._make(map(add, known, mine))
            return found

        return await self._readers.read(work)

    async def own(self, tier: int, start: int, end: int) -> list[Row]:
        """As `monitor.ports.RollupStore.own`: what waits to be written is there already."""
        waiting = self._spool.within(tier, start, end)

        def work(connection: Connection) -> list[Row]:
            return list(self.rows(connection, (tier, None, start, end, self.inst)))

        kept = {(row.ts, row.series): row for row in await self._readers.read(work)}
        return list({**kept, **waiting}.values())

    async def others(self, tier: int, start: int, end: int, fold: Callable[[Iterable[Row]], T]) -> T:
        """As `monitor.ports.RollupStore.others`."""

        def work(connection: Connection) -> T:
            return fold(self.rows(connection, (tier, None, start, end, Besides(self.inst))))

        return await self._readers.read(work)

    async def last(self, tier: int) -> int | None:
        """As `monitor.ports.RollupStore.last`."""
        waiting = self._spool.last(tier)
        kept = await self._readers.read(lambda connection: self.latest(connection, tier, self.inst))
        return max((each for each in (waiting, kept) if each is not None), default=None)

    # -- shared with the other ports --------------------------------------------------------------

    def forget(self) -> None:
        """A transaction of the writer was not committed: what was remembered of it is void."""
        self.ids.forget()
        self.written_names.forget()

    def rows(self, connection: Connection, wanted: Wanted, *, writing: bool = False) -> Iterator[Row]:
        """The wanted rows by series and start; `writing`: in a transaction of the writer."""
        if wanted[1] is not None and not wanted[1]:
            return
        names = (self.written_names if writing else self.names).all(connection)
        parts = self.parts(connection, wanted)
        values = {name: value for _, some in parts for name, value in some.items()}
        new = tuple.__new__  # a fifth of what the constructor takes, and there are many
        for found in connection.execute(_ordered(tuple(question for question, _ in parts)), values):
            name = names.get(found[1])
            if name is not None:
                yield new(Row, (found[0], name, *found[3:]))

    def latest(self, connection: Connection, tier: int, inst: int) -> int | None:
        """The latest start that `inst` wrote in a tier."""
        table = ROLL[tier]
        # A look into the index for each series, in place of a scan of the table.
        newest = select(func.max(table.c.ts)).where(table.c.api == series.c.id, table.c.inst == inst).scalar_subquery()
        found = connection.execute(select(func.max(newest)).select_from(series)).scalar()
        return None if found is None else int(found)


def whose(inst: int | None) -> Whose:
    """Whose rows the last part of `Wanted` asks for."""
    if inst is None:
        return "all"
    return "others" if isinstance(inst, Besides) else "one"


def written_by(rows: Select[Any], table: Table, who: Whose) -> Select[Any]:
    """The question about only those rows; the writer is bound as `inst`."""
    if who == "all":
        return rows
    inst = bindparam("inst", type_=Integer)
    return rows.where(table.c.inst == inst if who == "one" else table.c.inst != inst)


@cache
def _added_up(question: Select[Any]) -> Select[Any]:
    rows = question.subquery().c
    # PostgreSQL's sums are decimals unless told otherwise.
    sums = [cast(func.sum(rows[field]), BigInteger) for field in Total._fields]
    return select(rows.api, *sums).group_by(rows.api)


@cache
def _ordered(questions: tuple[Select[Any], ...]) -> Select[Any]:
    rows = questions[0].subquery() if len(questions) == 1 else union_all(*questions).subquery()
    return select(*rows.c).order_by(rows.c.api, rows.c.ts, rows.c.inst)
