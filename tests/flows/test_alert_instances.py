"""Alerts over a restart, over the death of the instance that evaluates, and while the store is away."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alerted import Alerted, memory_store

from understudy.alerts.silences import Silence
from understudy.core.errors import NotActive, StoreUnavailable, UnknownName
from understudy.core.matchers import parse
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return memory_store(clock)


async def test_an_episode_goes_on_after_a_restart_and_ends_once(clock: FakeClock, store: MemoryStore) -> None:
    async with Alerted(clock, store) as before:
        await clock.advance(2)
        await before.calls("odds", 6, fails=True)
        await clock.advance(1)
        assert before.told == [("fired", "api_down", "critical")]
        (episode,) = [row.episode for row in await before.app.alerts.history() if row.rule == "api_down"]
    await clock.advance(20)
    async with Alerted(clock, store) as after:
        await clock.advance(5)
        assert after.told == []
        assert "api_down" in after.firing()
        await clock.advance(30)
        await after.calls("odds", 80, every=1.0)
        assert after.of("api_down") == [("resolved", "critical")]
        assert after.channel.delivered[0].notice.episode == episode


async def test_what_was_counted_before_a_restart_counts_after_it(clock: FakeClock, store: MemoryStore) -> None:
    async with Alerted(clock, store) as before:
        await clock.advance(2)
        for _ in range(30):
            before.app.monitor.record_request_success("recorded", 0.1)
        await clock.advance(15)
    async with Alerted(clock, store) as after:
        await clock.advance(1)
        for _ in range(3):
            after.app.monitor.record_request_failure("recorded", "no")
        await clock.advance(3)
        sample = after.app.alerting.source.sample("api", {"api": "recorded"}, 300.0)
        assert sample is not None
        assert (sample.successes, sample.failures) == (30, 3)
        assert after.told == []


async def test_one_of_two_evaluates_and_the_other_takes_over_when_it_dies(clock: FakeClock, store: MemoryStore) -> None:
    first = await Alerted(clock, store).__aenter__()
    await clock.advance(3)
    async with Alerted(clock, store, seed=2) as second:
        await clock.advance(3)
        assert (roles(first), roles(second)) == ({"upkeep", "alerts"}, set())
        # What happens on the one that does not evaluate is told by the one that does, and shown by both.
        await second.calls("odds", 6, fails=True)
        await clock.advance(3)
        assert (first.of("api_down"), second.told) == ([("fired", "critical")], [])
        assert "api_down" in second.firing()
        await first.die()
        await clock.advance(10)
        assert "alerts" in roles(second)
        assert second.told == []
        await clock.advance(30)
        await second.calls("odds", 90, every=1.0)
        assert second.of("api_down") == [("resolved", "critical")]


def roles(world: Alerted) -> set[str]:
    assert world.app.keeping is not None
    return set(world.app.keeping.roles.as_dict())


async def test_an_act_on_the_instance_that_does_not_evaluate_is_done_on_the_one_that_does(
    clock: FakeClock, store: MemoryStore
) -> None:
    async with Alerted(clock, store) as first:
        await clock.advance(3)
        async with Alerted(clock, store, seed=2) as second:
            await clock.advance(3)
            await first.calls("odds", 6, fails=True)
            await clock.advance(2)
            (alert,) = [each for each in second.app.alerts.active() if each.rule == "api_down"]
            await second.app.alerts.acknowledge(alert.fingerprint, actor="ana", comment="on it")
            with pytest.raises(UnknownName):
                await second.app.alerts.acknowledge("nothing of ours", actor="ana")
            (seen,) = [each for each in second.app.alerts.active() if each.rule == "api_down"]
            assert (seen.acknowledged_by, seen.comment) == ("ana", "on it"), "whoever did it sees it at once"
            await clock.advance(3)
            (seen,) = [each for each in first.app.alerts.active() if each.rule == "api_down"]
            assert (seen.acknowledged_by, seen.comment) == ("ana", "on it")
            assert ("acked", "critical") in first.of("api_down")
            await second.app.alerts.resolve(alert.episode, actor="ana", reason="planned")
            assert "api_down" not in second.firing()
            await clock.advance(3)
            assert "api_down" not in first.firing()
            with pytest.raises((NotActive, UnknownName)):
                await second.app.alerts.acknowledge(alert.fingerprint, actor="ana")
            acts = [record.entry.action for record in await store.audit.read()]
            assert acts.count("alert.acknowledge") == acts.count("alert.resolve") == 1


async def test_a_silence_made_on_one_instance_holds_on_the_other(clock: FakeClock, store: MemoryStore) -> None:
    async with Alerted(clock, store) as first:
        await clock.advance(3)
        async with Alerted(clock, store, seed=2) as second:
            await clock.advance(3)
            now = clock.time()
            silence = Silence((parse('api="odds"'),), now, now + 3600, reason="planned", author="ana")
            kept = await second.app.alerts.silence(silence, actor="ana")
            await clock.advance(8)
            await first.calls("odds", 6, fails=True)
            await clock.advance(3)
            assert first.told == []
            assert first.firing()["api_down"].startswith("silence")
            assert [each.rule for each in first.app.alerts.matching(silence.matchers) if each.rule == "api_down"]
            await second.app.alerts.expire_silence(kept.id, actor="ana")
            await clock.advance(8)
            assert first.of("api_down") == [("fired", "critical")]
            # The one that does not evaluate shows what was made elsewhere, too.
            made = await first.app.alerts.silence(silence, actor="ana")
            rule = first.app.alerts.rules.get("api_down")
            await first.app.alerts.rules.put(replace(rule, description="ours"), actor="ana")
            await clock.advance(8)
            assert made.id in [each.id for each in second.app.alerts.silences()]
            assert second.app.alerts.rules.get("api_down").description == "ours"


@pytest.mark.parametrize("seconds", [0.0, 30.0], ids=["just gone", "longer than the role lasts"])
async def test_while_the_store_is_away_people_are_told_and_nothing_is_lost_or_repeated(
    seconds: float, clock: FakeClock, store: MemoryStore
) -> None:
    async with Alerted(clock, store) as world:
        await clock.advance(3)
        away = _Away(store)
        await clock.advance(seconds)
        await world.calls("odds", 6, fails=True)
        await clock.advance(3)
        assert world.of("api_down") == [("fired", "critical")]
        assert any("wait to be kept" in each for each in world.app.problems())
        away.back()
        await clock.advance(5)
        assert not any("wait to be kept" in each for each in world.app.problems())
        rows = [row for row in await world.app.alerts.history() if row.rule == "api_down"]
        assert len(rows) == 1
        assert world.of("api_down") == [("fired", "critical")]
        found = await world.app.notifications.accounting(0, clock.time() + 1)
        assert found.delivered == 1
        assert found.pending == 0
        shown = await world.app.alerts.episode(rows[0].episode)
        assert [event.kind for event in shown.events] == ["fired"]
        assert [each["state"] for each in shown.deliveries] == ["delivered"]


async def test_two_that_were_parted_from_the_store_and_told_both_agree_when_it_is_back(
    clock: FakeClock, store: MemoryStore
) -> None:
    async with Alerted(clock, store) as first:
        await clock.advance(3)
        away = _Away(store)
        await clock.advance(10)
        await first.calls("odds", 6, fails=True)
        await clock.advance(3)
        assert first.of("api_down") == [("fired", "critical")]
        away.back()
        # Before it could ask again, another one has taken the role over.
        await store.leases.claim("alerts", "somebody else", 60.0)
        await clock.advance(5)
        assert "alerts" not in roles(first)
        (event,) = [each for each in await store.alerts.events() if each.rule == "api_down"]
        found = await first.app.notifications.why(event.event_id)
        assert [row["state"] for row in found["rows"]] == ["delivered"]
        assert first.of("api_down") == [("fired", "critical")]


class _Away:
    """Makes every write of alerts and outbox fail until `back`."""

    def __init__(self, store: MemoryStore) -> None:
        self._parts = [
            (store.alerts, ("commit", "states", "posted")),
            (store.outbox, ("claim", "settle", "add", "pending", "rows")),
            (store.documents, ("newest",)),
            (store.leases, ("claim",)),
        ]
        for part, names in self._parts:
            for name in names:
                setattr(part, name, _refuse)

    def back(self) -> None:
        for part, names in self._parts:
            for name in names:
                delattr(part, name)


async def _refuse(*_: object, **__: object) -> None:
    raise StoreUnavailable("the store is away")
