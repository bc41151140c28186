"""What was given up: it can be tried again or thrown away, and others learn of it, once, on channels that work."""

from __future__ import annotations

import pytest

from pipeline import Bench, alert
from understudy.core.errors import UnknownName
from understudy.core.outbox import RowState
from understudy.notifications.message import Rejected

REFUSED = Rejected("400 invalid_payload", status=400, response="invalid_payload")


def test_a_replay_keeps_the_identity_and_can_be_done_once():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(REFUSED)
        rows = await bench.tell(alert("a"))
        await bench.turn()
        [dead] = await bench.manager.dead_letters()
        assert (dead.id, dead.reason) == (rows[0].id, "400 invalid_payload")
        await bench.manager.replay(dead.id, actor="ana")
        await bench.turn()
        assert [each.id for each in chat.sent] == [dead.id, dead.id]
        assert chat.sent[0].notice.event_id == chat.sent[1].notice.event_id
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED
        with pytest.raises(UnknownName):
            await bench.manager.replay(dead.id, actor="ana")

    Bench.run(run, "chat")


def test_a_replayed_letter_has_time_again():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(REFUSED)
        rows = await bench.tell(alert("a", severity="info"))
        await bench.clock.advance(7200.0)
        await bench.manager.replay(rows[0].id, actor="ana")
        await bench.turn()
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED

    Bench.run(run, "chat")


def test_a_letter_can_be_thrown_away():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(REFUSED)
        rows = await bench.tell(alert("a"))
        await bench.turn()
        await bench.manager.discard(rows[0].id, actor="ana")
        [row] = await bench.rows(rows)
        assert row.state is RowState.DISCARDED
        assert "ana" in row.reason
        assert not await bench.manager.dead_letters()
        account = await bench.manager.accounting(0.0, 2e9)
        assert (account.rows, account.discarded, account.missing) == (1, 1, 0)
        with pytest.raises(UnknownName):
            await bench.manager.discard("01NOSUCHROW", actor="ana")

    Bench.run(run, "chat")


def test_the_other_channels_learn_of_it_once_each_in_its_language():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.extend([REFUSED] * 20)
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(20)), targets=("chat",))
        await bench.clock.advance(120.0)
        assert [each.card.title for each in bench.channels["mail"].delivered] == [
            "Messages of the channel chat could not be delivered"
        ]
        [told] = bench.channels["correio"].delivered
        assert "chat" in told.card.title
        assert told.card.title != bench.channels["mail"].delivered[0].card.title
        assert len(bench.channels["chat"].sent) == 20
        assert any("given up" in problem for problem in bench.manager.problems())

    Bench.run(run, ("chat", {"digests": False}), "mail", ("correio", {"language": "pt-BR"}))


def test_news_of_dead_letters_that_die_themselves_are_not_told_of():
    async def run(bench: Bench) -> None:
        for each in bench.channels.values():
            each.script.extend([REFUSED] * 50)
        await bench.tell(alert("a"))
        await bench.clock.advance(7200.0)
        # One alert on two channels, and the news of each on the other.
        assert len(await bench.rows()) == 4

    Bench.run(run, "chat", "mail")


def test_nobody_is_told_where_that_was_switched_off():
    from understudy.notifications.options import NotificationOptions

    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(REFUSED)
        await bench.tell(alert("a"), targets=("chat",))
        await bench.clock.advance(10.0)
        assert not bench.channels["mail"].sent

    Bench.run(run, "chat", "mail", options=NotificationOptions(tell_dead_letters=False))
