"""Streams: when an answer is final, what its end tells, and that nothing is left behind (rules R4, R14 and R15)."""

from __future__ import annotations

import asyncio

import pytest
from served import breaker, keys, outcomes, served

from understudy.core.errors import AttemptTimeout, BadResponse, BodyBroken, TruncatedResponse, UnderstudyError
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.outcome import SuccessOptions
from understudy.testing.scripted_http import Answer

TWO = {"a": {}, "b": {}}


async def read(answer) -> bytes:
    return b"".join([chunk async for chunk in answer.chunks()])


def nothing_is_held(app, http) -> bool:
    apis = app.fallback.roster.apis.values()
    return http.open == 0 and all(api.bulkhead.active == 0 and api.in_flight == 0 for api in apis)


@pytest.mark.parametrize("commit", ["whole", "first_byte"])
async def test_a_body_that_breaks_before_its_first_byte_goes_to_the_next_api(commit):
    script = {"a": Answer(200, [BodyBroken("cut")]), "b": Answer(200, [b"standby"])}
    async with served(script, TWO, commit=commit) as (app, http, _):
        answer = await app.route("r").get("/", stream=True)
        assert (answer.api, await read(answer)) == ("b", b"standby")
        assert nothing_is_held(app, http)


async def test_a_whole_body_that_breaks_in_its_middle_goes_to_the_next_api_and_the_caller_sees_nothing_of_it():
    script = {"a": Answer(200, [b"half of", BodyBroken("cut")]), "b": Answer(200, [b"standby"])}
    async with served(script, TWO, commit="whole") as (app, _, _):
        answer = await app.route("r").get("/", stream=True)
        assert await read(answer) == b"standby"
        assert outcomes(answer.explain()) == [("a", "body"), ("b", "success")]


async def test_after_the_first_byte_a_break_reaches_the_reader_with_what_it_has_seen_and_is_never_repeated():
    script = {"a": Answer(200, [b"seven b", b"ytes", BodyBroken("cut")]), "b": 200}
    async with served(script, TWO, commit="first_byte") as (app, http, _):
        answer = await app.route("r").get("/", stream=True)
        seen = b""
        with pytest.raises(TruncatedResponse, match="after 11 bytes") as caught:
            async for chunk in answer.chunks():
                seen += chunk
        assert (seen, caught.value.received) == (b"seven bytes", 11)
        assert http.hosts() == ["a"]
        assert breaker(app, "a").view().failures == 1
        assert nothing_is_held(app, http)


async def test_the_outcome_is_recorded_at_the_end_of_the_body_and_not_at_its_headers():
    script = {"a": Answer(200, [b"one", b"two", b"three"])}
    async with served(script, {"a": {}}, commit="first_byte") as (app, http, _):
        answer = await app.route("r").get("/", stream=True)
        assert app.monitor.snapshot("a").total == 0
        assert app.fallback.roster.api("a").bulkhead.active == 1
        await read(answer)
        assert app.monitor.snapshot("a").total == 1
        assert nothing_is_held(app, http)


async def test_a_reader_who_leaves_early_is_nobodys_failure_and_leaves_nothing_behind():
    script = {"a": Answer(200, [b"one", b"two", b"three"])}
    async with served(script, {"a": {}}, commit="first_byte") as (app, http, _):
        for wanted in (1, 2):
            pieces = 0
            answer = await app.route("r").get("/", stream=True)
            async for _chunk in answer.chunks():
                pieces += 1
                if pieces == wanted:
                    break
            del answer
            for _ in range(5):
                await asyncio.sleep(0)
            assert nothing_is_held(app, http)
        assert app.monitor.snapshot("a").failures == 0
        assert breaker(app, "a").view().failures == 0


async def test_a_reader_who_closes_without_reading_leaves_nothing_behind():
    script = {"a": Answer(200, [b"one", b"two"])}
    async with served(script, {"a": {}}, commit="first_byte") as (app, http, _):
        async with await app.route("r").get("/", stream=True):
            pass
        assert nothing_is_held(app, http)


async def test_a_reader_who_is_cancelled_leaves_nothing_behind():
    script = {"a": Answer(200, [b"one", b"two"], gap=5.0)}
    async with served(script, {"a": {}}, commit="first_byte") as (app, http, _clock):
        answer = await asyncio.wait_for(app.route("r").get("/", stream=True), None)
        task = asyncio.ensure_future(read(answer))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert nothing_is_held(app, http)
        assert breaker(app, "a").view().failures == 0


async def test_once_the_body_has_begun_the_limit_is_for_silence_and_not_for_the_whole():
    script = {"a": Answer(200, [b"x"] * 10, gap=2.0)}
    limits = {"timeout": TimeoutOptions(attempt=3.0, idle=4.0)}
    for commit in ("whole", "first_byte"):
        async with served(script, {"a": limits}, commit=commit) as (app, _, clock):
            task = asyncio.ensure_future(app.route("r").get("/", stream=True))
            await clock.advance(30.0)
            answer = await task
            assert await read(answer) == b"x" * 10


async def test_a_buffered_body_must_be_whole_within_the_attempts_limit():
    script = {"a": Answer(200, [b"x"] * 10, gap=2.0), "b": 200}
    limits = {"timeout": TimeoutOptions(attempt=3.0, idle=4.0)}
    async with served(script, {"a": limits, "b": {}}) as (app, http, clock):
        task = asyncio.ensure_future(app.route("r").get("/"))
        await clock.advance(4.0)
        answer = await task
        assert answer.api == "b" and outcomes(answer.explain())[0] == ("a", "timeout")
        assert nothing_is_held(app, http)


async def test_a_first_byte_that_does_not_come_ends_with_the_attempts_limit():
    script = {"a": Answer(200, [b"late"], gap=8.0), "b": Answer(200, [b"standby"])}
    limits = {"timeout": TimeoutOptions(attempt=3.0, idle=20.0)}
    async with served(script, {"a": limits, "b": {}}, commit="whole") as (app, http, clock):
        task = asyncio.ensure_future(app.route("r").get("/", stream=True))
        await clock.advance(4.0)
        assert (await task).api == "b"
        assert nothing_is_held(app, http)


async def test_silence_within_a_stream_ends_it():
    script = {"a": Answer(200, [b"one", AttemptTimeout("no byte of the body within 15 s", stage="idle")])}
    async with served(script, {"a": {}}, commit="first_byte") as (app, _http, _):
        answer = await app.route("r").get("/", stream=True)
        with pytest.raises(TruncatedResponse):
            await read(answer)
        assert breaker(app, "a").view().failures == 1


@pytest.mark.parametrize(("route", "held"), [({"hold_max": 4}, 4), ({"hold_for": 2.5}, 6)])
async def test_a_held_back_stream_is_committed_by_its_size_or_its_time(route, held):
    script = {"a": Answer(200, [b"ab"] * 8, gap=1.0)}
    async with served(script, {"a": {}}, **route) as (app, _, clock):
        answer = await app.route("r").get("/", stream=True)
        # Pieces come at 1, 2, 3 … seconds; the time runs from the first of them.
        assert clock.monotonic() - 1000.0 <= held
        assert app.monitor.snapshot("a").total == 0
        assert await read(answer) == b"ab" * 8


async def test_conditions_on_the_body_hold_for_a_stream_that_was_held_back_whole():
    script = {"a": Answer(200, [b'{"ok": ', b"false}"]), "b": Answer(200, [b'{"ok": ', b"true}"])}
    condition = {"success": SuccessOptions(json="ok", allow_empty=False)}
    async with served(script, {"a": condition, "b": condition}, commit="whole") as (app, _, _):
        answer = await app.route("r").get("/", stream=True)
        assert answer.api == "b" and await read(answer) == b'{"ok": true}'


async def test_conditions_on_the_body_are_not_asked_of_a_stream_that_is_committed_before_its_end():
    script = {"a": Answer(200, [b"{", b"}"])}
    condition = {"success": SuccessOptions(json="ok", allow_empty=False)}
    async with served(script, {"a": condition}, commit="first_byte") as (app, _, _):
        answer = await app.route("r").get("/", stream=True)
        assert await read(answer) == b"{}"


async def test_an_error_body_is_read_for_a_stream_too():
    script = {"a": Answer(429, [b'{"message": "You have exceeded the MONTHLY quota"}'])}
    lead = {"preset": "rapidapi", "auth": keys("key-one-1")}
    async with served(script, {"a": lead}, commit="first_byte") as (app, http, _):
        with pytest.raises(BadResponse, match="MONTHLY quota") as caught:
            await app.route("r").get("/", stream=True)
        assert b"MONTHLY" in caught.value.body
        assert outcomes(app.fallback.decisions(1)[0]) == [("a", "quota")]
        assert nothing_is_held(app, http)


async def test_each_piece_of_a_long_trial_renews_its_lease():
    script = {"a": [*[503] * 5, Answer(200, [b"x"] * 12, gap=2.0)]}
    limits = {"timeout": TimeoutOptions(attempt=3.0)}
    async with served(script, {"a": limits}, commit="first_byte") as (app, _, clock):
        for _ in range(3):
            with pytest.raises(UnderstudyError):
                await app.route("r").get("/")
        await clock.advance(60)
        answer = await app.route("r").get("/", stream=True)
        assert await read(answer) == b"x" * 12  # twenty seconds, far over the lease of eight
        view = breaker(app, "a").view()
        assert view.state == "half_open" and view.permits_left == 2


async def test_a_trial_whose_reader_forgets_it_is_lost_when_its_lease_ends():
    script = {"a": [*[503] * 5, Answer(200, [b"x"] * 12)]}
    limits = {"timeout": TimeoutOptions(attempt=3.0)}
    async with served(script, {"a": limits}, commit="first_byte") as (app, _, clock):
        for _ in range(3):
            with pytest.raises(UnderstudyError):
                await app.route("r").get("/")
        await clock.advance(60)
        answer = await app.route("r").get("/", stream=True)
        await clock.advance(9)
        view = breaker(app, "a").view()
        assert view.state == "open" and view.last_cause == "probe_lost"
        await answer.close()
