"""Work that takes seconds of the processor: one after another, a few for each person, and none for who has gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakKeyDictionary

from understudy.core.turn import LoopLock

from .http import Problem, Request

if TYPE_CHECKING:
    from understudy.app import Understudy

T = TypeVar("T")

#: Most that wait and run at a time, and most of them for one person: nobody can keep the others out.
MOST, MOST_OF_ONE = 12, 3


class Turns:
    """The order in which one application does such work."""

    def __init__(self) -> None:
        self._lock = LoopLock()
        self._asked: Counter[tuple[str, str]] = Counter()

    async def take(self, request: Request, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns when it has had its turn. The body of the request must have been read.

        Raises:
            Problem: 429 when too much waits already; 400, which nobody reads, when whoever asked has gone meanwhile.
        """
        who = (request.who.name, request.client)
        if self._asked[who] >= MOST_OF_ONE or self._asked.total() >= MOST:
            raise Problem(429, "too many backtests wait already; ask again when they have ended", {"Retry-After": "5"})
        self._asked[who] += 1
        working, gone = asyncio.ensure_future(self._in_turn(work)), asyncio.ensure_future(request.gone())
        try:
            await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise Problem(400, "whoever asked has closed the connection")
        finally:
            for task in (working, gone):
                task.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)
            self._asked -= Counter((who,))  # a Counter forgets what falls to nothing

    async def _in_turn(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._lock.here():
            return await work()


_TURNS: Final[WeakKeyDictionary[Understudy, Turns]] = WeakKeyDictionary()


async def in_turn(app: Understudy, request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """What `work` returns when it has had its turn; see `Turns.take`."""
    return await _TURNS.setdefault(app, Turns()).take(request, work)
