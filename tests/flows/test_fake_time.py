"""An application on a fake clock stands still while nothing sleeps, whatever runs behind it."""

from __future__ import annotations

import asyncio

from understudy import Understudy
from understudy.testing import FakeClock


async def test_background_work_lets_no_time_pass_while_a_test_waits_for_something_real() -> None:
    clock = FakeClock()
    async with Understudy.build(clock=clock) as app:
        app.fallback.register_api("main", base_url="http://127.0.0.1:9")
        before = clock.monotonic()
        for _ in range(20):
            await asyncio.to_thread(lambda: None)
        assert clock.monotonic() == before
