"""The stores that the contract suites run over, and time for them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from understudy.core.clock import Clock
from understudy.storage import StorageOptions, open_store
from understudy.storage.store import Store
from understudy.testing import FakeClock
from understudy.testing.request_contract import KEPT, NOON, PER_API


def fake_clock() -> FakeClock:
    return FakeClock(epoch=NOON)


@asynccontextmanager
async def opened(url: str, clock: Clock, **options: object) -> AsyncIterator[Store]:
    store = open_store(StorageOptions(url=url, keep_requests=KEPT, requests_per_api=PER_API, **options), clock)
    if hasattr(store, "_writer"):
        store._writer.upkeep_rest = 0.0  # nothing else runs here that it would have to make room for
    try:
        yield store
    finally:
        await store.close()


def upkeep_of(store: Store, clock: FakeClock) -> Callable[[float], Awaitable[None]]:
    async def upkeep(seconds: float) -> None:
        clock.tick(seconds)
        await store.upkeep()

    return upkeep


async def empty_file(path: Path) -> Path:
    """A SQLite file with nothing but the tables in it, to be copied: making one takes half a second."""
    async with opened(f"sqlite:///{path}", fake_clock()):
        pass
    return path


def copied(template: Path, folder: Path) -> str:
    """The URL of a copy of an empty file."""
    return f"sqlite:///{shutil.copy2(template, folder / 'understudy.db')}"
