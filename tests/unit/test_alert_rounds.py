"""Rounds of evaluation when the role of evaluating goes to another instance and comes back."""

from __future__ import annotations

import random

import pytest

from alert_numbers import Numbers
from understudy.alerts.manager import AlertManager
from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.core.errors import LeaseLost
from understudy.core.lease import Lease
from understudy.core.notices import Severity
from understudy.notifications.manager import NotificationManager
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock

BUSY = Rule("busy", metric="total_requests", operator=">", levels=(Level(Severity.WARNING, 5.0),), keep_firing_for=0.0)


class Instance:
    """One of two services on a store."""

    def __init__(self, name: str, store: MemoryStore, clock: FakeClock, numbers: Numbers) -> None:
        self.name, self.store, self.clock, self.numbers = name, store, clock, numbers
        self.lease: Lease | None = None
        outlet = NotificationManager(store.outbox, clock, random.Random(1), instance=name)
        self.manager = AlertManager(
            numbers, clock, make_id=outlet.make_id, store=store.alerts, documents=store.documents, outlet=outlet,
            options=AlertOptions(), defaults=(BUSY,), instance=name, lease=lambda: self.lease,
            active=lambda: self.lease is not None,
        )  # fmt: skip

    async def take_role(self) -> None:
        self.lease = await self.store.leases.claim("alerts", self.name, 10.0)

    async def evaluate(self) -> dict[str, str]:
        """One round; the alerts that are not inactive then."""
        await self.clock.advance(1.0)
        self.numbers.now = self.clock.time()
        await self.manager.evaluate_now()
        return {each.rule: each.phase for each in self.manager.active()}


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


async def test_what_was_found_in_the_moment_of_losing_the_role_is_found_again(numbers):
    clock = FakeClock()
    store = MemoryStore(clock)
    one, other = (Instance(name, store, clock, numbers) for name in ("one", "other"))
    await one.take_role()
    assert await one.evaluate() == {}
    await clock.advance(11.0)  # paused for longer than its lease lasts
    await other.take_role()
    numbers.call(clock.time(), times=10)
    with pytest.raises(LeaseLost):
        await one.evaluate()
    await clock.advance(11.0)  # the other died before it looked
    await one.take_role()
    assert await one.evaluate() == {"busy": "firing"}


async def test_an_alert_that_another_instance_saw_end_is_found_when_it_is_there_again(numbers):
    clock = FakeClock()
    store = MemoryStore(clock)
    one, other = (Instance(name, store, clock, numbers) for name in ("one", "other"))
    await one.take_role()
    numbers.call(clock.time(), times=10)
    assert await one.evaluate() == {"busy": "firing"}
    one.lease = None
    await one.manager.ready()
    await clock.advance(11.0)
    await other.take_role()
    numbers.calls.clear()
    assert await other.evaluate() == {}
    other.lease = None
    await other.manager.ready()
    await clock.advance(11.0)
    numbers.call(clock.time(), times=10)
    await one.take_role()
    assert await one.evaluate() == {"busy": "firing"}
