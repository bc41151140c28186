"""Test your own fallback path: an outage of a minute in a few milliseconds, and no network.

python -m pytest examples/test_my_fallback.py
"""

import asyncio

from understudy import Understudy
from understudy.testing import HANG, FakeClock, FlakyApi


class OddsService:
    """Stands for your code: it asks one API, and makes do with yesterday's odds when that fails."""

    def __init__(self, app, api, archive):
        self.app, self.api, self.archive = app, api, archive

    async def odds(self):
        return await self.app.fallback.execute_with_fallback("odds", self.api, self.archive, deadline=5)


async def play(story):
    """Run a story with an application whose time is ours."""
    clock = FakeClock()
    api, archive = FlakyApi(clock, answer="today's"), FlakyApi(clock, answer="yesterday's")
    async with Understudy.build(clock=clock, seed=1) as app:
        await story(clock, OddsService(app, api, archive), api, archive)


def test_an_outage_of_a_minute_is_bridged_and_todays_odds_come_back():
    async def story(clock, service, api, archive):
        assert await service.odds() == "today's"
        api.fail(60)
        during = []
        for _ in range(15):
            during.append(await service.odds())
            await clock.advance(4)
        assert set(during) == {"yesterday's"}
        assert api.calls < 10, "an API that is down is not asked each time"
        await clock.advance(20)
        assert await service.odds() == "today's"

    asyncio.run(play(story))


def test_an_api_that_hangs_leaves_time_for_the_archive():
    async def story(clock, service, api, archive):
        api.answer = HANG
        call = asyncio.create_task(service.odds())
        await clock.advance(5)
        assert await call == "yesterday's"

    asyncio.run(play(story))
