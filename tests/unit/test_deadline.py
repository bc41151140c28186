"""The deadline wheel: one coarse timer for all calls, and scopes that know the calls around them."""

from __future__ import annotations

import asyncio

import pytest

from understudy.resilience.deadline import BOUND, EXPIRED, IDLE, DeadlineWheel, ended_by_us, wheel_of
from understudy.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def wheel(clock: FakeClock) -> DeadlineWheel:
    return DeadlineWheel(clock)


async def held(wheel: DeadlineWheel, clock: FakeClock, seconds: float) -> str:
    """A task in a call of so many seconds that never ends by itself."""
    scope = wheel.enter()
    scope.limit = clock.monotonic() + seconds
    wheel.arm()
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        if ended_by_us(scope, 0):
            return "timed out"
        raise
    return "never"


async def test_a_task_past_its_limit_is_cancelled_within_one_turn(wheel, clock):
    task = asyncio.ensure_future(held(wheel, clock, 1.0))
    await clock.advance(0.99)
    assert not task.done()
    await clock.advance(0.07)
    assert task.result() == "timed out"
    assert task.cancelling() == 0


async def test_a_limit_in_sight_is_kept_to_within_a_millisecond(wheel, clock):
    tasks = [asyncio.ensure_future(held(wheel, clock, seconds)) for seconds in (0.32, 0.333, 1.01)]
    ended = {}
    for number, task in enumerate(tasks):
        task.add_done_callback(lambda _, number=number: ended.setdefault(number, clock.monotonic()))
    await clock.advance(2.0)
    assert ended == {
        0: pytest.approx(1000.32, abs=0.0011),
        1: pytest.approx(1000.333, abs=0.0011),
        2: pytest.approx(1001.01, abs=0.0011),
    }


async def test_many_limits_do_not_make_the_wheel_turn_for_each_of_them(wheel, clock):
    turns = 0
    turn = wheel._turn

    def counted():
        nonlocal turns
        turns += 1
        turn()

    wheel._turn = counted
    tasks = [asyncio.ensure_future(held(wheel, clock, 0.2 + number / 2000)) for number in range(1200)]
    await clock.advance(1.0)
    assert all(task.done() for task in tasks)
    assert turns <= 80


async def test_the_callers_cancellation_wins_over_the_limit(wheel, clock):
    task = asyncio.ensure_future(held(wheel, clock, 1.0))
    await clock.advance(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_cancellations_at_once_count_as_the_callers(wheel, clock):
    task = asyncio.ensure_future(held(wheel, clock, 1.0))
    await asyncio.sleep(0)
    clock.set(clock.monotonic() + 2)
    task.cancel()
    wheel._turn()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_wheel_stops_when_nothing_is_in_flight(wheel, clock):
    task = asyncio.ensure_future(held(wheel, clock, 0.2))
    await clock.advance(1.0)
    assert task.done() and not wheel.armed


async def test_a_call_in_a_child_task_is_bound_while_the_outer_call_runs_and_free_afterwards(wheel, clock):
    outer = wheel.enter()
    outer.limit = clock.monotonic() + 5
    release = asyncio.Event()
    seen = []

    async def child():
        scope = wheel.enter()
        seen.append((scope.limit, scope.bound()))
        await release.wait()
        wheel.enter()
        seen.append((scope.limit, scope.bound()))

    task = asyncio.ensure_future(child())
    await asyncio.sleep(0)
    outer.limit = IDLE
    release.set()
    await task
    assert seen == [(BOUND, 1005.0), (IDLE, IDLE)]


async def test_a_resting_task_is_never_cancelled(wheel, clock):
    outer = wheel.enter()
    outer.limit = clock.monotonic() + 0.2
    wheel.arm()

    async def child():
        wheel.enter()
        await clock.sleep(10)
        return "undisturbed"

    task = asyncio.ensure_future(child())
    await asyncio.sleep(0)
    outer.limit = IDLE
    assert await task == "undisturbed"


async def test_scopes_of_finished_tasks_are_let_go(wheel, clock):
    async def brief():
        scope = wheel.enter()
        scope.limit = IDLE

    for _ in range(100):
        await asyncio.ensure_future(brief())
    holder = asyncio.ensure_future(held(wheel, clock, 0.1))
    await clock.advance(0.3)
    assert holder.done()
    wheel._turn()
    assert len(wheel._scopes) == 0


async def test_an_expired_scope_is_marked_so_that_a_swallowed_cancellation_shows(wheel, clock):
    async def stubborn():
        scope = wheel.enter()
        scope.limit = clock.monotonic() + 0.1
        wheel.arm()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            pass
        return scope.limit == EXPIRED and ended_by_us(scope, 0)

    task = asyncio.ensure_future(stubborn())
    await clock.advance(0.3)
    assert task.result() is True


async def test_every_application_of_a_loop_is_watched_by_one_wheel(clock):
    loop = asyncio.get_running_loop()
    assert wheel_of(clock, loop) is wheel_of(clock, loop)
    assert wheel_of(FakeClock(), loop) is not wheel_of(clock, loop), "their limits cannot be compared"


async def test_a_task_that_calls_by_another_clock_is_handed_over(wheel, clock):
    other_clock = FakeClock()
    other = DeadlineWheel(other_clock)

    async def both() -> list[str]:
        first = await held(other, other_clock, 1.0)
        return [first, await held(wheel, clock, 1.0)]

    task = asyncio.ensure_future(both())
    await other_clock.advance(1.1)
    await other_clock.advance(10)  # at rest for long, that wheel stands still
    await clock.advance(1.1)
    assert task.result() == ["timed out", "timed out"]
