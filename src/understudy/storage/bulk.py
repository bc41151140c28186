"""Fills a store with whole histories at once: no writer thread, no spool, one transaction for each part.

For made-up histories and for measurements. A SQLite store must not be in use; into PostgreSQL it writes as
a service of its own. A part that was written stays whatever happens to the next one, and what is written
remembers where it was, so it can be gone on with.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import sqlite

from understudy.core.clock import Clock
from understudy.core.errors import NotInstalled, StoreUnavailable, StoreUnusable
from understudy.monitor.requests import ErrorGroup, RequestEntry
from understudy.monitor.rollup import Row, SeriesName

from .backend import Backend
from .dialect import replace
from .health import HealthBoard
from .hot import HOUR, boundary, moved_key
from .options import StorageOptions
from .requests import pack, write
from .series import SeriesIds, SeriesNames
from .tables import HOT, ROLL, audit, error_group, meta, sample, series, state

#: Buckets of one series in one tier: the start, and the columns of `Row` behind its series.
Buckets = Sequence[tuple[int, Sequence[Any]]]

#: The writer that owns the rows of a SQLite store: the service itself.
_OWN = 0
#: Rows in one statement of PostgreSQL.
_TOGETHER = 5000
#: What counts as content.
_HOLDING = (series, sample, error_group, audit, state)


def open_bulk(options: StorageOptions, clock: Clock) -> Bulk:
    """The store that the options describe, to be filled; a context manager.

    Raises:
        StoreUnusable: it cannot be opened as it is, or cannot be filled; the text says why.
        StoreUnavailable: it cannot be reached now.
        NotInstalled: the library for it is missing.
    """
    if options.kind == "sqlite":
        return _SqliteBulk(options, clock)
    if options.kind == "memory":
        raise StoreUnusable("a store in memory ends with this command: expected sqlite:///PATH or postgresql://…")
    try:
        import psycopg  # noqa: F401 - asked for here, so that what is missing is told before anything is touched
    except ImportError:
        raise NotInstalled("keeping history in PostgreSQL", "postgres") from None
    return _PostgresBulk(options, clock)


class Bulk:
    """A store that is being filled."""

    _backend: Backend

    def __init__(self, clock: Clock) -> None:
        self._ids = SeriesIds(clock, lambda: 0)

    def __enter__(self) -> Bulk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def _write(self, connection: Connection, rows: Mapping[SeriesName, Mapping[int, Buckets]], now: int) -> None:
        raise NotImplementedError

    def empty(self) -> bool:
        """Whether nothing is kept in it yet."""
        with self._backend.statistics().begin() as transaction:
            connection = transaction.connection
            return not any(connection.execute(select(table).limit(1)).first() for table in _HOLDING)

    def remembered(self, key: str) -> Any:
        """What the last `write` left under a key; None without one."""
        with self._backend.statistics().begin() as transaction:
            found = transaction.connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
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
        ends: in SQLite, what is older than its hour goes where old hours lie. Answers how many rows there were.

        Raises:
            StoreUnavailable: it cannot be written now; nothing of this part was.
        """
        try:
            with self._backend.statistics().begin() as transaction:
                connection = transaction.connection
                self._write(connection, rows, now)
                if entries or groups:
                    write(connection, self._ids, [(entry, pack(entry)) for entry in entries], groups)
                for key, value in (remember or {}).items():
                    _remember(connection, key, value)
        except Exception as error:
            trouble = self._backend.trouble(error)
            if trouble is None:
                raise
            raise StoreUnavailable(self._backend.sentence(trouble, error)) from error
        return sum(len(buckets) for tiers in rows.values() for buckets in tiers.values())


class _SqliteBulk(Bulk):
    """Straight into the tables of the file, in the order of their keys."""

    def __init__(self, options: StorageOptions, clock: Clock) -> None:
        from .sqlite_backend import SqliteBackend

        super().__init__(clock)
        self._backend = self._file = SqliteBackend(options.path, clock, HealthBoard("sqlite", str(options.path)))
        self._file.open()
        self._statements = {table: _insert(table) for table in (*HOT.values(), *ROLL.values())}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, connection: Connection, rows: Mapping[SeriesName, Mapping[int, Buckets]], now: int) -> None:
        ids = self._ids.of(connection, rows)
        for tier in HOT:
            if not boundary(connection, tier):
                _remember(connection, moved_key(tier), now // HOUR * HOUR)
        for name in sorted(rows, key=lambda name: ids[name]):
            for tier, buckets in rows[name].items():
                self._put(connection, tier, ids[name], buckets)

    def _put(self, connection: Connection, tier: int, number: int, buckets: Buckets) -> None:
        border = boundary(connection, tier) if tier in HOT else None
        old = buckets if border is None else [each for each in buckets if each[0] < border]
        self._insert(connection, ROLL[tier], number, old)
        if border is not None:
            self._insert(connection, HOT[tier], number, [each for each in buckets if each[0] >= border])

    def _insert(self, connection: Connection, table: Table, number: int, buckets: Buckets) -> None:
        raw: Any = connection.connection.dbapi_connection
        # Past SQLAlchemy, which would want a list of what is only passed on.
        by_time = table.columns.keys()[0] == "ts"
        keys = (((ts, number) if by_time else (number, ts), tail) for ts, tail in buckets)
        raw.executemany(self._statements[table], ((*key, _OWN, *tail) for key, tail in keys))


class _PostgresBulk(Bulk):
    """By the statements of a running service, under a number of its own."""

    def __init__(self, options: StorageOptions, clock: Clock) -> None:
        from .postgres_backend import PostgresBackend
        from .postgres_rollups import PostgresRollups

        super().__init__(clock)
        self._clock = clock
        self._holder = f"bulk {secrets.token_hex(8)}"
        self._backend = self._server = PostgresBackend(options, HealthBoard("postgresql", ""))
        # Only what writes: it needs neither threads nor a spool.
        self._rollups = PostgresRollups(None, None, None, self._ids, SeriesNames(lambda: 0), 0.0)
        self._server.open()
        self._number: int | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from . import numbers

        try:
            number = self._number
            if number is not None:
                self._server.once(lambda connection: numbers.give_back(connection, number, self._holder))
        finally:
            self._server.drop()

    def _write(self, connection: Connection, rows: Mapping[SeriesName, Mapping[int, Buckets]], now: int) -> None:
        self._claim(connection)
        for name, tiers in rows.items():
            for tier, buckets in tiers.items():
                for place in range(0, len(buckets), _TOGETHER):
                    some = [Row(ts, name, *tail) for ts, tail in buckets[place : place + _TOGETHER]]
                    self._rollups.write_rows(connection, tier, some)

    def _claim(self, connection: Connection) -> None:
        """Keep the number that the rows are written under, or take one."""
        from . import numbers
        from .leases import now_ms

        now = now_ms(connection, self._clock)
        if self._number is None or not numbers.renew(connection, self._number, self._holder, now):
            self._number = numbers.claim(connection, self._holder, now)
            self._rollups.take_number(self._number, self._holder)


def _remember(connection: Connection, key: str, value: object) -> None:
    connection.execute(replace(connection, meta), {"key": key, "value": json.dumps(value)})


def _insert(table: Table) -> str:
    """The statement that writes one row, in SQLite's words, with its values in the order of the columns."""
    made = sqlite.insert(table).prefix_with("OR REPLACE").values(dict.fromkeys(table.columns.keys()))
    return str(made.compile(dialect=sqlite.dialect()))
