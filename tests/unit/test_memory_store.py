"""What a store in memory does that others need not: it never holds more than fits."""

from __future__ import annotations

from understudy.alerts.ports import Change, EpisodeQuery, EpisodeRow, EventRow
from understudy.core.outbox import RowState
from understudy.notifications.message import Receipt
from understudy.notifications.ports import Attempt, OutboxQuery, Settlement
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock
from understudy.testing.outbox_contract import NOON, row

MOST = 10_000


async def test_of_finished_messages_and_ended_alerts_the_newest_are_kept_however_young_they_are():
    store = MemoryStore(FakeClock(epoch=NOON))
    numbers = [f"{number:05}" for number in range(MOST + 20)]
    rows = [row(f"R{each}", state=RowState.DELIVERED) for each in numbers]
    waiting, dead = row("A1"), row("A2", state=RowState.DEAD)
    episodes = [EpisodeRow(f"E{each}", each, 1, "r", 1, {}, "info", "info", NOON, NOON + 1) for each in numbers]
    events = [EventRow(f"e{each}", f"E{each}", each, "r", "fired", NOON, "info") for each in numbers]
    still = EpisodeRow("A1", "f", 1, "r", 1, {}, "info", "info", NOON)
    await store.alerts.commit(Change(NOON, {}, [*episodes, still], events, [*rows, waiting, dead]))
    tries = [Settlement(each, (Attempt(each.id, "chat", 1, NOON, "delivered"),), Receipt("m")) for each in rows[:30]]
    assert await store.outbox.settle(tries) == []
    await store.upkeep()
    assert len(await store.outbox.rows(OutboxQuery(), 2 * MOST)) == MOST + 2
    assert [each.id for each in await store.outbox.rows(OutboxQuery(), 2 * MOST)][-3:] == ["R00020", "A2", "A1"]
    assert {attempt.row for _, attempt in await store.outbox.attempts(100)} == {f"R{each}" for each in numbers[20:30]}
    assert len(await store.alerts.episodes(EpisodeQuery(), 2 * MOST)) == MOST + 1
    assert len(await store.alerts.events(limit=2 * MOST)) == MOST
    assert [each.episode for each in await store.alerts.episodes(EpisodeQuery(open=True), 10)] == ["A1"]
