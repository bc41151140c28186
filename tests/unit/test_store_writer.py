"""The writer's thread: control first, together and apart; what cannot be written is told or waits, nothing blocks."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from understudy.core.errors import StoreUnavailable
from understudy.monitor.rollup import Bucket, Row, SeriesName
from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.storage.writer import MOST_JOBS
from understudy.testing import FakeClock

NOON = 1_800_000_000
ODDS = SeriesName("api", "odds")


def row(ts: int, n: int = 1, series: SeriesName = ODDS) -> Row:
    bucket = Bucket()
    bucket.n = bucket.ok = n
    return bucket.row(ts, series)


@asynccontextmanager
async def opened(tmp_path, **options):
    store = SqliteStore(StorageOptions(url=f"sqlite:///{tmp_path}/x.db", **options), FakeClock(epoch=NOON))
    store._writer.upkeep_rest = 0.0
    try:
        yield store
    finally:
        await store.close(2.0)


class Held:
    """Work that keeps the writer's thread busy until it is let go."""

    def __init__(self, store: SqliteStore) -> None:
        self.begun, self._go = threading.Event(), threading.Event()
        self.future = store._writer.control(self._work)
        assert self.begun.wait(10)

    def _work(self, _: object) -> None:
        self.begun.set()
        self._go.wait(10)

    def let_go(self) -> None:
        self._go.set()


async def test_control_is_done_before_statistics_and_both_before_upkeep(tmp_path):
    order = []

    def noted(what):
        return lambda _: order.append(what)

    def steps():
        yield noted("upkeep")

    async with opened(tmp_path) as store:
        held = Held(store)
        futures = [
            store._writer.upkeep(steps()), store._writer.statistics(noted("statistics")),
            store._writer.control(noted("control")),
        ]  # fmt: skip
        held.let_go()
        for future in futures:
            future.result(10)
    assert order == ["control", "statistics", "upkeep"]


async def test_control_writes_that_came_together_are_committed_together(tmp_path):
    async with opened(tmp_path) as store:
        commits = []
        held = Held(store)
        writes = [asyncio.ensure_future(store.state.save({f"k{n}": n})) for n in range(30)]
        await asyncio.sleep(0)
        connection = store._backend._connections["control"]
        real = connection._commit_impl
        connection._commit_impl = lambda: (commits.append(1), real())[1]
        held.let_go()
        await asyncio.gather(*writes)
        assert len(commits) <= 10, "as many as go into a few milliseconds"
        assert len(await store.state.load()) == 30


async def test_work_that_fails_spoils_nothing_of_the_work_beside_it(tmp_path):
    def broken(connection):
        connection.exec_driver_sql("INSERT INTO state VALUES ('broken', '1', 1)")
        raise LookupError("mine")

    async with opened(tmp_path) as store:
        held = Held(store)
        futures = [
            asyncio.ensure_future(store.state.save({"before": 1})),
            asyncio.wrap_future(store._writer.control(broken)),
            asyncio.ensure_future(store.state.save({"after": 2})),
        ]
        await asyncio.sleep(0)
        held.let_go()
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(each) for each in results] == [type(None), LookupError, type(None)]
        assert await store.state.load() == {"before": 1, "after": 2}
        with pytest.raises(LookupError):
            await asyncio.wrap_future(store._writer.control(broken))
        assert await store.state.load() == {"before": 1, "after": 2}


async def test_a_name_that_was_not_committed_is_asked_for_again(tmp_path):
    def broken(connection):
        numbers = store.rollups.ids.of(connection, [SeriesName("api", "lost")])
        assert numbers
        raise LookupError("mine")

    async with opened(tmp_path) as store:
        with pytest.raises(LookupError):
            await asyncio.wrap_future(store._writer.statistics(broken))
        await store.rollups.write({10: [row(NOON, 1, SeriesName("api", "other"))]})
        await store.rollups.write({10: [row(NOON, 2, SeriesName("api", "lost"))]})
        found = await store.rollups.read(10, None, 0, NOON * 2, list)
        assert {each.series.name: each.n for each in found} == {"other": 1, "lost": 2}


async def test_rows_that_can_never_be_written_are_given_up_and_the_others_are_kept(tmp_path, caplog):
    async with opened(tmp_path) as store:
        rows = [row(NOON + 10 * number, 2**70 if number == 3 else 1) for number in range(6)]
        await store.rollups.write({10: rows})
        assert store.health().waiting == 0
        assert store.health().dropped == 1
        assert "cannot be kept" in caplog.text
        found = await store.rollups.read(10, [ODDS], 0, NOON * 2, lambda some: [each.ts for each in some])
        assert found == [NOON + 10 * number for number in (0, 1, 2, 4, 5)]


async def test_what_nobody_waits_for_any_more_is_not_begun(tmp_path):
    async with opened(tmp_path, patience=0.2) as store:
        held = Held(store)
        with pytest.raises(StoreUnavailable):
            await store.state.save({"late": 1})
        held.let_go()
        await store.state.save({"in time": 1})
        assert await store.state.load() == {"in time": 1}


async def test_a_caller_that_is_cancelled_leaves_the_queue_as_it_was(tmp_path):
    async with opened(tmp_path) as store:
        held = Held(store)
        task = asyncio.ensure_future(store.state.save({"cancelled": 1}))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        held.let_go()
        await store.state.save({"other": 1})
        assert await store.state.load() == {"other": 1}


async def test_too_many_jobs_that_wait_cost_the_oldest(tmp_path):
    async with opened(tmp_path) as store:
        held = Held(store)
        futures = [store._writer.statistics(lambda _: None) for _ in range(MOST_JOBS + 5)]
        with pytest.raises(StoreUnavailable, match="too much waits"):
            futures[0].result(0)
        assert store._writer.dropped_jobs == 5
        held.let_go()
        futures[-1].result(20)


async def test_two_event_loops_share_one_store(tmp_path):
    async with opened(tmp_path) as store:

        def elsewhere():
            asyncio.run(store.state.save({"from another loop": 1}))
            return asyncio.run(store.state.load())

        await asyncio.gather(*(store.state.save({f"here {n}": n}) for n in range(20)), asyncio.to_thread(elsewhere))
        assert len(await store.state.load()) == 21


async def test_long_upkeep_does_not_keep_what_was_reported_waiting(tmp_path):
    async with opened(tmp_path) as store:
        await store.deltas.apply("reporter", "boot", 1, [row(NOON)])
        seen = []

        def long(_lease):
            for _ in range(5):
                store._clock.tick(20.0)
                yield lambda _: None
                minutes = yield lambda c: list(store.rollups.rows(c, (60, None, 0, NOON * 2, 1), writing=True))
                seen.append(len(minutes))

        store._upkeep = long
        await store.upkeep()
        assert seen[0] == 0
        assert seen[-1] == 1, "the minute was over in the middle of it"


async def test_upkeep_that_fails_is_told_and_leaves_the_writer_working(tmp_path):
    def failing(_lease):
        yield lambda _: None
        raise LookupError("mine")

    async with opened(tmp_path) as store:
        store._upkeep = failing
        with pytest.raises(LookupError):
            await store.upkeep()
        await store.state.save({"a": 1})


async def test_a_closed_store_says_so(tmp_path):
    async with opened(tmp_path) as store:
        await store.close()
        for work in (store.state.save({"a": 1}), store.state.load(), store.upkeep()):
            with pytest.raises(StoreUnavailable, match="closed"):
                await work
        await store.rollups.write({10: [row(NOON)]})
        await store.close()


async def test_work_that_ends_the_transaction_of_all_is_alone_to_blame(tmp_path):
    def spoils(connection):
        connection.get_transaction().rollback()
        raise ValueError("spoiled")

    async with opened(tmp_path) as store:
        held = Held(store)
        before = asyncio.ensure_future(store.state.save({"before": 1}))
        await asyncio.sleep(0)
        bad = store._writer.control(spoils)
        after = asyncio.ensure_future(store.state.save({"after": 1}))
        await asyncio.sleep(0)
        held.let_go()
        await before
        await after
        with pytest.raises(ValueError, match="spoiled"):
            bad.result(10)
        assert await store.state.load() == {"after": 1, "before": 1}
