"""Cancelling a call: whose cancellation it was is told apart, and the task that made the call carries no marks of it.

`tests/soak` strikes at random; here are the cases in which something once went wrong.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from understudy.app import Understudy
from understudy.core.errors import AttemptTimeout
from understudy.resilience.deadline import TimeoutOptions
from understudy.testing import FakeClock


class Angry(Exception):
    """What an operation raises in place of its cancellation."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def app(clock: FakeClock):
    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("api", timeout=TimeoutOptions(attempt=1.0))
        yield app


async def never():
    await asyncio.get_running_loop().create_future()


async def fine():
    return "value"


async def spare():
    return "spare"


async def angry():
    try:
        await never()
    except asyncio.CancelledError:
        raise Angry from None


async def stubborn():
    try:
        await never()
    except asyncio.CancelledError:
        return "value all the same"


async def failed_group():
    """Up to Python 3.12 a failed TaskGroup leaves its task marked as cancelled once more than it was."""

    async def bad():
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(bad())
    asyncio.current_task().cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)
    assert asyncio.current_task().cancelling()


async def turns(count: int = 10):
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("prepared", [True, False], ids=["on the prepared path", "in the pipeline"])
async def test_an_operation_that_makes_an_error_of_its_callers_cancellation_is_not_served_by_another(
    app, clock, prepared
):
    if prepared:
        for _ in range(2):
            await app.fallback.execute_with_fallback("api", angry_later(fine), spare)
    served = []

    async def standby():
        served.append("standby")

    task = asyncio.ensure_future(app.fallback.execute_with_fallback("api", angry_later(angry), standby))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert served == []
    assert isinstance(caught.value.__cause__, Angry)
    assert [record.outcome for record in app.fallback.decisions()].count("failed") == 0


def angry_later(inner):
    """One code for both operations, so that the second takes the prepared path of the first."""

    async def operation():
        return await inner()

    return operation


@pytest.mark.parametrize("prepared", [True, False], ids=["on the prepared path", "in the pipeline"])
async def test_an_operation_that_makes_an_error_of_our_limit_is_served_by_another(app, clock, prepared):
    if prepared:
        for _ in range(2):
            await app.fallback.execute_with_fallback("api", angry_later(fine), spare)
    marks = []

    async def caller():
        value = await app.fallback.execute_with_fallback("api", angry_later(angry), spare)
        marks.append(asyncio.current_task().cancelling())
        return value

    task = asyncio.ensure_future(caller())
    await clock.advance(1.2)
    assert await task == "spare"
    assert marks == [0]


@pytest.mark.parametrize("prepared", [True, False], ids=["on the prepared path", "in the pipeline"])
async def test_a_value_that_comes_in_spite_of_our_limit_is_delivered_and_leaves_no_mark(app, clock, prepared):
    if prepared:
        for _ in range(2):
            await app.fallback.execute_with_fallback("api", angry_later(fine))
    marks = []

    async def caller():
        value = await app.fallback.execute_with_fallback("api", angry_later(stubborn))
        marks.append(asyncio.current_task().cancelling())
        return value

    task = asyncio.ensure_future(caller())
    await clock.advance(1.2)
    assert await task == "value all the same"
    assert marks == [0]


async def test_the_callers_cancellation_wins_when_the_limit_passes_before_it_is_delivered(app, clock):
    task = asyncio.ensure_future(app.fallback.call("api", never, deadline=0.5, default="default"))
    await turns()
    task.cancel()
    clock.set(clock.monotonic() + 1.0)
    app.fallback.wheel._turn()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("prepared", [True, False], ids=["on the prepared path", "in the pipeline"])
async def test_a_task_with_marks_of_old_cancellations_sees_our_limits_as_time_outs(app, clock, prepared):
    async def caller():
        if prepared:
            for _ in range(2):
                await app.fallback.execute_with_fallback("api", angry_later(fine))
        await failed_group()
        await app.fallback.execute_with_fallback("api", angry_later(never))

    task = asyncio.ensure_future(caller())
    await turns(40)
    await clock.advance(1.2)
    with pytest.raises(AttemptTimeout):
        await task


async def test_a_task_that_cleans_up_after_its_cancellation_is_still_served_by_the_standby(app, clock):
    async def broken():
        raise OSError

    async def caller():
        for _ in range(2):
            await app.fallback.execute_with_fallback("api", angry_later(fine), spare)
        try:
            await never()
        except asyncio.CancelledError:
            return await app.fallback.execute_with_fallback("api", angry_later(broken), spare)

    task = asyncio.ensure_future(caller())
    await turns(20)
    task.cancel()
    assert await task == "spare"


async def test_an_operation_with_a_time_out_of_its_own_fails_over_in_a_task_with_old_marks(app, clock):
    async def impatient():
        async with asyncio.timeout(0.001):
            await never()

    async def caller():
        for _ in range(2):
            await app.fallback.execute_with_fallback("api", angry_later(fine), spare)
        await failed_group()
        return await app.fallback.execute_with_fallback("api", angry_later(impatient), spare)

    assert await asyncio.ensure_future(caller()) == "spare"


async def test_what_a_thread_makes_for_a_caller_who_has_gone_is_closed(app, clock, recwarn):
    made = threading.Event()
    go = threading.Event()

    def operation():
        go.wait(5)
        made.set()
        return fine()

    task = asyncio.ensure_future(app.fallback.execute_with_fallback("api", operation))
    while app.fallback.roster.apis["api"].in_flight == 0:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    while app.fallback._invoker.abandoned:
        await asyncio.sleep(0)
    assert made.is_set()
    gc.collect()
    assert not [warning for warning in recwarn.list if "never awaited" in str(warning.message)]


async def test_a_task_that_has_ended_is_let_go_although_no_further_call_is_made(app, clock):
    async def caller():
        await app.fallback.execute_with_fallback("api", fine)
        await clock.sleep(0.5)  # in no call: the wheel stands still when the task ends

    task = asyncio.ensure_future(caller())
    await clock.advance(0.8)
    await task
    gone = weakref.ref(task)
    del task
    await clock.advance(1.5)  # a tick
    gc.collect()
    assert gone() is None
