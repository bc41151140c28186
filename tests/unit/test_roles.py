"""Roles that one instance at a time has: taken, renewed, given up in time, and never held by two."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.cluster.roles import MARGIN, RENEW, TTL, Roles
from understudy.core.errors import StoreUnavailable
from understudy.core.lease import Lease
from understudy.storage.memory import MemoryLeases
from understudy.testing import FakeClock


class Unsteady:
    """A lease store that can be out of reach."""

    def __init__(self, leases: MemoryLeases) -> None:
        self._leases = leases
        self.away = False

    async def claim(self, role: str, holder: str, ttl: float) -> Lease | None:
        if self.away:
            raise StoreUnavailable("away")
        return await self._leases.claim(role, holder, ttl)

    async def release(self, lease: Lease) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await self._leases.release(lease)

    async def leaders(self) -> dict[str, tuple[str, int]]:
        return await self._leases.leaders()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def leases(clock) -> Unsteady:
    return Unsteady(MemoryLeases(clock))


def roles(leases, clock, holder: str = "a", *wanted: str) -> Roles:
    return Roles(leases, holder, wanted or ("upkeep",), clock, random.Random(1))


async def test_a_role_that_is_free_is_taken_and_kept(leases, clock):
    mine, other = roles(leases, clock), roles(leases, clock, "b")
    assert mine.held("upkeep") is None
    await mine.renew()
    for _ in range(10):
        clock.tick(RENEW)
        await other.renew()
        await mine.renew()
        assert mine.held("upkeep") is not None
        assert other.held("upkeep") is None
    assert mine.as_dict() == {"upkeep": 1}
    assert other.as_dict() == {}


async def test_what_cannot_be_renewed_is_given_up_before_another_may_take_it(leases, clock, caplog):
    mine = roles(leases, clock)
    await mine.renew()
    leases.away = True
    clock.tick(TTL - MARGIN - 0.1)
    await mine.renew()
    assert mine.held("upkeep") is not None, "there is time left"
    assert "was not renewed" in caplog.text
    clock.tick(0.2)
    assert mine.held("upkeep") is None, "by its own clock, though nobody has told it"
    assert await leases._leases.claim("upkeep", "b", TTL) is None, "nobody can have it yet"


async def test_a_role_goes_to_another_after_its_end_with_a_greater_token(leases, clock):
    mine, other = roles(leases, clock), roles(leases, clock, "b")
    await mine.renew()
    clock.tick(TTL + 0.1)  # the process was stopped for so long
    await other.renew()
    await mine.renew()
    assert mine.held("upkeep") is None
    assert other.held("upkeep").token == 2


async def test_a_graceful_end_lets_another_take_over_at_once(leases, clock):
    mine, other = roles(leases, clock, "a", "upkeep", "alerts"), roles(leases, clock, "b", "upkeep", "alerts")
    await mine.renew()
    await mine.release()
    assert mine.as_dict() == {}
    await other.renew()
    assert other.as_dict() == {"upkeep": 2, "alerts": 2}


async def test_giving_back_to_a_store_out_of_reach_is_left_to_time(leases, clock):
    mine = roles(leases, clock)
    await mine.renew()
    leases.away = True
    await mine.release()
    assert mine.held("upkeep") is None


async def test_changes_are_told_once(leases, clock):
    told = []
    mine = roles(leases, clock)
    mine.on_change = lambda role, held: told.append((role, held))
    await mine.renew()
    await mine.renew()
    leases.away = True
    clock.tick(TTL)
    await mine.renew()
    await mine.renew()
    assert told == [("upkeep", True), ("upkeep", False)]


async def test_the_background_work_renews_in_time(leases, clock):
    mine = roles(leases, clock)
    task = asyncio.create_task(mine.run())
    for _ in range(20):
        await clock.advance(1.0)
        assert mine.held("upkeep") is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["renew", "renew", "release", "stop"]), st.floats(0, 5)),
        max_size=60,
    ),
    st.integers(0, 3),
)
async def test_never_two_at_a_time_whatever_happens(steps, seed):
    clock = FakeClock()
    leases = MemoryLeases(clock)
    all_roles = {name: Roles(leases, name, ("upkeep",), clock, random.Random(seed)) for name in "abc"}
    stopped: set[str] = set()
    highest = 0
    for name, what, seconds in steps:
        clock.tick(seconds)
        if what == "stop":
            stopped ^= {name}  # a stopped process neither renews nor notices
        elif name not in stopped:
            await (all_roles[name].renew() if what == "renew" else all_roles[name].release())
        holders = [lease for each in all_roles.values() if (lease := each.held("upkeep")) is not None]
        assert len(holders) <= 1
        if holders:
            assert holders[0].token >= highest
            highest = holders[0].token


class Counted(Unsteady):
    """Counts how often it is asked."""

    asked = 0

    async def claim(self, role: str, holder: str, ttl: float) -> Lease | None:
        self.asked += 1
        return await super().claim(role, holder, ttl)


async def test_where_nobody_else_can_open_the_store_roles_are_renewed_seldom_and_at_once_when_one_was_refused(clock):
    leases = Counted(MemoryLeases(clock))
    mine = Roles(leases, "a", ("upkeep", "alerts"), clock, random.Random(1), alone=True)
    running = asyncio.ensure_future(mine.run())
    try:
        for _ in range(120):
            await clock.advance(1)
            assert mine.as_dict() == {"upkeep": 1, "alerts": 1}
        assert leases.asked <= 2 * 9, "every twenty seconds or a little less"
        # The file was exchanged for another: what was written under the role was refused, and nobody waits for that.
        leases._leases = MemoryLeases(clock)
        await leases._leases.claim("alerts", "before", 0.0)
        mine.ask_again()
        await clock.advance(0)
        assert mine.as_dict() == {"upkeep": 1, "alerts": 2}
        leases.away, before = True, leases.asked
        await clock.advance(21)
        assert mine.held("alerts") is not None, "nobody can take it"
        before = leases.asked
        await clock.advance(10)
        assert leases.asked - before >= 2 * 5, "a store that is away is asked for often"
        leases.away = False
        await clock.advance(2)
        assert not mine.adrift("alerts")
    finally:
        running.cancel()
        await asyncio.wait([running])
