"""The deadline, and who gets how much of it (rule R4)."""

from __future__ import annotations

import asyncio
import math

import pytest
from served import breaker, gates, outcomes, served

from understudy.app import Understudy
from understudy.core.errors import AttemptTimeout, BadResponse, DeadlineExceeded
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.testing import FakeClock
from understudy.testing.scripted_http import Answer


async def within(clock: FakeClock, awaitable, seconds: float = 40.0):
    """The result, with the clock moved on: deadlines do not make a fake clock jump by themselves."""
    task = asyncio.ensure_future(awaitable)
    passed = 0.0
    while not task.done() and passed < seconds:
        await clock.advance(0.05)
        passed += 0.05
    return await task


async def hang():
    await asyncio.Event().wait()


async def test_the_time_kept_for_the_standby_is_the_standbys_even_when_the_lead_had_too_little_to_be_blamed():
    clock = FakeClock()

    async def standby():
        return "standby"

    async with Understudy.build(clock=clock, seed=1) as app:
        result = await within(clock, app.fallback.call("lead", hang, standby, deadline=0.6))
        assert result.value == "standby"
        first = result.explain().attempts[0]
        assert (first.attribution.value, first.outcome.value) == ("caller", "cancelled")
        assert app.fallback.roster.api("lead").bindings[""].breaker.view().failures == 0


async def test_a_prepared_attempt_that_the_deadline_cuts_early_is_not_the_providers_fault_either():
    script = {"a": [Answer(200), Answer(200, delay=5.0)]}
    async with served(script, {"a": {}}, deadline=0.4) as (app, _, clock):
        route = app.route("r")
        await route.get("/")
        with pytest.raises(DeadlineExceeded):
            await within(clock, route.get("/"))
        assert breaker(app, "a").view().failures == 0


async def test_an_attempt_cut_after_a_telling_time_is_the_providers_time_out():
    script = {"a": Answer(200, delay=60.0)}
    async with served(script, {"a": {}}, deadline=3.0) as (app, _, clock):
        with pytest.raises(DeadlineExceeded):
            await within(clock, app.route("r").get("/"))
        assert breaker(app, "a").view().failures == 1


async def test_a_whole_attempt_limit_is_the_providers_time_however_short_it_is():
    script = {"a": Answer(200, delay=60.0), "b": 200}
    lead = {"timeout": TimeoutOptions(attempt=0.2)}
    async with served(script, {"a": lead, "b": {}}) as (app, _, clock):
        answer = await within(clock, app.route("r").get("/"))
        assert outcomes(answer.explain()) == [("a", "timeout"), ("b", "success")]
        assert breaker(app, "a").view().failures == 1


async def test_an_attempt_that_could_not_finish_is_skipped_and_the_error_says_that_time_ran_out():
    script = {"a": [*[Answer(200, delay=2.0)] * 30], "b": 200}
    async with served(script, {"a": {}}, mode="priority") as (app, http, clock):
        route = app.route("r")
        for _ in range(12):
            await within(clock, route.get("/"))
        sent = len(http.requests)
        with pytest.raises(DeadlineExceeded, match="time ran out after 0 attempts"):
            await route.get("/", deadline=0.5)  # half of its median is a second
        assert len(http.requests) == sent
        assert gates(app.fallback.decisions(1)[0]) == {"a": "deadline"}


async def test_no_retry_begins_whose_backoff_would_leave_it_no_time():
    from understudy.resilience.retry import RetryOptions

    slow = {"retry": RetryOptions(base=1.0, jitter="none")}
    async with served({"a": 503}, {"a": slow}) as (app, http, clock):
        with pytest.raises(BadResponse):
            await app.route("r").get("/", deadline=1.02)
        assert len(http.requests) == 1 and clock.sleeps == []


@pytest.mark.parametrize("deadline", [0, 0.0, -1, -math.inf, math.nan])
async def test_no_time_at_all_is_told_at_once_and_nothing_is_sent(deadline):
    async with served({"a": 200}, {"a": {}}) as (app, http, _):
        with pytest.raises(DeadlineExceeded, match="after 0 attempts"):
            await app.route("r").get("/", deadline=deadline)
        assert http.requests == []


async def test_without_a_deadline_the_routes_own_holds():
    script = {"a": Answer(200, delay=100.0)}
    async with served(script, {"a": {"timeout": TimeoutOptions(attempt=50.0, idle=600.0)}}, deadline=2.0) as (
        app,
        _,
        clock,
    ):
        began = clock.monotonic()
        with pytest.raises(DeadlineExceeded):
            await within(clock, app.route("r").get("/", deadline=None))
        assert 2.0 <= clock.monotonic() - began <= 2.1


async def test_an_endless_deadline_leaves_each_attempt_its_limit():
    script = {"a": Answer(200, delay=100.0)}
    async with served(script, {"a": {"timeout": TimeoutOptions(attempt=3.0)}}) as (app, _, clock):
        with pytest.raises(AttemptTimeout):
            await within(clock, app.route("r").get("/", deadline=math.inf))


async def test_the_deadline_reached_inside_a_backoff_ends_the_call_there():
    from understudy.resilience.retry import RetryOptions

    clock = FakeClock(auto=False)
    slow = {"retry": RetryOptions(base=5.0, cap=5.0, jitter="none")}
    async with served({"a": 503}, {"a": slow}, clock) as (app, http, _):
        task = asyncio.ensure_future(app.route("r").get("/", deadline=6.0))
        await clock.advance(4.0)
        assert not task.done() and len(http.requests) == 1
        call = app.fallback  # the caller's own patience ends first
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.decisions(1)[0].outcome == "cancelled"


async def test_the_wait_at_a_bulkhead_counts_and_leaves_no_attempt_without_time():
    script = {"a": Answer(200, delay=0.97)}
    narrow = {"bulkhead": BulkheadOptions(limit=1)}
    async with served(script, {"a": narrow}) as (app, http, clock):
        route = app.route("r")
        first = asyncio.ensure_future(route.get("/"))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(route.get("/", deadline=1.0))
        await within(clock, first)
        with pytest.raises(DeadlineExceeded):
            await within(clock, second)
        assert len(http.requests) == 1
        assert app.fallback.roster.api("a").bulkhead.active == 0


async def test_a_line_so_long_that_the_next_api_would_have_no_time_is_not_joined():
    script = {"a": Answer(200, delay=2.0), "b": 200}
    narrow = {"bulkhead": BulkheadOptions(limit=1)}
    async with served(script, {"a": narrow, "b": {}}, mode="priority") as (app, _http, clock):
        route = app.route("r")
        for _ in range(3):
            await within(clock, route.get("/"))  # its median is two seconds
        waiting = [asyncio.ensure_future(route.get("/", deadline=20.0)) for _ in range(5)]
        await asyncio.sleep(0)
        late = await route.get("/", deadline=9.0)
        assert late.api == "b" and gates(late.explain()) == {"a": "bulkhead_full"}
        for task in waiting:
            await within(clock, task)


async def test_a_caller_who_gives_up_late_is_nobodys_failure_but_makes_the_api_slow():
    clock = FakeClock()
    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("slow", timeout=TimeoutOptions(attempt=60.0))
        for _ in range(10):
            task = asyncio.ensure_future(app.fallback.execute_with_fallback("slow", hang))
            await clock.advance(6.0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        breaker = app.fallback.roster.api("slow").bindings[""].breaker
        assert breaker.state == "open" and "took 5 s or more" in breaker.view().last_cause


async def test_a_task_that_calls_by_several_applications_is_held_to_its_deadlines_in_each():
    clock = FakeClock()

    async def by_turns(*apps: Understudy) -> list[float]:
        took = []
        for app in apps:
            await clock.sleep(1)  # at rest for long enough that no wheel turns any more
            begun = clock.monotonic()
            with pytest.raises(DeadlineExceeded):
                await app.fallback.execute_with_fallback("api", hang, deadline=1.0)
            took.append(clock.monotonic() - begun)
        return took

    async with Understudy.build(clock=clock) as one, Understudy.build(clock=clock) as other:
        assert await within(clock, by_turns(one, other, one, other)) == pytest.approx([1.0] * 4, abs=0.06)
