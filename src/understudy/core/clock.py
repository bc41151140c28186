"""The only place that reads a clock, sleeps on one, or sets a timer.

Everything else receives a :class:`Clock`; tests hand in `understudy.testing.FakeClock`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A scheduled callback that can still be called off."""

    def cancel(self) -> None:
        """Do not call back; harmless afterwards."""


class Clock(Protocol):
    """Time, as the rest of the program sees it.

    `monotonic` and `time` are attributes that hold plain callables, so that the hot path can bind
    `clock.monotonic` once and call the C function without a wrapper around it.
    """

    @property
    def monotonic(self) -> Callable[[], float]:
        """Seconds on a clock that never goes back; only differences mean something."""

    @property
    def time(self) -> Callable[[], float]:
        """Seconds since the epoch; for display and for dates sent by others, never for durations."""

    async def sleep(self, seconds: float) -> None:
        """Suspend the calling task; zero or less returns without touching any timer."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` on the running loop after `seconds`."""


class SystemClock:
    """The machine's clocks; `monotonic` is `perf_counter`, the finest one the platform has."""

    monotonic = staticmethod(time.perf_counter)
    time = staticmethod(time.time)

    async def sleep(self, seconds: float) -> None:
        """As `Clock.sleep`."""
        if seconds > 0:
            await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """As `Clock.call_later`."""
        return asyncio.get_running_loop().call_later(seconds, callback)


SYSTEM_CLOCK = SystemClock()


async def pause(clock: Clock, seconds: float) -> None:
    """Wait between the rounds of background work.

    As `clock.sleep`, but by a timer: a fake clock never jumps ahead for it, so background loops do
    not make time fly in tests.
    """
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    timer = clock.call_later(max(0.0, seconds), wake)
    try:
        await future
    finally:
        timer.cancel()
