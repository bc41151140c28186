"""The schedule of health checks: when an API is probed, when it is not, and what the results make of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from understudy.core.types import Mode
from understudy.resilience.healthcheck import HealthChecker, HealthCheckOptions, ProbeResult
from understudy.testing import FakeClock


class World:
    """One checker over one clock; says what probes answer and remembers when they ran."""

    def __init__(self, seed: int = 1, max_parallel: int = 4) -> None:
        self.clock = FakeClock(auto=False)
        self.answers: dict[str, bool | None] = {}
        self.probes: list[tuple[str, float]] = []
        self.told: list[tuple[str, bool | None]] = []
        self.takes = 0.0
        self.together = self.most_together = 0
        self.open: set[str] = set()
        self.success_at: float | None = None
        self.left: int | None = None
        self.limit: int | None = None
        self.checker = HealthChecker(self.clock, random.Random(seed), self.probe, max_parallel)

    async def probe(self, api: str) -> ProbeResult:
        """Answer as scripted."""
        self.probes.append((api, self.clock.monotonic()))
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        try:
            await self.clock.sleep(self.takes)
        finally:
            self.together -= 1
        return ProbeResult(self.answers.get(api, True), self.takes, 200)

    def add(self, api: str = "a", **options: object) -> None:
        """Watch an API."""
        options.setdefault("cost", "free")
        self.checker.add(
            api,
            HealthCheckOptions(path="/ping", **options),  # type: ignore[arg-type]  # real fields
            is_open=lambda: api in self.open,
            last_success_at=lambda: self.success_at,
            quota_left=lambda: self.left,
            quota_limit=lambda: self.limit,
            on_result=lambda name, result: self.told.append((name, result.ok)),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the schedule meanwhile."""
        task = asyncio.ensure_future(self.checker.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_probes_keep_their_interval_with_a_tenth_of_jitter_after_a_random_phase() -> None:
    phases = []
    for seed in range(5):
        world = World(seed)
        world.add()
        began = world.clock.monotonic()
        async with world.running():
            await world.clock.advance(600.0)
        times = [at for _, at in world.probes]
        phases.append(times[0] - began)
        gaps = [after - before for before, after in pairwise(times)]
        assert all(53.9 <= gap <= 66.1 for gap in gaps) and len(set(gaps)) > 1
    assert max(phases) - min(phases) > 5.0


async def test_while_the_breaker_is_open_a_free_probe_runs_each_five_seconds() -> None:
    world = World()
    world.add()
    world.open.add("a")
    async with world.running():
        await world.clock.advance(60.0)
    assert 10 <= len(world.probes) <= 14


async def test_a_metered_probe_never_hurries() -> None:
    world = World()
    world.left, world.limit = 10_000, 10_000
    world.add(cost="metered")
    world.open.add("a")
    async with world.running():
        await world.clock.advance(600.0)
    assert 9 <= len(world.probes) <= 11


async def test_real_traffic_within_the_interval_makes_a_probe_needless() -> None:
    world = World()
    world.add()
    async with world.running():
        for _ in range(60):
            world.success_at = world.clock.monotonic()
            await world.clock.advance(10.0)
    assert world.probes == [] and "real traffic" in world.checker.view("a")["skipped"]


async def test_metered_probes_stay_below_one_percent_of_the_quota_and_keep_half_for_outages() -> None:
    world = World()
    world.left, world.limit = 900, 1000
    world.add(cost="metered")
    async with world.running():
        await world.clock.advance(900.0)
        assert len(world.probes) == 5
        world.open.add("a")
        await world.clock.advance(900.0)
        assert len(world.probes) == 10
        await world.clock.advance(1200.0)
        assert len(world.probes) == 10
        world.left = 1000  # the quota begins anew
        await world.clock.advance(900.0)
    assert len(world.probes) == 20


async def test_metered_probes_stay_below_their_number_a_day() -> None:
    world = World()
    world.left = world.limit = 1_000_000
    world.open.add("a")
    world.add(cost="metered")
    async with world.running():
        await world.clock.advance(2400.0)
    assert len(world.probes) == 24 == world.checker.view("a")["probes_today"]


@pytest.mark.parametrize(("left", "limit", "why"), [(None, None, "unknown"), (0, 1000, "exhausted"), (50, 50, "quota")])
async def test_an_unknown_exhausted_or_small_quota_is_never_spent_on_probes(
    left: int | None, limit: int | None, why: str
) -> None:
    world = World()
    world.left, world.limit = left, limit
    world.open.add("a")
    world.add(cost="metered")
    async with world.running():
        await world.clock.advance(600.0)
    assert world.probes == [] and why in world.checker.view("a")["skipped"]


async def test_health_changes_after_three_bad_and_two_good_probes() -> None:
    world = World()
    world.add()
    seen = []
    for ok in (True, True, False, False, False, True, None, True):
        world.answers["a"] = ok
        await world.checker.check_now("a")
        seen.append(world.checker.view("a")["health"])
    assert seen == [
        "unknown", "healthy", "healthy", "healthy", "unhealthy", "unhealthy", "unhealthy", "healthy",
    ]  # fmt: skip


async def test_one_good_probe_is_enough_while_the_breaker_is_open() -> None:
    world = World()
    world.add()
    world.open.add("a")
    await world.checker.check_now("a")
    assert world.checker.view("a")["health"] == "healthy"


async def test_a_result_older_than_two_intervals_is_unknown() -> None:
    world = World()
    world.add()
    world.open.add("a")
    await world.checker.check_now("a")
    world.clock.tick(120.0)
    assert world.checker.view("a")["health"] == "healthy"
    world.clock.tick(0.1)
    view = world.checker.view("a")
    assert view["health"] == "unknown" and view["age"] == pytest.approx(120.1)
    assert json.loads(json.dumps(view)) == view


async def test_a_probe_without_an_answer_fails_after_its_limit() -> None:
    world = World()
    world.takes = 1000.0
    world.add(timeout=5.0)
    checking = asyncio.ensure_future(world.checker.check_now("a"))
    await world.clock.advance(5.1)
    result = await checking
    assert result.ok is False and result.reason == "no answer within 5 s" and world.together == 0


async def test_a_probe_that_raises_says_nothing_about_the_api() -> None:
    async def broken(api: str) -> ProbeResult:
        raise RuntimeError(api)

    world = World()
    world.checker = HealthChecker(world.clock, random.Random(1), broken)
    world.add()
    result = await world.checker.check_now("a")
    assert result.ok is None and "RuntimeError" in result.reason


async def test_at_most_four_probes_run_at_the_same_time_and_none_is_forgotten() -> None:
    world = World()
    world.takes = 2.0
    for number in range(40):
        world.add(str(number))
    async with world.running():
        await world.clock.advance(90.0)
    assert world.most_together == 4 and {api for api, _ in world.probes} == {str(n) for n in range(40)}
    assert world.together == 0


async def test_two_who_ask_at_once_share_one_probe() -> None:
    world = World()
    world.add()
    results = await asyncio.gather(world.checker.check_now("a"), world.checker.check_now("a"))
    assert len(world.probes) == 1 and results[0] is results[1]


async def test_observing_probes_without_telling_and_off_does_not_probe() -> None:
    world = World()
    world.add("seen", mode=Mode.OBSERVE)
    world.add("off", mode=Mode.OFF)
    async with world.running():
        await world.clock.advance(120.0)
    assert {api for api, _ in world.probes} == {"seen"} and world.told == []
    assert world.checker.view("seen")["ok"] is True


async def test_a_removed_api_is_probed_no_more_and_its_probe_under_way_is_not_told() -> None:
    world = World()
    world.takes = 2.0
    world.add()
    checking = asyncio.ensure_future(world.checker.check_now("a"))
    await world.clock.advance(1.0)
    world.checker.remove("a")
    await world.clock.advance(5.0)
    assert (await checking).ok is None
    assert world.told == [] and world.together == 0
    with pytest.raises(KeyError):
        world.checker.view("a")


async def test_a_stopped_schedule_leaves_no_task_behind() -> None:
    world = World()
    world.takes = 3.0
    world.add(interval=1.0)
    before = len(asyncio.all_tasks())
    async with world.running():
        await world.clock.advance(2.0)
        assert world.together == 1
    assert world.together == 0 and len(asyncio.all_tasks()) == before
