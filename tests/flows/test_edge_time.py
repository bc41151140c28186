"""Clocks that jump, processes that sleep, and waits of nothing (rules R2, R3 and R14)."""

from __future__ import annotations

import asyncio

import pytest
from served import breaker, keys, outcomes, served

from understudy.core.errors import NoEligibleApi, UnderstudyError
from understudy.core.types import Mode
from understudy.resilience.breaker import BreakerState
from understudy.resilience.quota import QuotaOptions
from understudy.resilience.retry import RetryOptions
from understudy.testing import FakeClock
from understudy.testing.scripted_http import Answer

QUIET = {"retry": RetryOptions(mode=Mode.OFF)}


async def fail(app, count: int) -> None:
    for _ in range(count):
        with pytest.raises(UnderstudyError):
            await app.route("r").get("/")


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_wall_clock_that_jumps_changes_no_breaker_hold_or_deadline(jump):
    script = {"a": [*[503] * 5, Answer(429, headers={"Retry-After": "50"})], "b": Answer(200, delay=0.1)}
    async with served(script, {"a": {**QUIET, "auth": keys("key-one-1")}}) as (app, http, clock):
        await fail(app, 5)
        clock.jump_wall(jump)
        assert breaker(app, "a").state == "open"
        wait = breaker(app, "a").view().retry_after
        assert 20 <= wait <= 36
        await clock.advance(wait + 0.1)
        await fail(app, 1)  # the trial, which is told to wait
        clock.jump_wall(-jump)
        await clock.advance(40)
        assert app.fallback.describe()["apis"]["a"]["keys"][0]["state"] == "held"
        await clock.advance(11)
        assert app.fallback.describe()["apis"]["a"]["keys"][0]["state"] == "usable"
        assert len(http.requests) == 6


async def test_a_date_is_obeyed_as_the_servers_own_clock_has_it():
    skewed = {"Date": "Tue, 01 Jan 2030 12:00:00 GMT", "Retry-After": "Tue, 01 Jan 2030 12:00:04 GMT"}
    lead = {"auth": keys("key-one-1")}
    async with served({"a": [Answer(429, headers=skewed), 200]}, {"a": lead}) as (app, _, _clock):
        answer = await app.route("r").get("/")
        assert 4.0 <= answer.explain().attempts[1].waited <= 4.5
        assert outcomes(answer.explain()) == [("a", "rate"), ("a", "success")]


async def test_a_reset_that_lies_in_the_past_holds_nothing_for_long():
    past = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1500000000"}
    async with served({"a": [Answer(429, headers=past), 200]}, {"a": {"auth": keys("key-one-1")}}) as (app, _, clock):
        with pytest.raises(UnderstudyError):
            await app.route("r").get("/", deadline=5.0)
        await clock.advance(61)
        assert (await app.route("r").get("/")).status == 200


async def test_a_process_that_was_suspended_finds_its_breakers_and_holds_as_late_as_it_is():
    script = {"a": [*[503] * 5, 200, 200, 200], "b": [Answer(503, headers={"Retry-After": "60"}), 200]}
    async with served(script, {"a": QUIET}) as (app, _http, clock):
        await fail(app, 5)
        clock.tick(86_400.0)  # nothing ran meanwhile: no tick, no timer
        assert (await app.route("r").get("/")).status == 200
        assert breaker(app, "a").state == "half_open"


async def test_a_trial_that_was_lost_in_a_suspended_process_does_not_block_the_next():
    async with served({"a": [*[503] * 5, Answer(200, delay=5.0), 200]}, {"a": QUIET}, FakeClock(auto=False)) as (
        app,
        _http,
        clock,
    ):
        await fail(app, 5)
        clock.tick(60.0)
        lost = asyncio.ensure_future(app.route("r").get("/", deadline=200.0))
        await asyncio.sleep(0)
        assert breaker(app, "a").state == "half_open"
        clock.tick(86_400.0)
        assert breaker(app, "a").blocked() == "probe_lost"
        breaker(app, "a").tick()
        assert breaker(app, "a").state == "open" and breaker(app, "a").view().last_cause == "probe_lost"
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)


async def test_a_forced_state_ends_in_a_suspended_process_too():
    async with served({"a": 200}, {"a": {}}) as (app, _, clock):
        await app.route("r").get("/")
        breaker(app, "a").force(BreakerState.FORCED_OPEN, reason="upgrade", actor="ana", expires_in=600.0)
        await fail(app, 1)
        clock.tick(601.0)
        assert (await app.route("r").get("/")).status == 200
        assert breaker(app, "a").state == "closed"


async def test_a_backoff_of_nothing_sets_no_timer():
    async with served({"a": [503, 200]}, {"a": {"retry": RetryOptions(base=0.0)}}) as (app, _, clock):
        assert (await app.route("r").get("/")).status == 200
        assert clock.sleeps == []


async def test_a_retry_after_of_nothing_is_obeyed_with_the_usual_backoff():
    busy = Answer(503, headers={"Retry-After": "0"})
    async with served({"a": [busy, 200]}, {"a": {}}) as (app, _, clock):
        assert (await app.route("r").get("/")).status == 200
        assert sum(clock.sleeps) <= 0.25


async def test_two_calls_that_want_the_last_unit_of_a_quota_send_one_request():
    told = {"X-RateLimit-Requests-Limit": "100", "X-RateLimit-Requests-Remaining": "1"}
    lead = {"auth": keys("key-one-1"), "preset": "rapidapi", "quota": QuotaOptions(reserve=0.0)}
    script = {"a": [Answer(200, headers=told), Answer(200, delay=1.0)], "b": Answer(200, delay=1.0)}
    async with served(script, {"a": lead, "b": {}}, mode="priority") as (app, _http, clock):
        await app.route("r").get("/")
        callers = [asyncio.ensure_future(app.route("r").get("/")) for _ in range(5)]
        await clock.advance(2.0)
        answers = [await caller for caller in callers]
        assert sorted(answer.api for answer in answers) == ["a", "b", "b", "b", "b"]


async def test_what_is_left_only_falls_when_answers_come_out_of_order():
    def told(left: int, delay: float) -> Answer:
        return Answer(200, headers={"RateLimit-Limit": "100", "RateLimit-Remaining": str(left)}, delay=delay)

    script = {"a": [told(50, 0.0), told(49, 3.0), told(48, 2.0), told(47, 1.0)]}
    async with served(script, {"a": {"auth": keys("key-one-1")}}) as (app, _, clock):
        await app.route("r").get("/")
        callers = [asyncio.ensure_future(app.route("r").get("/")) for _ in range(3)]
        seen = []
        for _ in range(4):
            await clock.advance(1.0)
            seen.append(app.fallback.describe()["apis"]["a"]["quota"][0]["remaining"])
        await asyncio.gather(*callers)
        assert max(seen) == seen[-1] == 47  # and less while calls are under way


async def test_the_reserve_is_kept_for_critical_calls():
    lead = {"quota": QuotaOptions(limit=100, window="day", reserve=0.05)}
    async with served({"a": 200, "b": 200}, {"a": lead, "b": {}}, mode="priority") as (app, http, _):
        route = app.route("r")
        for _ in range(120):
            await route.get("/")
        assert http.hosts().count("a") == 95
        for _ in range(10):
            await route.get("/", critical=True)
        assert http.hosts().count("a") == 100


async def test_overage_is_refused_unless_allowed():
    for allowed, expected in ((False, 3), (True, 6)):
        quota = QuotaOptions(limit=3, window="day", reserve=0.0, overage_price=4.0, allow_overage=allowed)
        async with served({"a": 200, "b": 200}, {"a": {"quota": quota}, "b": {}}, mode="priority") as (app, http, _):
            for _ in range(6):
                await app.route("r").get("/")
            assert http.hosts().count("a") == expected


async def test_what_goes_beyond_a_plan_costs_what_the_overage_costs():
    quota = QuotaOptions(limit=3, window="day", reserve=0.0, overage_price=4.0, allow_overage=True)
    apis = {"a": {"quota": quota, "price": 1.0}, "b": {"price": 2.0}}
    async with served({"a": 200, "b": 200}, apis, mode="cheapest") as (app, http, clock):
        for _ in range(8):
            await app.route("r").get("/")
            await clock.advance(1.5)
        assert http.hosts() == ["a"] * 3 + ["b"] * 5, "the dearer API is the cheaper one from then on"
    async with served({"a": 200}, {"a": apis["a"]}, max_price=3.0) as (app, _, clock):
        for _ in range(3):
            await app.route("r").get("/")
        await clock.advance(1.5)
        with pytest.raises(NoEligibleApi, match="4 is over 3 for 1,000 calls"):
            await app.route("r").get("/")
