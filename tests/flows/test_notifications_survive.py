"""The pipeline on a real store: a crash, a restart, a replay; nothing lost, every row where it belongs."""

from __future__ import annotations

import asyncio
import random
import sqlite3

import pytest

from understudy.core.clock import SYSTEM_CLOCK, pause
from understudy.core.errors import StoreUnavailable
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.notifications.manager import NotificationManager
from understudy.notifications.message import Delivered, Rejected, Retry
from understudy.notifications.ports import OutboxQuery, Rate, Traits
from understudy.storage import StorageOptions, open_store
from understudy.testing import HANGS, MemoryChannel
from unit.pipeline import alert

CHAT = Traits("memory", "chat", Rate(1000.0, burst=100), timeout=5.0)


class Service:
    """A manager on the store in a folder."""

    def __init__(self, folder, name: str, traits: Traits = CHAT, options: StorageOptions | None = None) -> None:
        self.chat = MemoryChannel(traits)
        options = options or StorageOptions(url=f"sqlite:///{folder}/understudy.sqlite")
        self.store = open_store(options, SYSTEM_CLOCK)
        self.manager = NotificationManager(
            self.store.outbox, SYSTEM_CLOCK, random.Random(name), instance=name, state=self.store.state
        )
        self.manager.set_channels({"chat": self.chat})

    async def __aenter__(self):
        self.task = asyncio.ensure_future(self.manager.run())
        return self

    async def __aexit__(self, *error):
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.store.close()

    async def tell(self, *notices):
        rows = [row for notice in notices for row in self.manager.plan(notice)]
        await self.store.outbox.add(rows)
        self.manager.accept(rows)
        return rows

    async def states(self) -> dict[str, RowState]:
        return {row.id: row.state for row in await self.store.outbox.rows(OutboxQuery(), 10_000)}

    async def until(self, true, seconds: float = 10.0) -> None:
        end = SYSTEM_CLOCK.monotonic() + seconds
        while not await true():
            assert SYSTEM_CLOCK.monotonic() < end, await self.states()
            await pause(SYSTEM_CLOCK, 0.01)

    async def all_in(self, *states: RowState) -> bool:
        return set((await self.states()).values()) <= set(states)


def now_alert(name, kind=NoticeKind.FIRED, **rest):
    return alert(name, kind, at=SYSTEM_CLOCK.time(), **rest)


@pytest.mark.parametrize("how", ["crash", "stop"])
def test_a_restart_delivers_what_was_left(tmp_path, how):
    async def run() -> None:
        async with Service(tmp_path, "first") as first:
            first.chat.script.extend([Retry("503", after=1.0)])
            rows = await first.tell(*(now_alert(f"n{n}", severity="warning") for n in range(5)))
            await first.until(lambda: first.manager._store.attempts(1))
            if how == "stop":
                await first.manager.stop(2.0)
        async with Service(tmp_path, "second") as second:
            await second.until(lambda: second.all_in(RowState.DELIVERED))
            assert sorted(each.id for each in second.chat.delivered) == sorted(row.id for row in rows)
            assert not any(each.repeat for each in second.chat.delivered)

    asyncio.run(run())


def test_what_was_being_sent_at_a_stop_is_told_as_a_possible_repeat(tmp_path):
    async def run() -> None:
        async with Service(tmp_path, "first") as first:
            first.chat.script.append(HANGS)
            await first.tell(now_alert("a"))

            async def sending() -> bool:
                return bool(first.chat.sent)

            await first.until(sending)
            await first.manager.stop(0.1)
        async with Service(tmp_path, "second") as second:
            await second.until(lambda: second.all_in(RowState.DELIVERED))
            assert [each.repeat for each in second.chat.delivered] == [True]

    asyncio.run(run())


def test_dead_letters_are_replayed_and_discarded_in_the_store(tmp_path):
    async def run() -> None:
        async with Service(tmp_path, "only") as service:
            service.chat.script.extend([Rejected("400 bad")] * 2)
            await service.tell(now_alert("a"), now_alert("b"))
            await service.until(lambda: service.all_in(RowState.DEAD))
            first, second = await service.manager.dead_letters()
            await service.manager.replay(first.id, actor="ana")
            await service.manager.discard(second.id, actor="ana")
            await service.until(lambda: service.all_in(RowState.DELIVERED, RowState.DISCARDED))
            account = await service.manager.accounting(0.0, 4e9)
            assert (account.rows, account.delivered, account.discarded, account.missing) == (2, 1, 1, 0)

    asyncio.run(run())


def test_a_flood_is_digested_with_every_row_accounted_for(tmp_path):
    async def run() -> None:
        traits = Traits("memory", "chat", Rate(20.0, burst=2))
        async with Service(tmp_path, "only", traits) as service:
            await service.tell(*(now_alert(f"n{n}", severity="warning") for n in range(300)))
            await service.until(lambda: service.all_in(RowState.DELIVERED, RowState.DIGESTED))
            account = await service.manager.accounting(0.0, 4e9)
            assert account.delivered + account.digested == account.rows > 300
            digests = [each.notice for each in service.chat.delivered if each.notice.kind is NoticeKind.DIGEST]
            assert sum(sum(each.counts.values()) for each in digests) == account.digested

    asyncio.run(run())


def test_a_pair_that_was_never_told_is_settled_in_one_transaction(tmp_path):
    async def run() -> None:
        async with Service(tmp_path, "only") as service:
            service.chat.script.append(Retry("503", after=1.5))
            await service.tell(now_alert("a"))

            async def tried() -> bool:
                return bool(await service.manager.log(1))

            await service.until(tried)
            await service.tell(now_alert("a", NoticeKind.RESOLVED))
            await service.until(lambda: service.all_in(RowState.DELIVERED, RowState.DIGESTED))
            assert [each.notice.merged for each in service.chat.delivered] == [True]

    asyncio.run(run())


def test_while_another_process_holds_the_store_what_was_sent_is_recorded_later_and_not_sent_again(tmp_path):
    """A4, 56: the file is locked from the moment of the send; what goes on is the sending of what is ours already."""

    async def run() -> None:
        async with Service(tmp_path, "only") as service:
            other = sqlite3.connect(tmp_path / "understudy.sqlite", isolation_level=None)

            def locks(message):
                other.execute("BEGIN IMMEDIATE")
                return Delivered()

            service.chat.script.append(locks)
            await service.tell(now_alert("a"))

            async def arrived() -> bool:
                return bool(service.chat.delivered)

            await service.until(arrived)
            await pause(SYSTEM_CLOCK, 1.5)
            assert await service.all_in(RowState.PENDING)
            other.execute("ROLLBACK")
            other.close()
            await service.until(lambda: service.all_in(RowState.DELIVERED))
            assert len(service.chat.sent) == 1
            await service.tell(now_alert("b"))
            await service.until(lambda: service.all_in(RowState.DELIVERED))
            assert len(service.chat.sent) == 2

    asyncio.run(run())


@pytest.mark.long
def test_a_server_that_is_restarted_while_messages_leave_loses_none_and_repeats_none(tmp_path, postgres):
    """A4, 56: the store goes away with the first send; what comes then is told first and kept when it is back."""

    async def run() -> None:
        options = postgres.options(postgres.with_tables(), patience=1.0)
        async with Service(tmp_path, "only", options=options) as service:

            def stops(message):
                postgres.stop()
                return Delivered()

            async def arrived() -> bool:
                return len(service.chat.delivered) == count

            async def kept() -> bool:
                try:
                    await service.store.outbox.add(rows)
                    return await service.all_in(RowState.DELIVERED, RowState.PENDING)
                except StoreUnavailable:
                    return False

            async def recorded() -> bool:
                return list((await service.states()).values()) == [RowState.DELIVERED] * 2

            service.chat.script.append(stops)
            try:
                await service.tell(now_alert("a"))
                count = 1
                await service.until(arrived)
                rows = service.manager.plan(now_alert("b"))
                service.manager.accept(rows, kept=False)
                count = 2
                await service.until(arrived)
            finally:
                await asyncio.to_thread(postgres.start)
            await service.until(kept, 30.0)
            service.manager.accept(rows)
            await service.until(recorded)
            assert len(service.chat.sent) == 2
            assert len(await service.manager.log()) == 2

    asyncio.run(run())
