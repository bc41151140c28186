"""Streams of a call that runs on another loop than its caller's: each piece is handed across."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from understudy.core.errors import CallError
from understudy.core.http import BodyFactory, next_piece

T = TypeVar("T")


async def carry(owner: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop `owner`, from another one; a cancellation here reaches it there.

    Raises:
        CallError: that loop ended under it.
    """
    try:
        there = asyncio.run_coroutine_threadsafe(coroutine, owner)
    except RuntimeError:
        coroutine.close()
        raise CallError("the event loop that owns the application has been closed; call again") from None
    try:
        return await asyncio.wrap_future(there)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Nobody cancelled us: the tasks of the other loop were, as it ended.
        raise CallError("the event loop that owns the application ended under this call") from None


class CarriedStream:
    """A streamed response that lives on the loop `owner` and is read on another."""

    def __init__(self, response: Any, owner: asyncio.AbstractEventLoop) -> None:
        self._response = response
        self._owner = owner
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names and values as they came."""
        found: Sequence[tuple[bytes, bytes]] = self._response.raw_headers
        return found

    @property
    def body(self) -> bytes:
        """As of the response itself: a stream has none."""
        body: bytes = self._response.body
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces of the body; leaving early closes it over there."""
        pieces = self._response.chunks()
        try:
            while (piece := await carry(self._owner, next_piece(pieces))) is not None:
                yield piece
        finally:
            await carry(self._owner, _closed(pieces))

    async def close(self) -> None:
        """Give the connection back, over there."""
        await carry(self._owner, self._response.close())


def from_loop(body: BodyFactory, home: asyncio.AbstractEventLoop) -> BodyFactory:
    """A body whose pieces are made on the loop `home`, where the caller's own awaits belong."""

    async def pieces() -> AsyncIterator[bytes]:
        iterator = body()
        try:
            while (piece := await carry(home, next_piece(iterator))) is not None:
                yield piece
        finally:
            await carry(home, _closed(iterator))

    return pieces


async def _closed(pieces: Any) -> None:
    aclose = getattr(pieces, "aclose", None)  # a plain iterator has none
    if aclose is not None:
        await aclose()
