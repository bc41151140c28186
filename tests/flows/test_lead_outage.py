"""A lead that answers 503 for a minute while calls come every four seconds: who serves, and what it costs."""

from __future__ import annotations

from statistics import median

import pytest

from soak import outage
from understudy.app import Understudy
from understudy.resilience.healthcheck import HealthCheckOptions
from understudy.testing import FakeClock


class Unavailable(Exception):
    """A 503, as HTTP libraries report it."""

    status = 503


async def run(seed: int, *, probe: bool) -> tuple[int, float, set[str]]:
    """Attempts at the dead lead, seconds from its recovery to its next served call, and who served."""
    clock = FakeClock()
    down_from, down_until = 0.0, 0.0
    attempts = 0

    def is_down() -> bool:
        return down_from <= clock.monotonic() < down_until

    async def lead():
        nonlocal attempts
        if is_down():
            attempts += 1
            raise Unavailable
        return "lead"

    async def ask():
        if is_down():
            raise Unavailable

    async def standby():
        return "standby"

    async with Understudy.build(clock=clock, seed=seed) as app:
        options = {"probe": ask, "health_check": HealthCheckOptions(cost="free")} if probe else {}
        app.fallback.register_api("lead", priority=1, **options)
        app.fallback.register_api("standby", priority=2)
        for _ in range(5):
            await app.fallback.execute_with_fallback("lead", lead, standby)
            await clock.advance(4)
        down_from, down_until = clock.monotonic(), clock.monotonic() + 60
        served = []
        for _ in range(20):
            served.append((clock.monotonic(), await app.fallback.execute_with_fallback("lead", lead, standby)))
            await clock.advance(4)
        back = [at - down_until for at, who in served if who == "lead" and at >= down_until]
        return attempts, back[0] if back else float("inf"), {who for _, who in served}


@pytest.mark.parametrize("seed", range(5))
async def test_with_a_free_probe_the_dead_lead_sees_four_calls_and_serves_again_within_ten_seconds(seed):
    attempts, back, who = await run(seed, probe=True)
    assert attempts <= 4
    assert back <= 10
    assert who <= {"lead", "standby"}


async def test_without_a_probe_it_sees_seven_and_serves_again_within_twenty_five_seconds():
    runs = [await run(seed, probe=False) for seed in range(8)]
    assert max(attempts for attempts, _, _ in runs) <= 7
    assert max(back for _, back, _ in runs) <= 25
    assert median(attempts for attempts, _, _ in runs) >= 3


async def test_over_http_the_same_holds_for_many_outages_with_and_without_a_probe():
    report = await outage.sample(7)
    assert not report.broken, "\n".join(report.broken)
