"""Starting and stopping: named steps, undone backwards, also when starting fails half way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

#: Background work that does not end when it is cancelled is cancelled again after this, s.
_ASK_AGAIN = 1.0


class Lifecycle:
    """Steps that were started, to be stopped in reverse order. Every step is stopped, whatever another raises."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._names: list[str] = []
        #: What went wrong while stopping: (step, error); told to the caller, never swallowed silently.
        self.failures: list[tuple[str, BaseException]] = []

    def on_stop(self, name: str, stop: Callable[[], Awaitable[Any]]) -> None:
        """Call `stop` when the application stops."""

        async def guarded() -> None:
            try:
                await stop()
            except Exception as error:  # noqa: BLE001 - the steps below must be stopped too; kept in `failures`
                self.failures.append((name, error))

        self._names.append(name)
        self._stack.push_async_callback(guarded)

    def background(self, name: str, work: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        """Run `work` as a task until the application stops."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work())
        task.set_name(f"understudy:{name}")

        async def stop() -> None:
            while not task.done():  # code that swallows a cancellation is asked again
                task.cancel()
                await asyncio.wait([task], timeout=_ASK_AGAIN)

        self.on_stop(name, stop)
        return task

    async def stop(self) -> None:
        """Stop everything, last started first."""
        stack, self._stack = self._stack, AsyncExitStack()
        self._names.clear()
        await stack.aclose()
