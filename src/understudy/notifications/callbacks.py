"""A program's own function as a channel: called with each notice, delivered like every other message.

So a function that raises is tried again, one that hangs is left behind, and neither disturbs anything else.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any

from understudy.core.notices import Notice

from .message import Delivered, Message, Outcome, Rejected, Retry
from .ports import Rate, Traits

_log = logging.getLogger("understudy.notifications")

#: A function is called so often for one notice before it is a dead letter.
ATTEMPTS = 3
#: Calls of one function that may run at a time, those included that nobody waits for any more.
MOST_RUNNING = 8
#: A program's own function has no limit but its threads.
RATE = Rate(1000.0, burst=1000)

Callback = Callable[[Notice], Any]


class CallbackChannel:
    """Calls a function, plain or async. A plain one runs in a thread of its own."""

    def __init__(self, name: str, function: Callback, *, timeout: float = 10.0) -> None:
        if not callable(function):
            raise TypeError(f"a callback is a function that takes a notice, found {type(function).__name__}")
        self.name = name
        self._function = function
        self._running = 0
        self._traits = Traits(
            "callback",
            f"callback:{name}",
            RATE,
            timeout=timeout,
            concurrency=4,
            revision=str(id(function)),
            digests=False,
        )

    @property
    def traits(self) -> Traits:
        """As `Channel.traits`."""
        return self._traits

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`."""
        if self._running >= MOST_RUNNING:
            return Retry(f"{self._running} earlier calls of the function have not returned")
        try:
            if _is_async(self._function):
                await self._function(message.notice)
            else:
                result = await self._in_thread(message.notice)
                if inspect.isawaitable(result):
                    await result
        except Exception as error:  # noqa: BLE001 - a callback is user code: what it raises is its answer
            reason = f"{type(error).__name__}: {error}"
            _log.warning("the callback %s raised: %s", self.name, reason)
            return Retry(reason) if message.attempt < ATTEMPTS else Rejected(reason)
        return Delivered()

    async def _in_thread(self, notice: Notice) -> Any:
        """The function's value, from a thread that the end of the process does not wait for."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def settle(value: Any, error: BaseException | None) -> None:
            self._running -= 1
            if done.done():
                return
            if error is None:
                done.set_result(value)
            else:
                # A future cannot hold a StopIteration.
                done.set_exception(error if isinstance(error, Exception) and not isinstance(error, StopIteration)
                                   else RuntimeError(f"{type(error).__name__}: {error}"))  # fmt: skip

        def work() -> None:
            value, error = None, None
            try:
                value = context.run(self._function, notice)
            except BaseException as raised:  # noqa: BLE001 - handed over to the loop, which tells of it
                error = raised
            try:
                loop.call_soon_threadsafe(settle, value, error)
            except RuntimeError:
                pass  # the loop has ended meanwhile, and nobody waits

        self._running += 1
        threading.Thread(target=work, name=f"understudy-callback-{self.name}", daemon=True).start()
        return await done

    async def close(self) -> None:
        """As `Channel.close`; calls that run go on."""


def _is_async(function: Callback) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is async, not a test
    )
