"""One browser that listens: what waits to be sent to it, in bounds, and how it wakes up."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from understudy.web.auth.permissions import Identity

#: Bytes that wait for one browser; beyond them it is sent everything anew once it can take something again.
MOST_WAITING: Final = 256 * 1024


class Viewer:
    """One open stream. Everything here is done on the loop of the application."""

    def __init__(self, key: str, who: Identity, client: str, topics: Collection[str]) -> None:
        #: Names the stream; only its owner is told.
        self.key = key
        self.who = who
        self.client = client
        self.topics = set(topics)
        #: Whether it fell so far behind that it must be sent everything anew.
        self.lost = False
        #: Why it is closed; empty while it is open.
        self.closed = ""
        #: Whether it must be asked again who this is.
        self.doubted = False
        #: When something was last sent, and when its permissions are looked at again, monotonic s.
        self.sent_at = self.checked_at = 0.0
        self._waiting: list[bytes] = []
        self._size = 0
        self._wake: asyncio.Future[None] | None = None

    def push(self, frame: bytes) -> None:
        """Send this when the browser takes it. Wakes nobody: see `flush`."""
        if self.lost:
            return
        self._size += len(frame)
        if self._size > MOST_WAITING:
            self._waiting.clear()
            self._size, self.lost = 0, True
        else:
            self._waiting.append(frame)

    def flush(self) -> None:
        """Have what was pushed sent."""
        if self._due and self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    @property
    def _due(self) -> bool:
        return bool(self._waiting or self.lost or self.closed or self.doubted)

    def doubt(self) -> None:
        """Have the stream look again who listens, and whether they still may."""
        self.doubted = True
        self.flush()

    def close(self, why: str) -> None:
        """End the stream; the browser is told why."""
        if not self.closed:
            self.closed = why
            self.flush()

    async def ready(self) -> None:
        """Return when there is something to send, or the stream is closed."""
        if self._due:
            return
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake
        finally:
            self._wake = None

    def take(self) -> bytes:
        """What waits, as one piece."""
        waiting, self._waiting = self._waiting, []
        self._size = 0
        return waiting[0] if len(waiting) == 1 else b"".join(waiting)
