"""Mechanisms that only observe, the events that tell what happened, and records that say why (rule R13)."""

from __future__ import annotations

import asyncio

import pytest
from served import breaker, keys, outcomes, served

from understudy.core.errors import UnderstudyError
from understudy.core.types import Mode
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.budget import BudgetOptions
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.limiter import RateLimitOptions
from understudy.resilience.quota import QuotaOptions
from understudy.resilience.retry import RetryOptions
from understudy.testing.scripted_http import Answer


def kinds(app) -> list[str]:
    """All events, in order."""
    return [event.kind for event in reversed(app.events.recent(1000))]


async def calls(app, count: int) -> None:
    for _ in range(count):
        try:
            await app.route("r").get("/")
        except UnderstudyError:
            pass


async def test_an_observing_breaker_says_once_that_it_would_open_and_lets_every_call_through():
    async with served({"a": 503}, {"a": {"breaker": BreakerOptions(mode=Mode.OBSERVE)}}) as (app, http, _):
        await calls(app, 10)
        assert len(http.requests) >= 10 and breaker(app, "a").state == "closed"
        assert kinds(app).count("breaker.would_open") == 1


async def test_an_observing_retry_says_what_it_would_repeat_and_repeats_nothing():
    async with served({"a": 503}, {"a": {"retry": RetryOptions(mode=Mode.OBSERVE)}}) as (app, http, _):
        await calls(app, 2)
        assert len(http.requests) == 2 and kinds(app).count("retry.observed") == 2


async def test_an_observing_budget_says_what_it_would_refuse():
    lead = {"budget": BudgetOptions(mode=Mode.OBSERVE), "breaker": BreakerOptions(mode=Mode.OFF)}
    async with served({"a": 503}, {"a": lead}) as (app, http, clock):
        await asyncio.gather(*(calls(app, 1) for _ in range(50)))
        assert len(http.requests) == 100
        await clock.advance(1.0)
        [event] = [event for event in app.events.recent(1000) if event.kind == "budget.would_refuse"]
        assert event.api == "a" and event.detail["count"] > 20
        await clock.advance(5.0)
        assert kinds(app).count("budget.would_refuse") == 1  # nothing more was counted


async def test_an_observing_bulkhead_says_what_it_would_have_made_wait():
    lead = {"bulkhead": BulkheadOptions(mode=Mode.OBSERVE, limit=2)}
    async with served({"a": Answer(200, delay=0.5)}, {"a": lead}) as (app, _http, clock):
        callers = [asyncio.ensure_future(app.route("r").get("/")) for _ in range(10)]
        await clock.advance(2.0)
        assert [answer.status for answer in await asyncio.gather(*callers)] == [200] * 10
        [event] = [event for event in app.events.recent(1000) if event.kind == "bulkhead.would_refuse"]
        assert event.detail["count"] == 8


async def test_an_observing_rate_limit_says_what_it_would_have_delayed():
    lead = {"rate_limit": RateLimitOptions(mode=Mode.OBSERVE, rate=1.0, per=10.0, burst=1)}
    async with served({"a": 200}, {"a": lead}) as (app, http, clock):
        await calls(app, 5)
        await clock.advance(1.0)
        [event] = [event for event in app.events.recent(1000) if event.kind == "rate.would_wait"]
        assert event.detail["count"] == 4 and len(http.requests) == 5


async def test_an_observing_quota_says_what_it_would_have_refused():
    lead = {"quota": QuotaOptions(mode=Mode.OBSERVE, limit=2, window="day", reserve=0.0)}
    async with served({"a": 200}, {"a": lead}) as (app, http, _):
        await calls(app, 5)
        assert len(http.requests) == 5 and kinds(app).count("quota.would_refuse") == 1


@pytest.mark.parametrize(
    "off",
    [
        {"retry": RetryOptions(mode=Mode.OFF)},
        {"breaker": BreakerOptions(mode=Mode.OFF)},
        {"bulkhead": BulkheadOptions(mode=Mode.OFF)},
        {"quota": QuotaOptions(mode=Mode.OFF, limit=1)},
        {"budget": BudgetOptions(mode=Mode.OFF)},
        {"rate_limit": RateLimitOptions(mode=Mode.OFF, rate=1.0, per=1000.0)},
    ],
    ids=lambda off: next(iter(off)),
)
async def test_a_mechanism_that_is_off_does_nothing_and_says_nothing(off):
    async with served({"a": 200}, {"a": off}) as (app, http, clock):
        await calls(app, 20)
        await clock.advance(2.0)
        assert len(http.requests) == 20
        assert [kind for kind in kinds(app) if "would" in kind or "observed" in kind] == []


async def test_an_outage_is_told_in_order():
    replies = [503, 503, 503, *[200] * 10]
    async with served({"a": replies, "b": 200}, {"a": {"retry": RetryOptions(mode=Mode.OFF)}, "b": {}}) as (
        app,
        _,
        clock,
    ):
        app.fallback.register_route("r", mode="priority")
        await calls(app, 4)
        await clock.advance(20)
        await calls(app, 4)
        told = [kind for kind in kinds(app) if kind.split(".")[0] in ("attempt", "breaker", "fallback")]
        assert told == [
            *["attempt.failed", "fallback.served"] * 2,
            "breaker.opened",
            *["attempt.failed", "fallback.served", "fallback.served"],
            "breaker.half_opened",
            "breaker.closed",
        ]


async def test_a_listener_that_raises_is_isolated_and_counted():
    async with served({"a": [503, 200]}, {"a": {}}) as (app, _, _):
        heard = []

        def broken(event):
            raise RuntimeError("a bug in the listener")

        app.events.subscribe(broken)
        app.events.subscribe(lambda event: heard.append(event.kind))
        assert (await app.route("r").get("/")).status == 200
        assert "attempt.failed" in heard and app.events.listener_errors == len(heard)


async def test_every_attempt_of_a_record_tells_its_wait_its_key_and_what_was_left():
    lead = {"auth": keys("key-one-1", "key-two-2"), "quota": QuotaOptions(limit=10, window="day", reserve=0.0)}
    script = {"a": [401, 503, 200]}
    async with served(script, {"a": lead, "b": {"enabled": False}}) as (app, _, clock):
        record = (await app.route("r").get("/")).explain()
        first, second, third = record.attempts
        assert outcomes(record) == [("a", "key"), ("a", "provider"), ("a", "success")]
        assert (first.key, second.key, third.key) == ("key1", "key2", "key2")
        assert first.waited == second.waited == 0.0 and third.waited == pytest.approx(clock.sleeps[0])
        assert third.started_at >= second.started_at + third.waited
        assert second.budget_left - third.budget_left == pytest.approx(1.0 - 0.2, abs=0.5)
        assert third.quota_left == 8  # the failed attempt was executed, the refused one was not
        assert (first.status, first.attribution.value) == (401, "key")
        assert record.policy_version == 1 and record.deadline == 30.0
        assert app.fallback.decision(record.call_id) is record or app.fallback.decisions(1)[0] is record


async def test_a_call_under_way_keeps_the_policy_it_began_with():
    async with served({"a": [503, 503], "b": 200}, {"a": {}, "b": {}}, mode="priority") as (app, http, clock):
        sleep = clock.sleep

        async def meanwhile(seconds: float) -> None:
            app.fallback.register_route("r", mode="priority", max_attempts=1)
            app.fallback.reloaded()
            await sleep(seconds)

        clock.sleep = meanwhile
        answer = await app.route("r").get("/")
        assert answer.api == "b" and len(answer.explain().attempts) == 3
        assert answer.explain().policy_version == 1
        clock.sleep = sleep
        with pytest.raises(UnderstudyError):
            app.fallback.reset()
            app.fallback.register_api("b", enabled=False)
            http._next = lambda request: 503
            await app.route("r").get("/")
        assert app.fallback.decisions(1)[0].policy_version > 1
        assert len(app.fallback.decisions(1)[0].attempts) == 1
