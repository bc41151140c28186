"""Which API a call goes to (rule R9), and that no API is lost or found by accident."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest
from served import breaker, gates, keys, outcomes, served

from understudy.app import Understudy
from understudy.core.errors import BadResponse, ConnectFailed, NoEligibleApi, UnderstudyError, UnknownName
from understudy.testing import FakeClock
from understudy.testing.scripted_http import Answer

TWO = {"a": {}, "b": {}}


async def test_a_lead_that_recovers_on_a_busy_route_warms_up_and_gets_its_share_back():
    down = True

    def script(request):
        failing = down and request.url.startswith("http://a")
        return Answer(503) if failing else Answer(200, delay=0.01)

    async with served(script, TWO, mode="priority") as (app, _, clock):
        route = app.route("r")

        async def one() -> str:
            answer = await route.get("/")
            await clock.advance(0.04)
            return answer.api

        for _ in range(200):
            await one()
        down = False
        while breaker(app, "a").state != "closed":
            await one()
        shares = []
        for _ in range(7):
            tally = Counter([await one() for _ in range(200)])
            shares.append(tally["a"] / 200)
        assert 0.03 <= shares[0] <= 0.25  # a tenth in its first seconds, then as the time goes
        assert shares[0] < shares[2] < shares[5]
        assert shares[6] == 1.0


async def test_a_lead_that_was_reset_by_hand_serves_at_once():
    down = True

    def script(request):
        return Answer(503 if down and request.url.startswith("http://a") else 200)

    async with served(script, TWO, mode="priority") as (app, http, clock):
        for _ in range(100):  # 50 calls a second
            await app.route("r").get("/")
            await clock.advance(0.02)
        assert breaker(app, "a").state == "open"
        down = False
        app.fallback.reset()
        for _ in range(20):
            await app.route("r").get("/")
        assert http.hosts()[-20:] == ["a"] * 20


async def test_a_quiet_route_gives_a_recovered_lead_everything_at_once():
    async with served({"a": [*[503] * 5, *[200] * 20], "b": 200}, TWO, mode="priority") as (app, http, clock):
        route = app.route("r")
        for _ in range(3):
            await route.get("/")
        assert breaker(app, "a").state == "open"
        while breaker(app, "a").state != "closed":
            await route.get("/")
            await clock.advance(4.0)
        for _ in range(5):
            await route.get("/")
        assert http.hosts()[-5:] == ["a"] * 5


async def test_an_api_over_the_routes_price_is_never_chosen():
    async with served({"a": 200, "b": 200}, {"a": {"price": 5.0}, "b": {"price": 1.0}}, max_price=2.0) as (app, _, _):
        answer = await app.route("r").get("/")
        assert answer.api == "b" and gates(answer.explain()) == {"a": "price"}
        app.fallback.register_route("r", max_price=0.5)
        with pytest.raises(NoEligibleApi, match="a: price 5 is over"):
            await app.route("r").get("/")


async def test_a_new_api_of_equal_rank_gets_exactly_one_call_to_show_itself():
    def script(request):
        return Answer(200, delay=0.3 if request.url.startswith("http://slow") else 0.02)

    async with served(script, {"a": {"priority": 1}}) as (app, http, _):
        route = app.route("r")
        for _ in range(5):
            await route.get("/")
        app.fallback.register_api("slow", base_url="http://slow", route="r", priority=1)
        for _ in range(20):
            await route.get("/")
        assert http.hosts().count("slow") == 1


async def test_a_new_api_that_is_better_takes_over_after_its_one_call():
    def script(request):
        return Answer(200, delay=0.3 if request.url.startswith("http://a") else 0.02)

    async with served(script, {"a": {"priority": 1}}) as (app, http, clock):
        route = app.route("r")
        for _ in range(5):
            await route.get("/")
            await clock.advance(1.0)
        app.fallback.register_api("quick", base_url="http://quick", route="r", priority=1)
        for _ in range(10):
            await route.get("/")
            await clock.advance(1.0)
        assert http.hosts()[-5:] == ["quick"] * 5


async def test_a_less_preferred_or_dearer_newcomer_waits_until_it_is_needed():
    async with served({"a": 200, "b": 200, "c": 200}, {"a": {}}, mode="balanced") as (app, http, _):
        route = app.route("r")
        await route.get("/")
        app.fallback.register_api("b", base_url="http://b", route="r", priority=2)
        app.fallback.register_api("c", base_url="http://c", route="r", priority=1, price=1.0)
        for _ in range(10):
            await route.get("/")
        assert set(http.hosts()) == {"a"}


async def test_an_api_that_is_removed_while_it_serves_ends_that_call_as_usual_and_gets_no_other():
    async with served({"a": Answer(200, delay=1.0), "b": 200}, TWO, mode="priority") as (app, _http, clock):
        route = app.route("r")
        task = asyncio.ensure_future(route.get("/"))
        await asyncio.sleep(0)
        app.fallback.roster.remove("a")
        app.fallback.forget_plans()
        await clock.advance(2.0)
        assert (await task).api == "a"
        assert (await route.get("/")).api == "b"
        assert app.fallback.self_failures == 0


async def test_the_last_api_of_a_name_may_be_removed_during_its_call():
    async with Understudy.build(clock=FakeClock(), seed=1) as app:

        async def operation():
            app.fallback.roster.remove("api")
            return "value"

        assert await app.fallback.execute_with_fallback("api", operation) == "value"
        assert app.fallback.self_failures == 0


async def test_an_api_that_is_removed_during_a_backoff_is_not_asked_again():
    async with served({"a": [503], "b": 200}, {"a": {}, "b": {"enabled": False}}) as (app, http, clock):
        sleep = clock.sleep

        async def remove(seconds: float) -> None:
            app.fallback.roster.remove("a")
            await sleep(seconds)

        clock.sleep = remove
        with pytest.raises(UnderstudyError):
            await app.route("r").get("/")
        assert http.hosts() == ["a"]


async def test_equal_apis_share_the_calls_when_nobody_is_incumbent():
    first = Counter()
    for seed in range(40):
        clock = FakeClock()
        app = Understudy.build(clock=clock, seed=seed)
        for name in ("a", "b"):
            app.fallback.register_api(name, route="r", priority=1, operation=_answer(name))
        app.fallback.roster.routes["r"].incumbent = "none of them"
        first[(await app.fallback.call("r")).value] += 1
    assert min(first.values()) >= 8


def _answer(name: str):
    async def operation():
        return name

    return operation


async def test_a_small_advantage_does_not_move_the_traffic():
    def script(request):
        return Answer(200, delay=0.50 if request.url.startswith("http://a") else 0.48)

    async with served(script, {"a": {"priority": 1}, "b": {"priority": 1}}) as (app, http, clock):
        route = app.route("r")
        for _ in range(30):
            await route.get("/")
            await clock.advance(1.0)
        hosts = http.hosts()
        switches = sum(one != other for one, other in itertools.pairwise(hosts))
        assert switches <= 2


async def test_a_lone_api_is_never_left_out_by_statistics_without_the_panic_call():
    async with served({"a": 503}, {"a": {}}) as (app, http, clock):
        for _ in range(60):
            with pytest.raises(UnderstudyError):
                await app.route("r").get("/")
            await clock.advance(1.0)
        last = list(range(60))
        assert len(http.requests) >= len(last) - 5  # one a second goes through, open or not


async def test_every_candidate_is_in_the_record_with_its_gate_or_its_cost():
    async with served({"a": 200, "b": 200, "c": 200}, {"a": {}, "b": {}, "c": {"enabled": False}}) as (app, _, _):
        record = (await app.route("r").get("/")).explain()
        assert {candidate.api for candidate in record.candidates} == {"a", "b", "c"}
        assert gates(record) == {"c": "disabled"}
        for candidate in record.candidates:
            if not candidate.gate:
                assert candidate.cost == pytest.approx(sum(candidate.terms.values()))
        assert (record.chosen, record.runner_up) == ("a", "b")
        assert outcomes(record) == [("a", "success")]


@pytest.mark.parametrize("reply", [503, ConnectFailed("refused", stage="refused")], ids=["503", "refused"])
async def test_repeats_never_take_the_attempt_of_an_api_that_was_not_asked_yet(reply):
    script = {"a": itertools.repeat(reply), "b": itertools.repeat(reply), "c": 200}
    async with served(script, {**TWO, "c": {}}, mode="priority") as (app, http, _):
        assert (await app.route("r").get("/")).api == "c"
        assert http.hosts() == ["a", "a", "b", "c"], "four attempts at most, and three APIs"


async def test_a_pool_of_refused_keys_leaves_an_attempt_to_the_standby():
    many = keys("one", "two", "three", "four", "five")
    async with served({"a": 401, "b": 200}, {"a": {"auth": many}, "b": {}}, mode="priority") as (app, http, _):
        assert (await app.route("r").get("/")).api == "b"
        assert http.hosts() == ["a", "a", "a", "b"]


async def test_an_api_is_taken_out_of_all_its_routes_by_hand_and_put_back():
    script = {"a": 200, "b": 200}
    async with served(script, TWO, mode="priority") as (app, _, clock):
        app.fallback.register_route("other", apis=["a", "b"], mode="priority")
        forced = app.fallback.force("a", "forced_open", reason="contract ended", actor="ana")
        assert sorted(forced) == ["a", "a/other", "a/r"], "before any call was made, too"
        assert [(await app.route(name).get("/")).api for name in ("r", "other")] == ["b", "b"]
        with pytest.raises(UnderstudyError, match=r"forced open: contract ended \(ana\)"):
            await app.route("a").get("/")
        assert app.fallback.describe()["apis"]["a"]["state"] == "paused"
        told = next(event for event in app.events.recent() if event.kind == "breaker.forced_open")
        assert told.api == "a" and told.detail["actor"] == "ana"
        app.fallback.unforce("a")
        assert (await app.route("r").get("/")).api == "a"
        app.fallback.force("a", "forced_open", reason="upgrade", expires_in=60)
        assert (await app.route("r").get("/")).api == "b"
        await clock.advance(61)
        assert (await app.route("r").get("/")).api == "a"


async def test_a_breaker_that_is_held_closed_or_only_observed_lets_all_calls_through():
    async with served({"a": 503}, {"a": {}}) as (app, http, _):
        for state in ("forced_closed", "observe"):
            app.fallback.force("a", state, reason="it must go on")
            for _ in range(8):
                with pytest.raises(BadResponse):
                    await app.route("r").get("/", deadline=0.2)
        assert len(http.requests) >= 16
        assert [event.kind for event in app.events.recent()].count("breaker.would_open") == 1


async def test_what_cannot_be_forced_says_what_can():
    async with served({"a": 200}, {"a": {}}) as (app, _, _clock):
        with pytest.raises(ValueError, match="forced to forced_closed, forced_open, observe; found 'closed'"):
            app.fallback.force("a", "closed", reason="done")
        with pytest.raises(ValueError, match="reason: expected"):
            app.fallback.force("a", "forced_open", reason=" ")
        with pytest.raises(UnknownName):
            app.fallback.unforce("b")
