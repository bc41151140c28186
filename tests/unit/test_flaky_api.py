"""The unreliable API of the testing kit does what it was told, and counts."""

from __future__ import annotations

import asyncio
import itertools
import threading

import pytest

from understudy import AllApisFailed, BadResponse, FallbackManager, Understudy
from understudy.testing import HANG, ApiDown, FakeClock, FlakyApi, MemoryHealth


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def outcome(api: FlakyApi, *args, **kwargs):
    try:
        return await api(*args, **kwargs)
    except Exception as error:
        return type(error)


async def outcomes(api: FlakyApi, calls: int) -> list:
    return [await outcome(api) for _ in range(calls)]


async def test_it_answers_the_very_object_it_was_given():
    answer = {"odds": 1.9}
    assert await FlakyApi(answer=answer)() is answer


async def test_the_script_comes_first_and_then_the_answer():
    api = FlakyApi(answer="after", script=["first", ApiDown, TimeoutError("slow"), None])
    assert await outcomes(api, 6) == ["first", ApiDown, TimeoutError, None, "after", "after"]


async def test_a_script_may_be_endless():
    api = FlakyApi(script=itertools.cycle([1, ConnectionError]))
    assert await outcomes(api, 5) == [1, ConnectionError, 1, ConnectionError, 1]


async def test_a_callable_is_given_the_arguments_and_awaited_where_it_can_be():
    async def doubled(number):
        return number * 2

    api = FlakyApi(answer=lambda day: {"day": day}, script=[doubled])
    assert await api(21) == 42
    assert await api(day="monday") == {"day": "monday"}


async def test_an_outage_has_a_beginning_and_an_end_on_the_clock(clock):
    api = FlakyApi(clock, answer="ok")
    api.fail(30, after=10)
    seen = {}
    for second in (0, 9.9, 10, 39.9, 40):
        await clock.advance(1000 + second - clock.monotonic())
        seen[second] = await outcome(api)
    assert seen == {0: "ok", 9.9: "ok", 10: ApiDown, 39.9: ApiDown, 40: "ok"}


async def test_an_outage_without_an_end_lasts_until_recovery(clock):
    api = FlakyApi(clock, answer="ok")
    api.fail()
    await clock.advance(10_000)
    assert await outcome(api) is ApiDown
    api.recover()
    assert await outcome(api) == "ok"


async def test_the_outage_that_was_told_last_counts_and_the_script_waits_meanwhile(clock):
    api = FlakyApi(clock, answer="after", script=["scripted"])
    api.fail(60)
    api.fail(10, how=TimeoutError("slow"))
    assert await outcome(api) is TimeoutError
    await clock.advance(10)
    assert await outcome(api) is ApiDown
    await clock.advance(50)
    assert await outcomes(api, 2) == ["scripted", "after"]


async def test_the_share_of_failures_is_drawn_from_the_seed():
    first, again, other = [
        await outcomes(FlakyApi(answer="ok", failure_ratio=0.3, seed=seed), 2000) for seed in (1, 1, 2)
    ]
    assert first == again != other
    assert 0.25 < first.count(ApiDown) / 2000 < 0.35


@pytest.mark.parametrize("ratio", [0.0, 1.0])
async def test_none_and_all_may_fail(ratio):
    assert (await outcomes(FlakyApi(failure_ratio=ratio), 50)).count(ApiDown) == 50 * ratio


async def test_latency_passes_on_the_clock_whatever_the_outcome(clock):
    api = FlakyApi(clock, script=["ok", ApiDown], latency=2.5)
    await outcomes(api, 2)
    assert api.started == [1000.0, 1002.5]
    assert clock.monotonic() == 1005.0


async def test_it_counts_what_began_failed_was_cancelled_and_runs(clock):
    api = FlakyApi(clock, script=["ok", ApiDown, HANG, HANG])
    await outcomes(api, 2)
    hanging = [asyncio.ensure_future(api()) for _ in range(2)]
    await clock.advance(3600)
    assert (api.calls, api.failed, api.cancelled, api.running) == (4, 1, 0, 2)
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    assert (api.calls, api.failed, api.cancelled, api.running) == (4, 1, 2, 0)


@pytest.mark.parametrize("wrong", [{"failure_ratio": 1.1}, {"failure_ratio": -0.1}, {"latency": -1}])
def test_what_is_no_share_and_no_time_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FlakyApi(**wrong)


def test_an_infinite_latency_is_refused_with_a_word_about_hang():
    with pytest.raises(ValueError, match="HANG"):
        FlakyApi(latency=float("inf"))


async def test_it_serves_as_operation_as_standby_and_as_fallback(clock):
    main, backup = FlakyApi(clock, answer="main"), FlakyApi(clock, answer="backup")
    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("main", priority=1, route="odds", operation=main)
        app.fallback.register_api("backup", priority=2, route="odds", operation=backup)
        app.fallback.register_api("alone")
        main.fail(10)
        assert await app.fallback.execute_with_fallback("main", main) == "backup"
        assert await app.fallback.execute_with_fallback("odds", None) == "backup"
        assert await app.fallback.execute_with_fallback("alone", main, backup) == "backup"
        backup.fail(how=BadResponse("busy", status=503))
        with pytest.raises(AllApisFailed) as caught:
            await app.fallback.execute_with_fallback("main", main)
    assert isinstance(caught.value.causes["main"], ApiDown)
    assert caught.value.causes["backup"].status == 503


async def test_a_hanging_call_is_ended_by_the_callers_limit(clock):
    main, backup = FlakyApi(clock, answer=HANG), FlakyApi(clock, answer="backup")
    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("main")
        call = asyncio.ensure_future(app.fallback.execute_with_fallback("main", main, backup, deadline=10))
        await clock.advance(9)
        assert call.done() and call.result() == "backup"
    assert (main.cancelled, main.running) == (1, 0)


async def test_under_guard_it_gets_the_arguments_and_stays_on_the_loop(clock):
    def where(number):
        return number, threading.get_ident()

    here = threading.get_ident()
    async with Understudy.build(clock=clock, seed=1) as app:
        guarded = app.guard("main", fallback=FlakyApi(clock, answer=where))(FlakyApi(clock, script=[where, ApiDown]))
        assert [await guarded(1), await guarded(2)] == [(1, here), (2, here)]


async def test_once_known_it_takes_the_prepared_path_as_a_coroutine_function_does(clock):
    health = MemoryHealth()
    manager = FallbackManager(health=health, clock=clock)
    api = FlakyApi(clock, answer=1, latency=0.01)
    for _ in range(5):
        assert await manager.execute_with_fallback("api", api) == 1
    assert manager.counters.attempts["api", "success"] == 1, "only the first call left the prepared path"
    health.series("api").drain()
    assert health.series("api").results == pytest.approx([0.01] * 5)
    manager.close()
