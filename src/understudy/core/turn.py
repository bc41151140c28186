"""Long work in pieces: how the event loop gets its turn in between."""

from __future__ import annotations

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
