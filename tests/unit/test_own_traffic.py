"""The traffic that the service makes itself, to be looked at: what fails is in the statistics, not in the log."""

from __future__ import annotations

import asyncio
import gc

from understudy.app import Understudy
from understudy.cli.simulated import traffic
from understudy.testing import FakeClock, ScriptedHttp


async def test_calls_that_no_api_serves_are_nobodys_surprise():
    clock = FakeClock()
    surprises = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: surprises.append(context))
    http = ScriptedHttp(500, clock=clock)
    async with Understudy.build(clock=clock, http=http, seed=1) as app:
        app.fallback.register_api("alone", route="odds", base_url="http://alone")
        made = asyncio.ensure_future(traffic(app, clock, 10.0))
        for _ in range(30):  # past the failures that open the breaker
            await clock.advance(0.1)
        made.cancel()
        await asyncio.wait([made])
        outcomes = {record.outcome for record in app.fallback.decisions()}
    gc.collect()
    assert outcomes == {"failed"}
    assert surprises == []
