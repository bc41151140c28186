"""Accounts and the audit log of a store that a service may have open: for the command line, a transaction at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from understudy.core.errors import StoreUnusable

from . import sqlite
from .accounts import SqlAccounts
from .admin import told, upgrade
from .audit import SqlAudit
from .control import Desk
from .filesystem import is_sqlite
from .jobs import Work
from .options import StorageOptions
from .schema import REVISIONS, revision

T = TypeVar("T")


class Direct:
    """Opened from outside: nothing of it waits in a queue, and nothing stays open."""

    def __init__(self, options: StorageOptions) -> None:
        """Make or upgrade the tables where that is needed and no service has them open.

        Raises:
            StoreUnusable, StoreUnavailable: it cannot be used; the text says why and what to do.
        """
        if options.kind == "memory":
            raise StoreUnusable("storage.url is memory: accounts would last no longer than this command")
        once = _postgres(options) if options.kind == "postgresql" else _sqlite(options)
        desk = _Desk(once)
        self.accounts = SqlAccounts(desk)
        self.audit = SqlAudit(desk, f"direct-{secrets.token_hex(8)}")


def exists(options: StorageOptions) -> bool:
    """Whether there is a store to look into: a file that is not there holds no accounts."""
    return options.kind == "postgresql" or (options.kind == "sqlite" and options.path.exists())


class _Desk(Desk):
    """Does at once what it is given, in a thread."""

    def __init__(self, once: Callable[[Work[Any]], Any]) -> None:
        self._once = once

    async def write(self, work: Work[T]) -> T:
        done: T = await asyncio.to_thread(self._once, work)
        return done

    async def statistics(self, work: Work[T]) -> T:
        return await self.write(work)

    async def read(self, work: Work[T]) -> T:
        return await self.write(work)

    def later(self, work: Work[None], what: str) -> None:
        self._once(work)


def _sqlite(options: StorageOptions) -> Callable[[Work[Any]], Any]:
    path = options.path
    if not path.exists():
        upgrade(options)
    elif not is_sqlite(path):
        raise StoreUnusable(f"{path} is not a SQLite database")
    engine = sqlite.engine(path, sqlite.CONTROL)

    def once(work: Work[Any]) -> Any:
        with told(path), engine.connect() as connection, connection.begin():
            return work(connection)

    if once(_revision) != REVISIONS.head:
        upgrade(options)
    return once


def _postgres(options: StorageOptions) -> Callable[[Work[Any]], Any]:
    from .postgres_admin import backend_of

    opened = backend_of(options)
    found = opened.once(_revision)
    if found != REVISIONS.head:
        raise StoreUnusable(f"{opened.where} has tables of revision {found or 'none'}: run understudy db upgrade")
    return opened.once


def _revision(connection: Connection) -> str:
    return revision(connection) or ""
