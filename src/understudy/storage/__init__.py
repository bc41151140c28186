"""Keeps what happened: history, request log, state, audit log, roles; in SQLite, PostgreSQL or memory.

Importing this package imports no database library; `open_store` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.core.clock import Clock

from .options import StorageOptions

if TYPE_CHECKING:
    from .store import Store

__all__ = ["StorageOptions", "open_store"]


def open_store(options: StorageOptions, clock: Clock) -> Store:
    """The store that the options describe, ready to be used from any event loop. Blocks while it opens.

    Raises:
        StoreUnusable: it cannot be opened as it is; the text says why and what to do.
        StoreUnavailable: it cannot be reached now.
        NotInstalled: the library for it is missing.
    """
    if options.kind == "memory":
        from .memory import MemoryStore

        return MemoryStore(clock, options)
    from .opening import open_sql

    return open_sql(options, clock)
