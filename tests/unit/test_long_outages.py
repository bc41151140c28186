"""Every channel is away for an hour while alerts come and go: what is told when they are back, and in which order."""

from __future__ import annotations

from pipeline import Bench, alert
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.notifications import notes
from understudy.notifications.message import Degrade, PerRecipient, Rejected, Retry
from understudy.notifications.ports import Rate

FIRED, RESOLVED, ESCALATED = NoticeKind.FIRED, NoticeKind.RESOLVED, NoticeKind.ESCALATED
CHANNELS = {
    "chat": {"rate": Rate(1.0, burst=3)},
    "mail": {"concurrency": 2},
    "pager": {"pager": True, "rate": Rate(2.0, burst=4)},
    "hook": {"digests": False, "rate": Rate(5.0, burst=10)},
}
HOUR = 3600.0


def away(bench: Bench) -> None:
    """Nothing answers from now on."""
    for channel in bench.channels.values():
        channel.script.extend([Retry("connection refused")] * 10_000)


def back(bench: Bench) -> None:
    for channel in bench.channels.values():
        channel.script.clear()


def test_after_an_hour_without_any_channel_the_urgent_comes_first_and_pairs_come_as_one():
    async def run(bench: Bench) -> None:
        away(bench)
        rows = []
        for name, severity in (("calm", "warning"), ("small", "warning"), ("large", "critical"), ("short", "critical")):
            rows += await bench.tell(alert(name, severity=severity, at=bench.clock.time()))
            await bench.clock.advance(60.0)
        rows += await bench.tell(alert("small", ESCALATED, at=bench.clock.time()))
        rows += await bench.tell(alert("short", RESOLVED, at=bench.clock.time()))
        await bench.clock.advance(HOUR - 300.0)
        assert not any(channel.delivered for channel in bench.channels.values())
        back(bench)
        await bench.clock.advance(700.0)
        chat = [(each.notice.fingerprint.removeprefix("fp-"), each.notice.kind) for each in _all(bench, "chat")]
        # An escalation never overtakes its warning, which comes as early as that; the pair is one message.
        assert chat == [("small", FIRED), ("large", FIRED), ("small", ESCALATED), ("short", RESOLVED), ("calm", FIRED)]
        [pair] = [each for each in _all(bench, "chat") if each.notice.kind is RESOLVED]
        assert pair.notice.merged
        assert notes.merged("en") in pair.card.notes
        assert all(any("detected" in note.lower() for note in each.card.notes) for each in _all(bench, "chat"))
        pager = [each.notice.fingerprint for each in _all(bench, "pager")]
        assert pager.count("fp-short") == 0, "nobody gets up for what is over"
        assert set(pager) >= {"fp-large", "fp-small"}
        states = {row.state for row in await bench.rows(rows)}
        assert states == {RowState.DELIVERED, RowState.DIGESTED, RowState.SUPPRESSED}
        account = await bench.manager.accounting(0.0, 4e9)
        assert (account.missing, account.pending, account.dead) == (0, 0, 0)

    Bench.run(run, *CHANNELS.items())


def _all(bench: Bench, name: str):
    return [each for each in bench.channels[name].delivered if each.notice.rule == "api down"]


def test_what_died_with_a_channel_says_what_was_wrong_with_the_channel_even_if_it_was_never_tried():
    async def run(bench: Bench) -> None:
        away(bench)
        rows = await bench.tell(*(alert(f"n{n}", severity="info") for n in range(25)))
        await bench.clock.advance(HOUR + 60.0)
        found = await bench.rows(rows)
        assert {row.state for row in found} == {RowState.DEAD}
        assert any(not row.attempts for row in found)
        assert {row.reason for row in found} == {"not delivered in time: connection refused"}

    Bench.run(run, ("hook", CHANNELS["hook"]))


def test_a_message_for_beginning_and_end_stays_one_whatever_happens_to_it():
    """It fails, is refused in its form, reaches one of two, is given up and replayed."""

    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Retry("500", after=10.0))
        await bench.tell(alert("a"))
        await bench.turn()
        [row] = await bench.tell(alert("a", RESOLVED))
        chat.script.extend([
            Retry("500 again"), Degrade("400"), PerRecipient({"ana": Retry("full"), "bea": Rejected("unknown")}),
            Rejected("no"),
        ])  # fmt: skip
        await bench.clock.advance(60.0)
        [row] = await bench.rows([row])
        assert row.state is RowState.DEAD
        await bench.manager.replay(row.id, actor="somebody")
        await bench.turn()
        tried = chat.sent[1:]
        assert len(tried) == 5
        assert all(each.notice.merged for each in tried)
        assert [each.notice.kind for each in chat.delivered] == [RESOLVED]

    Bench.run(run, ("chat", {"recipients": ("ana", "bea")}))
