"""What may be sent a second time, and to whom (rules R1 and R3)."""

from __future__ import annotations

import pytest
from served import gates, outcomes, served

from understudy.app import Understudy
from understudy.core.errors import AttemptTimeout, BadResponse, BodyBroken, ConnectFailed, ConnectionLost
from understudy.resilience.deadline import TimeoutOptions
from understudy.testing import FakeClock
from understudy.testing.raw_server import STALL, RawServer, ok
from understudy.testing.scripted_http import Answer

TWO = {"a": {}, "b": {}}


def on_a(*replies):
    return {"a": list(replies), "b": Answer(200, b"standby")}


async def test_a_post_that_was_written_to_a_connection_which_then_closed_is_not_sent_again():
    lost = ConnectionLost("closed", reused=True, sent=True)
    async with served(on_a(lost), TWO) as (app, http, _):
        with pytest.raises(ConnectionLost):
            await app.route("r").post("/", json={"charge": 5})
        assert http.hosts() == ["a"]


async def test_a_post_of_which_nothing_was_written_is_sent_again_on_a_fresh_connection():
    lost = ConnectionLost("closed", reused=True, sent=False)
    async with served(on_a(lost, 201), TWO) as (app, http, _):
        answer = await app.route("r").post("/", json={})
        assert answer.status == 201 and answer.api == "a"
        assert [request.fresh for request in http.requests] == [False, True]


async def test_a_get_on_a_connection_which_closed_goes_once_more_on_a_fresh_one_and_draws_no_budget():
    lost = ConnectionLost("closed", reused=True, sent=True)
    async with served(on_a(lost, 200), TWO) as (app, http, _):
        api = app.fallback.roster.api("a")
        before = api.budget.left()
        answer = await app.route("r").get("/")
        assert answer.api == "a" and http.requests[1].fresh
        assert outcomes(answer.explain()) == [("a", "lost"), ("a", "success")]
        assert api.budget.left() >= before and api.bindings["r"].breaker.view().failures == 0


async def test_the_second_connection_that_closes_in_one_call_is_the_providers_fault():
    lost = ConnectionLost("closed", reused=True, sent=True)
    async with served(on_a(lost, lost), TWO) as (app, _, _):
        answer = await app.route("r").get("/")
        first, second, last = answer.explain().attempts
        assert (first.attribution.value, second.attribution.value) == ("local", "provider")
        assert last.api == "b"
        assert app.fallback.roster.api("a").bindings["r"].breaker.view().failures == 1


@pytest.mark.parametrize(
    "fault",
    [AttemptTimeout("late"), BodyBroken("cut"), ConnectionLost("reset"), 503, 500],
    ids=lambda fault: str(fault),
)
async def test_a_post_that_may_have_been_executed_is_neither_repeated_nor_moved_and_the_record_says_why(fault):
    async with served(on_a(fault), TWO) as (app, http, _):
        with pytest.raises(Exception):
            await app.route("r").post("/", json={})
        assert http.hosts() == ["a"]
        record = app.fallback.decisions(1)[0]
        assert gates(record)["b"] == "unsafe"


@pytest.mark.parametrize("refusal", [ConnectFailed("refused", stage="refused", host="a"), 401, 402, 403, 429])
async def test_a_post_that_was_certainly_not_executed_goes_on_to_the_next_api(refusal):
    replies = [refusal, refusal]  # a connection that was never made is tried twice
    async with served(on_a(*replies), TWO) as (app, http, _):
        assert (await app.route("r").post("/", json={})).api == "b"
        assert http.hosts()[-1] == "b"


async def test_fallback_unsafe_lets_a_post_go_on_although_it_may_have_been_executed():
    async with served(on_a(503), TWO, fallback_unsafe=True) as (app, http, _):
        assert (await app.route("r").post("/", json={})).api == "b"
        assert http.hosts() == ["a", "b"]


async def test_an_idempotency_key_makes_a_post_repeatable_on_the_same_api_only():
    async with served({"a": [503, 503], "b": 200}, {"a": {}, "b": {"enabled": False}}) as (app, http, _):
        with pytest.raises(BadResponse):
            await app.route("r").post("/", json={}, idempotency_key=True)
        sent = [request.headers["Idempotency-Key"] for request in http.requests]
        assert len(sent) == 2 and sent[0] == sent[1]
    async with served(on_a(503, 503), TWO) as (app, http, _):
        with pytest.raises(BadResponse):
            await app.route("r").post("/", json={}, idempotency_key="order-7")
        assert set(http.hosts()) == {"a"}


async def test_another_api_gets_another_idempotency_key_and_another_call_too():
    async with served(on_a(503, 503, 503, 503), TWO, fallback_unsafe=True, mode="priority") as (app, http, _):
        for _ in range(2):
            assert (await app.route("r").post("/", json={}, idempotency_key=True)).api == "b"
        seen: dict[str, set[str]] = {"a": set(), "b": set()}
        for host, request in zip(http.hosts(), http.requests, strict=True):
            seen[host].add(request.headers["Idempotency-Key"])
        assert len(seen["a"]) == len(seen["b"]) == 2
        assert not seen["a"] & seen["b"]


async def once():
    yield b"part one "
    yield b"part two"


@pytest.mark.parametrize("fault", [429, 503, 401, BodyBroken("cut")])
async def test_a_body_that_can_be_read_once_only_is_never_sent_half(fault):
    async with served(on_a(fault), TWO) as (app, http, _):
        with pytest.raises(Exception):
            await app.route("r").put("/", data=once())
        assert http.hosts() == ["a"]
        assert "used up" in " ".join(app.fallback.decisions(1)[0].notes)


async def test_a_body_that_was_not_begun_goes_on_whole():
    refused = ConnectFailed("refused", stage="refused", host="a")
    async with served(on_a(refused, refused), TWO) as (app, http, _):
        assert (await app.route("r").put("/", data=once())).api == "b"
        assert http.bodies == [b"", b"", b"part one part two"]


async def test_a_body_that_is_made_anew_each_time_may_be_repeated():
    async with served(on_a(503, 200), TWO) as (app, http, _):
        assert (await app.route("r").put("/", data=once)).status == 200
        assert set(http.bodies) == {b"part one part two"}


async def test_every_discarded_answer_is_closed():
    async with served({"a": Answer(503, [b"x", b"y"]), "b": Answer(200, [b"z"])}, TWO) as (app, http, _):
        answer = await app.route("r").get("/", stream=True)
        assert [chunk async for chunk in answer.chunks()] == [b"z"]
        assert http.open == 0


@pytest.mark.parametrize(("waited", "asked"), [(0.01, ["a", "a", "b"]), (3.0, ["a", "b"])])
async def test_what_was_never_sent_is_repeated_before_the_standby_only_where_that_was_known_soon(waited, asked):
    clock, seen = FakeClock(), []

    async def lead():
        seen.append("a")
        await clock.sleep(waited)
        raise ConnectFailed("no connection")

    async def standby():
        seen.append("b")
        return "standby"

    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("a", route="r", operation=lead)
        app.fallback.register_api("b", priority=2, route="r", operation=standby)
        assert await app.fallback.execute_with_fallback("a", lead) == "standby"
    assert seen == asked


@pytest.mark.parametrize(("limits", "deadline"), [({"attempt": 0.3}, 5.0), ({}, 0.6)])
async def test_a_post_whose_connection_was_never_made_goes_on_whichever_limit_ends_it(limits, deadline):
    async with RawServer(STALL) as silent, RawServer(ok()) as standby, Understudy.build() as app:
        never = silent.url.replace("http:", "https:")  # it accepts, and then says nothing to the TLS handshake
        app.fallback.register_api("a", route="r", base_url=never, timeout=TimeoutOptions(**limits))
        app.fallback.register_api("b", priority=2, route="r", base_url=standby.url)
        answer = await app.route("r").post("/", json={"charge": 5}, deadline=deadline)
        assert answer.api == "b" and standby.requests == 1 and silent.requests == 0
