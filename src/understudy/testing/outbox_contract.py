# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `OutboxStore` promises, as a suite: a subclass named `Test…` has the fixtures.

`outbox` is the store; `pass_time(seconds)` lets the store's time pass, `upkeep(seconds)` does in addition
what the store does by itself from time to time: it keeps what was sent for 90 days.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.message import Receipt
from understudy.notifications.ports import Attempt, ChannelCounts, OutboxQuery, Settlement

if TYPE_CHECKING:
    from understudy.notifications.ports import OutboxStore

NOON = 1_800_000_000.0
#: What strangers put into texts: every plane, both directions, a NUL, half a character.
STRANGE = "é ✓ 東京 \U0001f468\u200d\U0001f469 \u202eabc '\"\\%_ \x00 \ud83d \r\n"
DAY = 86400
#: Length of the leases in the suite, s: a store with a real server really waits for their end.
SHORT = 0.3


def row(name: str, **changes: Any) -> OutboxRow:
    """What the channel chat must be told of an alert that fired at noon."""
    notice = Notice(changes.get("event_id", f"event {name}"), NoticeKind.FIRED, Severity.WARNING, NOON, "odds fails")
    made = OutboxRow(
        name, f"event {name}", "chat", "slack:1", NoticeKind.FIRED, Severity.WARNING, 2, NOON, NOON, NOON + 3600,
        notice, fingerprint="f1", episode="E1",
    )  # fmt: skip
    return replace(made, **changes)


def attempt(of: str, number: int = 1, at: float = 1.0, result: str = "delivered", **changes: Any) -> Attempt:
    """A try of a row, so many seconds after noon."""
    return replace(Attempt(of, "chat", number, NOON + at, result), **changes)


def settled(of: OutboxRow, token: int, *attempts: Attempt, **changes: Any) -> Settlement:
    """A row's end under a token."""
    state = changes.pop("state", RowState.DELIVERED)
    parts = {name: changes.pop(name) for name in ("receipt", "added") if name in changes}
    return Settlement(replace(of, token=token, state=state, **changes), attempts, **parts)


async def ids(outbox: OutboxStore, limit: int = 100, **query: Any) -> list[str]:
    """The rows that answer a query."""
    return [each.id for each in await outbox.rows(OutboxQuery(**query), limit)]


async def only(outbox: OutboxStore, name: str) -> OutboxRow:
    """The row of that name."""
    [found] = [each for each in await outbox.rows(OutboxQuery(), 1000) if each.id == name]
    return found


class OutboxStoreContract:
    """The promises of `notifications.ports.OutboxStore`."""

    async def test_nothing_is_there_at_first(self, outbox: OutboxStore) -> None:
        assert await outbox.pending(10) == []
        assert await outbox.rows(OutboxQuery(), 10) == []
        assert await outbox.attempts(10) == []
        assert await outbox.counts(0, NOON * 2) == {}
        assert await outbox.receipt("chat", "E1") is None
        assert await outbox.claim(["nothing"], "one", 30) == {}
        assert await outbox.add([]) == []
        assert await outbox.claim([], "one", 30) == {}
        assert await outbox.settle([]) == []
        assert await outbox.forget(NOON, 10) == 0

    async def test_everything_of_a_row_comes_back_as_it_was_kept(self, outbox: OutboxStore) -> None:
        notice = Notice(
            "e1", NoticeKind.ESCALATED, Severity.CRITICAL, NOON + 0.125, STRANGE, "long " * 1000, rule="r", nth=3,
            fingerprint="f9", episode="E9", labels={"api": STRANGE}, value=71.5, previous=Severity.WARNING,
            facts={"a": "b"}, members=(("critical", "x"),), counts={"critical": 2},
        )  # fmt: skip
        full = row(
            "R1", event_id="e1", channel="mail", destination="smtp:é", kind=NoticeKind.ESCALATED,
            severity=Severity.CRITICAL, priority=0, created_at=NOON + 1.001, detected_at=NOON + 1.002,
            deadline_at=NOON + 1.003, not_before_at=NOON + 1.004, notice=notice, fingerprint="f9", episode="E9",
            pager=True, recipients=("a@example.com", "é@example.com"), attempts=4, plain=True, ambiguous=True,
            reason="é ✓", told_in="R0", group="g", instead_of="chat", owner="one", token=7,
            leased_until=NOON + 1.005,
        )  # fmt: skip
        plain = row("R2")
        same = [each.name for each in fields(OutboxRow) if getattr(full, each.name) == getattr(plain, each.name)]
        assert same == ["state"], "every field is tried here"
        assert await outbox.add([full, plain]) == ["R1", "R2"]
        assert await outbox.pending(10) == [full, plain]
        assert await outbox.rows(OutboxQuery(), 10) == [plain, full]

    async def test_texts_of_strangers_never_keep_a_row_from_being_kept(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1", destination=STRANGE, reason=STRANGE)])
        token = (await outbox.claim(["R1"], "one", 30))["R1"]
        said = attempt("R1", error=STRANGE, response=STRANGE, provider_id=STRANGE, recipient=STRANGE)
        receipt = Receipt(STRANGE, {"ts": STRANGE})
        assert await outbox.settle([settled(await only(outbox, "R1"), token, said, receipt=receipt)]) == []
        assert len(await outbox.attempts(10)) == 1
        found = await outbox.receipt("chat", "E1")
        assert found is not None
        assert found.data == {"ts": STRANGE}

    async def test_an_event_is_told_once_on_a_channel(self, outbox: OutboxStore) -> None:
        assert await outbox.add([row("R1", event_id="e"), row("R2", event_id="e", channel="mail")]) == ["R1", "R2"]
        assert await outbox.add([row("R3", event_id="e"), row("R4", event_id="f"), row("R1", event_id="g")]) == ["R4"]
        assert await ids(outbox) == ["R4", "R2", "R1"]

    async def test_of_many_who_add_the_same_event_at_once_one_does(self, outbox: OutboxStore) -> None:
        told = await asyncio.gather(*(outbox.add([row(f"R{number}", event_id="e")]) for number in range(20)))
        assert sum(len(each) for each in told) == 1
        assert len(await outbox.pending(100)) == 1

    async def test_what_waits_is_read_in_order_and_page_by_page(self, outbox: OutboxStore) -> None:
        names = [f"R{number:02}" for number in range(10)]
        await outbox.add([row(name) for name in reversed(names)])
        await outbox.add([row("R05b", state=RowState.SUPPRESSED, reason="silence"), row("R99", state=RowState.DEAD)])
        assert [each.id for each in await outbox.pending(100)] == names
        assert [each.id for each in await outbox.pending(3)] == names[:3]
        assert [each.id for each in await outbox.pending(3, after="R04")] == names[5:8]
        assert await outbox.pending(3, after="R09") == []

    # -- claims -----------------------------------------------------------------------------------

    async def test_a_row_has_one_holder_at_a_time(
        self, outbox: OutboxStore, pass_time: Callable[[float], Awaitable[None]]
    ) -> None:
        await outbox.add([row("R1"), row("R2"), row("R3", state=RowState.DEAD)])
        first = await outbox.claim(["R1", "R3", "never"], "one", SHORT)
        assert set(first) == {"R1"}
        assert set(await outbox.claim(["R1", "R2", "R3"], "two", SHORT)) == {"R2"}
        [held, _] = await outbox.pending(10)
        assert (held.owner, held.token) == ("one", first["R1"])
        assert held.leased_until > 0
        await pass_time(SHORT + 0.1)
        taken = await outbox.claim(["R1"], "two", SHORT)
        assert taken["R1"] > first["R1"]
        assert await outbox.claim(["R1"], "one", SHORT) == {}

    async def test_each_claim_has_a_new_token_also_of_the_same_owner(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1")])
        tokens = [(await outbox.claim(["R1"], "one", 30))["R1"] for _ in range(3)]
        assert tokens == sorted(set(tokens))
        assert tokens[0] > 0

    async def test_of_many_who_claim_at_once_each_row_goes_to_one(self, outbox: OutboxStore) -> None:
        names = [f"R{number:02}" for number in range(60)]
        await outbox.add([row(name) for name in names])
        orders = [names[start:] + names[:start] for start in range(0, 60, 5)]
        claims = await asyncio.gather(
            *(outbox.claim(order, f"owner {number}", 30) for number, order in enumerate(orders))
        )
        assert sorted(name for claim in claims for name in claim) == names

    async def test_any_number_of_rows_can_be_asked_for(self, outbox: OutboxStore) -> None:
        await outbox.add([row(f"R{number:05}") for number in range(0, 70_000, 100)])
        tokens = await outbox.claim([f"R{number:05}" for number in range(70_000)], "one", 30)
        assert len(tokens) == 700

    # -- settling ---------------------------------------------------------------------------------

    async def test_a_settled_row_is_finished_and_free(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1")])
        token = (await outbox.claim(["R1"], "one", 30))["R1"]
        [held] = await outbox.pending(10)
        assert await outbox.settle([settled(held, token, attempt("R1"), attempts=1)]) == []
        found = await only(outbox, "R1")
        assert found == replace(row("R1"), state=RowState.DELIVERED, attempts=1, token=token)
        assert await outbox.pending(10) == []
        assert await outbox.claim(["R1"], "one", 30) == {}

    async def test_what_a_row_is_stays_and_how_it_goes_changes(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1")])
        token = (await outbox.claim(["R1"], "one", 30))["R1"]
        changes: dict[str, Any] = {
            "state": RowState.PENDING, "attempts": 2, "plain": True, "ambiguous": True, "reason": "busy",
            "told_in": "R9", "group": "g", "instead_of": "mail", "recipients": ("a",), "priority": 4,
            "destination": "slack:2", "not_before_at": NOON + 9, "deadline_at": NOON + 99,
        }  # fmt: skip
        fixed: dict[str, Any] = {"event_id": "x", "channel": "x", "created_at": 1.0, "detected_at": 1.0,
                                 "episode": "x", "fingerprint": "x", "pager": True}  # fmt: skip
        assert await outbox.settle([settled(row("R1"), token, **changes, **fixed)]) == []
        assert await outbox.pending(10) == [replace(row("R1"), **changes, token=token)]
        assert set(await outbox.claim(["R1"], "two", 30)) == {"R1"}, "nobody holds it any more"

    async def test_whoever_lost_a_row_changes_nothing_but_what_it_did_is_logged(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1")])
        stale = (await outbox.claim(["R1"], "one", 30))["R1"]
        token = (await outbox.claim(["R1"], "one", 30))["R1"]
        late = settled(
            row("R1"), stale, attempt("R1", provider_id="first"), receipt=Receipt("first"), added=(row("R2"),)
        )
        assert await outbox.settle([late]) == ["R1"]
        assert await outbox.receipt("chat", "E1") is None
        assert [(each.id, each.token, each.owner) for each in await outbox.pending(10)] == [("R1", token, "one")]
        now = settled(row("R1"), token, attempt("R1", provider_id="second"), receipt=Receipt("second"))
        assert await outbox.settle([now]) == []
        assert {each.provider_id for _, each in await outbox.attempts(10)} == {"first", "second"}
        assert await outbox.receipt("chat", "E1") == Receipt("second")

    async def test_a_lease_that_is_over_still_counts_while_nobody_else_has_the_row(
        self, outbox: OutboxStore, pass_time: Callable[[float], Awaitable[None]]
    ) -> None:
        await outbox.add([row("R1")])
        token = (await outbox.claim(["R1"], "one", SHORT))["R1"]
        await pass_time(SHORT + 0.1)
        assert await outbox.settle([settled(row("R1"), token)]) == []
        assert (await only(outbox, "R1")).state is RowState.DELIVERED

    async def test_settling_again_is_harmless(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1")])
        token = (await outbox.claim(["R1"], "one", 30))["R1"]
        tries = (
            attempt("R1", 1, 1.0, "degrade"),
            attempt("R1", 2, 1.5, recipient="a"),
            attempt("R1", 2, 1.5, recipient="b"),
        )
        end = settled(row("R1"), token, *tries, receipt=Receipt("m1"), added=(row("R2"),))
        for _ in range(3):
            assert await outbox.settle([end]) == []
        assert [each for _, each in await outbox.attempts(10)] == list(reversed(tries))
        assert await ids(outbox) == ["R2", "R1"]

    async def test_a_row_that_is_gone_is_refused(self, outbox: OutboxStore) -> None:
        assert await outbox.settle([settled(row("R1"), 0, added=(row("R2"),))]) == ["R1"]
        assert await outbox.rows(OutboxQuery(), 10) == []

    async def test_many_rows_are_settled_together_each_by_itself(self, outbox: OutboxStore) -> None:
        names = [f"R{number:03}" for number in range(500)]
        assert len(await outbox.add([row(name) for name in names])) == 500
        tokens = await outbox.claim(names, "one", 30)
        await outbox.claim(names[::50], "one", 30)
        found = await outbox.settle([settled(row(name), tokens[name], attempt(name)) for name in names])
        assert sorted(found) == names[::50]
        assert len(await outbox.pending(1000)) == 10
        assert len(await outbox.attempts(1000)) == 500

    async def test_rows_become_a_digest_in_one_step(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1"), row("R2")])
        tokens = await outbox.claim(["R1", "R2"], "one", 30)
        digest = row("R3", kind=NoticeKind.DIGEST, event_id="digest")
        into = {"state": RowState.DIGESTED, "told_in": "R3", "reason": "flood"}
        assert await outbox.settle([
            settled(row("R1"), tokens["R1"], added=(digest,), **into), settled(row("R2"), tokens["R2"], **into),
        ]) == []  # fmt: skip
        assert await outbox.pending(10) == [digest]
        assert {each.told_in for each in await outbox.rows(OutboxQuery(states=(RowState.DIGESTED,)), 10)} == {"R3"}

    async def test_a_digest_is_there_for_its_members_also_when_the_one_that_brings_it_is_refused(
        self, outbox: OutboxStore
    ) -> None:
        await outbox.add([row("R1"), row("R2")])
        stale = await outbox.claim(["R1", "R2"], "one", 30)
        fresh = await outbox.claim(["R1"], "one", 30)
        digest = row("R3", kind=NoticeKind.DIGEST, event_id="digest")
        into = {"state": RowState.DIGESTED, "told_in": "R3"}
        brings = settled(row("R1"), stale["R1"], added=(digest,), **into)
        assert await outbox.settle([brings, settled(row("R2"), stale["R2"], **into)]) == ["R1"]
        assert [(each.id, each.token) for each in await outbox.pending(10)] == [("R1", fresh["R1"]), ("R3", 0)]

    async def test_a_dead_row_is_taken_up_again_or_thrown_away(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1", state=RowState.DEAD, reason="refused"), row("R2", state=RowState.DEAD)])
        [second, first] = await outbox.rows(OutboxQuery(states=(RowState.DEAD,)), 10)
        again = replace(first, state=RowState.PENDING, reason="")
        assert await outbox.settle([Settlement(again), Settlement(replace(second, state=RowState.DISCARDED))]) == []
        assert await outbox.pending(10) == [again]
        assert await ids(outbox, states=(RowState.DISCARDED,)) == ["R2"]
        assert set(await outbox.claim(["R1"], "one", 30)) == {"R1"}
        assert await outbox.settle([Settlement(replace(first, state=RowState.DISCARDED))]) == ["R1"], "it is being sent"

    async def test_the_newest_receipt_of_an_episode_is_kept_for_each_channel(self, outbox: OutboxStore) -> None:
        rows = [row("R1"), row("R2"), row("R3", channel="mail"), row("R4", episode="E2"), row("R5", episode="")]
        await outbox.add(rows)
        tokens = await outbox.claim([each.id for each in rows], "one", 30)
        for each in rows:
            given = Receipt(f"m{each.id}", {"ts": each.id})
            await outbox.settle([settled(each, tokens[each.id], receipt=given)])
        assert await outbox.receipt("chat", "E1") == Receipt("mR2", {"ts": "R2"})
        assert await outbox.receipt("mail", "E1") == Receipt("mR3", {"ts": "R3"})
        assert await outbox.receipt("chat", "E2") == Receipt("mR4", {"ts": "R4"})
        assert await outbox.receipt("mail", "E2") is None

    # -- reading ----------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, ["R5", "R4", "R3", "R2", "R1"]),
            ({"states": (RowState.PENDING,)}, ["R2", "R1"]),
            ({"states": (RowState.DEAD,)}, ["R3"]),
            ({"states": (RowState.DEAD, RowState.SUPPRESSED)}, ["R4", "R3"]),
            ({"channels": ("mail",)}, ["R3", "R2"]),
            ({"channels": ("mail", "pager")}, ["R5", "R3", "R2"]),
            ({"channels": ("mail",), "states": (RowState.DEAD,)}, ["R3"]),
            ({"event_id": "e1"}, ["R2", "R1"]),
            ({"episode": "E2"}, ["R4"]),
            ({"start": NOON + 2}, ["R5", "R4", "R3"]),
            ({"end": NOON + 2}, ["R2", "R1"]),
            ({"before": "R3"}, ["R2", "R1"]),
            ({"channels": ("Mail",)}, []),
        ],
    )
    async def test_rows_are_found_by_what_they_are(
        self, outbox: OutboxStore, query: dict[str, Any], found: list[str]
    ) -> None:
        await outbox.add([
            row("R1", event_id="e1"),
            row("R2", event_id="e1", channel="mail", created_at=NOON + 1),
            row("R3", channel="mail", state=RowState.DEAD, created_at=NOON + 2),
            row("R4", state=RowState.SUPPRESSED, episode="E2", created_at=NOON + 3),
            row("R5", channel="pager", state=RowState.DELIVERED, created_at=NOON + 4),
        ])  # fmt: skip
        assert await ids(outbox, **query) == found
        assert await ids(outbox, limit=1, **query) == found[:1]

    async def test_the_log_is_read_newest_first_and_page_by_page(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1"), row("R2", channel="mail")])
        full = attempt(
            "R1", 3, 7.125, "retry", seconds=1.25, status=429, error="busy", response="{}", provider_id="p",
            sent_bytes=2**33, since_detected=7.5, recipient="a@example.com",
        )  # fmt: skip
        tries = [attempt("R1", number, number // 2, "retry") for number in range(6)]
        await outbox.settle(
            [settled(row("R1"), 0, *tries, full), settled(row("R2", channel="mail"), 0, attempt("R2", channel="mail"))]
        )
        everything = await outbox.attempts(100)
        assert [each.at for _, each in everything] == sorted((each.at for _, each in everything), reverse=True)
        assert everything[0][1] == full
        pages: list[tuple[int, Attempt]] = []
        while page := await outbox.attempts(3, before=(pages[-1][1].at, pages[-1][0]) if pages else None):
            pages += page
        assert pages == everything
        assert len(pages) == 8
        assert [each.row for _, each in await outbox.attempts(100, channel="mail")] == ["R2"]
        assert len(await outbox.attempts(100, row="R1")) == 7
        assert len(await outbox.attempts(100, row="R1", channel="mail")) == 0

    async def test_counts_add_up_to_what_was_accepted(self, outbox: OutboxStore) -> None:
        states = [*RowState, RowState.PENDING]
        rows = [row(f"R{number}", state=state, created_at=NOON + number) for number, state in enumerate(states)]
        rows += [
            row("S1", state=RowState.SUPPRESSED, reason="silence", ambiguous=True),
            row("S2", state=RowState.SUPPRESSED, reason="silence"),
            row("M1", channel="mail", created_at=NOON - 1),
            row("M2", channel="mail", created_at=NOON + 100),
        ]
        await outbox.add(rows)
        await outbox.settle([
            settled(
                row("R0"), 0,
                attempt("R0", 1, 1, "retry", error="busy"), attempt("R0", 2, 2, "retry", error="full"),
                attempt("R0", 3, 3, since_detected=3.5), attempt("R0", 4, 200, "retry", error="late"),
            ),
            settled(row("M1", channel="mail"), 0, attempt("M1", 1, -1, channel="mail", since_detected=0.25)),
        ])  # fmt: skip
        found = await outbox.counts(NOON, NOON + 100)
        assert found == {
            "chat": ChannelCounts(
                {"pending": 1, "delivered": 2, "digested": 1, "suppressed": 3, "dead": 1, "discarded": 1},
                {"": 1, "silence": 2}, attempts=3, retries=2, ambiguous=1, delays=(3.5,),
                last_delivered_at=NOON + 3, last_error="full",
            )
        }  # fmt: skip
        assert sum(found["chat"].states.values()) == 9
        mail = (await outbox.counts(NOON - 1, NOON))["mail"]
        assert mail == ChannelCounts({"delivered": 1}, {}, attempts=1, delays=(0.25,), last_delivered_at=NOON - 1)

    async def test_of_many_deliveries_the_newest_thousand_delays_are_told(self, outbox: OutboxStore) -> None:
        await outbox.add([row("R1")])
        tries = [attempt("R1", number, number / 1000, since_detected=float(number)) for number in range(1100)]
        await outbox.settle([settled(row("R1"), 0, *tries)])
        counts = (await outbox.counts(NOON, NOON + 100))["chat"]
        assert counts.attempts == 1100
        assert counts.delays == tuple(float(number) for number in range(1099, 99, -1))

    # -- forgetting -------------------------------------------------------------------------------

    async def test_finished_rows_are_forgotten_and_never_what_waits_or_was_given_up(self, outbox: OutboxStore) -> None:
        rows = [row(f"R{number}", state=state) for number, state in enumerate(RowState)]
        young = row("R9", state=RowState.DELIVERED, created_at=NOON + 60)
        await outbox.add([*rows, young])
        await outbox.settle([settled(each, 0, attempt(each.id), state=each.state) for each in rows])
        await outbox.settle([settled(young, 0, attempt("R9", at=70))])
        gone = [await outbox.forget(NOON + 60, 2) for _ in range(3)]
        assert gone == [2, 2, 0]
        left = {each.id: each.state for each in await outbox.rows(OutboxQuery(), 100)}
        assert set(left.values()) == {RowState.PENDING, RowState.DEAD, RowState.DELIVERED}
        assert "R9" in left
        assert {each.row for _, each in await outbox.attempts(100)} == set(left)
        again = next(each for each in rows if each.id not in left)
        assert await outbox.add([again]) == [again.id], "nothing of it is left"

    async def test_what_was_sent_is_kept_for_its_time(
        self, outbox: OutboxStore, upkeep: Callable[[float], Awaitable[None]]
    ) -> None:
        rows = [row("R1"), row("R2"), row("R3", state=RowState.DEAD)]
        await outbox.add(rows)
        await outbox.settle([settled(rows[0], 0, attempt("R1"), receipt=Receipt("m1"))])
        await upkeep(89 * DAY)
        assert await ids(outbox) == ["R3", "R2", "R1"]
        assert await outbox.receipt("chat", "E1") == Receipt("m1")
        await upkeep(2 * DAY)
        assert await ids(outbox) == ["R3", "R2"]
        assert await outbox.attempts(10) == []
        assert await outbox.receipt("chat", "E1") is None
