"""Brings the tables of a PostgreSQL database to the newest revision, by command."""

from __future__ import annotations

from sqlalchemy import Connection, text

from .health import HealthBoard
from .options import StorageOptions
from .postgres_backend import PostgresBackend
from .schema import REVISIONS, Revisions, revision
from .sqlite_schema import unknown_revision

#: Taken while tables are changed, so that two commands do not do it at once.
_LOCK = 0x55534459_0003
#: Longest wait for the lock of a table that services are using, ms: their statements are short.
_LOCK_TIMEOUT = 60_000


def upgrade(options: StorageOptions, revisions: Revisions = REVISIONS) -> tuple[str, str]:
    """Make or change the tables, all in one transaction; the revision before (empty: none) and now.

    Raises:
        StoreUnusable: the database was made by a newer version, or lets us not in; nothing was touched.
        StoreUnavailable: it cannot be reached now.
    """
    backend = PostgresBackend(options, HealthBoard("postgresql", ""), revisions)

    def work(connection: Connection) -> tuple[str, str]:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT}")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        found = revision(connection) or ""
        if found and not revisions.knows(found):
            raise unknown_revision(backend.where, found)
        if found != revisions.head:
            revisions.upgrade(connection)
        return found, revisions.head

    return backend.once(work)
