"""Being told to wait: 429, Retry-After, holds, and who is asked meanwhile (rules R1, R3 and R9)."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

import pytest
from served import breaker, gates, keys, outcomes, served

from understudy.app import Understudy
from understudy.core.errors import BadResponse, NoEligibleApi, RateLimited
from understudy.core.types import Mode
from understudy.resilience.limiter import RateLimitOptions
from understudy.resilience.quota import QuotaOptions
from understudy.resilience.retry import RetryOptions
from understudy.testing import FakeClock
from understudy.testing.scripted_http import Answer

ONE_KEY = {"auth": keys("key-one-1")}


def limited(wait: str) -> Answer:
    return Answer(429, headers={"Retry-After": wait})


async def test_a_lone_api_that_limits_without_a_time_is_asked_again_when_its_key_may_go():
    async with served({"a": [429, 200]}, {"a": ONE_KEY}) as (app, _, clock):
        answer = await app.route("r").get("/")
        assert outcomes(answer.explain()) == [("a", "rate"), ("a", "success")]
        assert 1.0 <= sum(clock.sleeps) <= 1.2


@pytest.mark.parametrize("wait", [1, 3, 9])
async def test_retry_after_is_waited_for_to_the_letter_with_a_tenth_of_jitter_upwards(wait):
    async with served({"a": [limited(str(wait)), 200]}, {"a": ONE_KEY}) as (app, _, _clock):
        answer = await app.route("r").get("/")
        assert wait <= answer.explain().attempts[1].waited <= wait * 1.1 + 0.01


@pytest.mark.parametrize("wait", ["11", "3600", "31"])
async def test_a_longer_wait_than_the_limit_is_not_slept(wait):
    async with served({"a": [limited(wait)]}, {"a": ONE_KEY}) as (app, _, clock):
        with pytest.raises(BadResponse):
            await app.route("r").get("/")
        assert clock.sleeps == []


async def test_a_wait_beyond_the_deadline_is_not_slept_either():
    async with served({"a": [limited("5")]}, {"a": ONE_KEY}) as (app, _, clock):
        with pytest.raises(BadResponse):
            await app.route("r").get("/", deadline=4.0)
        assert clock.sleeps == []


async def test_attempts_on_one_api_keep_their_limit_however_short_the_holds_are():
    async with served({"a": limited("1")}, {"a": ONE_KEY}) as (app, http, _):
        with pytest.raises(BadResponse) as caught:
            await app.route("r").get("/")
        assert caught.value.status == 429 and len(http.requests) == 2


async def test_waiting_for_a_held_api_draws_on_the_budget_like_any_repeat():
    async with served({"a": limited("1"), "b": 503}, {"a": ONE_KEY, "b": {}}, mode="priority") as (app, http, _):
        api = app.fallback.roster.api("a")
        with pytest.raises(Exception):
            await app.route("r").get("/")
        assert http.hosts().count("a") == 2
        assert api.budget.left() <= 2.5


async def test_a_held_lead_leaves_its_calls_to_the_standby_until_the_hold_ends():
    script = {"a": [limited("20"), 200], "b": 200}
    async with served(script, {"a": ONE_KEY, "b": {}}, mode="priority") as (app, http, clock):
        route = app.route("r")
        served_by = [(await route.get("/")).api for _ in range(3)]
        assert served_by == ["b", "b", "b"] and http.hosts().count("a") == 1
        await clock.advance(21)
        assert (await route.get("/")).api == "a"


@pytest.mark.parametrize(("first", "second", "served_by"), [("9", "4", "b"), ("4", "9", "a")])
async def test_when_all_are_held_the_earliest_release_is_waited_for(first, second, served_by):
    script = {"a": [limited(first), 200], "b": [limited(second), 200]}
    async with served(script, {"a": ONE_KEY, "b": ONE_KEY}) as (app, _, _clock):
        answer = await app.route("r").get("/")
        assert answer.api == served_by and 4.0 <= answer.explain().duration < 5.0


async def test_wait_for_lead_prefers_a_short_wait_to_the_standby():
    busy = Answer(503, headers={"Retry-After": "2"})
    async with served({"a": [busy, 200], "b": 200}, {"a": {}, "b": {}}, wait_for_lead=3.0) as (app, http, _):
        assert (await app.route("r").get("/")).api == "a"
        assert http.hosts() == ["a", "a"]
    busy = Answer(503, headers={"Retry-After": "4"})
    async with served({"a": [busy], "b": 200}, {"a": {}, "b": {}}, wait_for_lead=3.0) as (app, http, _clock):
        assert (await app.route("r").get("/")).api == "b"


async def test_a_429_of_a_wrapped_operation_holds_its_api_too():
    class TooMany(Exception):
        status = 429
        headers = MappingProxyType({"Retry-After": "60"})

    asked = 0

    async def lead():
        nonlocal asked
        asked += 1
        raise TooMany

    async def standby():
        return "standby"

    clock = FakeClock()
    async with Understudy.build(clock=clock, seed=1) as app:
        for _ in range(3):
            assert await app.fallback.execute_with_fallback("lead", lead, standby) == "standby"
        assert asked == 1
        await clock.advance(61)
        await app.fallback.execute_with_fallback("lead", lead, standby)
        assert asked == 2


async def test_a_401_of_a_wrapped_operation_says_nothing_of_other_callers_keys():
    class Unauthorized(Exception):
        status = 401

    token = "stale"

    async def operation():
        if token == "stale":
            raise Unauthorized
        return "fine"

    async with Understudy.build(clock=FakeClock(), seed=1) as app:
        with pytest.raises(Unauthorized):
            await app.fallback.execute_with_fallback("api", operation)
        token = "fresh"
        assert await app.fallback.execute_with_fallback("api", operation) == "fine"


async def test_a_quota_of_a_wrapped_operation_counts_what_was_called_and_ends():
    async def operation():
        return "fine"

    clock = FakeClock()
    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("api", quota=QuotaOptions(limit=3, window="day", reserve=0.0))
        for _ in range(3):
            assert await app.fallback.execute_with_fallback("api", operation) == "fine"
        [quota] = app.fallback.describe()["apis"]["api"]["quota"]
        assert quota["remaining"] == 0
        with pytest.raises(NoEligibleApi, match="quota"):
            await app.fallback.execute_with_fallback("api", operation)
        clock.tick(86_401)
        assert await app.fallback.execute_with_fallback("api", operation) == "fine"


async def test_a_call_that_was_never_sent_gives_its_unit_of_quota_back():
    from understudy.core.errors import ConnectFailed

    script = {"a": ConnectFailed("refused", stage="refused", host="a")}
    async with served(script, {"a": {"quota": QuotaOptions(limit=10, reserve=0.0)}}) as (app, _, _):
        for _ in range(2):
            with pytest.raises(ConnectFailed):
                await app.route("r").get("/")
        [quota] = app.fallback.describe()["apis"]["a"]["quota"]
        assert quota["remaining"] == 10


async def test_a_rate_limit_without_a_token_waits_for_it_or_says_so():
    slow = {"rate_limit": RateLimitOptions(rate=1.0, per=5.0, burst=1)}
    async with served({"a": 200}, {"a": slow}) as (app, http, clock):
        route = app.route("r")
        await route.get("/")
        began = clock.monotonic()
        await route.get("/")
        assert clock.monotonic() - began == pytest.approx(5.0, abs=0.1)
        with pytest.raises((RateLimited, NoEligibleApi)) as caught:
            await route.get("/", deadline=1.0)
        assert "rate" in str(caught.value) and len(http.requests) == 2


async def test_a_standby_serves_while_the_leads_rate_is_used_up():
    slow = {"rate_limit": RateLimitOptions(rate=1.0, per=60.0, burst=2)}
    async with served({"a": 200, "b": 200}, {"a": slow, "b": {}}) as (app, _, _):
        route = app.route("r")
        answers = [await route.get("/") for _ in range(3)]
        assert [answer.api for answer in answers] == ["a", "a", "b"]
        assert gates(answers[2].explain()) == {"a": "rate_limited"}


async def test_while_a_retry_waits_a_hold_that_others_place_keeps_it_away():
    script = {"a": [503, 200]}
    async with served(script, {"a": {}}) as (app, http, clock):
        api = app.fallback.roster.api("a")
        clock_sleep = clock.sleep

        async def sleep(seconds: float) -> None:
            api.hold(300.0, "another call was told to wait")
            await clock_sleep(seconds)

        clock.sleep = sleep
        with pytest.raises(BadResponse):
            await app.route("r").get("/")
        assert http.hosts() == ["a"]


async def test_a_configured_rate_follows_a_stricter_one_that_the_api_tells():
    told = {"RateLimit-Policy": '"default";q=2;w=60', "RateLimit": '"default";r=50;t=60'}
    quick = {"auth": keys("key-one-1"), "rate_limit": RateLimitOptions(rate=100.0, per=60.0, burst=1)}
    async with served({"a": Answer(200, headers=told)}, {"a": quick}) as (app, http, clock):
        route = app.route("r")
        await route.get("/")
        await clock.advance(1.0)
        await route.get("/")
        with pytest.raises((RateLimited, NoEligibleApi)):
            await route.get("/", deadline=5.0)
        assert len(http.requests) == 2


async def test_a_hold_reaches_every_prepared_way_to_the_api_at_once():
    script = {"a": [200, 200, Answer(503, headers={"Retry-After": "60"})], "b": 200}
    async with served(script, {"a": {}, "b": {}}, mode="priority") as (app, http, _):
        app.fallback.register_api("a", route="s")
        app.fallback.register_api("b", route="s")
        await app.route("r").get("/")
        await app.route("s").get("/")  # both have a plan now
        await app.route("r").get("/")
        assert (await app.route("s").get("/")).api == "b"
        assert http.hosts().count("a") == 3


async def test_an_api_that_failed_a_moment_ago_is_not_tried_twice_while_another_could_serve():
    script = {"a": [503, 503, 503, 503, 503, 503, 200], "b": 200}
    async with served(script, {"a": {}, "b": {}}, mode="priority") as (app, http, _clock):
        await app.route("r").get("/")
        assert http.hosts() == ["a", "a", "b"]
        await app.route("r").get("/")
        assert http.hosts()[3:] == ["a", "b"]


async def test_a_late_failure_of_a_prepared_call_does_not_count_for_a_breaker_that_has_moved_on():
    late = Answer(503, delay=8.0)
    script = {"a": [200, late, late, *[503] * 5, *[200] * 20]}
    async with served(script, {"a": {"retry": RetryOptions(mode=Mode.OFF)}}) as (app, _, clock):
        route = app.route("r")
        await route.get("/")
        slow = [asyncio.ensure_future(route.get("/")) for _ in range(2)]
        await asyncio.sleep(0)
        for _ in range(5):
            with pytest.raises(BadResponse):
                await route.get("/")
        app.fallback.reset()
        generation = breaker(app, "a").generation
        await clock.advance(9.0)
        await asyncio.gather(*slow, return_exceptions=True)
        view = breaker(app, "a").view()
        assert (view.failures, view.generation) == (0, generation)
        assert app.monitor.snapshot("a").failures == 7
