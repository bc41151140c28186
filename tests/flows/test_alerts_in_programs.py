"""Programs that only record what happens, as those of the original document do: their alerts reach people, too."""

from __future__ import annotations

import asyncio
import weakref

from understudy.alerting.service import undelivered
from understudy.app import Understudy
from understudy.notifications.message import NotificationMessage, Retry
from understudy.testing import FakeClock, MemoryChannel


def program(clock: FakeClock) -> tuple[Understudy, MemoryChannel]:
    """An application with one channel, made where no loop runs yet."""
    app, channel = Understudy.build(clock=clock, seed=1), MemoryChannel(clock=clock)
    app.add_channel("people", channel)
    return app, channel


def told(channel: MemoryChannel) -> list[tuple[str, str]]:
    return [(str(each.notice.kind), each.notice.labels["api"]) for each in channel.delivered]


async def failing(app: Understudy, clock: FakeClock, name: str = "rates") -> None:
    for _ in range(20):
        app.monitor.record_request_failure(name, "out of order")
        await clock.advance(0.5)


def test_failures_that_are_recorded_on_a_loop_are_told_of_without_anything_being_started():
    clock = FakeClock()
    app, channel = program(clock)
    asyncio.run(failing(app, clock))
    assert told(channel) == [("fired", "rates")]


def test_failures_from_before_the_loop_count():
    clock = FakeClock()
    app, channel = program(clock)
    for _ in range(20):
        app.monitor.record_request_failure("rates", "out of order")

    async def main() -> None:
        app.alerts.active()
        await clock.advance(3)

    asyncio.run(main())
    assert told(channel) == [("fired", "rates")]


def test_alerts_go_on_in_the_next_loop():
    clock = FakeClock()
    app, channel = program(clock)
    asyncio.run(failing(app, clock, "first"))
    clock.tick(5)
    app.monitor.drain_in_background()  # as its thread does when no application drains
    asyncio.run(failing(app, clock, "second"))
    assert told(channel) == [("fired", "first"), ("fired", "second")]


def test_successes_alone_are_noticed_in_the_next_loop():
    """A latency is no failure; the remembered way of recording one must not pass the loop by."""
    clock = FakeClock()
    app, channel = program(clock)

    async def slow() -> None:
        for _ in range(20):
            app.monitor.record_request_success("rates", 9.0)
            await clock.advance(0.5)

    app.monitor.record_request_success("rates", 0.1)
    clock.tick(5)
    app.monitor.drain_in_background()
    asyncio.run(slow())
    assert told(channel) == [("fired", "rates")]


async def test_what_was_stopped_is_only_read():
    clock = FakeClock()
    app, _ = program(clock)
    async with app:
        pass
    before = asyncio.all_tasks()
    assert app.alerts.active() == []
    assert asyncio.all_tasks() == before


def test_what_a_program_without_a_store_could_not_deliver_is_told_when_it_ends(caplog):
    clock = FakeClock()
    app, channel = Understudy.build(clock=clock, seed=1), MemoryChannel(clock=clock, script=[Retry("no route")] * 50)
    app.add_channel("people", channel)

    async def main() -> None:
        message = NotificationMessage("hello", severity="critical")
        sent = asyncio.ensure_future(app.notifications.send_notification(message, wait=2.0))
        await clock.advance(3)
        assert (await sent)["people"].state == "pending"

    asyncio.run(main())
    undelivered(weakref.ref(app.notifications))
    assert caplog.messages[-1:] == [
        "the program ends with messages that were not delivered, and are lost: 1 for people"
    ]
