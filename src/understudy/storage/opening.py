"""Opens the SQL stores."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from understudy.core.clock import Clock
from understudy.core.errors import NotInstalled

from .options import StorageOptions

if TYPE_CHECKING:
    from .store import Store


def open_sql(options: StorageOptions, clock: Clock) -> Store:
    """As `open_store`, for SQLite and PostgreSQL."""
    # Asked for here, so that what is missing is told before anything is touched. Most starts need no revision, so
    # Alembic is not imported for that: it would stay in memory as long as the service runs.
    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        raise NotInstalled("keeping history", "service")
    if options.kind == "sqlite":
        from .sqlite_store import SqliteStore

        return SqliteStore(options, clock)
    try:
        import psycopg  # noqa: F401 - likewise
    except ImportError:
        raise NotInstalled("keeping history in PostgreSQL", "postgres") from None
    from .postgres_store import PostgresStore

    return PostgresStore(options, clock)
