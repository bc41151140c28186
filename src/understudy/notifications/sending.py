"""One send, with an end: a channel that hangs, raises or cannot be stopped holds up nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from understudy.core.clock import Clock

from .message import Message, Outcome, Rejected, Retry
from .ports import Channel

_log = logging.getLogger("understudy.notifications")

#: Beyond the channel's own time-out, s: it knows better how its attempt ended than we do.
GRACE = 0.5
#: A send that was cancelled and goes on all the same is left to itself after this, s.
LAST_WORD = 1.0


class Sends:
    """Runs sends and keeps hold of those that could not be stopped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: Sends that went on after they were cancelled.
        self.abandoned: set[asyncio.Task[Outcome]] = set()

    async def send(self, channel: Channel, message: Message) -> tuple[Outcome, float]:
        """The channel's answer and the seconds it took; whatever goes wrong is an answer too."""
        began = self._clock.monotonic()
        limit = channel.traits.timeout
        task: asyncio.Task[Outcome] = asyncio.ensure_future(channel.send(message))
        try:
            outcome = await self._answer(task, limit)
        except asyncio.CancelledError:
            task.cancel()
            raise
        return outcome, self._clock.monotonic() - began

    async def _answer(self, task: asyncio.Task[Outcome], limit: float) -> Outcome:
        await first_of((task,), limit + GRACE, self._clock)
        if not task.done():
            task.cancel()
            await first_of((task,), LAST_WORD, self._clock)
            if not task.done():
                self.abandoned.add(task)
                task.add_done_callback(self._returned)
            # It may have been cancelled with an answer in hand; then that is what counts.
            if not task.done() or task.cancelled() or task.exception() is not None:
                return Retry(f"no answer within {limit:g} s", ambiguous=True)
        if task.cancelled():
            return Retry("the send was cancelled from within", ambiguous=True)
        error = task.exception()
        if error is None:
            return task.result()
        _log.error("a channel raised instead of answering", exc_info=error)
        if isinstance(error, TypeError | ValueError | LookupError | AttributeError):
            return Rejected(f"{type(error).__name__}: {error}")  # a fault of its own, which the next try meets, too
        return Retry(f"{type(error).__name__}: {error}", ambiguous=True)

    def _returned(self, task: asyncio.Task[Outcome]) -> None:
        self.abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is told that nobody looked


async def first_of(tasks: Iterable[asyncio.Task[Any]], seconds: float, clock: Clock) -> None:
    """Wait until one of the tasks is done, or that long; a cancellation goes through at once."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(_: object = None) -> None:
        if not over.done():
            over.set_result(None)

    watched = tuple(tasks)
    for task in watched:
        task.add_done_callback(end)
    timer = clock.call_later(seconds, end)
    try:
        await over
    finally:
        timer.cancel()
        for task in watched:
            task.remove_done_callback(end)
