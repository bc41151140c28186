"""Fills a store with whole histories at once: no writer thread, no spool, one transaction for each part.

For made-up histories and for measurements. The store must not be in use. A part that was written stays
whatever happens to the next one, and what is written remembers where it was, so it can be gone on with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.dialects import sqlite

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnusable
from understudy.monitor.requests import ErrorGroup, RequestEntry
from understudy.monitor.rollup import SeriesName

from .dialect import replace
from .health import HealthBoard
from .hot import HOUR, boundary, moved_key
from .options import StorageOptions
from .requests import pack, write
from .series import SeriesIds
from .sqlite_backend import SqliteBackend
from .tables import HOT, ROLL, audit, error_group, meta, sample, series, state

#: Buckets of one series in one tier: the start, and the columns of `Row` behind its series.
Buckets = Sequence[tuple[int, Sequence[object]]]

#: The writer that owns the rows: the service itself.
_OWN = 0
#: What counts as content.
_HOLDING = (series, sample, error_group, audit, state)


class Bulk:
    """A SQLite store that is being filled; a context manager.

    Raises:
        StoreUnusable: it cannot be opened as it is, is in use, or is of another kind; the text says what to do.
        StoreUnavailable: it cannot be used now.
    """

    def __init__(self, options: StorageOptions, clock: Clock) -> None:
        if options.kind != "sqlite":
            raise StoreUnusable(
                f"only a SQLite store can be filled at once: expected sqlite:///PATH, found {options.kind}"
            )
        self._backend = SqliteBackend(options.path, clock, HealthBoard("sqlite", str(options.path)))
        self._backend.open()
        self._ids = SeriesIds(clock, lambda: 0)
        self._statements = {table: _insert(table) for table in (*HOT.values(), *ROLL.values())}
        self._connection = self._backend.statistics()

    def __enter__(self) -> Bulk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._backend.close()

    def empty(self) -> bool:
        """Whether nothing is kept in it yet."""
        with self._connection.begin():
            return not any(self._connection.execute(select(table).limit(1)).first() for table in _HOLDING)

    def remembered(self, key: str) -> Any:
        """What the last `write` left under a key; None without one."""
        with self._connection.begin():
            found = self._connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
        return None if found is None else json.loads(found)

    def write(
        self,
        rows: Mapping[SeriesName, Mapping[int, Buckets]],
        now: int,
        entries: Sequence[RequestEntry] = (),
        groups: Sequence[ErrorGroup] = (),
        remember: Mapping[str, object] | None = None,
    ) -> int:
        """Write histories of series, by tier and in order of time, entries of the request log, and values to remember.

        All in one transaction. Rows take the place of older ones. `now` (epoch seconds) is where the history
        ends: what is older than its hour goes where old hours lie. Answers how many rows there were.
        """
        count = 0
        with self._connection.begin():
            ids = self._ids.of(self._connection, rows)
            for tier in HOT:
                if not boundary(self._connection, tier):
                    self._remember(moved_key(tier), now // HOUR * HOUR)
            for name in sorted(rows, key=lambda name: ids[name]):
                for tier, buckets in rows[name].items():
                    self._put(tier, ids[name], buckets)
                    count += len(buckets)
            if entries or groups:
                write(self._connection, self._ids, [(entry, pack(entry)) for entry in entries], groups)
            for key, value in (remember or {}).items():
                self._remember(key, value)
        return count

    def _put(self, tier: int, number: int, buckets: Buckets) -> None:
        border = boundary(self._connection, tier) if tier in HOT else None
        old = buckets if border is None else [each for each in buckets if each[0] < border]
        self._insert(ROLL[tier], number, old)
        if border is not None:
            self._insert(HOT[tier], number, [each for each in buckets if each[0] >= border])

    def _insert(self, table: Table, number: int, buckets: Buckets) -> None:
        raw: Any = self._connection.connection.dbapi_connection
        # Past SQLAlchemy, which would want a list of what is only passed on.
        by_time = table.columns.keys()[0] == "ts"
        keys = (((ts, number) if by_time else (number, ts), tail) for ts, tail in buckets)
        raw.executemany(self._statements[table], ((*key, _OWN, *tail) for key, tail in keys))

    def _remember(self, key: str, value: object) -> None:
        self._connection.execute(replace(self._connection, meta), {"key": key, "value": json.dumps(value)})


def _insert(table: Table) -> str:
    """The statement that writes one row, in SQLite's words, with its values in the order of the columns."""
    made = sqlite.insert(table).prefix_with("OR REPLACE").values(dict.fromkeys(table.columns.keys()))
    return str(made.compile(dialect=sqlite.dialect()))
