"""The front door of notifications: tests, cooldowns, numbers, the account, and the watch over itself."""

from __future__ import annotations

import pytest

from pipeline import Bench, alert
from understudy.core.errors import UnknownName
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, NotificationMessage, Rejected, Retry
from understudy.notifications.options import NotificationOptions
from understudy.notifications.ports import Rate
from understudy.testing import ScriptedHttp
from understudy.testing.memory_channel import HANGS


def test_a_test_tells_what_the_service_said():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.append(Delivered(status=200, response="ok"))
        result = await bench.answer(bench.manager.test("chat", actor="ana"))
        assert (result.success, result.status, result.response, result.resolved) == (True, 200, "ok", None)
        assert chat.delivered[0].notice.kind is NoticeKind.TEST
        assert chat.delivered[0].card.title.startswith("Test")
        chat.script.append(Rejected("403 invalid_token", "endpoint", status=403, response="invalid_token"))
        result = await bench.answer(bench.manager.test("chat", actor="ana"))
        assert (result.success, result.state, result.status, result.response) == (False, "failed", 403, "invalid_token")
        assert not await bench.manager.dead_letters()
        with pytest.raises(UnknownName, match="did you mean 'chat'"):
            await bench.manager.test("chatt", actor="ana")

    Bench.run(run, "chat")


def test_the_test_of_a_pager_closes_what_it_opened():
    async def run(bench: Bench) -> None:
        result = await bench.answer(bench.manager.test("pager", actor="ana"))
        assert result.resolved
        opened, closed = (each.notice for each in bench.channels["pager"].delivered)
        assert (opened.kind, closed.kind) == (NoticeKind.TEST, NoticeKind.RESOLVED)
        assert opened.dedup_key == closed.dedup_key

    Bench.run(run, ("pager", {"pager": True, "min_severity": "critical"}))


def test_a_test_that_hangs_ends():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(HANGS)
        result = await bench.answer(bench.manager.test("chat", actor="ana"))
        assert (result.success, result.reason) == (False, "no answer within 10 s")

    Bench.run(run, "chat")


def test_a_message_goes_where_it_is_told_and_an_unknown_channel_is_answered_as_such():
    async def run(bench: Bench) -> None:
        message = NotificationMessage("hi", channels=["mail", "nowhere"], priority="critical")
        results = await bench.answer(bench.manager.send_notification(message))
        assert {name: each.state for name, each in results.items()} == {"nowhere": "unknown", "mail": "delivered"}
        assert not bench.channels["chat"].sent
        assert results["mail"].as_dict()["success"] is True

    Bench.run(run, "chat", "mail")


def test_what_cannot_be_delivered_in_time_is_answered_as_pending_and_goes_on():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(Retry("503", after=50.0))
        results = await bench.answer(bench.manager.send_notification(NotificationMessage("hi"), wait=10.0))
        assert (results["chat"].success, results["chat"].state, results["chat"].reason) == (False, "pending", "503")
        await bench.clock.advance(60.0)
        assert len(bench.channels["chat"].delivered) == 1

    Bench.run(run, "chat")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"title": " "}, "title"),
        ({"title": None}, "title: expected a text, found None"),
        ({"title": "x", "content": b"y"}, "content: expected a text, found b'y'"),
        ({"title": "x", "severity": "bad"}, "severity: expected one of info, warning, critical"),
        ({"title": "x", "priority": "urgent"}, "priority: expected one of low, normal, high, critical"),
        ({"title": "x", "channels": "chat"}, "channels: expected a list"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        NotificationMessage(**fields)


def test_the_same_message_is_not_sent_again_within_its_cooldown_and_that_is_accounted_for():
    async def run(bench: Bench) -> None:
        async def send(title: str, severity: str = "info") -> str:
            message = NotificationMessage(title, severity=severity)
            return (await bench.answer(bench.manager.send_notification(message)))["chat"].state

        assert await send("disk full") == "delivered"
        assert await send("disk full") == "suppressed"
        assert await send("disk full", "critical") == "delivered"
        assert await send("other") == "delivered"
        await bench.clock.advance(61.0)
        assert await send("disk full") == "delivered"
        account = await bench.manager.accounting(0.0, 2e9)
        assert account.suppressed == {"cooldown": 1}
        assert (account.rows, account.delivered, account.missing) == (5, 4, 0)

    Bench.run(run, "chat", options=NotificationOptions(message_cooldown=60.0))


def test_the_numbers_of_a_channel():
    async def run(bench: Bench) -> None:
        chat = bench.channels["chat"]
        chat.script.extend([Retry("500", ambiguous=True), Delivered(), Rejected("400 bad")])
        await bench.tell(alert("a"))
        await bench.clock.advance(5.0)
        await bench.tell(alert("b", at=bench.clock.time()))
        await bench.turn()
        numbers = (await bench.manager.statistics(0.0, 2e9))["chat"]
        assert (numbers.delivered, numbers.dead, numbers.attempts, numbers.retries, numbers.repeats) == (1, 1, 3, 1, 1)
        assert numbers.success_rate == 50.0
        assert 0.5 <= numbers.p50 <= 1.1
        assert numbers.last_error == "400 bad"
        counters = bench.manager.counters
        assert counters.results == {("chat", "retry"): 1, ("chat", "delivered"): 1, ("chat", "rejected"): 1}

    Bench.run(run, "chat")


def test_why_an_event_was_or_was_not_told_can_be_looked_up():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(Retry("503 busy"))
        rows = await bench.tell(alert("a"))
        await bench.clock.advance(3.0)
        told = await bench.manager.why(rows[0].event_id)
        assert {each["channel"]: each["state"] for each in told["rows"]} == {"chat": "delivered", "mail": "delivered"}
        log = next(each["log"] for each in told["rows"] if each["channel"] == "chat")
        assert [(each["number"], each["result"], each["error"]) for each in log] == [
            (1, "retry", "503 busy"),
            (2, "delivered", ""),
        ]
        assert (await bench.manager.why(rows[1].id))["rows"][0]["channel"] == "mail"
        assert (await bench.manager.why("nothing"))["rows"] == []

    Bench.run(run, "chat", "mail")


def test_every_send_is_recorded_beside_the_apis():
    class Recorder:
        def __init__(self):
            self.seen = []

        def record(self, channel, seconds, ok, reason):
            self.seen.append((channel, round(seconds, 1), ok, reason))

    recorder = Recorder()

    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.extend([0.3, Retry("500")])
        await bench.tell(alert("a"))
        await bench.clock.advance(1.0)
        await bench.tell(alert("b"))
        await bench.turn()
        assert recorder.seen == [("chat", 0.3, True, ""), ("chat", 0.0, False, "500")]

    Bench.run(run, "chat", recorder=recorder)


def test_the_dead_mans_switch_is_fed_while_all_is_well():
    http = ScriptedHttp([200, 500, 200])

    async def run(bench: Bench) -> None:
        await bench.clock.advance(65.0)
        assert len(http.requests) == 2
        assert bench.manager.problems() == ["the dead man's switch does not answer: status 500"]
        await bench.clock.advance(60.0)
        assert bench.manager.problems() == []

    url = Secret("https://hc.example.com/ping/not-a-real-one")
    Bench.run(run, "chat", http=http, options=NotificationOptions(heartbeat_url=url))


def test_a_view_of_a_channel_says_how_it_stands():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(Retry("429", after=30.0))
        await bench.tell(alert("a"), alert("b"))
        await bench.turn()
        view = bench.manager.channels()["chat"].as_dict()
        assert (view["state"], view["waiting"], view["failures"]) == ("closed", 2, 1)
        assert 29.0 < view["paused_until"] - bench.clock.time() <= 30.0

    Bench.run(run, ("chat", {"rate": Rate(1.0)}))


def test_rows_that_were_never_to_be_sent_are_kept_as_suppressed():
    async def run(bench: Bench) -> None:
        rows = await bench.tell(alert(severity="info"))
        await bench.turn()
        assert [row.state for row in await bench.rows(rows)] == [RowState.SUPPRESSED]

    Bench.run(run, ("chat", {"min_severity": "warning"}))
