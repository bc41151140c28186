"""Where rollup rows lie in PostgreSQL: in tables that are parted by time, written by one statement for many rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Select, bindparam, select

from understudy.monitor.rollup import Row

from .numbers import NumberTaken, is_held
from .partitions import MONTHLY, make, part_of
from .rollups import NUMBERS, Part, SqlRollups, Wanted, Whose, whose, written_by
from .tables import ROLL


def _upsert(name: str) -> str:
    """Rows arrive as one array for each column: one statement, however many they are."""
    columns = ("api", "ts", "inst", *NUMBERS)
    kinds = ", ".join("%s::bytea[]" if each in ("classes", "hist") else "%s::bigint[]" for each in columns)
    others = ", ".join(f"{each} = excluded.{each}" for each in NUMBERS)
    # Names of ours; the values are bound.
    return (
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT * FROM unnest({kinds}) "  # noqa: S608 - see above
        f"ON CONFLICT (api, ts, inst) DO UPDATE SET {others}"
    )


class PostgresRollups(SqlRollups):
    """The rollups of PostgreSQL."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._statements = {tier: _upsert(table.name) for tier, table in ROLL.items()}
        self._number, self._holder = -1, ""
        #: Names of the parts that are known to be there; on the writer's thread only.
        self._made: set[str] = set()

    def take_number(self, number: int, holder: str) -> None:
        """Write under this number from now on."""
        self._number, self._holder = number, holder
        self.inst = 2 * number

    def forget(self) -> None:
        """As `SqlRollups.forget`."""
        super().forget()
        self._made.clear()

    def write_rows(self, connection: Connection, tier: int, rows: Sequence[Row], inst: int | None = None) -> None:
        """As `SqlRollups.write_rows`."""
        if not rows:
            return
        writer = self.inst if inst is None else inst
        if writer // 2 == self._number and not is_held(connection, self._number, self._holder):
            raise NumberTaken
        self._ready(connection, tier, rows)
        ids = self.ids.of(connection, [row.series for row in rows])
        # Of one key only the last may be in a statement; and in one order, so that nobody waits in a circle.
        unique = {(ids[row.series], row.ts): row for row in rows}
        values = [(*key, writer, *unique[key][2:]) for key in sorted(unique)]
        connection.exec_driver_sql(self._statements[tier], tuple(map(list, zip(*values, strict=True))))

    def _ready(self, connection: Connection, tier: int, rows: Sequence[Row]) -> None:
        if tier not in MONTHLY:
            return
        parts = {part_of(tier, ts) for ts in {row.ts for row in rows}}
        missing = [part for part in parts if part.name not in self._made]
        if missing:
            make(connection, sorted(missing))
            self._made.update(part.name for part in missing)

    def parts(self, connection: Connection, wanted: Wanted) -> list[Part]:
        """As `SqlRollups.parts`: it is all in one table."""
        tier, chosen, start, end, inst = wanted
        question = _question(tier, some=chosen is not None, who=whose(inst))
        values = {"start": start, "end": end, "chosen": chosen, "inst": inst}
        return [(question, {name: value for name, value in values.items() if value is not None})]


@cache
def _question(tier: int, *, some: bool, who: Whose) -> Select[Any]:
    table = ROLL[tier]
    rows = select(*(table.c[name] for name in ("ts", "api", "inst", *NUMBERS)))
    rows = rows.where(
        table.c.ts >= bindparam("start", type_=BigInteger), table.c.ts < bindparam("end", type_=BigInteger)
    )
    if some:
        rows = rows.where(table.c.api.in_(bindparam("chosen", expanding=True, type_=Integer)))
    return written_by(rows, table, who)
