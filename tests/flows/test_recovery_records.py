"""While an API recovers, others serve in its place: the record of each such call says so."""

from __future__ import annotations

from collections import Counter

from understudy.app import Understudy
from understudy.resilience.breaker import BreakerState
from understudy.testing import FakeClock

BUSY = 0.02  # seconds between calls: fifty a second


async def lead():
    return "lead"


async def standby():
    return "standby"


async def recovering(clock: FakeClock, app: Understudy, api: str):
    """A route of two on which calls come fast, and whose `api` has just become half-open."""
    app.fallback.register_api("lead", priority=1, route="route", operation=lead)
    app.fallback.register_api("standby", priority=2, route="route", operation=standby)
    app.fallback.register_route("route", mode="priority")
    for _ in range(300):
        await app.fallback.call("route")
        await clock.advance(BUSY)
    breaker = app.fallback.roster.apis[api].bindings["route"].breaker
    for _ in range(3):
        breaker.check(ok=False)
    assert breaker.state is BreakerState.OPEN
    breaker.check(ok=True)
    assert breaker.state is BreakerState.HALF_OPEN


async def served(clock: FakeClock, app: Understudy, calls: int) -> list:
    found = []
    for _ in range(calls):
        result = await app.fallback.call("route")
        found.append((result.api, result.explain()))
        await clock.advance(BUSY)
    return found


def about(record, api: str) -> str:
    return next(candidate.detail for candidate in record.candidates if candidate.api == api)


async def test_a_call_that_leaves_a_half_open_lead_to_others_is_a_fallback_and_says_why():
    clock = FakeClock()
    async with Understudy.build(clock=clock, seed=3) as app:
        await recovering(clock, app, "lead")
        calls = await served(clock, app, 8)
        spared = [record for api, record in calls if api == "standby"]
        assert spared
        for record in spared:
            assert record.outcome == "fallback"
            assert about(record, "lead") == "half-open: its few trials go to other calls"
            assert about(record, "lead") in str(record)
            assert app.fallback.decision(record.call_id) is record


async def test_a_lead_that_has_just_closed_takes_part_of_its_share_and_the_records_of_the_others_say_so():
    clock = FakeClock()
    async with Understudy.build(clock=clock, seed=3) as app:
        await recovering(clock, app, "lead")
        calls = await served(clock, app, 400)
        closed = [(api, record) for api, record in calls if "half-open" not in about(record, "lead")]
        assert Counter(api for api, _ in closed).keys() == {"lead", "standby"}
        for api, record in closed:
            if api == "standby":
                assert record.outcome == "fallback"
                assert about(record, "lead") == "just closed; takes part of its share"


async def test_a_trial_of_a_half_open_standby_is_no_fallback_and_its_record_says_what_it_is():
    clock = FakeClock()
    async with Understudy.build(clock=clock, seed=3) as app:
        await recovering(clock, app, "standby")
        calls = await served(clock, app, 200)
        trials = [record for api, record in calls if api == "standby"]
        assert trials
        for record in trials[:3]:
            assert record.outcome == "success"
            assert about(record, "standby") == "half-open: this call is one of its trials"
        assert app.fallback.roster.apis["standby"].bindings["route"].breaker.state is BreakerState.CLOSED
