"""Starting and stopping: named steps, undone backwards, also when starting fails half way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from .core.clock import SYSTEM_CLOCK, Clock, pause

_log = logging.getLogger("understudy.lifecycle")

#: Background work that does not end when it is cancelled is cancelled again after this, s.
_ASK_AGAIN = 1.0
#: Background work that met a fault of its own begins anew after this, and is told of as long as that, s.
BEGIN_ANEW, TOLD_FOR = 10.0, 3600.0


class Lifecycle:
    """Steps that were started, to be stopped in reverse order. Every step is stopped, whatever another raises."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._stack = AsyncExitStack()
        self._names: list[str] = []
        self._faults: dict[str, float] = {}
        #: What went wrong while stopping: (step, error); logged, too.
        self.failures: list[tuple[str, BaseException]] = []

    def on_stop(self, name: str, stop: Callable[[], Awaitable[Any]]) -> None:
        """Call `stop` when the application stops."""

        async def guarded() -> None:
            try:
                await stop()
            except Exception as error:  # noqa: BLE001 - the steps below must be stopped too; kept in `failures`
                self.failures.append((name, error))
                _log.error("%s did not end as it should: %s: %s", name, type(error).__name__, error)

        self._names.append(name)
        self._stack.push_async_callback(guarded)

    def background(self, name: str, work: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        """Run `work` as a task until the application stops; begin it anew when it met a fault of its own."""
        task: asyncio.Task[Any] = asyncio.ensure_future(self._lasting(name, work))
        task.set_name(f"understudy:{name}")

        async def stop() -> None:
            while not task.done():  # code that swallows a cancellation is asked again
                task.cancel()
                await asyncio.wait([task], timeout=_ASK_AGAIN)

        self.on_stop(name, stop)
        return task

    async def _lasting(self, name: str, work: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 - whatever it was, the history of everybody must go on; logged, and told
                # Without this nobody would learn that it has ended: the task is looked at when all stops.
                _log.exception("%s met a fault of its own and begins anew in %g s", name, BEGIN_ANEW)
                self._faults[name] = self._clock.monotonic()
                await pause(self._clock, BEGIN_ANEW)
            else:
                return

    def problems(self) -> list[str]:
        """Background work that met a fault within the last hour, for people."""
        now = self._clock.monotonic()
        return [
            f"{name} met a fault of its own {now - at:.0f} s ago and began anew; the log says more"
            for name, at in self._faults.items()
            if now - at < TOLD_FOR
        ]

    async def stop(self) -> None:
        """Stop everything, last started first."""
        stack, self._stack = self._stack, AsyncExitStack()
        self._names.clear()
        await stack.aclose()
