"""Delivering: what goes out when, what becomes of each answer, and that nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import math

import pytest

from pipeline import Bench, FlakyOutbox, alert
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.notifications import notes
from understudy.notifications.message import (
    Degrade,
    Delivered,
    NotificationMessage,
    PerRecipient,
    Receipt,
    Rejected,
    Retry,
)
from understudy.notifications.ports import Rate
from understudy.testing.memory_channel import HANGS

FIRED, RESOLVED, REMINDER = NoticeKind.FIRED, NoticeKind.RESOLVED, NoticeKind.REMINDER


def test_a_message_goes_to_every_channel_and_the_answer_says_so():
    async def run(bench: Bench) -> None:
        message = NotificationMessage("hello", "world", severity="warning", fields={"who": "all"})
        results = await bench.answer(bench.manager.send_notification(message))
        assert {name: each.state for name, each in results.items()} == {"chat": "delivered", "mail": "delivered"}
        assert all(results.values())
        [sent] = bench.channels["chat"].delivered
        assert sent.card.title == "hello"
        assert [(each.name, each.value) for each in sent.card.fields] == [("who", "all")]

    Bench.run(run, "chat", "mail")


def test_what_is_accepted_is_sent_at_once_and_recorded():
    async def run(bench: Bench) -> None:
        rows = await bench.tell(alert())
        began = bench.clock.monotonic()
        await bench.turn()
        assert bench.clock.monotonic() - began < 0.02
        assert [row.state for row in await bench.rows(rows)] == [RowState.DELIVERED]
        [(_, attempt)] = await bench.manager.log()
        assert (attempt.result, attempt.number, attempt.channel) == ("delivered", 1, "chat")

    Bench.run(run, "chat")


def test_an_idle_pipeline_does_nothing():
    async def run(bench: Bench) -> None:
        await bench.clock.advance(30.0)
        turns = bench.store.looks
        await bench.clock.advance(60.0)
        assert bench.store.looks - turns <= 40

    Bench.run(run, "chat")


# -- retries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "earliest", "latest"),
    [
        (None, 0.5, 1.0),
        (2, 2.0, 2.0),
        (2.5, 2.5, 2.5),
        (0, 0.5, 1.0),
        (-5, 0.5, 1.0),
        (math.nan, 0.5, 1.0),
        (math.inf, 0.5, 1.0),
        (3000, 3000.0, 3000.0),
    ],
)
def test_the_next_attempt_comes_after_the_longer_of_backoff_and_retry_after(after, earliest, latest):
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("429", after=after, status=429))
        await bench.tell(alert(severity="warning"))
        await bench.clock.advance(latest + 0.1)
        first, second = chat.sent_at
        assert earliest <= second - first <= latest + 0.01
        assert [each.attempt for each in chat.sent] == [1, 2]

    Bench.run(run, "chat")


def test_one_429_pauses_everything_of_its_destination_and_nothing_else():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(Retry("429", after=40.0))
        await bench.tell(alert("one", severity="warning"))
        await bench.turn()
        await bench.tell(alert("two", severity="warning"))
        await bench.clock.advance(39.0)
        assert len(bench.channels["chat"].sent) == 1
        assert not bench.channels["same"].sent[1:]
        assert len(bench.channels["other"].delivered) == 2
        await bench.clock.advance(2.0)
        assert len(bench.channels["chat"].delivered) == 2
        assert len(bench.channels["same"].delivered) == 2

    Bench.run(run, "chat", ("same", {"destination": "chat"}), "other")


def test_a_service_that_asks_for_an_hour_is_left_alone_for_that_long():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("429", after=4000.0))
        await bench.tell(alert(severity="warning"))
        await bench.clock.advance(3999.0)
        assert len(chat.sent) == 1
        await bench.clock.advance(2.0)
        assert len(chat.delivered) == 1

    Bench.run(run, "chat")


def test_failures_back_off_and_a_success_ends_it():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.extend([Retry("500", status=500)] * 4)
        rows = await bench.tell(alert())
        await bench.clock.advance(30.0)
        gaps = [after - before for before, after in zip(chat.sent_at, chat.sent_at[1:], strict=False)]
        assert len(gaps) == 4
        assert all(0.5 * 2**n <= gap <= 2**n + 0.01 for n, gap in enumerate(gaps))
        [row] = await bench.rows(rows)
        assert (row.state, row.attempts) == (RowState.DELIVERED, 5)
        await bench.tell(alert("next"))
        await bench.turn()
        assert chat.delivered[-1].notice.fingerprint == "fp-next"

    Bench.run(run, "chat")


def test_a_clock_that_is_set_changes_no_wait():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("429", after=100.0))
        await bench.tell(alert())
        await bench.turn()
        bench.clock.jump_wall(+7200.0)
        await bench.clock.advance(99.0)
        assert len(chat.sent) == 1
        bench.clock.jump_wall(-3600.0)
        await bench.clock.advance(2.0)
        assert len(chat.delivered) == 1

    Bench.run(run, "chat")


def test_a_message_that_always_fails_keeps_no_other_back():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]

        def refuse(message):
            return Retry("500") if message.notice.fingerprint == "fp-poison" else Delivered()

        chat.script.extend([refuse] * 1000)
        await bench.tell(alert("poison"), *(alert(f"good{n}", severity="info") for n in range(8)))
        await bench.clock.advance(60.0)
        assert {each.notice.fingerprint for each in chat.delivered} == {f"fp-good{n}" for n in range(8)}

    Bench.run(run, "chat")


def test_a_refused_form_is_sent_once_as_plain_text_and_then_given_up():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.extend([Degrade("400 invalid_blocks", status=400)])
        [row] = await bench.tell(alert())
        await bench.turn()
        assert [each.plain for each in chat.sent] == [False, True]
        assert any("invalid_blocks" in note for note in chat.sent[1].card.notes)
        assert (await bench.rows([row]))[0].state is RowState.DELIVERED
        chat.script.extend([Degrade("400 invalid_blocks"), Degrade("400 no_text")])
        [row] = await bench.tell(alert("second"))
        await bench.turn()
        [row] = await bench.rows([row])
        assert (row.state, row.reason) == (RowState.DEAD, "400 no_text")

    Bench.run(run, "chat")


def test_what_is_not_delivered_by_its_deadline_is_a_dead_letter_with_the_last_reason():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.extend([Retry("503 busy")] * 100)
        rows = await bench.tell(alert(severity="info"))
        await bench.clock.advance(3601.0)
        [row] = await bench.rows(rows)
        assert (row.state, row.reason) == (RowState.DEAD, "not delivered in time: 503 busy")

    Bench.run(run, "chat")


def test_secrets_in_an_answer_are_kept_nowhere():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(
            Rejected("no access with api_key=" + "abcdef" * 4, response="Authorization: Bearer " + "x9" * 12)
        )
        rows = await bench.tell(alert())
        await bench.turn()
        [(_, attempt)] = await bench.manager.log()
        shown = (await bench.rows(rows))[0].reason + attempt.error + attempt.response
        assert "abcdef" not in shown
        assert "x9x9" not in shown

    Bench.run(run, "chat")


# -- channels that misbehave ----------------------------------------------------------------------


def test_a_channel_that_hangs_delays_no_other_and_its_message_may_be_a_repeat():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(HANGS)
        await bench.tell(alert("one"))
        await bench.tell(alert("two"))
        await bench.turn()
        assert len(bench.channels["mail"].delivered) == 2
        await bench.clock.advance(20.0)
        assert len(chat.delivered) == 2
        again = next(each for each in chat.delivered if each.notice.fingerprint == "fp-one")
        assert again.repeat
        assert any("repeat" in note for note in again.card.notes)
        assert again.id == chat.sent[0].id

    Bench.run(run, "chat", "mail")


def test_a_channel_that_raises_is_a_failure_like_any_other():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.extend([OSError("reset"), Delivered()])
        rows = await bench.tell(alert())
        await bench.clock.advance(3.0)
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED
        chat.script.append(KeyError("a fault of its own"))
        rows = await bench.tell(alert("two"))
        await bench.turn()
        assert (await bench.rows(rows))[0].state is RowState.DEAD

    Bench.run(run, "chat")


# -- order ----------------------------------------------------------------------------------------


def test_the_events_of_an_alert_keep_their_order_when_the_first_is_in_retry():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("500"))
        await bench.tell(alert("a"))
        await bench.turn()
        await bench.tell(alert("a", REMINDER, nth=1), alert("b"))
        await bench.clock.advance(5.0)
        kinds = [each.notice.kind for each in chat.delivered if each.notice.fingerprint == "fp-a"]
        assert kinds == [FIRED, REMINDER]
        assert len(chat.delivered) == 3

    Bench.run(run, "chat")


def test_an_alert_that_ended_before_it_could_be_told_is_told_in_one_message():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("500", after=60.0))
        [fired] = await bench.tell(alert("a"))
        await bench.turn()
        [resolved] = await bench.tell(alert("a", RESOLVED, ended_at=1_800_000_240.0))
        await bench.clock.advance(61.0)
        fired, resolved = await bench.rows([fired, resolved])
        assert (fired.state, fired.told_in) == (RowState.DIGESTED, resolved.id)
        assert resolved.state is RowState.DELIVERED
        [told] = chat.delivered
        assert told.notice.merged
        assert told.card.title.startswith("Fired and resolved")

    Bench.run(run, "chat")


@pytest.mark.parametrize("ambiguous", [False, True])
def test_a_message_for_both_does_not_say_that_nothing_was_sent_where_that_is_not_known(ambiguous):
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("no answer", after=60.0, ambiguous=ambiguous))
        await bench.tell(alert("a"))
        await bench.turn()
        await bench.tell(alert("a", RESOLVED, ended_at=1_800_000_240.0))
        await bench.clock.advance(61.0)
        [told] = chat.delivered
        assert told.card.notes[-1:] == (notes.merged("en", unsure=ambiguous),)
        assert notes.repeat("en") not in told.card.notes

    Bench.run(run, "chat")


def test_a_pager_is_told_neither_of_an_alert_that_ended_before_it_was_reached():
    async def run(bench: Bench) -> None:
        for name in ("pager", "always"):
            bench.channels[name].script.append(Retry("500", after=60.0))
        await bench.tell(alert("a"))
        await bench.turn()
        await bench.tell(alert("a", RESOLVED))
        await bench.clock.advance(90.0)
        assert not bench.channels["pager"].delivered
        assert [each.notice.kind for each in bench.channels["always"].delivered] == [FIRED, RESOLVED]
        states = {(row.channel, row.state) for row in await bench.rows()}
        assert states == {("pager", RowState.SUPPRESSED), ("always", RowState.DELIVERED)}

    Bench.run(run, ("pager", {"pager": True}), ("always", {"pager": True, "always_page": True}))


def test_a_pager_that_may_ring_already_is_told_of_the_end():
    async def run(bench: Bench) -> None:
        pager = bench.channels["pager"]
        pager.script.append(Retry("no answer", after=60.0, ambiguous=True))
        await bench.tell(alert("a"))
        await bench.turn()
        await bench.tell(alert("a", RESOLVED))
        await bench.clock.advance(61.0)
        assert [each.notice.kind for each in pager.delivered] == [RESOLVED]

    Bench.run(run, ("pager", {"pager": True}))


def test_a_channel_that_wants_no_ends_gets_none_unless_it_missed_the_beginning():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        await bench.tell(alert("a"))
        await bench.turn()
        [row] = await bench.tell(alert("a", RESOLVED))
        await bench.turn()
        assert (await bench.rows([row]))[0].reason == "end not wanted"
        chat.script.append(Retry("500", after=10.0))
        await bench.tell(alert("b"))
        await bench.turn()
        await bench.tell(alert("b", RESOLVED))
        await bench.clock.advance(11.0)
        assert [(each.notice.fingerprint, each.notice.kind) for each in chat.delivered] == [
            ("fp-a", FIRED),
            ("fp-b", RESOLVED),
        ]

    Bench.run(run, ("chat", {"resolves": False}))


def test_the_critical_goes_before_what_waits_and_what_has_waited_long_is_not_overtaken_any_more():
    async def run(bench: Bench) -> None:
        pager = bench.channels["pager"]
        await bench.tell(*(alert(f"info{n}", severity="info") for n in range(1000)))
        await bench.clock.advance(5.0)
        await bench.tell(alert("urgent"))
        await bench.clock.advance(2.0)
        assert any(each.notice.fingerprint == "fp-urgent" for each in pager.delivered[-2:])
        assert len(pager.delivered) <= 9
        for n in range(200):
            await bench.tell(*(alert(f"flood{n}.{m}", severity="warning") for m in range(10)))
            await bench.clock.advance(10.0)
        infos = [each for each in pager.delivered if each.notice.severity == "info"]
        assert len(infos) > 900

    Bench.run(run, ("pager", {"pager": True, "rate": Rate(1.0)}))


# -- recipients -----------------------------------------------------------------------------------


def test_each_recipient_has_an_outcome_and_nobody_gets_a_message_twice():
    async def run(bench: Bench) -> None:
        mail = bench.channels["mail"]
        mail.script.append(
            PerRecipient({"a@x": Delivered(), "b@x": Retry("452 full"), "c@x": Rejected("550 no such user")})
        )
        mail.script.append(PerRecipient({"b@x": Delivered()}))
        rows = await bench.tell(alert())
        await bench.clock.advance(5.0)
        assert [each.recipients for each in mail.sent] == [(), ("b@x",)]
        [row] = await bench.rows(rows)
        assert (row.state, row.recipients, row.reason) == (RowState.DEAD, ("c@x",), "c@x: 550 no such user")
        log = [(each.recipient, each.result) for _, each in await bench.manager.log()]
        assert sorted(log) == [("a@x", "delivered"), ("b@x", "delivered"), ("b@x", "retry"), ("c@x", "rejected")]
        mail.script.append(PerRecipient({"c@x": Delivered()}))
        await bench.manager.replay(row.id, actor="ana")
        await bench.turn()
        assert mail.sent[-1].recipients == ("c@x",)
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED

    Bench.run(run, ("mail", {"recipients": ("a@x", "b@x", "c@x")}))


# -- the store ------------------------------------------------------------------------------------


def test_what_was_sent_is_not_sent_again_because_it_could_not_be_recorded():
    async def run(bench: Bench) -> None:
        store, chat = bench.store, bench.channels["chat"]
        chat.script.append(2.0)
        rows = await bench.tell(alert())
        await bench.turn()
        store.down = True
        await bench.clock.advance(60.0)
        assert len(chat.sent) == 1
        assert bench.manager.problems()
        store.down = False
        await bench.clock.advance(2.0)
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED
        assert len(chat.sent) == 1
        assert not bench.manager.problems()

    Bench.run(run, "chat", store=FlakyOutbox)


def test_while_the_store_is_away_rows_wait_and_none_is_lost():
    async def run(bench: Bench) -> None:
        store, chat = bench.store, bench.channels["chat"]
        await bench.store.add(rows := bench.manager.plan(alert()))
        store.down = True
        bench.manager.accept(rows)
        await bench.clock.advance(30.0)
        assert not chat.sent
        store.down = False
        await bench.clock.advance(2.0)
        assert len(chat.delivered) == 1

    Bench.run(run, "chat", store=FlakyOutbox)


def test_alerts_that_the_store_could_not_take_are_told_and_recorded_when_it_can():
    async def run(bench: Bench) -> None:
        store, chat = bench.store, bench.channels["chat"]
        store.down = True
        chat.script.append(Retry("500"))
        rows = bench.manager.plan(alert())
        bench.manager.accept(rows, kept=False)
        await bench.clock.advance(5.0)
        assert len(chat.delivered) == 1
        store.down = False
        await bench.store.add(rows)
        bench.manager.accept(rows)
        await bench.clock.advance(3.0)
        assert [row.state for row in await bench.rows(rows)] == [RowState.DELIVERED]
        assert len(chat.sent) == 2
        assert len(await bench.manager.log()) == 2

    Bench.run(run, "chat", store=FlakyOutbox)


def test_a_crash_before_the_send_delivers_once_and_one_during_it_may_repeat():
    async def run(bench: Bench) -> None:
        rows = await bench.tell(alert("before"))
        await bench.stop()
        after = Bench("chat", store=bench.store, clock=bench.clock)
        await after.start()
        assert [each.repeat for each in after.channels["chat"].delivered] == [False]
        after.channels["chat"].script.append(HANGS)
        rows += await after.tell(alert("during"))
        await after.turn()
        await after.stop()
        third = Bench("chat", store=bench.store, clock=bench.clock)
        await third.start()
        await third.clock.advance(25.0)
        assert not third.channels["chat"].sent  # the lease of the one that died has not ended
        await third.clock.advance(40.0)
        assert [each.repeat for each in third.channels["chat"].delivered] == [True]
        assert {row.state for row in await bench.rows(rows)} == {RowState.DELIVERED}
        await third.stop()

    Bench.run(run, "chat")


def test_two_instances_never_send_one_row_both():
    async def run(bench: Bench) -> None:
        other = Bench("chat", store=bench.store, clock=bench.clock)
        await other.start()
        rows = bench.manager.plan(alert("a")) + bench.manager.plan(alert("b"))
        await bench.store.add(rows)
        bench.manager.accept(rows)
        other.manager.accept(rows)
        await bench.clock.advance(5.0)
        sent = [*bench.channels["chat"].delivered, *other.channels["chat"].delivered]
        assert sorted(each.id for each in sent) == sorted(row.id for row in rows)
        await other.stop()

    Bench.run(run, "chat")


class SlowReceipts(FlakyOutbox):
    """An outbox that answers at once, but for receipts, while `wait` is set."""

    wait = 0.0

    async def receipt(self, channel, episode):
        if self.wait:
            await self._clock.sleep(self.wait)
        return await super().receipt(channel, episode)


def test_what_was_claimed_long_before_it_could_be_sent_is_claimed_again_before_it_is_sent():
    async def run(bench: Bench) -> None:
        bench.store.wait = 31.0  # longer than a lease
        reminder = alert("a", REMINDER, nth=1)
        await bench.tell(reminder)
        await bench.clock.advance(1.0)
        bench.store.wait = 0.0
        other = Bench(("chat", {"living": "edit"}), store=bench.store, clock=bench.clock, seed=8)
        await other.start()
        await bench.clock.advance(60.0)
        assert [each.notice for each in (*bench.channels["chat"].sent, *other.channels["chat"].sent)] == [reminder]
        await other.stop()

    Bench.run(run, ("chat", {"living": "edit"}), store=SlowReceipts)


@pytest.mark.parametrize("pager", [False, True])
def test_the_end_waits_behind_a_beginning_that_another_instance_may_be_telling_at_this_moment(pager):
    leads = [True]

    async def run(bench: Bench) -> None:
        bench.channels["people"].script.append(8.0)  # the instance stands still while it sends
        fired = alert("a", at=bench.clock.time())
        await bench.tell(fired)
        await bench.turn()
        leads[0] = False
        heir = Bench(("people", {"pager": pager}), store=bench.store, clock=bench.clock, seed=8)
        await heir.start()
        resolved = alert("a", RESOLVED, at=bench.clock.time())
        await heir.tell(resolved)
        await bench.clock.advance(5.0)
        assert not heir.channels["people"].sent
        await bench.clock.advance(60.0)
        assert [each.notice for each in bench.channels["people"].delivered] == [fired]
        assert [each.notice for each in heir.channels["people"].delivered] == [resolved]
        assert [row.state for row in await bench.rows()] == [RowState.DELIVERED] * 2
        await heir.stop()

    Bench.run(run, ("people", {"pager": pager}), active=lambda: leads[0])


def test_a_sender_whose_lease_has_ended_is_fenced_off():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(5.0)
        [row] = await bench.tell(alert())
        await bench.turn()
        bench.clock.jump_wall(31.0)  # this process stood still for as long as its lease
        tokens = await bench.store.claim([row.id], "another", 30.0)
        assert tokens
        await bench.clock.advance(6.0)
        [kept] = await bench.rows([row])
        assert (kept.owner, kept.state) == ("another", RowState.PENDING)
        assert len(await bench.manager.log()) == 1  # that it was sent is not forgotten

    Bench.run(run, "chat")


def test_an_instance_that_does_not_deliver_only_adds_and_still_learns_the_result():
    async def run(bench: Bench) -> None:
        server = Bench("chat", store=bench.store, clock=bench.clock)
        await server.start()
        results = await bench.answer(bench.manager.send_notification(NotificationMessage("hi")))
        assert results["chat"].success
        assert not bench.channels["chat"].sent
        assert len(server.channels["chat"].delivered) == 1
        await server.stop()

    Bench.run(run, "chat", active=lambda: False)


# -- the end --------------------------------------------------------------------------------------


def test_stopping_waits_for_what_is_on_its_way_and_leaves_the_rest_to_be_claimed():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(3.0)
        rows = await bench.tell(alert("sending"), alert("waiting"))
        await bench.turn()
        await bench.answer(bench.manager.stop())
        sending, waiting = await bench.rows(rows)
        assert sending.state is RowState.DELIVERED
        assert (waiting.state, waiting.owner) == (RowState.PENDING, "")
        assert len(chat.sent) == 1

    Bench.run(run, "chat")


def test_stopping_does_not_wait_for_ever_and_what_it_cuts_off_can_be_claimed_at_once():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(HANGS)
        rows = await bench.tell(alert())
        await bench.turn()
        await bench.answer(bench.manager.stop(2.0))
        [row] = await bench.rows(rows)
        assert (row.state, row.owner, row.ambiguous) == (RowState.PENDING, "", True)

    Bench.run(run, "chat")


# -- what services give back ----------------------------------------------------------------------


def test_the_next_message_of_an_episode_knows_the_receipt_of_the_last():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Delivered(Receipt("message-17")))
        await bench.tell(alert("a"))
        await bench.turn()
        await bench.tell(alert("a", REMINDER, nth=1))
        await bench.turn()
        assert [each.living.provider_id if each.living else None for each in chat.delivered] == [None, "message-17"]
        await bench.stop()
        after = Bench(("chat", {"living": "edit"}), store=bench.store, clock=bench.clock)
        await after.start()
        await after.tell(alert("a", RESOLVED))
        await after.turn()
        assert after.channels["chat"].delivered[0].living is not None
        await after.stop()

    Bench.run(run, ("chat", {"living": "edit"}))


def test_a_late_message_says_when_the_thing_was_noticed():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("503 busy", after=2280.0))
        await bench.tell(alert(severity="warning"))
        await bench.clock.advance(2281.0)
        [note] = chat.delivered[0].card.notes
        assert "38 min" in note
        assert "503 busy" in note

    Bench.run(run, "chat")


def test_a_service_that_says_pause_with_its_answer_is_obeyed():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Delivered(pause=8.0))
        await bench.tell(alert("a"), alert("b"))
        await bench.clock.advance(7.9)
        assert len(chat.sent) == 1
        await bench.clock.advance(0.2)
        assert len(chat.sent) == 2

    Bench.run(run, "chat")


# -- reload ---------------------------------------------------------------------------------------


def test_a_channel_that_is_taken_away_lets_go_what_is_in_flight_and_suppresses_what_waits():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(3.0)
        rows = await bench.tell(alert("a"), alert("b"))
        await bench.turn()
        bench.manager.set_channels({"mail": bench.channels["mail"]})
        await bench.clock.advance(5.0)
        assert len(chat.delivered) == 1
        await bench.clock.advance(75.0)
        states = {(row.channel, row.state, row.reason) for row in await bench.rows(rows)}
        assert states == {
            ("chat", RowState.DELIVERED, ""),
            ("chat", RowState.SUPPRESSED, "channel removed"),
            ("mail", RowState.DELIVERED, ""),
        }

    Bench.run(run, "chat", "mail")


def test_a_channel_that_comes_back_within_a_minute_gets_what_waited_for_it():
    async def run(bench: Bench) -> None:
        bench.manager.set_channels({})
        rows = await bench.tell(alert())
        assert not rows
        rows = [bench.manager.plans.row(alert(), "chat")]
        await bench.store.add(rows)
        bench.manager.accept(rows)
        await bench.clock.advance(20.0)
        bench.manager.set_channels(bench.channels)
        await bench.turn()
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED

    Bench.run(run, "chat")


def test_what_fails_on_a_channel_that_was_taken_away_meanwhile_waits_a_minute_for_its_return():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(lambda message: Retry("500"))
        bench.channels["chat"].script.appendleft(Retry("500", after=90.0))
        rows = await bench.tell(alert("a"))
        await bench.clock.advance(70.0)
        bench.manager.set_channels({})
        await bench.clock.advance(30.0)
        assert (await bench.rows(rows))[0].state is RowState.PENDING
        bench.manager.set_channels(bench.channels)
        await bench.clock.advance(30.0)
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED

    Bench.run(run, "chat")


def test_rows_that_are_leased_by_the_commit_that_keeps_them_need_no_claim():
    async def run(bench: Bench) -> None:
        claims = []
        claim = bench.store.claim

        async def counted(ids, owner, seconds):
            claims.extend(ids)
            return await claim(ids, owner, seconds)

        bench.store.claim = counted
        rows = bench.manager.leased(bench.manager.plan(alert("a")))
        await bench.store.add(rows)
        bench.manager.accept(rows)
        await bench.turn()
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED
        assert not claims

    Bench.run(run, "chat")


def test_nothing_is_sent_before_it_is_known_what_waits():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(Retry("500", after=5.0))
        await bench.tell(alert("a"))
        await bench.turn()
        await bench.stop()
        bench.store.down = True
        after = Bench("chat", store=bench.store, clock=bench.clock)
        await after.start()
        bench.store.down = False
        await after.tell(alert("a", REMINDER, nth=1))
        await after.clock.advance(60.0)
        assert [each.notice.kind for each in after.channels["chat"].delivered] == [FIRED, REMINDER]
        await after.stop()

    Bench.run(run, "chat", store=FlakyOutbox)


def test_more_rows_than_there_is_room_for_wait_in_the_store():
    async def run(bench: Bench) -> None:
        lanes = bench.manager.lanes
        lanes._most = 20
        rows = await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(100)))
        assert len(lanes) <= 20
        for _ in range(40):
            await bench.clock.advance(60.0)
        assert {row.state for row in await bench.rows(rows)} == {RowState.DELIVERED}

    Bench.run(run, ("pager", {"pager": True, "rate": Rate(2.0)}))


def test_many_sends_of_one_channel_run_side_by_side_only_as_far_as_it_wants():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.extend([1.0] * 6)
        await bench.tell(*(alert(f"n{n}") for n in range(6)))
        await asyncio.sleep(0)
        await bench.clock.advance(10.0)
        assert chat.most == 3
        assert len(chat.delivered) == 6

    Bench.run(run, ("chat", {"concurrency": 3}))
