"""A4, 44: the process ends at each step of claiming, sending and recording, one after the other."""

from __future__ import annotations

import asyncio

import pytest

from pipeline import Bench, alert
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.notifications.message import Retry
from understudy.storage.memory_outbox import MemoryOutbox
from understudy.testing import FakeClock

FIRED, RESOLVED = NoticeKind.FIRED, NoticeKind.RESOLVED
#: Sends at once.
AT_ONCE = 2


class Fate:
    """Counts the steps of a process and freezes it at one of them: nothing that comes later happens."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.steps = 0
        self._frozen: list[asyncio.Future] = []

    @property
    def struck(self) -> bool:
        return self.steps >= self.last

    async def step(self) -> None:
        if not self.struck:
            self.steps += 1
        if self.struck:
            self._frozen.append(asyncio.get_running_loop().create_future())
            await self._frozen[-1]

    def bury(self) -> None:
        """Let go what hangs; whatever it does then is frozen again."""
        for each in self._frozen:
            each.cancel()


class MortalOutbox:
    """The store as one process sees it: what it was doing when it died is done, or it is not."""

    def __init__(self, store: MemoryOutbox, fate: Fate) -> None:
        self._store, self._fate = store, fate

    def __getattr__(self, name: str):
        work = getattr(self._store, name)

        async def mortal(*args):
            await self._fate.step()
            answer = await work(*args)
            await self._fate.step()
            return answer

        async def passing(*args):
            if self._fate.struck:
                await self._fate.step()
            return await work(*args)

        return mortal if name in ("add", "claim", "settle") else passing


def mortal(channel, fate: Fate) -> None:
    """Let the process die also before a message has left and after it has arrived."""
    send = channel.send

    async def sends(message):
        await fate.step()
        outcome = await send(message)
        await fate.step()
        return outcome

    channel.send = sends


async def lived(fate: Fate, *, leased: bool) -> tuple[Bench, MemoryOutbox, list]:
    """A process that tells of three alerts, until it is struck."""
    clock = FakeClock(auto=False)
    store = MemoryOutbox(clock)
    bench = Bench(("chat", {"concurrency": AT_ONCE}), store=MortalOutbox(store, fate), clock=clock)
    mortal(bench.channels["chat"], fate)
    bench.channels["chat"].script.extend([Retry("500"), Retry("dropped", ambiguous=True)])
    rows: list = []

    async def story() -> None:
        for notice in (alert("a"), alert("b"), alert("c", severity="warning"), alert("b", RESOLVED)):
            planned = bench.manager.plan(notice)
            planned = bench.manager.leased(planned) if leased else planned
            await bench.store.add(planned)
            rows.extend(planned)  # from here on it was accepted
            bench.manager.accept(planned)
            await clock.sleep(0.3)

    bench.task = asyncio.ensure_future(bench.manager.run())
    telling = asyncio.ensure_future(story())
    await clock.advance(8.0)
    if fate.struck:
        for work in (telling, bench.task):
            work.cancel()
        while not (telling.done() and bench.task.done()):
            fate.bury()
            await asyncio.sleep(0)
    return bench, store, rows


async def die_at(step: int, *, leased: bool) -> bool:
    """Whether the process was struck, with everything checked that must hold afterwards."""
    fate = Fate(step)
    first, store, rows = await lived(fate, leased=leased)
    before = first.channels["chat"].sent
    second = Bench(("chat", {"concurrency": AT_ONCE}), store=store, clock=first.clock, seed=8)
    await second.start()
    await second.clock.advance(100.0)
    after = second.channels["chat"].sent
    kept = {row.id: row for row in await second.rows()}
    assert {row.id for row in rows} <= set(kept)
    for row in kept.values():
        assert row.state in (RowState.DELIVERED, RowState.DIGESTED), (step, row)
    delivered = {each.id for each in (*first.channels["chat"].delivered, *after)}
    for row in kept.values():
        assert (row.told_in or row.id) in delivered, (step, row)
    arrived = {each.id for each in first.channels["chat"].delivered}
    again = [each for each in after if each.id in arrived]
    assert all(each.repeat for each in again), (step, "a repeat that does not say so")
    assert len(again) <= AT_ONCE, (step, "more repeats than messages on their way")
    flagged = {each.id for each in after if each.repeat} - {each.id for each in before}
    assert len(flagged) <= AT_ONCE, (step, "called repeats without having been sent")
    of_b = [
        each.notice.kind for each in (*first.channels["chat"].delivered, *after) if each.notice.fingerprint == "fp-b"
    ]
    if any(row.kind is RESOLVED for row in rows):
        assert of_b[-1] is RESOLVED, (step, of_b)
    await second.stop()
    await first.stop()
    return fate.struck


@pytest.mark.parametrize("leased", [False, True], ids=["claimed", "leased by the commit"])
def test_whenever_it_dies_nothing_is_lost_and_repeats_are_few_and_say_so(leased):
    step = 1
    while asyncio.run(die_at(step, leased=leased)):
        step += 1
    assert step > 25, "so many steps there are"
