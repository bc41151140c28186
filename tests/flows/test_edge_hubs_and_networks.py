"""Failures that are not one API's own: its hub's, and our own network's (rules R1 and R9)."""

from __future__ import annotations

import asyncio

import pytest
from served import breaker, gates, outcomes, served

from understudy.core.errors import BadResponse, BreakerOpen, ConnectFailed, NoEligibleApi, UnderstudyError
from understudy.core.types import Mode
from understudy.resilience.breaker import BreakerState
from understudy.resilience.retry import RetryOptions
from understudy.testing.scripted_http import Answer

HUB_DOWN = Answer(502, headers={"X-RapidAPI-Proxy-Response": "true"})
QUIET = {"retry": RetryOptions(mode=Mode.OFF)}
BEHIND = {"preset": "rapidapi", "hub": "hub", **QUIET}


def refused(host: str) -> ConnectFailed:
    return ConnectFailed("refused", stage="refused", host=host)


async def test_a_failing_hub_opens_its_own_breaker_and_takes_all_its_apis_out():
    script = {"a": HUB_DOWN, "b": 200, "c": 200}
    async with served(script, {"a": BEHIND, "b": BEHIND, "c": {}}, mode="priority") as (app, http, _):
        route = app.route("r")
        served_by = [(await route.get("/")).api for _ in range(6)]
        assert breaker(app, "a").view().failures == 0
        assert app.fallback.roster.hubs["hub"].breaker.state == "open"
        assert http.hosts().count("a") == 3  # three, because a standby elsewhere was at hand
        assert served_by[-1] == "c"
        assert gates(app.fallback.decisions(1)[0]) == {"a": "hub_open", "b": "hub_open"}


async def test_after_a_failure_of_the_hub_an_api_of_another_hub_is_preferred():
    script = {"a": HUB_DOWN, "b": 200, "c": 200}
    async with served(script, {"a": BEHIND, "b": BEHIND, "c": {"hub": "elsewhere"}}) as (app, http, _):
        answer = await app.route("r").get("/")
        assert answer.api == "c" and http.hosts() == ["a", "c"]
        terms = {c.api: c.terms for c in answer.explain().candidates if not c.gate}
        assert terms["b"]["domain"] == 1000.0 and terms["c"]["domain"] == 0.0


async def test_a_hub_failure_during_the_trial_of_an_api_reopens_the_hub_and_not_the_api():
    script = {"a": [503] * 5 + [HUB_DOWN]}
    async with served(script, {"a": BEHIND}) as (app, _, clock):
        route = app.route("r")
        for _ in range(5):
            with pytest.raises(BadResponse):
                await route.get("/")
        await clock.advance(60)
        with pytest.raises(BadResponse):
            await route.get("/")
        assert breaker(app, "a").state == "half_open" and breaker(app, "a").view().permits_left == 3


async def test_an_answer_of_the_api_itself_proves_that_the_hub_works_and_no_answer_proves_nothing():
    script = {"a": [HUB_DOWN] * 5 + [refused("a"), 503, 200, 200, 200]}
    async with served(script, {"a": BEHIND}) as (app, _, clock):
        route = app.route("r")
        hub = app.fallback.roster.hubs["hub"].breaker
        for _ in range(5):
            with pytest.raises(BadResponse):
                await route.get("/")
        assert hub.state == "open"
        await clock.advance(60)
        with pytest.raises(ConnectFailed):
            await route.get("/")
        assert hub.state == "half_open" and hub.view().permits_left == 3
        with pytest.raises(BadResponse):
            await route.get("/")
        for _ in range(2):
            await route.get("/")
        assert hub.state == "closed"


async def test_with_its_hub_open_a_lone_api_is_tried_once_a_second():
    async with served({"a": HUB_DOWN}, {"a": BEHIND}) as (app, http, clock):
        route = app.route("r")
        for _ in range(5):
            with pytest.raises(BadResponse):
                await route.get("/")
        for _ in range(3):
            with pytest.raises(UnderstudyError):
                await route.get("/")
        assert len(http.requests) == 6
        await clock.advance(1.0)
        with pytest.raises(UnderstudyError):
            await route.get("/")
        assert len(http.requests) == 7
        assert "panic" in " ".join(app.fallback.decisions(1)[0].notes)


async def test_panic_never_passes_an_operators_word():
    async with served({"a": 503}, {"a": QUIET}) as (app, http, clock):
        route = app.route("r")
        with pytest.raises(BadResponse):
            await route.get("/")
        breaker(app, "a").force(BreakerState.FORCED_OPEN, reason="maintenance", actor="ana")
        await clock.advance(2.0)
        with pytest.raises((BreakerOpen, NoEligibleApi), match="maintenance"):
            await route.get("/")
        assert len(http.requests) == 1


async def test_panic_is_counted_for_each_route():
    async with served({"a": 503, "other": 503}, {"a": QUIET}) as (app, http, _):
        app.fallback.register_api("other", base_url="http://other", route="s", **QUIET)
        for name in ("r", "s"):
            for _ in range(5):
                with pytest.raises(BadResponse):
                    await app.route(name).get("/")
        for name in ("r", "s"):
            with pytest.raises(BadResponse):
                await app.route(name).get("/")
        assert (http.hosts().count("a"), http.hosts().count("other")) == (6, 6)


async def test_panic_takes_the_breaker_that_is_open_longest_and_leaves_a_trial_to_its_caller():
    async with served({"a": 503, "b": 503}, {"a": QUIET, "b": QUIET}, mode="priority") as (app, http, clock):
        route = app.route("r")
        for _ in range(5):
            with pytest.raises(UnderstudyError):
                await route.get("/")
        assert breaker(app, "a").state == breaker(app, "b").state == "open"
        since = {name: breaker(app, name).view().since_at for name in "ab"}
        await clock.advance(1.5)
        with pytest.raises(UnderstudyError):
            await route.get("/")
        oldest = min(since, key=lambda name: since[name])
        assert http.hosts()[-1] == oldest
        assert breaker(app, oldest).view().opened_count == 1  # a failure in panic does not lengthen the wait


async def test_when_many_hosts_of_several_domains_cannot_be_reached_it_is_our_own_network_and_told_once():
    names = ["a", "b", "c", "d"]
    script = {name: refused(name) for name in names}
    async with served(script, dict.fromkeys(names, QUIET), mode="priority", max_apis=4) as (app, http, _):
        for _ in range(3):
            with pytest.raises(UnderstudyError):
                await app.route("r").get("/")
        assert http.hosts()[:4] == names, "the last host might have been reached"
        assert http.hosts().count("d") == 1, "from then on it is known that it is not"
        assert [event.kind for event in app.events.recent()].count("network.local") == 1
        assert all(breaker(app, name).view().failures <= 1 for name in names)
        assert outcomes(app.fallback.decisions(1)[0])[0] == ("a", "local")


async def test_a_host_that_was_not_tried_yet_is_asked_although_all_others_cannot_be_reached():
    script = {"a": refused("a"), "b": refused("b"), "c": refused("c"), "d": 200}
    async with served(script, dict.fromkeys("abcd", QUIET), mode="priority", max_apis=4) as (app, http, _):
        served_by = [(await app.route("r").get("/")).api for _ in range(6)]
        assert served_by == ["d"] * 6
        assert http.hosts()[:4] == ["a", "b", "c", "d"]
        assert breaker(app, "a").state == "open", "as our network works, it is the API that does not"


async def test_while_another_api_answers_our_network_works_whoever_cannot_be_reached():
    script = {"up": 200, "a": refused("a"), "b": refused("b"), "c": refused("c"), "d": 200}
    apis = dict.fromkeys("abcd", QUIET)
    async with served(script, apis, mode="priority", max_apis=4) as (app, _, clock):
        app.fallback.register_api("up", base_url="http://up", route="busy")
        for _ in range(3):
            await app.route("busy").get("/")  # most of these go by a prepared plan
            await clock.advance(0.1)
            answer = await app.route("r").get("/")
            assert answer.api == "d"
        assert "network.local" not in [event.kind for event in app.events.recent()]


async def test_fifty_callers_at_an_http_api_on_trial_send_exactly_one():
    gate = asyncio.Event()
    script = {"a": [503] * 5 + [Answer(200, delay=0.5)] * 50}
    async with served(script, {"a": QUIET}) as (app, http, clock):
        route = app.route("r")
        for _ in range(5):
            with pytest.raises(BadResponse):
                await route.get("/")
        await clock.advance(60)
        callers = [asyncio.ensure_future(route.get("/", deadline=1.0)) for _ in range(50)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(http.requests) == 6
        gate.set()
        await clock.advance(3.0)
        await asyncio.gather(*callers, return_exceptions=True)
        assert app.fallback.roster.api("a").bulkhead.active == 0


@pytest.mark.parametrize("whose", ["api", "hub"])
async def test_a_forced_breaker_says_who_forced_it_and_why(whose):
    async with served({"a": 200}, {"a": {}}) as (app, _, clock):
        await app.route("r").get("/")
        forced = breaker(app, "a") if whose == "api" else app.fallback.roster.api("a").hub.breaker
        forced.force(BreakerState.FORCED_OPEN, reason="maintenance", actor="ana", expires_in=60.0)
        with pytest.raises(BreakerOpen, match=r"forced open: maintenance \(ana\)") as caught:
            await app.route("r").get("/")
        assert caught.value.state == "forced_open"
        assert caught.value.retry_after == pytest.approx(60.0)
        assert gates(app.fallback.decisions(1)[0]) == {"a": "forced_open"}
        await clock.advance(61)
        assert (await app.route("r").get("/")).status == 200
