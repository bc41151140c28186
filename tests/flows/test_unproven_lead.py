"""A lead that failed before it ever served: its latency is only assumed, and must not keep it out for ever."""

from __future__ import annotations

import pytest

from understudy.app import Understudy
from understudy.resilience.registry import UNPROVEN_AGAIN
from understudy.testing import FakeClock


class Down(Exception):
    status = 503


@pytest.mark.parametrize("seed", range(3))
async def test_it_serves_again_within_a_minute_or_so_of_its_recovery(seed):
    clock = FakeClock()
    up = False
    asked = 0

    async def lead():
        nonlocal asked
        asked += 1
        if not up:
            raise Down
        return "lead"

    async def standby():
        return "standby"

    async with Understudy.build(clock=clock, seed=seed) as app:
        app.fallback.register_api("lead", priority=1, route="odds", operation=lead)
        app.fallback.register_api("standby", priority=2, route="odds", operation=standby)
        served = []
        for number in range(100):
            up = number >= 30
            served.append(await app.fallback.execute_with_fallback("odds", None))
            await clock.advance(4)
        back = served.index("lead")
        assert 4 * (back - 30) <= UNPROVEN_AGAIN + 10
        assert served[-20:] == ["lead"] * 20
        assert asked - served.count("lead") <= 2 * (30 * 4 / UNPROVEN_AGAIN + 1)


async def test_an_api_that_is_dearer_or_less_preferred_gets_no_such_calls():
    clock = FakeClock()
    asked = []

    async def operation():
        return 1

    async def costly():
        asked.append(1)
        return 2

    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("lead", priority=1, route="odds", operation=operation)
        app.fallback.register_api("costly", priority=2, route="odds", operation=costly, price=5.0)
        for _ in range(50):
            await app.fallback.execute_with_fallback("odds", None)
            await clock.advance(10)
    assert not asked
