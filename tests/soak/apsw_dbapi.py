"""SQLite through apsw, dressed as the standard library's module, so that a store can run on a file system of ours.

Only what the store and SQLAlchemy use of the interface is here. Errors are those of `sqlite3`, with
their codes: the store judges them by these.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import apsw

_KINDS = {
    apsw.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    apsw.SQLITE_CORRUPT: sqlite3.DatabaseError,
    apsw.SQLITE_NOTADB: sqlite3.DatabaseError,
}


def _translated(error: apsw.Error) -> sqlite3.Error:
    code = getattr(error, "extendedresult", 1)
    told = _KINDS.get(code & 0xFF, sqlite3.OperationalError)(str(error))
    told.sqlite_errorcode = code
    return told


class Cursor:
    """A DB-API cursor that has its rows as soon as it was executed."""

    arraysize = 100

    def __init__(self, raw: apsw.Connection) -> None:
        self._raw = raw
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        """Run one statement."""
        return self._run(sql, [tuple(values)])

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> Cursor:
        """Run one statement for each row of values."""
        return self._run(sql, [tuple(values) for values in rows])

    def _run(self, sql: str, rows: list[tuple[Any, ...]]) -> Cursor:
        self.description = None
        found: list[tuple[Any, ...]] = []
        cursor = self._raw.cursor()
        cursor.exec_trace = self._begun
        before = self._raw.total_changes()
        try:
            for values in rows:
                found += cursor.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise _translated(error) from error
        self._rows = iter(found)
        self.rowcount = -1 if self.description else self._raw.total_changes() - before
        self.lastrowid = self._raw.last_insert_rowid()
        return self

    def _begun(self, cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        described = cursor.get_description()
        self.description = [(name, kind, None, None, None, None, None) for name, kind in described] or None
        return True

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows."""
        return [row for _, row in zip(range(size or self.arraysize), self._rows, strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rest."""
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        """There is nothing to give back."""


class Connection:
    """A DB-API connection that begins no transaction by itself."""

    def __init__(self, path: str, vfs: str) -> None:
        try:
            self._raw = apsw.Connection(path, vfs=vfs)
        except apsw.Error as error:
            raise _translated(error) from error
        self.isolation_level = None

    @property
    def total_changes(self) -> int:
        """Rows that were changed since it was opened."""
        return self._raw.total_changes()

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor(self._raw)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        """A new cursor that has run a statement."""
        return self.cursor().execute(sql, values)

    def commit(self) -> None:
        """End the transaction, if there is one."""
        if self._raw.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        if self._raw.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        """Close it."""
        try:
            self._raw.close(True)
        except apsw.Error as error:
            raise _translated(error) from error

    def create_function(self, name: str, count: int, function: Any, *, deterministic: bool = False) -> None:
        """Give SQL a function."""
        self._raw.create_scalar_function(name, function, count, deterministic=deterministic)
