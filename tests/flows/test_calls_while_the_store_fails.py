"""Calls of a whole application while its store cannot be written: none fails or waits, and every one is counted."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from statistics import median, quantiles

import pytest

from soak import store_away
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.audit import AuditEntry
from understudy.core.types import Mode
from understudy.monitor.requests import RequestQuery
from understudy.monitor.rollup import SeriesName
from understudy.storage import StorageOptions

CALLS = 400


class Down(Exception):
    status = 503


async def answer() -> str:
    return "served"


def build(storage: StorageOptions) -> Understudy:
    app = Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True)
    app.fallback.register_route("odds", mode="priority")
    app.fallback.register_api("lead", priority=1, route="odds", operation=answer, breaker={"mode": Mode.OFF})
    app.fallback.register_api("standby", priority=2, route="odds", operation=answer)
    return app


async def fail() -> str:
    raise Down("out of order")


async def calls(app: Understudy) -> list[float]:
    """Some hundred calls, every fourth of which its lead fails; how long each took."""
    took = []
    for number in range(CALLS):
        began = time.perf_counter()
        assert await app.fallback.execute_with_fallback("lead", answer if number % 4 else fail) == "served"
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.001)
    return took


async def eventually(condition: Callable[[], bool], within: float = 20.0) -> None:
    for _ in range(round(within / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


async def experiment(storage: StorageOptions, break_it: Callable[[], object], mend_it: Callable[[], object]) -> None:
    async with build(storage) as app:
        before = await calls(app)
        await asyncio.to_thread(break_it)
        try:
            await app.keeping.acted(AuditEntry(time.time(), "ana", "act.during"))
            await asyncio.sleep(1.2)  # the request log has handed something over meanwhile
            during = await calls(app)
            health = app.keeping.store.health()
            assert not health.writable
            assert app.keeping.problems()
        finally:
            await asyncio.to_thread(mend_it)
        # Nobody waits for the store. The bound on the slowest is wide, as others use the machine too.
        assert median(during) <= median(before) + 0.001
        assert quantiles(during, n=100)[98] <= quantiles(before, n=100)[98] + 0.050
        await eventually(lambda: app.keeping.store.health().writable)
        await app.keeping.acted()
    async with build(storage) as app:
        history = await app.keeping.history.series(
            SeriesName("route", "odds"), time.time() - 3600, time.time() + 20, 100
        )
        assert history.whole.n == 2 * CALLS
        groups = await app.keeping.requests.groups(0, time.time() + 1)
        assert sum(group.count for group in groups) == 2 * CALLS // 4
        found = await app.keeping.requests.search(RequestQuery(outcomes=("fallback",)), 1000)
        assert 0 < len(found) <= 2 * CALLS // 4
        acts = [record.entry.action for record in await app.keeping.audit.read()]
        assert acts.count("act.during") == 1
        assert await app.keeping.audit.verify() == ""


async def test_calls_go_on_while_the_file_is_locked_by_another_process(tmp_path):
    path = tmp_path / "understudy.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        await experiment(
            StorageOptions(url=f"sqlite:///{path}", patience=1.0),
            lambda: other.execute("BEGIN IMMEDIATE"),
            lambda: other.execute("ROLLBACK"),
        )


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_calls_go_on_while_postgresql_is_stopped(postgres, mode):
    storage = postgres.options(postgres.with_tables(), patience=1.0)
    await experiment(storage, lambda: postgres.stop(mode), postgres.start)


async def test_a_sample_of_the_minute_without_postgresql():
    assert (await store_away.sample(3)).broken == []
