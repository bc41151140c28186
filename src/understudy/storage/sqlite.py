"""SQLite: one file, opened the way that the measurements ask for, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from understudy.core.errors import StoreUnavailable, StoreUnusable

from .trouble import Trouble

#: Whatever SQLite raises, by itself and through SQLAlchemy.
ERRORS = (sqlite3.Error, DBAPIError)

#: Opens a file; replaced by tests that cut the disk's writes off.
Open = Callable[[str], Any]

#: The write-ahead log is cut back to this, bytes.
WAL_LIMIT = 64 << 20

#: What every connection is told, in this order: to wait for a lock must be known before the first lock.
_EVERY = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA temp_store=MEMORY",
    f"PRAGMA journal_size_limit={WAL_LIMIT}",
    "PRAGMA wal_autocheckpoint=1000",
)
#: The order is the point: `auto_vacuum` can be set on an empty file only, and WAL mode writes its first page.
_NEW_FILE = ("PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL")

# The writer tries again until nobody waits any more; in between it has to see who does, and tell the state.
CONTROL = (*_EVERY, "PRAGMA busy_timeout=1000", "PRAGMA synchronous=FULL", "PRAGMA cache_size=-4096")
# Statistics have time: they give the lock's queue up early, so that control writes never stand behind them.
STATISTICS = (*_EVERY, "PRAGMA busy_timeout=250", "PRAGMA synchronous=NORMAL", "PRAGMA cache_size=-65536")
READER = (*_EVERY, "PRAGMA query_only=ON", "PRAGMA cache_size=-16384")

_MEANING = {
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_PROTOCOL: Trouble.BUSY,
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_CORRUPT: Trouble.CORRUPT,
    sqlite3.SQLITE_NOTADB: Trouble.CORRUPT,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_AUTH: Trouble.READ_ONLY,
    sqlite3.SQLITE_IOERR: Trouble.IO,
    sqlite3.SQLITE_CANTOPEN: Trouble.IO,
    sqlite3.SQLITE_NOMEM: Trouble.IO,
}


def open_file(path: str) -> sqlite3.Connection:
    """A connection that leaves every BEGIN to us."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=256)


def engine(path: Path, pragmas: tuple[str, ...], open_it: Open = open_file, begin: str = "BEGIN IMMEDIATE") -> Engine:
    """An engine whose connections are told `pragmas` and begin every transaction with `begin`."""
    made = create_engine("sqlite://", creator=lambda: open_it(str(path)), poolclass=NullPool)

    @event.listens_for(made, "connect")
    def connected(raw: Any, _: object) -> None:
        for pragma in pragmas:
            raw.execute(pragma).fetchall()

    @event.listens_for(made, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return made


def connection(
    path: Path, pragmas: tuple[str, ...], open_it: Open = open_file, begin: str = "BEGIN IMMEDIATE"
) -> Connection:
    """One connection as `engine` makes them."""
    return engine(path, pragmas, open_it, begin).connect()


def tell(connection: Connection, pragma: str) -> list[Any]:
    """What a pragma answers, read to its end: some work only as they are read. Begins no transaction."""
    raw: Any = connection.connection.dbapi_connection
    return list(raw.cursor().execute(pragma).fetchall())


def new_file(path: Path, application_id: int, open_it: Open = open_file) -> None:
    """Make an empty file the way it has to be from its first page on; an existing one is left as it is."""
    raw = open_it(str(path))
    try:
        raw.execute(_EVERY[0]).fetchall()
        if not raw.execute("PRAGMA page_count").fetchall()[0][0]:
            for pragma in (*_NEW_FILE, f"PRAGMA application_id={application_id}"):
                raw.execute(pragma).fetchall()
    finally:
        raw.close()


def meaning(error: BaseException) -> Trouble | None:
    """What an error of SQLite means; None when the work was wrong, not the file."""
    if isinstance(error, (StoreUnavailable, StoreUnusable)):
        return None
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, sqlite3.Error):
        return None
    code = getattr(original, "sqlite_errorcode", None)
    if code is None:  # raised by the module itself: the connection is closed, or the like
        return Trouble.IO if isinstance(original, sqlite3.OperationalError) else None
    return _MEANING.get(code & 0xFF)


def sizes(hot: int, roll: int) -> Mapping[int, int]:
    """Rows in one transaction by tier: many where they lie in order of time, few where each has its own page."""
    return {10: hot, 60: hot, 3600: roll, 86400: roll}


def cause(error: BaseException) -> str:
    """The database's own words."""
    original = getattr(error, "orig", None) or error
    return str(original) or type(original).__name__
