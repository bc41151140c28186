"""Events are told to everybody, in order, and nobody's fault is another's."""

from __future__ import annotations

import pytest

from understudy.core.events import Event, EventBus


def named(number: int) -> Event:
    return Event(f"e{number}", float(number))


def test_each_listener_hears_every_event_in_order_although_another_raises() -> None:
    bus = EventBus()
    heard: list[str] = []

    def broken(event: Event) -> None:
        raise RuntimeError(event.kind)

    bus.subscribe(broken)
    bus.subscribe(lambda event: heard.append(event.kind))
    for number in range(3):
        bus.emit(named(number))
    assert heard == ["e0", "e1", "e2"]
    assert bus.listener_errors == 3
    assert str(bus.last_listener_error) == "e2"


def test_a_listener_that_is_subscribed_twice_is_told_twice_and_each_ends_by_itself() -> None:
    bus = EventBus()
    heard: list[Event] = []
    first, second = bus.subscribe(heard.append), bus.subscribe(heard.append)
    bus.emit(named(1))
    assert len(heard) == 2
    first()
    first()
    bus.emit(named(2))
    assert len(heard) == 3
    second()
    bus.emit(named(3))
    assert len(heard) == 3


def test_a_listener_may_end_itself_and_subscribe_another_while_it_is_told() -> None:
    bus = EventBus()
    heard: list[str] = []

    def once(event: Event) -> None:
        heard.append("once")
        end()
        bus.subscribe(lambda event: heard.append(event.kind))

    end = bus.subscribe(once)
    bus.emit(named(1))
    bus.emit(named(2))
    assert heard == ["once", "e2"]


def test_a_coroutine_function_is_refused_because_nobody_would_await_it() -> None:
    async def listen(event: Event) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        EventBus().subscribe(listen)


def test_the_last_events_are_kept_and_shown_newest_first() -> None:
    bus = EventBus(keep=3)
    for number in range(5):
        bus.emit(named(number))
    assert [event.kind for event in bus.recent()] == ["e4", "e3", "e2"]
    assert [event.kind for event in bus.recent(1)] == ["e4"]
    assert bus.recent(0) == []


def test_what_changed_outlasts_what_happened_to_calls() -> None:
    bus = EventBus(keep=3)
    bus.emit(Event("breaker.opened", 1.0))
    bus.emit(Event("budget.would_refuse", 2.0))
    for _ in range(50):
        bus.emit(Event("attempt.failed", 3.0))
        bus.emit(Event("fallback.served", 3.0))
    bus.emit(Event("fallback.reset", 4.0))
    assert [event.kind for event in bus.changes()] == ["fallback.reset", "breaker.opened"]
    assert [event.kind for event in bus.changes(1)] == ["fallback.reset"]
