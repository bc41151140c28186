"""Too much to say: what still goes by itself, what is folded into digests, and that the account stays exact."""

from __future__ import annotations

from pipeline import Bench, alert
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.notifications.message import NotificationMessage, Retry
from understudy.notifications.ports import Rate

SLACK = {"rate": Rate(1.0, burst=3)}


def kinds(channel) -> list[NoticeKind]:
    return [each.notice.kind for each in channel.delivered]


def test_ten_messages_are_no_flood():
    async def run(bench: Bench) -> None:
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(10)))
        await bench.clock.advance(30.0)
        assert kinds(bench.channels["chat"]) == [NoticeKind.FIRED] * 10

    Bench.run(run, ("chat", SLACK))


def test_what_would_take_over_a_minute_is_a_flood_however_few_they_are():
    async def run(bench: Bench) -> None:
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(6)))
        await bench.clock.advance(300.0)
        assert NoticeKind.DIGEST in kinds(bench.channels["chat"])

    Bench.run(run, ("chat", {"rate": Rate(0.05)}))


def test_a_flood_of_5000_keeps_to_the_limit_and_loses_nothing():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        began = bench.clock.time()
        for second in range(10):
            notices = [alert(f"n{second}.{n}", severity="critical" if n % 50 == 49 else "warning") for n in range(500)]
            await bench.tell(*notices)
            await bench.clock.advance(1.0)
        criticals = [at for at, each in zip(chat.sent_at, chat.sent, strict=True) if each.notice.severity == "critical"]
        assert criticals[0] - began < 2.0
        await bench.clock.advance(300.0)
        for at in chat.sent_at:
            assert sum(at <= other < at + 10.0 for other in chat.sent_at) <= 13
        alone = [each for each in chat.delivered if each.notice.kind is NoticeKind.FIRED]
        assert sum(each.notice.severity == "critical" for each in alone) >= 5
        digests = [each.notice for each in chat.delivered if each.notice.kind is NoticeKind.DIGEST]
        assert sum(sum(notice.counts.values()) for notice in digests) + len(alone) == 5000
        assert all(len(notice.members) <= 10 for notice in digests)
        assert len(chat.sent) < 30
        account = await bench.manager.accounting(0.0, 2e9)
        assert (account.missing, account.pending, account.dead) == (0, 0, 0)
        assert account.delivered == len(chat.delivered)
        assert account.digested == 5000 - len(alone)

    Bench.run(run, ("chat", SLACK))


def test_digested_rows_name_the_digest_that_tells_them():
    async def run(bench: Bench) -> None:
        rows = await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(40)))
        await bench.clock.advance(60.0)
        [digest] = [each for each in bench.channels["chat"].delivered if each.notice.kind is NoticeKind.DIGEST]
        told = [row for row in await bench.rows(rows) if row.state is RowState.DIGESTED]
        assert {row.told_in for row in told} == {digest.id}
        assert digest.notice.counts == {"warning": len(told)}
        why = await bench.manager.why(told[0].event_id)
        assert [row["state"] for row in why["rows"]] == ["digested", "delivered"]

    Bench.run(run, ("chat", SLACK))


def test_pagers_are_never_digested():
    async def run(bench: Bench) -> None:
        await bench.tell(*(alert(f"n{n}") for n in range(60)))
        await bench.clock.advance(120.0)
        assert kinds(bench.channels["pager"]) == [NoticeKind.FIRED] * 60

    Bench.run(run, ("pager", {"pager": True, **SLACK}))


def test_programs_that_want_each_event_get_each():
    async def run(bench: Bench) -> None:
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(100)))
        await bench.clock.advance(60.0)
        assert kinds(bench.channels["mail"]) == [NoticeKind.FIRED] * 100
        assert NoticeKind.DIGEST in kinds(bench.channels["chat"])

    Bench.run(run, ("chat", SLACK), ("mail", {"digests": False}))


def test_a_flood_in_one_destination_does_not_concern_another():
    async def run(bench: Bench) -> None:
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(50)), targets=("chat",))
        await bench.tell(*(alert(f"m{n}", severity="warning") for n in range(5)), targets=("mail",))
        await bench.clock.advance(5.0)
        assert kinds(bench.channels["mail"]) == [NoticeKind.FIRED] * 5
        assert NoticeKind.DIGEST in kinds(bench.channels["chat"])

    Bench.run(run, ("chat", SLACK), ("mail", SLACK))


def test_a_digest_that_is_in_retry_is_not_overtaken_by_what_follows_its_members():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(60)))
        await bench.clock.advance(0.9)
        chat.script.append(Retry("503", after=20.0))  # the digest
        await bench.clock.advance(1.0)
        assert chat.sent[-1].notice.kind is NoticeKind.DIGEST
        await bench.tell(alert("n59", NoticeKind.RESOLVED, severity="warning"))
        await bench.clock.advance(60.0)
        last = [each.notice.kind for each in chat.delivered][-2:]
        assert last == [NoticeKind.DIGEST, NoticeKind.RESOLVED]

    Bench.run(run, ("chat", SLACK))


def test_a_test_goes_through_a_flood():
    async def run(bench: Bench) -> None:
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(500)))
        await bench.turn()
        result = await bench.answer(bench.manager.test("chat", actor="ana"))
        assert result.success
        assert result.seconds < 5.0

    Bench.run(run, ("chat", SLACK))


def test_a_message_in_a_flood_is_told_in_a_digest_and_the_answer_says_in_which():
    async def run(bench: Bench) -> None:
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(200)))
        results = await bench.answer(bench.manager.send_notification(NotificationMessage("hello"), wait=40.0))
        assert results["chat"].state == "digested"
        assert not results["chat"].success

    Bench.run(run, ("chat", SLACK))
