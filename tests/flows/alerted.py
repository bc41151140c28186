"""An application whose alerts go to a channel in memory, for the tests of this folder; time is fake."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import Clock
from understudy.notifications.message import Message
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock, MemoryChannel, ScriptedHttp


class Alerted:
    """`app` with one channel, and calls that end as they are told. With `store`, it keeps things there."""

    def __init__(
        self, clock: FakeClock, store: MemoryStore | None = None, settings: Settings | None = None, seed: int = 1,
        http: ScriptedHttp | None = None,
    ) -> None:  # fmt: skip
        self.clock = clock
        self.channel = MemoryChannel(clock=clock)
        self.app = Understudy.build(settings, clock=clock, seed=seed, keep=store is not None, http=http)
        if store is not None:
            self.app._open_store = lambda: store  # the file that outlives the process
        self.app.add_channel("people", self.channel)
        self._tasks: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Alerted:
        others = asyncio.all_tasks()
        await self.app.start()
        self._tasks = asyncio.all_tasks() - others
        return self

    async def die(self) -> None:
        """End everything of the application at once, as `kill -9` would: nothing is given back or written."""
        self.app._ticked_at = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aexit__(self, *_: object) -> None:
        await self.app.stop()

    async def calls(
        self, api: str, count: int = 1, *, fails: bool = False, seconds: float = 0.1, standby: bool = False,
        every: float = 0.0,
    ) -> None:  # fmt: skip
        """So many calls, one after the other, each `every` seconds."""

        async def operation() -> str:
            self.clock.tick(seconds)
            if fails:
                raise Down("out of order")
            return "served"

        async def other() -> str:
            return "stood in"

        for _ in range(count):
            try:
                await self.app.fallback.execute_with_fallback(api, operation, other if standby else None)
            except Exception as error:
                assert fails, error
            if every:
                await self.clock.advance(every)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What people were told, in order: kind, rule, severity."""
        return [(str(each.notice.kind), each.notice.rule, str(each.notice.severity)) for each in self.channel.delivered]

    def of(self, rule: str) -> list[tuple[str, str]]:
        """What they were told of one rule: kind and severity."""
        return [(kind, severity) for kind, about, severity in self.told if about == rule]

    def message(self, found: Callable[[Message], bool] = lambda _: True) -> Message:
        """The first message that is so."""
        return next(each for each in self.channel.delivered if found(each))

    def firing(self) -> dict[str, str]:
        """The rules that fire now, with what holds them back."""
        return {each.rule: each.suppressed_by for each in self.app.alerts.active() if each.phase != "pending"}


class Down(Exception):
    """What an API that is out of order answers."""

    status = 503


def memory_store(clock: Clock) -> MemoryStore:
    """What two applications share, or one keeps over a restart."""
    return MemoryStore(clock)


def settings_of(**parts: object) -> Settings:
    """The default settings but for these parts."""
    return dataclasses.replace(Settings(), **parts)
