# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `AlertStore` promises, as a suite: a subclass named `Test…` has the fixtures.

`alerts` is the store and `outbox` the one that its rows go to; `leases` gives the roles. `upkeep(seconds)`
lets time pass and does what the store does by itself from time to time: it keeps alerts for a year.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from understudy.alerts.ports import Change, EpisodeQuery, EpisodeRow, EventRow, Signal
from understudy.core.errors import LeaseLost
from understudy.core.outbox import OutboxRow
from understudy.notifications.message import Receipt
from understudy.notifications.ports import OutboxQuery

from .outbox_contract import DAY, NOON, STRANGE, row, settled

if TYPE_CHECKING:
    from understudy.alerts.ports import AlertStore
    from understudy.cluster.ports import LeaseStore
    from understudy.notifications.ports import OutboxStore


def episode(name: str, fingerprint: str = "f1", **changes: Any) -> EpisodeRow:
    """An episode of an alert on the API odds that fires since noon."""
    made = EpisodeRow(
        name, fingerprint, 1, "success", 3, {"api": "odds", "hub": "rapid"}, "warning", "critical", NOON,
        value=71.5, doc={"samples": 7, "note": "é ✓"},
    )  # fmt: skip
    return replace(made, **changes)


def event(name: str, at: float = 0.0, **changes: Any) -> EventRow:
    """What happened to that alert, so many seconds after noon."""
    made = EventRow(
        name, "E1", "f1", "success", "fired", NOON + at, "warning", "ana", "",
        {"title": "odds fails", "value": 71.5}, {"samples": [1, 0, 0], "told": {"ops": "r1"}},
    )  # fmt: skip
    return replace(made, **changes)


def change(*events: EventRow, rows: tuple[OutboxRow, ...] = (), **parts: Any) -> Change:
    """A change at noon."""
    return Change(NOON, events=events, rows=rows, **parts)


async def names(alerts: AlertStore, limit: int = 100, **query: Any) -> list[str]:
    """The episodes that answer a query."""
    return [each.episode for each in await alerts.episodes(EpisodeQuery(**query), limit)]


class AlertStoreContract:
    """The promises of `alerts.ports.AlertStore`."""

    async def test_nothing_is_there_at_first(self, alerts: AlertStore) -> None:
        assert await alerts.states() == {}
        assert await alerts.episodes(EpisodeQuery(), 10) == []
        assert await alerts.events() == []
        assert await alerts.posted(10) == []
        assert await alerts.forget(NOON, 10) == 0

    async def test_all_of_a_change_comes_back_as_it_was_kept(self, alerts: AlertStore, outbox: OutboxStore) -> None:
        doc: dict[str, Any] = {"phase": "firing", "level": 1, "since": NOON + 0.125, "acked": None, "text": STRANGE}
        first = row("R1", event_id="e1")
        kept = await alerts.commit(
            change(event("e1"), rows=(first,), states={"f1": doc, "f2": {}}, episodes=[episode("E1")])
        )
        assert kept == [first]
        assert await alerts.states() == {"f1": doc, "f2": {}}
        assert await alerts.episodes(EpisodeQuery(), 10) == [episode("E1")]
        assert await alerts.events() == [event("e1")]
        assert await outbox.pending(10) == [first]

    async def test_a_state_is_replaced_as_a_whole_and_none_forgets_it(self, alerts: AlertStore) -> None:
        await alerts.commit(change(states={"f1": {"a": 1, "b": 2}, "f2": {"a": 1}, "f3": {"a": 1}}))
        await alerts.commit(change(states={"f1": {"c": 3}, "f2": None, "never": None}))
        assert await alerts.states() == {"f1": {"c": 3}, "f3": {"a": 1}}

    async def test_a_change_that_is_kept_again_changes_nothing_and_tells_nobody_twice(
        self, alerts: AlertStore, outbox: OutboxStore
    ) -> None:
        whole = change(
            event("e1"), rows=(row("R1", event_id="e1"), row("R2", event_id="e1", channel="mail")),
            states={"f1": {"a": 1}}, episodes=[episode("E1")],
        )  # fmt: skip
        assert [each.id for each in await alerts.commit(whole)] == ["R1", "R2"]
        assert await alerts.commit(whole) == []
        again = replace(whole, rows=(row("R3", event_id="e1"), row("R4", event_id="e1", channel="pager")))
        assert [each.id for each in await alerts.commit(again)] == ["R4"], (
            "the event is known, on that channel it is not"
        )
        assert [each.id for each in await outbox.pending(10)] == ["R1", "R2", "R4"]
        assert len(await alerts.events()) == 1
        assert await names(alerts) == ["E1"]

    async def test_two_rows_of_one_change_for_the_same_event_and_channel_are_one(self, alerts: AlertStore) -> None:
        rows = (row("R1", event_id="e1"), row("R2", event_id="e1"))
        assert len(await alerts.commit(change(event("e1"), rows=rows))) == 1

    async def test_what_cannot_be_kept_is_refused_and_nothing_of_it_is_kept(
        self, alerts: AlertStore, outbox: OutboxStore
    ) -> None:
        broken = change(
            event("e1"), rows=(row("R1", event_id="e1"),), states={"f1": {"a": object()}}, episodes=[episode("E1")]
        )
        with pytest.raises(TypeError):
            await alerts.commit(broken)
        assert await alerts.states() == {}
        assert await names(alerts) == []
        assert await alerts.events() == []
        assert await outbox.pending(10) == []

    async def test_whoever_lost_the_role_changes_nothing(
        self, alerts: AlertStore, outbox: OutboxStore, leases: LeaseStore
    ) -> None:
        mine = await leases.claim("alerts", "one", 30.0)
        assert mine is not None
        await alerts.commit(change(states={"f1": {"by": "one"}}), mine)
        await leases.release(mine)
        theirs = await leases.claim("alerts", "two", 30.0)
        assert theirs is not None
        late = change(
            event("e1"), rows=(row("R1", event_id="e1"),), states={"f1": {"by": "late"}}, episodes=[episode("E1")]
        )
        with pytest.raises(LeaseLost):
            await alerts.commit(late, mine)
        assert await alerts.states() == {"f1": {"by": "one"}}
        assert await alerts.events() == []
        assert await outbox.pending(10) == []
        assert len(await alerts.commit(late, theirs)) == 1

    async def test_many_alerts_change_at_once(self, alerts: AlertStore, outbox: OutboxStore) -> None:
        numbers = [f"{number:04}" for number in range(600)]
        kept = await alerts.commit(
            change(
                *(event(f"e{each}", fingerprint=f"f{each}", episode=f"E{each}") for each in numbers),
                rows=tuple(row(f"R{each}", event_id=f"e{each}") for each in numbers),
                states={f"f{each}": {"n": each} for each in numbers},
                episodes=[episode(f"E{each}", f"f{each}") for each in numbers],
            )
        )
        assert [each.id for each in kept] == [f"R{each}" for each in numbers]
        assert len(await alerts.states()) == len(await alerts.episodes(EpisodeQuery(), 1000)) == 600
        assert len(await alerts.events()) == len(await outbox.pending(1000)) == 600

    async def test_changes_that_come_at_the_same_time_are_all_kept(self, alerts: AlertStore) -> None:
        await asyncio.gather(
            *(
                alerts.commit(change(event(f"e{number}"), rows=(row(f"R{number}", event_id=f"e{number}"),),
                                     states={f"f{number}": {"n": number}}))
                for number in range(50)
            )
        )  # fmt: skip
        assert await alerts.states() == {f"f{number}": {"n": number} for number in range(50)}
        assert len(await alerts.events()) == 50

    # -- episodes ---------------------------------------------------------------------------------

    async def test_an_episode_goes_on_and_ends(self, alerts: AlertStore) -> None:
        await alerts.commit(change(episodes=[episode("E1")]))
        ended = episode("E1", resolved_at=NOON + 60, reason="good again", severity="critical", value=None)
        await alerts.commit(change(episodes=[ended]))
        assert await alerts.episodes(EpisodeQuery(), 10) == [ended]

    async def test_an_alert_ends_one_episode_and_begins_the_next_in_one_change(self, alerts: AlertStore) -> None:
        await alerts.commit(change(episodes=[episode("E1")]))
        ended = episode("E1", resolved_at=NOON + 60, reason="by hand")
        for order in ([episode("E2", number=2), ended], [ended, episode("E2", number=2)]):
            await alerts.commit(change(episodes=order))
            assert await alerts.episodes(EpisodeQuery(), 10) == [episode("E2", number=2), ended]

    async def test_an_open_episode_that_nobody_remembers_ends_when_the_alert_fires_again(
        self, alerts: AlertStore
    ) -> None:
        await alerts.commit(change(episodes=[episode("E1"), episode("X1", "f2")]))
        await alerts.commit(Change(NOON + 9, episodes=[episode("E2")]))
        assert await names(alerts, open=True) == ["X1", "E2"]
        [lost] = await alerts.episodes(EpisodeQuery(open=False), 10)
        assert lost == episode("E1", resolved_at=NOON + 9, reason="superseded")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, ["E4", "E3", "E2", "E1"]),
            ({"rules": ("latency", "errors")}, ["E3"]),
            ({"fingerprint": "f2"}, ["E2"]),
            ({"labels": {"api": "odds"}}, ["E4", "E1"]),
            ({"labels": {"api": "odds", "hub": "rapid"}}, ["E1"]),
            ({"labels": {"api": "Odds"}}, []),
            ({"labels": {"api": "o_ds"}}, []),
            ({"labels": {"api": 'say "hub":"rapid" é'}}, ["E2"]),
            ({"severities": ("critical",)}, ["E3", "E1"]),
            ({"severities": ("critical", "info")}, ["E4", "E3", "E1"]),
            ({"open": True}, ["E3", "E1"]),
            ({"open": False}, ["E4", "E2"]),
            ({"start": NOON + 100}, ["E4", "E3", "E1"]),
            ({"end": NOON + 10}, ["E1"]),
            ({"start": NOON + 21, "end": NOON + 30}, ["E3", "E2", "E1"]),
            ({"before": "E3"}, ["E2", "E1"]),
        ],
    )
    async def test_episodes_are_found_by_what_they_are(
        self, alerts: AlertStore, query: dict[str, Any], found: list[str]
    ) -> None:
        await alerts.commit(
            change(
                episodes=[
                    episode("E1", "f1"),
                    episode("E2", "f2", peak="warning", started_at=NOON + 10, resolved_at=NOON + 99,
                            labels={"api": 'say "hub":"rapid" é'}),
                    episode("E3", "f3", rule="latency", started_at=NOON + 20, labels={"route": "odds"}),
                    episode("E4", "f4", peak="info", started_at=NOON + 30, resolved_at=NOON + 200,
                            labels={"api": "odds", "hub": "other"}),
                ]
            )
        )  # fmt: skip
        assert await names(alerts, **query) == found
        assert await names(alerts, limit=1, **query) == found[:1]

    # -- events -----------------------------------------------------------------------------------

    async def test_events_are_read_as_a_timeline(self, alerts: AlertStore) -> None:
        timeline = [event(f"e{number}", number // 2, kind="reminder") for number in range(6)]
        other = event("x", 1, episode="E2")
        await alerts.commit(change(*timeline[3:], *timeline[:3], other))
        assert [each.at for each in await alerts.events(episode="E1")] == [each.at for each in timeline]
        assert len(await alerts.events()) == 7
        assert await alerts.events(event_id="x") == [other]
        assert await alerts.events(event_id="nothing") == []
        assert {each.event_id for each in await alerts.events(start=NOON + 1, end=NOON + 2)} == {"e2", "e3", "x"}
        assert [each.event_id for each in await alerts.events(episode="E1", limit=2)] == ["e0", "e1"]

    async def test_strange_and_long_texts_are_kept(self, alerts: AlertStore) -> None:
        long = event("e1", rule="é ✓" * 500, notice={"title": STRANGE, "content": "ab\n" * 300_000})
        await alerts.commit(change(long))
        assert await alerts.events() == [long]
        await alerts.commit(change(event("e2", actor=STRANGE, suppressed_by=STRANGE, episode="E2")))
        [found] = await alerts.events(episode="E2")
        assert found.actor.startswith("é"), "whatever the database cannot hold of it"

    # -- signals ----------------------------------------------------------------------------------

    async def test_signals_wait_in_order_until_a_change_takes_them_in(self, alerts: AlertStore) -> None:
        first = [Signal("api_down", {"api": "odds"}, True, NOON, {"breaker": "open", "text": STRANGE})]
        second = [Signal("api_down", {"api": "odds"}, False, NOON + 1), Signal("hub_down", {}, True, NOON + 2)]
        assert await alerts.posted(10) == []
        await alerts.post(first, "one")
        await alerts.post(second, "two")
        await alerts.post([], "three")
        found = await alerts.posted(10)
        assert [(instance, signal) for _, instance, signal in found] == [
            ("one", first[0]), ("two", second[0]), ("two", second[1])
        ]  # fmt: skip
        assert await alerts.posted(2) == found[:2]
        await alerts.commit(change(signals=[number for number, _, _ in found[:2]]))
        assert await alerts.posted(10) == found[2:]
        await alerts.commit(change(signals=range(10**9, 10**9 + 70_000)))
        await alerts.post(first, "one")
        assert [signal for _, _, signal in await alerts.posted(10)] == [second[1], first[0]]

    # -- forgetting -------------------------------------------------------------------------------

    async def test_what_ended_long_ago_is_forgotten_and_what_is_open_is_not(self, alerts: AlertStore) -> None:
        await alerts.commit(
            change(
                event("e1"), event("e2", 1, episode="E2"), event("e3", 90, episode="E3"),
                event("e4", 5, episode="none"), event("e5", 60, episode="none"),
                episodes=[
                    episode("E1"),
                    episode("E2", "f2", resolved_at=NOON + 10),
                    episode("E3", "f3", resolved_at=NOON + 90),
                    episode("E4", "f4", resolved_at=NOON + 20),
                ],
            )
        )  # fmt: skip
        assert await alerts.forget(NOON + 60, 1) == 1
        assert await alerts.forget(NOON + 60, 10) == 1
        assert await alerts.forget(NOON + 60, 10) == 0
        assert await names(alerts) == ["E3", "E1"]
        assert [each.event_id for each in await alerts.events()] == ["e1", "e5", "e3"]

    async def test_alerts_that_ended_are_kept_for_a_year_and_open_ones_as_long_as_they_last(
        self, alerts: AlertStore, outbox: OutboxStore, upkeep: Callable[[float], Awaitable[None]]
    ) -> None:
        ended = episode("E2", "f2", resolved_at=NOON + 10)
        await alerts.commit(
            change(
                event("e1"), event("e2", episode="E2"), rows=(row("R1", event_id="e1"),), states={"f1": {}},
                episodes=[episode("E1"), ended],
            )
        )  # fmt: skip
        await outbox.settle([settled(row("R1", event_id="e1"), 0, receipt=Receipt("m1"))])
        await upkeep(364 * DAY)
        assert await names(alerts) == ["E2", "E1"]
        assert await outbox.rows(OutboxQuery(), 10) == []
        await upkeep(2 * DAY)
        assert await names(alerts) == ["E1"]
        assert [each.event_id for each in await alerts.events()] == ["e1"]
        assert await alerts.states() == {"f1": {}}
        assert await outbox.receipt("chat", "E1") == Receipt("m1"), "its message can still be edited"
