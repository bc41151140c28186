"""A program's own functions are told of alerts like everybody, and harm nobody, whatever they do."""

from __future__ import annotations

import threading

import pytest

from pipeline import Bench, alert
from understudy.core.outbox import RowState
from understudy.notifications.callbacks import MOST_RUNNING, CallbackChannel
from understudy.notifications.message import Retry
from understudy.notifications.policy import PolicyOptions


async def until(bench: Bench, true) -> None:
    """Threads take real time, of which no test waits more than it must."""
    for _ in range(20_000):
        if true():
            return
        await bench.clock.advance(0.001)
    raise AssertionError("it did not happen")


def test_plain_and_async_functions_get_the_notice():
    async def run(bench: Bench) -> None:
        heard = []

        async def listen(notice):
            heard.append(("async", notice.fingerprint))

        bench.manager.add_callback(lambda notice: heard.append(("plain", notice.fingerprint)), "plain")
        bench.manager.add_callback(listen, "async")
        rows = await bench.tell(alert())
        await until(bench, lambda: len(heard) == 2)
        assert sorted(heard) == [("async", "fp-odds"), ("plain", "fp-odds")]
        await bench.clock.advance(1.0)
        assert {row.state for row in await bench.rows(rows)} == {RowState.DELIVERED}

    Bench.run(run)


def test_a_function_runs_in_a_thread_of_its_own():
    async def run(bench: Bench) -> None:
        threads = []
        bench.manager.add_callback(lambda notice: threads.append(threading.current_thread()), "plain")
        await bench.tell(alert())
        await until(bench, lambda: threads)
        assert threads[0] is not threading.current_thread()
        assert threads[0].daemon

    Bench.run(run)


def test_a_function_that_raises_is_tried_three_times_and_is_a_dead_letter_then():
    async def run(bench: Bench) -> None:
        calls = []

        async def fail(notice):
            calls.append(notice)
            raise RuntimeError("no such table")

        bench.manager.add_callback(fail, "fails")
        rows = await bench.tell(alert())
        await bench.clock.advance(60.0)
        by_channel = {row.channel: row for row in await bench.rows(rows)}
        assert len(calls) == 3
        assert (by_channel["fails"].state, by_channel["fails"].reason) == (
            RowState.DEAD,
            "RuntimeError: no such table",
        )
        assert by_channel["chat"].state is RowState.DELIVERED

    Bench.run(run, "chat")


def test_a_function_that_hangs_holds_up_nobody_and_is_not_started_without_end():
    async def run(bench: Bench) -> None:
        release, calls = threading.Event(), []

        def hang(notice):
            calls.append(notice)
            release.wait(30.0)

        bench.manager.add_callback(hang, "hangs")
        try:
            await bench.tell(*(alert(f"n{n}", severity="info") for n in range(40)))
            await bench.clock.advance(900.0)
            assert len(calls) <= MOST_RUNNING
            assert bench.channels["chat"].delivered
            assert bench.manager.channels()["hangs"].state != "closed"
        finally:
            release.set()

    Bench.run(run, ("chat", {"digests": False}))


def test_callbacks_hear_of_alerts_whatever_the_policies_say_of_channels():
    bench = Bench("chat", "mail")
    name = bench.manager.add_callback(print)
    bench.manager.set_policies({"all": PolicyOptions(channels=("chat",))})
    assert [row.channel for row in bench.manager.plan(alert())] == ["chat", name]
    bench.manager.remove_callback(name)
    assert [row.channel for row in bench.manager.plan(alert())] == ["chat"]


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="function"):
        Bench().manager.add_callback("print")


def test_a_function_whose_calls_have_not_returned_is_not_called_again():
    async def run(bench: Bench) -> None:
        channel = CallbackChannel("x", print)
        channel._running = MOST_RUNNING
        outcome = await channel.send(None)
        assert isinstance(outcome, Retry)

    Bench.run(run)
