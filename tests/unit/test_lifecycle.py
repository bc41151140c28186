"""Starting and stopping: every step is stopped, last first, and work that swallows a cancellation ends too."""

from __future__ import annotations

import asyncio

from understudy.lifecycle import BEGIN_ANEW, TOLD_FOR, Lifecycle
from understudy.testing import FakeClock


async def test_steps_stop_in_reverse_order_whatever_one_of_them_raises():
    stopped = []
    lifecycle = Lifecycle()

    def step(name, error=None):
        async def stop():
            stopped.append(name)
            if error is not None:
                raise error

        lifecycle.on_stop(name, stop)

    step("store")
    step("roles", ValueError("no"))
    step("history")
    await lifecycle.stop()
    assert stopped == ["history", "roles", "store"]
    assert [(name, str(error)) for name, error in lifecycle.failures] == [("roles", "no")]


async def test_work_that_swallows_one_cancellation_is_asked_again():
    swallowed = []

    async def stubborn():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append(1)

    lifecycle = Lifecycle()
    task = lifecycle.background("stubborn", stubborn)
    await asyncio.sleep(0)
    await lifecycle.stop()
    assert task.done()
    assert swallowed


async def test_work_that_meets_a_fault_of_its_own_is_told_of_and_begins_anew(caplog):
    clock = FakeClock()
    begun = []

    async def faulty():
        begun.append(clock.monotonic())
        if len(begun) < 3:
            raise TypeError("never thought of")
        await asyncio.Event().wait()

    lifecycle = Lifecycle(clock)
    lifecycle.background("history", faulty)
    for _ in range(10):
        await clock.advance(BEGIN_ANEW / 2)
    assert len(begun) == 3
    assert "never thought of" in caplog.text
    (problem,) = lifecycle.problems()
    assert problem.startswith("history met a fault of its own")
    await clock.advance(TOLD_FOR)
    assert lifecycle.problems() == []
    await lifecycle.stop()


async def test_what_goes_wrong_while_stopping_is_logged(caplog):
    async def stop():
        raise ValueError("the disk is gone")

    lifecycle = Lifecycle()
    lifecycle.on_stop("history", stop)
    await lifecycle.stop()
    assert "history did not end as it should: ValueError: the disk is gone" in caplog.text
