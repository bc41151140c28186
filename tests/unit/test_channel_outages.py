"""Channels that stop working: the breaker, what stands in for them, and what people learn of it."""

from __future__ import annotations

from pipeline import Bench, MemoryState, alert
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.notifications.message import Rejected, Retry
from understudy.testing.memory_channel import HANGS

DOWN = [Retry("503 busy", status=503)] * 1000
GONE = Rejected("404 no_service", "endpoint", status=404)


def test_five_failures_in_a_row_open_the_breaker_and_probes_are_rare():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.extend(DOWN)
        await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(4)))
        await bench.clock.advance(60.0)
        view = bench.manager.channels()["chat"]
        assert (view.state, view.reason) == ("open", "503 busy")
        assert len(chat.sent) == 5 + 1
        await bench.clock.advance(3600.0)
        gaps = [after - before for before, after in zip(chat.sent_at[5:], chat.sent_at[6:], strict=False)]
        assert [round(gap) for gap in gaps[:5]] == [60, 120, 240, 300, 300]
        assert set(map(round, gaps[5:])) == {300}

    Bench.run(run, "chat")


def test_a_probe_that_arrives_closes_the_breaker_and_everything_goes_out():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.extend(DOWN[:5])
        rows = await bench.tell(*(alert(f"n{n}", severity="warning") for n in range(6)))
        await bench.clock.advance(20.0)
        urgent = await bench.tell(alert("urgent"))
        await bench.clock.advance(40.0)
        assert chat.delivered[0].notice.fingerprint == "fp-urgent"  # the probe is what is most urgent
        assert bench.manager.channels()["chat"].state == "closed"
        assert {row.state for row in await bench.rows(rows + urgent)} == {RowState.DELIVERED}

    Bench.run(run, "chat")


def test_a_revoked_endpoint_gets_nothing_more_until_a_test_succeeds():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(GONE)
        rows = await bench.tell(alert("a"))
        await bench.clock.advance(1800.0)
        assert len(chat.sent) == 1
        assert bench.manager.channels()["chat"].state == "disabled"
        assert any("404 no_service" in problem for problem in bench.manager.problems())
        chat.script.append(GONE)
        failed = await bench.answer(bench.manager.test("chat", actor="ana"))
        assert (failed.success, failed.state, failed.reason) == (False, "failed", "404 no_service")
        assert bench.manager.channels()["chat"].state == "disabled"
        done = await bench.answer(bench.manager.test("chat", actor="ana"))
        assert done.success
        await bench.turn()
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED
        assert not bench.manager.problems()

    Bench.run(run, "chat")


def test_a_revoked_endpoint_is_tried_again_when_its_configuration_changes():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(GONE)
        rows = await bench.tell(alert("a"))
        await bench.turn()
        bench.manager.set_channels({"chat": bench.channel("chat", revision="1", script=[GONE])})
        await bench.clock.advance(600.0)
        assert bench.manager.channels()["chat"].state == "disabled"  # the same configuration changes nothing
        bench.manager.set_channels({"chat": bench.channel("chat", revision="2")})
        await bench.turn()
        assert (await bench.rows(rows))[0].state is RowState.DELIVERED

    Bench.run(run, ("chat", {"revision": "1"}))


def test_a_breaker_survives_a_restart():
    async def run(bench: Bench) -> None:
        state = bench.manager._watch._state
        bench.channels["chat"].script.append(GONE)
        await bench.tell(alert("a"))
        await bench.clock.advance(2.0)
        await bench.stop()
        again = Bench(("chat", {"revision": "1"}), store=bench.store, clock=bench.clock, state=state)
        await again.start()
        await again.clock.advance(120.0)
        assert again.manager.channels()["chat"].state == "disabled"
        assert not again.channels["chat"].sent
        await again.stop()
        changed = Bench(("chat", {"revision": "2"}), store=bench.store, clock=bench.clock, state=state)
        await changed.start()
        await changed.clock.advance(2.0)
        assert len(changed.channels["chat"].delivered) == 1
        await changed.stop()

    Bench.run(run, ("chat", {"revision": "1"}), state=MemoryState())


def test_critical_messages_go_to_the_channel_that_stands_in_and_come_back_as_one_line():
    async def run(bench: Bench) -> None:
        chat, mail = bench.channels["chat"], bench.channels["mail"]
        chat.script.extend(DOWN[:7])
        critical = await bench.tell(alert("a"), alert("b"), targets=("chat",))
        warning = await bench.tell(alert("w", severity="warning"), targets=("chat",))
        await bench.clock.advance(59.0)
        assert not mail.sent
        await bench.clock.advance(6.0)
        assert [each.notice.fingerprint for each in mail.delivered] == ["fp-a", "fp-b"]
        assert all(any("chat" in note for note in each.card.notes) for each in mail.delivered)
        rows = await bench.rows(critical)
        assert {row.state for row in rows} == {RowState.DIGESTED}
        assert {row.told_in for row in rows} == {each.id for each in mail.delivered}
        await bench.clock.advance(600.0)
        told = [each.card.title for each in chat.delivered]
        assert len(told) == 2  # the warning that waited, and one line; no replay
        assert any("2 messages went elsewhere" in title for title in told)
        assert (await bench.rows(warning))[0].state is RowState.DELIVERED

    Bench.run(run, ("chat", {"fallback": "mail"}), "mail")


def test_the_end_of_an_alert_that_was_told_elsewhere_is_told_there_too():
    async def run(bench: Bench) -> None:
        chat, mail = bench.channels["chat"], bench.channels["mail"]
        chat.script.extend(DOWN[:7])
        await bench.tell(alert("a"), targets=("chat",))
        await bench.clock.advance(600.0)
        assert bench.manager.channels()["chat"].state == "open"
        bench.manager.lanes.lanes["chat"].circuit.succeeded()
        await bench.tell(alert("a", NoticeKind.RESOLVED), targets=("chat",))
        await bench.clock.advance(5.0)
        assert [each.notice.kind for each in mail.delivered] == [NoticeKind.FIRED, NoticeKind.RESOLVED]

    Bench.run(run, ("chat", {"fallback": "mail"}), "mail")


def test_an_event_that_the_stand_in_tells_anyway_is_not_told_there_twice():
    async def run(bench: Bench) -> None:
        chat, mail = bench.channels["chat"], bench.channels["mail"]
        chat.script.extend(DOWN)
        rows = await bench.tell(alert("a"))
        await bench.clock.advance(70.0)
        assert len(mail.delivered) == 1
        states = {row.channel: row for row in await bench.rows(rows)}
        assert states["chat"].state is RowState.DIGESTED
        assert states["chat"].told_in == states["mail"].id

    Bench.run(run, ("chat", {"fallback": "mail"}), "mail")


def test_channels_that_stand_in_for_each_other_pass_nothing_round_in_circles():
    async def run(bench: Bench) -> None:
        for each in bench.channels.values():
            each.script.extend(DOWN)
        rows = await bench.tell(alert("a"), targets=("chat",))
        await bench.clock.advance(7200.0)
        everything = await bench.rows()
        assert len(everything) <= 2
        assert any("no channel stands in" in problem for problem in bench.manager.problems())
        assert len(rows) == 1
        pending = [row for row in everything if row.state is RowState.PENDING]
        assert len(pending) == 1  # it waits, and is not lost

    Bench.run(run, ("chat", {"fallback": "mail"}), ("mail", {"fallback": "chat"}))


def test_the_stand_in_of_a_stand_in_takes_over_when_both_are_down():
    async def run(bench: Bench) -> None:
        for name in ("a", "b"):
            bench.channels[name].script.extend(DOWN)
        await bench.tell(alert("first"), targets=("b",))
        await bench.clock.advance(40.0)
        await bench.tell(alert("x"), targets=("a",))
        await bench.clock.advance(90.0)
        assert "fp-x" in [each.notice.fingerprint for each in bench.channels["c"].delivered]

    Bench.run(run, ("a", {"fallback": "b"}), ("b", {"fallback": "c"}), "c")


def test_a_service_that_asks_for_more_than_a_minute_is_stood_in_for():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(Retry("429", after=4000.0))
        await bench.tell(alert("a"), targets=("chat",))
        await bench.clock.advance(65.0)
        assert len(bench.channels["mail"].delivered) == 1
        await bench.clock.advance(4000.0)
        assert len(bench.channels["chat"].sent) == 1

    Bench.run(run, ("chat", {"fallback": "mail"}), "mail")


def test_a_critical_message_that_waits_long_is_a_problem():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.extend([HANGS] * 100)
        await bench.tell(alert("a"))
        await bench.clock.advance(130.0)
        assert any("critical message has been waiting" in problem for problem in bench.manager.problems())
        assert 120 < bench.manager.oldest_critical < 140

    Bench.run(run, "chat")
