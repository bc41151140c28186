"""Work for the writer's thread, and how a coroutine of any loop waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from understudy.core.errors import StoreUnavailable

T = TypeVar("T")

Work = Callable[[Connection], T]


class Outside:
    """A step that cannot be done inside a transaction."""

    __slots__ = ("work",)

    def __init__(self, work: Work[Any]) -> None:
        self.work = work


#: Long work in steps, each a transaction of its own; a step's result is what its `yield` answers.
Steps = Generator[Work[Any] | Outside, Any, T]


class Job(Generic[T]):
    """One piece of work that is done in one transaction, maybe beside others.

    `work` may run more than once: after a transaction that could not be committed it runs again.
    """

    __slots__ = ("future", "work")

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.future: Future[T] = Future()

    @property
    def abandoned(self) -> bool:
        """Nobody waits any more: it need not begin."""
        return self.future.cancelled()


def succeed(future: Future[T], result: T) -> None:
    """Hand over a result, unless nobody waits for it any more."""
    try:
        future.set_result(result)
    except InvalidStateError:
        pass  # given up between two instructions


def fail(future: Future[Any], error: BaseException) -> None:
    """Hand over an error, unless nobody waits for it any more."""
    try:
        future.set_exception(error)
    except InvalidStateError:
        pass


async def outcome(future: Future[T], patience: float, what: Callable[[], str]) -> T:
    """The result of work on another thread, from any event loop, waited for at most `patience` seconds.

    Raises:
        StoreUnavailable: it took longer; `what` says why, as far as that is known.
    """
    waiting = asyncio.wrap_future(future)
    try:
        # Not `wait_for`: up to Python 3.11 it swallows a cancellation that comes together with the result.
        done, _ = await asyncio.wait((waiting,), timeout=patience)
    except asyncio.CancelledError:
        waiting.cancel()
        future.cancel()  # at once, not when the loop turns next: what has not begun does not begin any more
        raise
    if not done:
        waiting.cancel()
        future.cancel()
        raise StoreUnavailable(what())
    return waiting.result()
