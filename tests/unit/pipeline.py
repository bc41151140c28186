"""A whole pipeline in memory, on a fake clock: what the tests of notifications share."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from understudy.core.errors import StoreUnavailable
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow
from understudy.notifications.manager import NotificationManager
from understudy.notifications.ports import OutboxQuery, Rate, Traits
from understudy.storage.memory_outbox import MemoryOutbox
from understudy.testing import FakeClock
from understudy.testing.memory_channel import UNBOUNDED, MemoryChannel


def alert(
    name: str = "odds", kind: NoticeKind = NoticeKind.FIRED, severity: str = "critical", at: float | None = None, **rest
) -> Notice:
    """A notice of an alert; the same name is the same alert, in its first episode."""
    at = 1_800_000_000.0 if at is None else at
    number = rest.pop("nth", 0)
    return Notice(
        event_id=f"{name}-{kind}-{severity}-{number}",
        kind=kind,
        severity=Severity(severity),
        at=at,
        title=f"{name} fails",
        rule="api down",
        fingerprint=f"fp-{name}",
        episode=f"ep-{name}",
        labels={"api": name},
        nth=number,
        started_at=at,
        **rest,
    )


_COUNT = itertools.count()


class Outbox(MemoryOutbox):
    """An outbox that counts how often it is looked at."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.looks = 0

    async def pending(self, limit: int, after: str = "") -> list[OutboxRow]:
        self.looks += 1
        return await super().pending(limit, after)


class FlakyOutbox(Outbox):
    """An outbox that can be away."""

    down = False

    def _need(self) -> None:
        if self.down:
            raise StoreUnavailable("the store is away")

    async def add(self, rows):
        self._need()
        return await super().add(rows)

    async def pending(self, limit, after=""):
        self._need()
        return await super().pending(limit, after)

    async def claim(self, ids, owner, seconds):
        self._need()
        return await super().claim(ids, owner, seconds)

    async def settle(self, settlements):
        self._need()
        return await super().settle(settlements)

    async def rows(self, query, limit):
        self._need()
        return await super().rows(query, limit)


class MemoryState:
    """A `StateStore` in memory."""

    def __init__(self) -> None:
        self.values: dict = {}

    async def load(self, prefix: str = "") -> dict:
        return {key: value for key, value in self.values.items() if key.startswith(prefix)}

    async def save(self, values) -> None:
        self.values.update(values)
        self.values = {key: value for key, value in self.values.items() if value is not None}


class Bench:
    """A manager with channels in memory, that runs."""

    def __init__(self, *channels: str | tuple[str, dict], store=None, clock: FakeClock | None = None, **options):
        self.clock = clock or FakeClock(auto=False)
        self.store = (store or Outbox)(self.clock) if store is None or isinstance(store, type) else store
        options.setdefault("instance", f"bench{next(_COUNT)}")
        # Another process draws other ids: by frozen time and the same seed they would be the same.
        seed = options.pop("seed", 7)
        self.manager = NotificationManager(self.store, self.clock, random.Random(seed), **options)
        self.channels: dict[str, MemoryChannel] = {}
        for each in channels:
            name, traits = each if isinstance(each, tuple) else (each, {})
            self.channels[name] = self.channel(name, **traits)
        self.manager.set_channels(self.channels)
        self.task: asyncio.Task | None = None

    def channel(self, name: str, script: Sequence = (), rate: Rate = UNBOUNDED, **traits) -> MemoryChannel:
        traits.setdefault("kind", "memory")
        traits.setdefault("destination", name)
        return MemoryChannel(Traits(rate=rate, **traits), script, self.clock)

    async def start(self) -> None:
        self.task = asyncio.ensure_future(self.manager.run())
        await self.turn()

    async def stop(self) -> None:
        """End at once, as a crash would; nothing is drained."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
            self.task = None

    async def turn(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(8):
            await self.clock.advance(0.002)

    async def answer(self, work: Awaitable, most: float = 300.0):
        """What something answers that waits for time to pass."""
        task, until = asyncio.ensure_future(work), self.clock.monotonic() + most
        while not task.done() and self.clock.monotonic() < until:
            await self.clock.advance(0.01)
        assert task.done(), f"no answer within {most:g} s"
        return task.result()

    async def tell(
        self, *notices: Notice, targets: Sequence[str] = (), leased: bool = False, **rest
    ) -> list[OutboxRow]:
        """What the alert room does: plan, keep, hand over; `leased`: what goes at once is leased by being kept."""
        rows = [replace(row, **rest) for notice in notices for row in self.manager.plan(notice, targets=targets)]
        rows = self.manager.leased(rows) if leased else rows
        await self.store.add(rows)
        self.manager.accept(rows)
        return rows

    async def rows(self, rows: Sequence[OutboxRow] | None = None) -> list[OutboxRow]:
        """How rows stand now, the oldest first."""
        kept = {row.id: row for row in await self.store.rows(OutboxQuery(), 100_000)}
        return [kept[each.id] for each in rows] if rows is not None else [kept[each] for each in sorted(kept)]

    @classmethod
    def run(cls, test: Callable[[Bench], Awaitable[None]], *channels, **options) -> None:
        """Run a test with a started bench."""

        async def whole() -> None:
            bench = cls(*channels, **options)
            await bench.start()
            try:
                await test(bench)
            finally:
                await bench.stop()

        asyncio.run(whole())
