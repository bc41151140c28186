"""Rollups over time: every tier is the sum of what happened, whatever the clock and the process did."""

from __future__ import annotations

import random

import pytest

from understudy.core.errors import StoreUnavailable
from understudy.monitor.collector import Collector
from understudy.monitor.histogram import digest
from understudy.monitor.history import MOST_BUCKETS, History, Retention, plan
from understudy.monitor.rollup import TIERS, SeriesName
from understudy.monitor.rollups import Rollups
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock

ODDS = SeriesName("api", "odds")
FOREVER = Retention({10: 48 * 3600.0, 60: 30 * 86400.0, 3600: 730 * 86400.0, 86400: None})


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock)


class Process:
    """One start of a process that keeps: killed by being forgotten, stopped in order by `stop`."""

    def __init__(self, store, clock) -> None:
        self.collector = Collector()
        self.clock = clock
        self.rollups = Rollups(self.collector, store.rollups, clock, self.drain)

    async def drain(self) -> None:
        pass

    def happen(self, times: int = 1, name: str = "odds") -> None:
        batch = [0.1] * times
        self.collector.attempts(name, "", digest(batch), None, 0, batch, ())

    async def live(self, seconds: float, each: int = 1) -> int:
        """Ten calls a second for a while; how many there were."""
        made = 0
        for _ in range(int(seconds)):
            self.happen(each)
            made += each
            self.clock.tick(1)
            await self.rollups.flush()
        return made


async def total(store, tier, name=ODDS) -> int:
    return sum(row.n for row in await store.rollups.read(tier, [name], 0, 2**40, list))


async def test_every_tier_adds_up_to_what_happened(store, clock):
    process = Process(store, clock)
    await process.rollups.begin()
    made = await process.live(2 * 3600 + 125)
    await process.rollups.stop()
    assert [await total(store, tier) for tier in TIERS] == [made] * 4


async def test_a_killed_process_loses_at_most_ten_seconds_and_its_successor_closes_what_it_left_open(store, clock):
    rng = random.Random(4)
    made = 0
    lives = 0
    for _ in range(12):
        process = Process(store, clock)
        await process.rollups.begin()
        made += await process.live(rng.choice([7, 55, 130, 3700]))
        lives += 1
        clock.tick(rng.choice([0, 3, 40, 4000, 90_000]))
    last = Process(store, clock)
    await last.rollups.begin()
    await last.rollups.stop()
    kept = await total(store, 10)
    assert made - 10 * lives <= kept <= made
    assert [await total(store, tier) for tier in TIERS[1:]] == [kept] * 3


async def test_a_restart_within_the_same_ten_seconds_goes_on_from_there(store, clock):
    for _ in range(3):
        process = Process(store, clock)
        await process.rollups.begin()
        process.happen(5)
        await process.rollups.stop()
        clock.tick(1)
    assert [await total(store, tier) for tier in TIERS] == [15] * 4


@pytest.mark.parametrize("jump", [-3600.0, -30.0, -7.0, 3600.0, 90_000.0])
async def test_a_clock_that_jumps_loses_and_doubles_nothing(store, clock, jump):
    process = Process(store, clock)
    await process.rollups.begin()
    made = await process.live(200)
    clock.jump_wall(jump)
    made += await process.live(4000)
    clock.jump_wall(-jump)
    made += await process.live(4000)
    await process.rollups.stop()
    assert [await total(store, tier) for tier in TIERS] == [made] * 4


async def test_a_store_that_cannot_be_read_holds_up_nothing_and_loses_nothing(store, clock):
    process = Process(store, clock)
    await process.rollups.begin()
    made = await process.live(65)
    clock.jump_wall(-60)  # entering a period again has to be read
    away = [True]
    real = store.rollups.own

    async def own(*arguments):
        if away[0]:
            raise StoreUnavailable("away")
        return await real(*arguments)

    store.rollups.own = own
    made += await process.live(30)
    away[0] = False
    made += await process.live(300)
    await process.rollups.stop()
    assert [await total(store, tier) for tier in TIERS] == [made] * 4


async def test_series_without_traffic_are_not_written(store, clock):
    process = Process(store, clock)
    await process.rollups.begin()
    await process.live(25)
    for _ in range(60):
        clock.tick(1)
        await process.rollups.flush()
    rows = await store.rollups.read(10, None, 0, 2**40, list)
    assert len(rows) == 3


# -- reading back ---------------------------------------------------------------------------------


async def test_history_counts_everything_once_at_any_span_and_number_of_points(store, clock):
    process = Process(store, clock)
    await process.rollups.begin()
    began = clock.time()
    made = await process.live(3 * 3600 + 77)
    await process.rollups.stop()
    history = History(store.rollups, clock, FOREVER)
    for points in (1, 7, 100, 300, 2000):
        found = await history.series(ODDS, began - 60, clock.time() + 1, points)
        assert found.whole.n == made, points
        assert sum(point.n for point in found.points) == made
        assert len(found.points) <= 2000


@pytest.mark.parametrize("points", [1, 2, 60, 299, 300, 1999, 2000])
@pytest.mark.parametrize("length", [1, 59, 3600, 86_400, 30 * 86_400, 400 * 86_400, 5 * 365 * 86_400])
def test_a_plan_covers_its_span_without_gap_or_overlap_and_keeps_to_the_points(points, length):
    now = 1_764_000_123.4
    span = plan(now - length, now, now, points, FOREVER)
    edges = [span.start, *(until for _, _, until in span.stretches)]
    assert [begin for _, begin, _ in span.stretches] == edges[:-1]
    assert edges[-1] == span.end
    assert (span.end - span.start) / span.step <= 2000
    assert span.start <= now - length
    assert span.end >= now
    for tier, begin, until in span.stretches:
        assert begin % tier == 0
        assert (until - begin) / tier <= MOST_BUCKETS + 2


def test_what_a_tier_no_longer_holds_comes_from_a_coarser_one():
    now = 1_764_000_000.0
    assert plan(now - 3600, now, now, 360, FOREVER).tier == 10
    assert plan(now - 3 * 86400, now - 3 * 86400 + 3600, now, 360, FOREVER).tier == 60
    assert plan(now - 40 * 86400, now - 40 * 86400 + 3600, now, 60, FOREVER).tier == 3600


async def test_two_to_six_series_can_be_compared(store, clock):
    process = Process(store, clock)
    await process.rollups.begin()
    for name in ("odds", "scores"):
        process.happen(7, name)
    await process.live(15)
    await process.rollups.stop()
    history = History(store.rollups, clock, FOREVER)
    now = clock.time()
    names = [ODDS, SeriesName("api", "scores")]
    found = await history.compare(names, now - 60, now + 1)
    assert [found[name].whole.n for name in names] == [22, 7]
    with pytest.raises(ValueError, match="2 to 6"):
        await history.compare([ODDS, ODDS], now - 60, now)


async def test_a_span_is_held_against_the_week_before(store, clock):
    process = Process(store, clock)
    await process.rollups.begin()
    await process.live(600, each=2)
    clock.tick(7 * 86400 - 600)
    await process.live(600, each=3)
    await process.rollups.stop()
    history = History(store.rollups, clock, FOREVER)
    changes = {each.metric: each for each in await history.against_last_week(ODDS, clock.time() - 600, clock.time())}
    assert changes["requests_per_minute"].change == pytest.approx(0.5, abs=0.02)
    assert changes["success_rate"].change == 0.0


async def test_the_overview_adds_up_like_the_history(store, clock):
    process = Process(store, clock)
    await process.rollups.begin()
    made = await process.live(4000)
    await process.rollups.stop()
    history = History(store.rollups, clock, FOREVER)
    now = clock.time()
    (numbers,) = (await history.overview("api", now - 4100, now)).values()
    assert numbers["n"] == made
    assert numbers["success_rate"] == 100.0
