"""Rounds in pieces: what happens meanwhile waits for no round, and alerts that go on as before cost next to nothing."""

from __future__ import annotations

import asyncio
import random

from understudy.alerts.manager import AlertManager
from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.alerts.ports import Signal
from understudy.alerts.watch import FRESH_VALUES
from understudy.core.notices import Severity
from understudy.core.turn import Turn
from understudy.notifications.manager import NotificationManager
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock

#: A gauge of an API: no window, no evidence, just its value.
LEFT = Rule(
    "left", metric="quota_remaining", operator="<", keep_firing_for=0.0,
    levels=(Level(Severity.WARNING, 50.0), Level(Severity.CRITICAL, 10.0)),
)  # fmt: skip
STORM = Rule("storm", kind="event", event="storm", levels=(Level(Severity.CRITICAL),), keep_firing_for=0.0)


class Gauges:
    """One number for each API. Counts how often any is asked for."""

    def __init__(self, apis: int) -> None:
        self.values = {f"api {number}": 100.0 for number in range(apis)}
        self.asked = 0

    def subjects(self, subject):
        return [{"api": name} for name in self.values] if subject == "api" else []

    def gauge(self, metric, subject, labels):
        self.asked += 1
        return self.values.get(labels.get("api", ""))

    def sample(self, subject, labels, window):
        return None

    def last_calls(self, subject, labels, count):
        return None

    def moved(self, subject, labels):
        return 0


class World:
    """A manager over gauges, on a clock that the test moves."""

    def __init__(self, apis: int) -> None:
        self.clock, self.source = FakeClock(), Gauges(apis)
        self.store = MemoryStore(self.clock)
        outlet = NotificationManager(self.store.outbox, self.clock, random.Random(1))
        self.manager = AlertManager(
            self.source, self.clock, make_id=outlet.make_id, store=self.store.alerts, documents=self.store.documents,
            outlet=outlet, options=AlertOptions(), defaults=(LEFT, STORM),
        )  # fmt: skip

    async def second(self) -> int:
        """One round, a second later; how often the source was asked."""
        await self.clock.advance(1.0)
        before = self.source.asked
        await self.manager.evaluate_now()
        return self.source.asked - before

    def firing(self) -> dict[str, tuple[str, float | None]]:
        shown = [each for each in self.manager.active() if each.phase == "firing"]
        return {each.labels["api"]: (each.severity, each.value) for each in shown}


async def test_alerts_that_go_on_as_before_are_asked_for_in_turns():
    world = World(5 * FRESH_VALUES)
    world.source.values = dict.fromkeys(world.source.values, 40.0)
    for _ in range(3):
        asked = await world.second()
    # Each subject once, and of the alerts beside them so many as show fresh values.
    assert len(world.firing()) == 5 * FRESH_VALUES
    assert asked <= 5 * FRESH_VALUES + FRESH_VALUES
    world.source.values = dict.fromkeys(world.source.values, 39.0)
    for _ in range(6):
        await world.second()
    assert set(world.firing().values()) == {("warning", 39.0)}


async def test_few_alerts_show_their_newest_values():
    world = World(5)
    for value in (40.0, 39.0, 38.0):
        world.source.values = dict.fromkeys(world.source.values, value)
        await world.second()
        assert set(world.firing().values()) == {("warning", value)}


async def test_an_alert_that_went_on_as_before_changes_in_the_round_in_which_its_subject_does():
    world = World(5 * FRESH_VALUES)
    world.source.values = dict.fromkeys(world.source.values, 40.0)
    for _ in range(4):
        await world.second()
    names = list(world.source.values)
    world.source.values |= {names[7]: 5.0, names[8]: 100.0}
    await world.second()
    firing = world.firing()
    assert firing[names[7]] == ("critical", 5.0)
    assert names[8] not in firing
    assert len(firing) == 5 * FRESH_VALUES - 1
    world.source.values.pop(names[9])
    for _ in range(70):
        await world.second()
    assert names[9] not in world.firing()


async def test_what_happens_in_the_middle_of_a_round_is_told_before_it_ends_and_counts_more_than_what_the_round_saw():
    world = World(50)
    await world.second()
    names = list(world.source.values)
    world.source.values[names[3]] = 5.0  # the round sees this, but not what comes next
    looked = []

    async def breath() -> None:
        if not looked and world.manager._rounds.watch._found:
            looked.append(True)
            world.source.values |= {names[3]: 100.0, names[40]: 5.0}
            await world.manager.look([("api", {"api": name}) for name in (names[3], names[40])])
            assert list(world.firing()) == [names[40]]

    await world.clock.advance(1.0)
    await world.manager.round(breath)
    assert looked
    assert list(world.firing()) == [names[40]]
    await world.second()
    assert list(world.firing()) == [names[40]]


async def test_a_signal_waits_for_no_round():
    world = World(50)
    await world.second()
    rested = asyncio.Event()

    async def breath() -> None:
        rested.set()
        await Turn()

    await world.clock.advance(1.0)
    round_ = asyncio.ensure_future(world.manager.round(breath))
    await rested.wait()
    await world.manager.signal(Signal("storm", {"api": "odds"}, True, world.clock.time()))
    assert not round_.done()
    assert list(world.firing()) == ["odds"]
    await round_
    assert list(world.firing()) == ["odds"]
