"""A clock that jumps over sleeps, so that a test of minutes takes milliseconds."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

#: Turns of the loop without a sleeper being added or woken, after which the program is taken to be
#: waiting for time to pass.
_IDLE_TURNS = 25


class _FakeTimer:
    __slots__ = ("callback", "cancelled", "due", "wakes")

    def __init__(self, due: float, callback: Callable[[], object], wakes: bool) -> None:
        self.due = due
        self.callback = callback
        self.wakes = wakes  # a sleeper: time may jump for it; a plain timer only fires when passed
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """Time that moves only when told, or (`auto=True`) when every task sleeps on it.

    `sleep` makes time jump once the loop has nothing else to do; `call_later` timers (deadlines,
    ticks) fire on the way, in order, but never make time move by themselves: a test that waits for a
    deadline of a call that hangs uses `advance`.
    """

    def __init__(self, start: float = 1_000.0, epoch: float = 1_800_000_000.0, auto: bool = True) -> None:
        self._now = start
        self._wall_offset = epoch - start
        self._timers: list[tuple[float, int, _FakeTimer]] = []
        self._count = itertools.count()
        self._auto = auto
        self._pump: asyncio.TimerHandle | asyncio.Handle | None = None
        self._activity = 0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        """Seconds; only differences mean something."""
        return self._now

    def time(self) -> float:
        """Seconds since the epoch; moved apart from `monotonic` by `jump_wall`."""
        return self._now + self._wall_offset

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP would; monotonic time stays."""
        self._wall_offset += seconds

    def set(self, now: float) -> None:
        """Move forward to `now` without running any timer; for tests of pure state machines."""
        self._now = max(self._now, now)

    def tick(self, seconds: float) -> None:
        """Move forward without running any timer; for tests of pure state machines."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        """Suspend until the fake time has passed; recorded in `sleeps`."""
        if seconds <= 0:
            return
        self.sleeps.append(seconds)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        timer = self._add(seconds, wake, wakes=True)
        self._arm()
        try:
            await future
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> _FakeTimer:
        """Run `callback` when fake time passes that point."""
        return self._add(seconds, callback, wakes=False)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: timers and sleepers run in order, each followed by what it set off."""
        end = self._now + seconds
        await self._settle()
        while (timer := self._next()) is not None and timer.due <= end:
            self._fire(timer)
            await self._settle()
        self._now = max(self._now, end)

    def _add(self, seconds: float, callback: Callable[[], object], wakes: bool) -> _FakeTimer:
        timer = _FakeTimer(self._now + max(0.0, seconds), callback, wakes)
        heapq.heappush(self._timers, (timer.due, next(self._count), timer))
        self._activity += 1
        return timer

    def _next(self) -> _FakeTimer | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][2] if self._timers else None

    def _fire(self, timer: _FakeTimer) -> None:
        heapq.heappop(self._timers)
        self._now = max(self._now, timer.due)
        self._activity += 1
        timer.callback()

    async def _settle(self) -> None:
        for _ in range(_IDLE_TURNS):
            await asyncio.sleep(0)  # noqa: TID251 - lets others run; no time passes

    def _arm(self) -> None:
        if self._auto and self._pump is None:
            self._pump = asyncio.get_running_loop().call_soon(self._turn, _IDLE_TURNS, self._activity)

    def _turn(self, left: int, activity: int) -> None:
        self._pump = None
        if not any(entry[2].wakes and not entry[2].cancelled for entry in self._timers):
            return
        loop = asyncio.get_running_loop()
        if activity != self._activity:
            left = _IDLE_TURNS
        if left > 0:
            self._pump = loop.call_soon(self._turn, left - 1, self._activity)
            return
        timer = self._next()
        if timer is not None:
            self._fire(timer)
        self._arm()
