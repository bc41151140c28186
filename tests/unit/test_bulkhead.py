"""The bulkhead: places, one fair line, and nothing left behind by those who leave it."""

from __future__ import annotations

import asyncio
import random
import statistics

import pytest

from understudy.core.errors import BulkheadFull
from understudy.core.types import Mode
from understudy.resilience.bulkhead import Bulkhead, BulkheadOptions
from understudy.testing import FakeClock


def make(limit: int = 1, **options: object) -> tuple[Bulkhead, FakeClock]:
    """A bulkhead and its clock."""
    clock = FakeClock()
    return Bulkhead(BulkheadOptions(limit=limit, **options), clock), clock  # type: ignore[arg-type]  # real fields


async def turns(count: int = 5) -> None:
    """Let others run."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_as_many_places_as_the_limit_says_are_given_at_once() -> None:
    bulkhead, _ = make(2)
    assert [bulkhead.try_acquire() for _ in range(3)] == [True, True, False]
    bulkhead.release()
    assert bulkhead.try_acquire()


async def test_those_who_wait_are_served_in_the_order_of_asking() -> None:
    bulkhead, clock = make(1)
    order: list[int] = []

    async def caller(number: int) -> None:
        await bulkhead.acquire()
        order.append(number)
        await clock.sleep(1.0)
        bulkhead.release()

    await asyncio.gather(*(caller(number) for number in range(20)))
    assert order == list(range(20)) and bulkhead.active == bulkhead.waiting == 0


async def test_nobody_overtakes_the_line() -> None:
    bulkhead, _ = make(1)
    assert bulkhead.try_acquire()
    waiter = asyncio.ensure_future(bulkhead.acquire())
    await turns()
    bulkhead.release()
    assert not bulkhead.try_acquire()
    await waiter
    assert bulkhead.active == 1


async def test_a_full_line_refuses_with_a_worded_error() -> None:
    bulkhead, _ = make(1, max_waiting=1)
    assert bulkhead.try_acquire()
    waiter = asyncio.ensure_future(bulkhead.acquire())
    await turns()
    with pytest.raises(BulkheadFull, match="1 calls wait"):
        await bulkhead.acquire()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert bulkhead.waiting == 0


async def test_a_wait_that_is_too_long_ends_and_leaves_the_line() -> None:
    bulkhead, clock = make(1)
    assert bulkhead.try_acquire()
    waiter = asyncio.ensure_future(bulkhead.acquire(2.0))
    await clock.advance(1.9)
    assert bulkhead.waiting == 1
    await clock.advance(0.2)
    with pytest.raises(BulkheadFull, match=r"2\.000 s"):
        await waiter
    bulkhead.release()
    assert bulkhead.active == bulkhead.waiting == 0


async def test_no_time_to_wait_is_refused_without_a_timer() -> None:
    bulkhead, _ = make(1)
    assert bulkhead.try_acquire()
    with pytest.raises(BulkheadFull, match="no time"):
        await bulkhead.acquire(0.0)


async def test_a_caller_cancelled_in_the_moment_of_the_hand_over_passes_the_place_on() -> None:
    bulkhead, _ = make(1)
    assert bulkhead.try_acquire()
    first, second = asyncio.ensure_future(bulkhead.acquire()), asyncio.ensure_future(bulkhead.acquire())
    await turns()
    bulkhead.release()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await second
    assert first.cancelled() and bulkhead.active == 1 and bulkhead.waiting == 0


async def test_ten_thousand_random_cancellations_leave_nothing_behind() -> None:
    bulkhead, clock = make(7)
    rng = random.Random(5)

    async def caller(wait: float | None, hold: float) -> None:
        await bulkhead.acquire(wait)
        try:
            await clock.sleep(hold)
        finally:
            bulkhead.release()

    for _ in range(100):
        tasks = [
            asyncio.ensure_future(caller(rng.choice((None, 0.5)), rng.choice((0.0, 0.1, 1.0)))) for _ in range(100)
        ]
        await turns(rng.randrange(4))
        rng.shuffle(tasks)
        for task in tasks[:50]:
            task.cancel()
        await turns(rng.randrange(4))
        for task in tasks[50:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert bulkhead.active == bulkhead.waiting == 0


async def test_a_raised_limit_lets_waiting_calls_in_and_a_lowered_one_takes_nothing_away() -> None:
    bulkhead, _ = make(1)
    assert bulkhead.try_acquire()
    waiters = [asyncio.ensure_future(bulkhead.acquire()) for _ in range(2)]
    await turns()
    bulkhead.limit = 3
    await asyncio.gather(*waiters)
    assert bulkhead.active == 3
    bulkhead.limit = 1
    assert bulkhead.active == 3
    bulkhead.release()
    bulkhead.release()
    assert not bulkhead.try_acquire()
    bulkhead.release()
    assert bulkhead.try_acquire()


async def test_256_callers_on_100_places_wait_about_equally_long() -> None:
    bulkhead, clock = make(100)
    rng = random.Random(2)
    waits: list[float] = []

    async def caller() -> None:
        for _ in range(20):
            asked = clock.monotonic()
            await bulkhead.acquire()
            waits.append(clock.monotonic() - asked)
            await clock.sleep(rng.uniform(0.05, 0.15))
            bulkhead.release()

    await asyncio.gather(*(caller() for _ in range(256)))
    steady = waits[256:]
    assert max(steady) <= 3 * statistics.median(steady)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.OBSERVE])
def test_only_enforcing_refuses_and_only_observing_counts(mode: Mode) -> None:
    bulkhead, _ = make(1, mode=mode)
    assert all(bulkhead.try_acquire() for _ in range(5))
    assert bulkhead.would_refuse == (4 if mode is Mode.OBSERVE else 0)
    for _ in range(5):
        bulkhead.release()
    assert bulkhead.active == 0


def test_giving_a_place_back_twice_is_told() -> None:
    bulkhead, _ = make(1)
    with pytest.raises(RuntimeError, match="twice"):
        bulkhead.release()
