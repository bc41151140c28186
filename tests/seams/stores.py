"""The stores that the contract suites run over, and time for them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from servers import PASSWORD, Postgres
from understudy.core.clock import Clock
from understudy.core.secrets import Secret
from understudy.storage import StorageOptions, open_store
from understudy.storage.health import HealthBoard
from understudy.storage.postgres_backend import PostgresBackend
from understudy.storage.schema import REVISIONS
from understudy.storage.sqlite_schema import prepare
from understudy.storage.store import Store
from understudy.testing import FakeClock
from understudy.testing.request_contract import KEPT, NOON, PER_API


def fake_clock() -> FakeClock:
    return FakeClock(epoch=NOON)


def options(url: str, **more: Any) -> StorageOptions:
    password = Secret(PASSWORD) if url.startswith("postgresql") else None
    return StorageOptions(url=url, password=password, keep_requests=KEPT, requests_per_api=PER_API, **more)


@asynccontextmanager
async def opened(url: str, clock: Clock, **more: Any) -> AsyncIterator[Store]:
    store = open_store(options(url, **more), clock)
    if hasattr(store, "_writer"):
        store._writer.upkeep_rest = 0.0  # nothing else runs here that it would have to make room for
    try:
        yield store
    finally:
        await store.close()


def upkeep_of(store: Store, clock: FakeClock) -> Callable[[float], Awaitable[None]]:
    async def upkeep(seconds: float) -> None:
        clock.tick(seconds)
        await store.upkeep(await store.leases.claim("upkeep", "the suite", 60.0))

    return upkeep


def empty_file(path: Path) -> Path:
    """A SQLite file with nothing but the tables in it, to be copied: making one takes half a second."""
    prepare(path)
    return path


def copied(template: Path, folder: Path) -> str:
    """The URL of a copy of an empty file."""
    return f"sqlite:///{shutil.copy2(template, folder / 'understudy.db')}"


def upgraded(server: Postgres) -> str:
    """The name of a database with nothing but the tables in it, to be copied."""
    name = server.new_database()
    PostgresBackend(options(server.url(name)), HealthBoard("postgresql", name)).once(REVISIONS.upgrade)
    return name
