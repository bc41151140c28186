"""New settings in a running application: all at once, and nothing that was learned is forgotten (rule R13)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from served import breaker, keys, served

from understudy.core.errors import BulkheadFull, DeadlineExceeded, UnderstudyError
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.healthcheck import HealthCheckOptions
from understudy.resilience.limiter import RateLimitOptions
from understudy.testing.scripted_http import Answer


def change(app, name: str, **settings) -> None:
    """Register the API again with these settings, as a reload does."""
    api = app.fallback.roster.api(name)
    app.fallback.register_api(name, options=replace(api.options, **settings))


async def failing_calls(app, count: int) -> None:
    for _ in range(count):
        with pytest.raises(UnderstudyError):
            await app.route("r").get("/")


async def test_an_open_breaker_stays_open():
    async with served({"a": 503}, {"a": {}}) as (app, _, _):
        await failing_calls(app, 3)
        assert breaker(app, "a").state == "open"
        change(app, "a", price=3.0)
        assert breaker(app, "a").state == "open"
        assert breaker(app, "a").view().opened_count == 1


async def test_a_hold_and_a_quarantine_stay():
    script = {"a": [Answer(429, headers={"Retry-After": "100"}), 401]}
    lead = {"auth": keys("key-one-1", "key-two-2")}
    async with served(script, {"a": lead}) as (app, _, _):
        await failing_calls(app, 1)
        before = [(shown["key"], shown["state"]) for shown in app.fallback.describe()["apis"]["a"]["keys"]]
        assert before == [("key1", "held"), ("key2", "quarantined")]
        change(app, "a", auth=keys("key-one-1", "key-two-2", "key-three-3"))
        after = [(shown["key"], shown["state"]) for shown in app.fallback.describe()["apis"]["a"]["keys"]]
        assert after == [*before, ("key3", "usable")]


async def test_every_option_of_a_bulkhead_holds_from_the_next_admission_on():
    narrow = {"bulkhead": BulkheadOptions(limit=1)}
    async with served({"a": Answer(200, delay=5.0)}, {"a": narrow}) as (app, _, clock):
        first = asyncio.ensure_future(app.route("r").get("/"))
        await asyncio.sleep(0)
        change(app, "a", bulkhead=BulkheadOptions(limit=1, max_waiting=0))
        with pytest.raises((BulkheadFull, UnderstudyError), match="bulkhead_full"):
            await app.route("r").get("/")
        change(app, "a", bulkhead=BulkheadOptions(limit=1, max_wait=1.0))
        waiting = asyncio.ensure_future(app.route("r").get("/"))
        await clock.advance(1.1)
        with pytest.raises(UnderstudyError, match="no place came free"):
            await waiting
        await clock.advance(5.0)
        assert (await first).status == 200


async def test_a_rate_limit_that_stays_keeps_its_count():
    slow = {"rate_limit": RateLimitOptions(rate=1.0, per=60.0, burst=1)}
    async with served({"a": 200}, {"a": slow}) as (app, http, _):
        await app.route("r").get("/")
        change(app, "a", price=2.0)
        with pytest.raises(UnderstudyError):
            await app.route("r").get("/", deadline=1.0)
        assert len(http.requests) == 1


async def test_the_lease_of_a_trial_follows_a_longer_attempt_limit():
    async with served({"a": [*[503] * 5, Answer(200, delay=30.0)]}, {"a": {}}) as (app, _, clock):
        await failing_calls(app, 3)
        change(app, "a", timeout=TimeoutOptions(attempt=60.0, idle=60.0))
        await clock.advance(60)
        trial = asyncio.ensure_future(app.route("r").get("/", deadline=100.0))
        await clock.advance(31)
        assert (await trial).status == 200
        assert breaker(app, "a").state == "half_open"


async def test_a_probe_that_is_declared_later_ends_the_open_phase_early():
    down = {"a": True}
    async with served(lambda request: 503 if down["a"] else 200, {"a": {}, "b": {"enabled": False}}) as (app, _, clock):
        await failing_calls(app, 3)
        change(app, "a", health_check=HealthCheckOptions(path="/ping", cost="free"))
        assert breaker(app, "a").free_probe
        down["a"] = False
        for _ in range(7):
            await clock.advance(1.0)
        assert breaker(app, "a").state == "half_open"


async def test_a_threshold_below_the_present_count_is_judged_at_the_next_outcome():
    async with served({"a": 503}, {"a": {"breaker": BreakerOptions(consecutive=20)}}) as (app, _, _):
        await failing_calls(app, 3)
        assert breaker(app, "a").state == "closed"
        change(app, "a", breaker=BreakerOptions(consecutive=4))
        assert breaker(app, "a").state == "closed"
        await failing_calls(app, 1)
        assert breaker(app, "a").state == "open"


async def test_statistics_survive_and_calls_under_load_never_fail_because_of_it():
    async with served({"a": Answer(200, delay=0.05), "b": 200}, {"a": {}, "b": {}}) as (app, _http, clock):
        route = app.route("r")
        answers = []
        for round_ in range(30):
            callers = [asyncio.ensure_future(route.get("/")) for _ in range(5)]
            await clock.advance(0.02)
            change(app, "a", price=float(round_ % 3), bulkhead=BulkheadOptions(limit=50 + round_))
            app.fallback.register_route("r", deadline=20.0 + round_)
            app.fallback.reloaded()
            await clock.advance(0.2)
            answers += [await caller for caller in callers]
        assert {answer.status for answer in answers} == {200}
        assert app.monitor.snapshot("a", "1h").total + app.monitor.snapshot("b", "1h").total == 150
        assert app.fallback.self_failures == 0


async def test_a_removed_api_drains_and_one_of_the_same_name_begins_anew():
    async with served({"a": Answer(200, delay=1.0), "b": 200}, {"a": {}, "b": {}}, mode="priority") as (app, _, clock):
        under_way = asyncio.ensure_future(app.route("r").get("/"))
        await asyncio.sleep(0)
        app.fallback.roster.remove("a")
        app.fallback.forget_plans()
        app.fallback.register_api("a", base_url="http://a", route="r", priority=1)
        assert app.fallback.roster.api("a").in_flight == 0
        await clock.advance(1.5)
        assert (await under_way).api == "a"
        with pytest.raises(DeadlineExceeded):
            await app.route("r").get("/", deadline=0)


async def test_an_api_that_leaves_a_route_no_longer_stands_in_there():
    async with served({"a": 503, "b": 200}, {"a": {}, "b": {}}) as (app, http, _):
        app.fallback.register_route("r", apis=("a",))
        with pytest.raises(UnderstudyError):
            await app.route("r").get("/")
        assert set(http.hosts()) == {"a"}
        assert app.fallback.roster.api("b").route == ""
