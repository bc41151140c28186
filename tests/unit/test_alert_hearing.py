"""Signals that come together are taken in together, in their order, and each is told what became of it."""

from __future__ import annotations

import asyncio

import pytest

from understudy.alerts.hearing import Heard, Hearing
from understudy.alerts.ports import Signal
from understudy.core.turn import LoopLock, Turn


class Desk:
    """Whoever tells of signals: under one lock, as the manager does."""

    def __init__(self) -> None:
        self.hearing, self.lock = Hearing(), LoopLock()
        self.batches: list[list[tuple[str, bool]]] = []
        self.fails: list[Exception] = []

    async def work(self, signals) -> None:
        for _ in range(5):  # the disk
            await Turn()
        if self.fails:
            raise self.fails.pop()
        self.batches.append([(each.labels["api"], each.active) for each in signals])

    async def together(self, *telling):
        """All of them come while somebody else has the lock."""
        async with self.lock.here():
            tasks = [asyncio.ensure_future(each) for each in telling]
            await Turn()
        return await asyncio.gather(*tasks)

    async def tell(self, api: str, active: bool = True, **labels: str) -> Heard:
        heard = self.hearing.add(Signal("storm", {"api": api, **labels}, active, 1.0))
        async with self.lock.here():
            while not heard.done:
                await self.hearing.take(self.work)
        return heard


async def test_what_comes_while_the_first_is_kept_is_kept_in_one():
    desk = Desk()
    first = asyncio.ensure_future(desk.tell("first"))
    await Turn()
    await asyncio.gather(first, *(desk.tell(f"api {number}") for number in range(150)))
    assert [len(batch) for batch in desk.batches] == [1, 150]


async def test_many_are_taken_in_several_times():
    desk = Desk()
    await desk.together(*(desk.tell(f"api {number}") for number in range(500)))
    assert [len(batch) for batch in desk.batches] == [200, 200, 100]
    assert [api for batch in desk.batches for api, _ in batch] == [f"api {number}" for number in range(500)]


async def test_the_beginning_and_the_end_of_one_alert_are_two_things_in_their_order():
    desk = Desk()
    told = [("odds", True), ("news", True), ("odds", False), ("odds", True)]
    await desk.together(*(desk.tell(api, active) for api, active in told))
    assert desk.batches == [told[:2], [told[2]], [told[3]]]
    # Labels that are no part of an alert's identity do not make it another one.
    desk.batches.clear()
    await desk.together(desk.tell("odds", True, note="a"), desk.tell("odds", False, note="b"))
    assert desk.batches == [[("odds", True)], [("odds", False)]]


async def test_each_is_told_what_went_wrong_and_the_next_goes_on():
    desk = Desk()
    desk.fails = [ValueError("no")]
    found = await desk.together(*(desk.tell(f"api {number}") for number in range(3)))
    assert [str(each.problem) for each in found] == ["no"] * 3
    assert (await desk.tell("later")).problem is None


async def test_nobody_s_signal_is_lost_when_whoever_took_it_in_is_cancelled():
    desk = Desk()
    first = asyncio.ensure_future(desk.tell("first"))
    second = asyncio.ensure_future(desk.tell("second"))
    await Turn()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).problem is None
    assert desk.batches == [[("first", True), ("second", True)]]
