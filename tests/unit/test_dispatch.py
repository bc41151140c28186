"""Delivering: what goes out when, what becomes of each answer, and that nothing is lost or told twice."""

from __future__ import annotations

from pipeline import Bench, alert
from understudy.core.outbox import RowState
from understudy.notifications.message import NotificationMessage


def test_a_message_goes_to_every_channel_and_the_answer_says_so():
    async def run(bench: Bench) -> None:
        results = await bench.answer(
            bench.manager.send_notification(NotificationMessage("hello", "world", severity="warning"))
        )
        assert {name: each.state for name, each in results.items()} == {"chat": "delivered", "mail": "delivered"}
        assert all(results.values())
        assert [each.card.title for each in bench.channels["chat"].delivered] == ["hello"]

    Bench.run(run, "chat", "mail")


def test_a_notice_of_an_alert_is_delivered_and_recorded():
    async def run(bench: Bench) -> None:
        rows = await bench.tell(alert())
        await bench.clock.advance(1.0)
        assert [row.state for row in await bench.rows(rows)] == [RowState.DELIVERED]

    Bench.run(run, "chat")
