"""Starting and stopping: every step is stopped, last first, and work that swallows a cancellation ends too."""

from __future__ import annotations

import asyncio

from understudy.lifecycle import Lifecycle


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
