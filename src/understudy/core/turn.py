"""Long work in pieces: how the event loop gets its turn in between, and how two such works do not mix."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator


class Turn:
    """Awaiting it lets everything else on the event loop run once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Slices:
    """Lets the loop turn whenever a stretch of work has taken `seconds`: `await slices.breath()` between its pieces."""

    def __init__(self, now: Callable[[], float], seconds: float = 0.001) -> None:
        self._now = now
        self._seconds = seconds
        self._until = now() + seconds

    async def breath(self) -> None:
        """Give the loop its turn when this stretch has been long enough; costs one clock reading otherwise."""
        if self._now() >= self._until:
            await Turn()
            self._until = self._now() + self._seconds


class LoopLock:
    """A lock on whatever loop runs now: one for each loop, as programs that call `asyncio.run` twice need it."""

    def __init__(self) -> None:
        self._lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def here(self) -> asyncio.Lock:
        """The lock of the loop that runs now."""
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock[0] is not loop:
            self._lock = (loop, asyncio.Lock())
        return self._lock[1]
