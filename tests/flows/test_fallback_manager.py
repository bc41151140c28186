"""Calls of wrapped operations, end to end through the front door, with time that jumps."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from understudy.app import Understudy
from understudy.core.errors import (
    AllApisFailed,
    AttemptTimeout,
    BreakerOpen,
    DeadlineExceeded,
    NoEligibleApi,
)
from understudy.resilience.api import ApiOptions
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.testing import FakeClock


class Boom(Exception):
    """What a failing operation raises."""


def failing(text: str = "down"):
    async def operation():
        raise Boom(text)

    return operation


async def fine():
    return "lead"


async def spare():
    return "standby"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def app(clock: FakeClock):
    async with Understudy.build(clock=clock, seed=1) as app:
        yield app


async def test_the_operations_own_value_is_returned_unchanged(app):
    value = object()

    async def operation():
        return value

    app.fallback.register_api("api")
    for _ in range(3):  # by the pipeline first, then by the prepared plan
        assert await app.fallback.execute_with_fallback("api", operation) is value


async def test_an_unknown_name_is_registered_on_first_use(app):
    assert await app.fallback.execute_with_fallback("new", fine) == "lead"
    assert "new" in app.fallback.describe()["apis"]


async def test_the_fallback_operation_serves_when_the_lead_fails_and_is_booked_on_the_next_free_api(app):
    app.fallback.register_api("api_principal", priority=1)
    app.fallback.register_api("api_backup", priority=2)
    result = await app.fallback.call("api_principal", failing(), spare)
    assert (result.value, result.api) == ("standby", "api_backup")
    assert result.explain().outcome == "fallback"
    assert [attempt.api for attempt in result.explain().attempts][0] == "api_principal"


async def test_without_a_free_api_the_fallback_is_booked_under_a_name_of_its_own(app):
    app.fallback.register_api("solo")
    result = await app.fallback.call("solo", failing(), spare)
    assert result.api == "solo.fallback"


async def test_an_operation_registered_on_the_leads_route_stands_in(app):
    app.fallback.register_api("a", priority=1, route="r")
    app.fallback.register_api("b", priority=2, route="r", operation=spare)
    assert await app.fallback.execute_with_fallback("a", failing()) == "standby"


async def test_an_operation_without_a_route_serves_only_calls_under_its_own_name(app):
    app.fallback.register_api("a")
    app.fallback.register_api("b", priority=2, operation=spare)
    with pytest.raises(Boom):
        await app.fallback.execute_with_fallback("a", failing())
    assert await app.fallback.execute_with_fallback("b", None) == "standby"


async def test_the_only_apis_exception_is_raised_as_it_is(app):
    app.fallback.register_api("a")
    with pytest.raises(Boom, match="down"):
        await app.fallback.execute_with_fallback("a", failing())


async def test_when_all_fail_the_error_lists_what_each_one_said(app):
    app.fallback.register_api("a", priority=1)
    app.fallback.register_api("b", priority=2)
    with pytest.raises(AllApisFailed) as caught:
        await app.fallback.execute_with_fallback("a", failing("lead is out"), failing("standby too"))
    assert "lead is out" in str(caught.value) and "standby too" in str(caught.value)
    assert set(caught.value.causes) == {"a", "b"}
    assert caught.value.explain().outcome == "failed"


async def test_a_default_is_the_last_resort(app):
    app.fallback.register_api("a")
    assert await app.fallback.execute_with_fallback("a", failing(), default=None) is None


async def test_a_failing_lone_api_is_tried_twice_with_a_backoff(app, clock):
    tries = []

    async def operation():
        tries.append(clock.monotonic())
        if len(tries) < 2:
            raise Boom
        return "ok"

    app.fallback.register_api("a")
    assert await app.fallback.execute_with_fallback("a", operation) == "ok"
    assert len(tries) == 2 and 0 <= tries[1] - tries[0] <= 0.25


async def test_an_unsafe_operation_is_neither_repeated_nor_moved(app):
    tries = []

    async def operation():
        tries.append(1)
        raise Boom

    app.fallback.register_api("pay", safe=False)
    app.fallback.register_api("other", priority=2)
    with pytest.raises(Boom):
        await app.fallback.execute_with_fallback("pay", operation, spare)
    assert len(tries) == 1


async def test_three_failures_with_a_standby_open_the_breaker_and_then_the_lead_is_left_alone(app):
    calls = []

    async def lead():
        calls.append(1)
        raise Boom

    app.fallback.register_api("a", priority=1)
    app.fallback.register_api("b", priority=2)
    for _ in range(10):
        assert await app.fallback.execute_with_fallback("a", lead, spare) == "standby"
    assert len(calls) == 3
    last = app.fallback.decisions(1)[0]
    assert last.outcome == "fallback" and last.candidates[-1].gate == "breaker_open"


async def test_the_lead_comes_back_when_it_works_again(app, clock):
    healthy = False

    async def lead():
        if not healthy:
            raise Boom
        return "lead"

    app.fallback.register_api("a", priority=1)
    app.fallback.register_api("b", priority=2)
    for _ in range(5):
        await app.fallback.execute_with_fallback("a", lead, spare)
    healthy = True
    await clock.advance(20)
    served = [await app.fallback.execute_with_fallback("a", lead, spare) for _ in range(5)]
    assert served == ["lead"] * 5
    assert app.fallback.describe()["apis"]["a"]["breaker"][""]["state"] == "closed"


async def test_an_open_breaker_without_standby_says_when_it_may_be_tried_again(app, clock):
    app.fallback.register_api("a")
    for _ in range(4):
        with pytest.raises(Boom):
            await app.fallback.execute_with_fallback("a", failing())
        await clock.advance(1.5)
    seen = []
    for _ in range(3):
        try:
            await app.fallback.execute_with_fallback("a", failing())
        except (Boom, BreakerOpen) as error:
            seen.append(error)
    refused = [error for error in seen if isinstance(error, BreakerOpen)]
    assert refused, "panic lets one call a second through; the others are refused"
    assert refused[0].retry_after is not None and 0 < refused[0].retry_after <= 40


async def test_a_call_that_hangs_ends_at_its_deadline(app, clock):
    app.fallback.register_api("a")
    call = asyncio.ensure_future(
        app.fallback.execute_with_fallback("a", lambda: asyncio.get_running_loop().create_future(), deadline=5)
    )
    await clock.advance(4.9)
    assert not call.done()
    await clock.advance(0.2)
    assert call.done()
    with pytest.raises((DeadlineExceeded, AttemptTimeout)):
        call.result()


async def test_a_hanging_lead_leaves_the_standby_time_to_serve(app, clock):
    app.fallback.register_api("a", priority=1, timeout=TimeoutOptions(attempt=2))
    app.fallback.register_api("b", priority=2)

    async def hang():
        await asyncio.get_running_loop().create_future()

    for warm in range(2):
        call = asyncio.ensure_future(app.fallback.execute_with_fallback("a", hang, spare))
        await clock.advance(2.2)
        assert call.done() and call.result() == "standby", warm


async def test_time_out_of_the_prepared_path_is_our_error_not_a_cancellation(app, clock):
    app.fallback.register_api("a", timeout=TimeoutOptions(attempt=1))
    hanging = False

    async def operation():
        if hanging:
            await asyncio.get_running_loop().create_future()
        return 1

    for _ in range(2):
        await app.fallback.execute_with_fallback("a", operation)
    hanging = True
    call = asyncio.ensure_future(app.fallback.execute_with_fallback("a", operation))
    await clock.advance(3)
    with pytest.raises(AttemptTimeout):
        call.result()
    assert asyncio.current_task().cancelling() == 0


async def test_cancelling_a_call_cancels_what_runs_under_it_and_is_nobodys_fault(app):
    ended = []

    async def operation():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(1)

    app.fallback.register_api("a", bulkhead=BulkheadOptions(limit=1))
    call = asyncio.ensure_future(app.fallback.execute_with_fallback("a", operation))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended == [1]
    described = app.fallback.describe()["apis"]["a"]
    assert described["in_flight"] == 0 and described["bulkhead"]["active"] == 0


async def test_a_call_inside_a_call_has_no_more_time_than_the_outer_one(app, clock):
    app.fallback.register_api("outer", timeout=TimeoutOptions(attempt=2))
    app.fallback.register_api("inner", timeout=TimeoutOptions(attempt=60))

    async def hang():
        await asyncio.get_running_loop().create_future()

    async def outer():
        return await app.fallback.execute_with_fallback("inner", hang)

    call = asyncio.ensure_future(app.fallback.execute_with_fallback("outer", outer, deadline=3))
    await clock.advance(3.3)
    assert call.done()
    with pytest.raises((DeadlineExceeded, AttemptTimeout)):
        call.result()


async def test_a_task_that_outlives_the_call_which_started_it_is_not_bound_by_that_call(app, clock):
    app.fallback.register_api("outer", timeout=TimeoutOptions(attempt=2))
    app.fallback.register_api("inner")
    background = []

    async def later():
        await clock.sleep(60)
        return await app.fallback.execute_with_fallback("inner", fine)

    async def outer():
        background.append(asyncio.ensure_future(later()))
        return 1

    await app.fallback.execute_with_fallback("outer", outer)
    assert await background[0] == "lead"


async def test_a_plain_function_runs_in_a_thread_and_one_that_returns_an_awaitable_moves_to_the_loop(app):
    app.fallback.register_api("a")
    main = threading.get_ident()
    assert await app.fallback.execute_with_fallback("a", threading.get_ident) != main
    seen = []

    def factory():
        seen.append(threading.get_ident())
        return fine()

    for _ in range(3):
        assert await app.fallback.execute_with_fallback("a", lambda: factory()) == "lead"
    assert seen[0] != main and seen[-1] == main


async def test_a_function_that_needs_the_loop_to_make_its_awaitable_is_called_once_more_on_it(app):
    app.fallback.register_api("a")
    assert (
        await app.fallback.execute_with_fallback("a", lambda: asyncio.get_running_loop().run_in_executor(None, str, 3))
        == "3"
    )


async def test_a_blocking_operation_keeps_its_place_until_it_really_returns(app, clock):
    app.fallback.register_api("a", bulkhead=BulkheadOptions(limit=1), timeout=TimeoutOptions(attempt=1))
    release = threading.Event()
    call = asyncio.ensure_future(app.fallback.execute_with_fallback("a", release.wait, deadline=1))
    for _ in range(50):
        await asyncio.sleep(0)
    await clock.advance(1.2)
    with pytest.raises((DeadlineExceeded, AttemptTimeout)):
        await call
    bulkhead = app.fallback.roster.apis["a"].bulkhead
    assert bulkhead.active == 1
    release.set()
    for _ in range(1000):
        if bulkhead.active == 0:
            break
        await asyncio.to_thread(lambda: None)
    assert bulkhead.active == 0


async def test_guard_passes_arguments_and_keeps_the_functions_name(app):
    @app.guard("a")
    async def add(x, y=0):
        """Adds."""
        return x + y

    assert [await add(1, y=n) for n in range(4)] == [1, 2, 3, 4]
    assert add.__name__ == "add" and add.__doc__ == "Adds."


async def test_guard_falls_back_with_the_same_arguments(app):
    async def standby(x):
        return f"standby {x}"

    @app.guard("a", fallback=standby)
    async def lead(x):
        raise Boom

    assert await lead(7) == "standby 7"


async def test_every_gathered_call_is_tried_when_nothing_is_limited(app):
    running = 0
    most = 0

    async def operation():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1
        return 1

    app.fallback.register_api("a")
    results = await asyncio.gather(*(app.fallback.execute_with_fallback("a", operation) for _ in range(1000)))
    assert sum(results) == 1000 and most == 1000


async def test_fifty_callers_at_a_half_open_breaker_send_exactly_one(app, clock):
    running = 0
    seen = []

    async def lead():
        nonlocal running
        running += 1
        seen.append(running)
        await clock.sleep(1)
        running -= 1
        return "lead"

    app.fallback.register_api("a", priority=1)
    app.fallback.register_api("b", priority=2)
    for _ in range(4):
        await app.fallback.execute_with_fallback("a", failing(), spare)
    await clock.advance(20)
    results = await asyncio.gather(*(app.fallback.execute_with_fallback("a", lead, spare) for _ in range(50)))
    assert results.count("lead") == 1 and max(seen) == 1


async def test_ten_thousand_random_cancellations_leave_nothing_behind(clock):
    async with Understudy.build(clock=clock, seed=3) as app:
        rng = random.Random(5)
        app.fallback.register_api("a", priority=1, bulkhead=BulkheadOptions(limit=7))
        app.fallback.register_api("b", priority=2, bulkhead=BulkheadOptions(limit=7))
        before = len(asyncio.all_tasks())

        async def lead():
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            if rng.random() < 0.4:
                raise Boom
            return 1

        for _ in range(100):
            calls = [asyncio.ensure_future(app.fallback.execute_with_fallback("a", lead, spare)) for _ in range(100)]
            for call in calls:
                for _ in range(rng.randrange(2)):
                    await asyncio.sleep(0)
                if rng.random() < 0.9:
                    call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        described = app.fallback.describe()["apis"]
        for name in ("a", "b"):
            assert described[name]["in_flight"] == 0
            assert described[name]["bulkhead"]["active"] == described[name]["bulkhead"]["waiting"] == 0
        assert len(asyncio.all_tasks()) == before


async def test_wall_clock_jumps_change_nothing(app, clock):
    app.fallback.register_api("a", priority=1)
    app.fallback.register_api("b", priority=2)
    for jump in (3600, -7200, 3600):
        clock.jump_wall(jump)
        assert await app.fallback.execute_with_fallback("a", fine, spare) == "lead"
    for _ in range(4):
        await app.fallback.execute_with_fallback("a", failing(), spare)
    clock.jump_wall(3600)
    assert app.fallback.describe()["apis"]["a"]["breaker"][""]["state"] == "open"


async def test_with_every_breaker_open_one_call_a_second_is_let_through(app, clock):
    app.fallback.register_api("a", route="r", operation=failing("a"), breaker=BreakerOptions(consecutive=1))
    app.fallback.register_api("b", route="r", operation=failing("b"), breaker=BreakerOptions(consecutive=1))
    outcomes = []
    for _ in range(6):
        try:
            await app.fallback.execute_with_fallback("r", None)
        except Exception as error:
            outcomes.append(type(error).__name__)
    assert outcomes[0] in ("Boom", "AllApisFailed")
    assert NoEligibleApi.__name__ in outcomes


async def test_two_event_loops_in_a_row_work():
    app = Understudy.build(seed=1)
    app.fallback.register_api("a", options=ApiOptions())

    def once():
        return asyncio.run(app.fallback.execute_with_fallback("a", fine))

    assert await asyncio.to_thread(once) == "lead"
    assert await asyncio.to_thread(once) == "lead"


async def test_a_second_live_loop_is_served_by_the_first(app):
    app.fallback.register_api("a")
    await app.fallback.execute_with_fallback("a", fine)

    def elsewhere():
        return asyncio.run(app.fallback.execute_with_fallback("a", fine))

    assert await asyncio.to_thread(elsewhere) == "lead"


async def test_keyboard_interrupt_is_nobodys_fault_and_goes_on(app):
    async def operation():
        raise SystemExit(3)

    app.fallback.register_api("a")
    task = asyncio.ensure_future(app.fallback.execute_with_fallback("a", fine))
    await task
    with pytest.raises(SystemExit):
        await app.fallback.execute_with_fallback("a", operation)
    assert app.fallback.describe()["apis"]["a"]["breaker"][""]["failures"] == 0


async def test_counters_and_events_tell_each_fallback(app):
    app.fallback.register_api("a", priority=1)
    app.fallback.register_api("b", priority=2)
    await app.fallback.execute_with_fallback("a", failing(), spare)
    kinds = [event.kind for event in app.events.recent()]
    assert "attempt.failed" in kinds and "fallback.served" in kinds
    assert app.fallback.counters.fallbacks[("a", "b", "provider")] == 1


async def test_an_object_with_an_async_call_meets_no_thread_even_with_arguments_bound(app):
    class Client:
        async def __call__(self, *args):
            return args

    assert await app.guard("a")(Client())(1, 2) == (1, 2)
    assert app.fallback._invoker._pool is None


@pytest.mark.parametrize("place", ["operation", "fallback_operation", "registered"])
async def test_what_a_call_returned_is_refused_in_place_of_the_function_and_is_no_failure_of_the_api(app, place):
    app.fallback.register_api("a")
    with pytest.raises(TypeError, match="operation: expected a function without arguments, found coroutine; hand over"):
        if place == "operation":
            await app.fallback.execute_with_fallback("a", fine())
        elif place == "fallback_operation":
            await app.fallback.execute_with_fallback("a", failing(), fine())
        else:
            app.fallback.register_api("b", operation=fine())
    assert "b" not in app.fallback.roster.apis
    assert app.monitor.get_performance_summary()["total_requests"] == 0


async def test_an_error_about_several_repeats_a_page_of_one_only_in_part(app):
    def failing(text):
        async def operation():
            raise ValueError(text)

        return operation

    with pytest.raises(AllApisFailed) as caught:
        await app.fallback.execute_with_fallback("lead", failing("x" * 1_000_000), failing("short"))
    assert len(str(caught.value)) < 2000
    assert "short" in str(caught.value)
    assert len(str(caught.value.causes["lead"])) == 1_000_000
