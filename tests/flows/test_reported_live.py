"""What another process reports counts at once: in windows, states and alerts here, and in nothing twice."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.monitor.collector import Collector
from understudy.monitor.histogram import digest
from understudy.monitor.rollup import Row
from understudy.resilience.describe import state_of
from understudy.storage import StorageOptions
from understudy.testing import FakeClock, MemoryChannel
from understudy.web.views.verdict import Verdict


async def answer() -> str:
    return "odds"


def row(app: Understudy, batch: list[float], back: float = 0.0, name: str = "odds") -> Row:
    """What a process would report of these seconds; a minus sign says failure."""
    collector, failed = Collector(), sum(each < 0 for each in batch)
    kinds = {(False, "timeout", "provider"): failed} if failed else None
    collector.attempts(name, "", digest(batch), kinds, 0, batch, ())
    ((series, bucket),) = collector.take().items()
    return bucket.row(int(app.clock.time() - back) // 10 * 10, series)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def app(clock):
    settings = dataclasses.replace(Settings(), storage=StorageOptions(url="memory:"))
    built = Understudy.build(settings, clock=clock, seed=1, keep=True)
    built.fallback.register_api("odds", operation=answer)
    return built


async def test_reported_numbers_are_the_present_of_an_api_that_this_process_never_called(app):
    async with app:
        assert app.keeping is not None
        api = app.fallback.roster.api("odds")
        assert state_of(api, app.clock.monotonic()) == "unknown"
        app.keeping.heard([row(app, [0.1] * 1500 + [0.2] * 500 + [-1.0] * 10), row(app, [9.0] * 50, back=60.0)])
        found = app.monitor.snapshot("odds", "1m")
        assert (found.successes, found.failures, found.errors_by_class) == (2000, 10, {"timeout": 10})
        assert found.p50 == pytest.approx(0.1, rel=0.04)
        assert found.p99 == pytest.approx(0.2, rel=0.04)
        assert state_of(api, app.clock.monotonic()) == "healthy"
        app.keeping.heard([row(app, [-0.5] * 3000)])
        assert state_of(api, app.clock.monotonic()) == "degraded"
        assert Verdict.of(app, "odds").kind == "provider"
        # A row that is kept is not kept again, is scraped where it happened, and decides nothing here.
        assert app.keeping.collector.take() == {}
        assert app.monitor.cumulative("odds").successes == 0
        assert app.monitor.p50("odds") is None
        assert api.score.last_success_at is None


async def test_the_service_alerts_on_what_programs_report(app, clock):
    channel = MemoryChannel(clock=clock)
    app.add_channel("people", channel)
    async with app:
        while not await app.alerts.ready():
            await asyncio.sleep(0)
        for _ in range(30):
            app.keeping.heard([row(app, [-0.5] * 5)])
            await clock.advance(1.0)
        assert ("fired", "odds") in [(str(each.notice.kind), each.notice.labels["api"]) for each in channel.delivered]
