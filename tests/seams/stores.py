"""The stores that the contract suites run over, and time for them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from understudy.core.clock import Clock
from understudy.storage import StorageOptions, open_store
from understudy.storage.store import Store
from understudy.testing import FakeClock
from understudy.testing.request_contract import KEPT, NOON, PER_API


def fake_clock() -> FakeClock:
    return FakeClock(epoch=NOON)


@asynccontextmanager
async def opened(options: StorageOptions, clock: Clock) -> AsyncIterator[Store]:
    store = open_store(replace(options, keep_requests=KEPT, requests_per_api=PER_API), clock)
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


def copied(template: Path, folder: Path) -> StorageOptions:
    """A copy of a SQLite file with nothing but the tables in it: making one takes half a second."""
    return StorageOptions(url=f"sqlite:///{shutil.copy2(template, folder / 'understudy.db')}")
