"""What waited to be told together: one message on each channel, and nothing that is urgent waits with it."""

from __future__ import annotations

from pipeline import Bench, alert
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState


def kinds(channel) -> list[str]:
    return [str(each.notice.kind) for each in channel.delivered]


def mild(name: str, kind: NoticeKind = NoticeKind.FIRED, **rest):
    return alert(name, kind, severity="warning", **rest)


async def held(bench: Bench, *notices, seconds: float = 30.0, group: str = "rule=errors"):
    """Tell notices as the alert room does where they wait for others."""
    return await bench.tell(*notices, group=group, not_before_at=bench.clock.time() + seconds)


def test_what_is_due_together_is_one_message():
    async def run(bench: Bench) -> None:
        rows = await held(bench, mild("a"), mild("b"))
        await bench.clock.advance(20.0)
        rows += await held(bench, mild("c"), seconds=10.0)
        chat = bench.channels["chat"]
        assert kinds(chat) == []
        await bench.clock.advance(10.1)
        assert kinds(chat) == ["digest"]
        assert chat.delivered[0].notice.counts == {"warning": 3}
        told = await bench.rows(rows)
        assert {row.state for row in told} == {RowState.DIGESTED}
        assert len({row.told_in for row in told}) == 1
        assert (await bench.manager.accounting(0.0, 2e9)).missing == 0

    Bench.run(run, "chat")


def test_one_that_stays_alone_is_told_as_itself():
    async def run(bench: Bench) -> None:
        await held(bench, mild("a"))
        await bench.clock.advance(30.1)
        assert kinds(bench.channels["chat"]) == ["fired"]

    Bench.run(run, "chat")


def test_other_groups_are_other_messages():
    async def run(bench: Bench) -> None:
        await held(bench, mild("a"), mild("b"))
        await held(bench, mild("c"), mild("d"), group="rule=other")
        await bench.clock.advance(30.1)
        assert kinds(bench.channels["chat"]) == ["digest", "digest"]

    Bench.run(run, "chat")


def test_what_gets_worse_waits_for_nothing():
    async def run(bench: Bench) -> None:
        await held(bench, mild("a"), mild("b"))
        await bench.clock.advance(5.0)
        await bench.tell(alert("a", NoticeKind.ESCALATED))
        await bench.turn()
        # What goes before it in the same episode goes with it, the rest stays where it is.
        assert kinds(bench.channels["chat"]) == ["fired", "escalated"]
        await bench.clock.advance(25.1)
        assert kinds(bench.channels["chat"]) == ["fired", "escalated", "fired"]

    Bench.run(run, "chat")


def test_a_restart_tells_them_together_all_the_same():
    async def run(bench: Bench) -> None:
        await held(bench, mild("a"), mild("b"))
        await bench.stop()
        again = Bench("chat", store=bench.store, clock=bench.clock)
        await again.start()
        await bench.clock.advance(60.0)
        assert kinds(again.channels["chat"]) == ["digest"]
        await again.stop()

    Bench.run(run, "chat")


def test_what_another_instance_holds_is_left_to_it():
    async def run(bench: Bench) -> None:
        rows = await held(bench, mild("a"), mild("b"), mild("c"))
        await bench.clock.advance(29.0)
        await bench.store.claim([rows[0].id, rows[1].id], "another", 10.0)
        await bench.clock.advance(2.0)
        assert kinds(bench.channels["chat"]) == ["fired"]
        await bench.clock.advance(60.0)
        assert sorted(kinds(bench.channels["chat"])[1:]) in (["digest"], ["fired", "fired"])

    Bench.run(run, "chat")
