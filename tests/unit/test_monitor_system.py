"""The process as it sees itself."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from pathlib import Path

import pytest

from understudy.monitor.system import RecentErrors, SystemMetrics, active_connections, memory_rss
from understudy.testing.clock import FakeClock


def record(message: str, *args: object, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("some.logger", level, __file__, 1, message, args, None)


def test_a_reading_tells_uptime_memory_and_processor() -> None:
    clock = FakeClock()
    system = SystemMetrics(clock)
    clock.tick(12.5)
    snapshot = system.read()
    assert snapshot.uptime == 12.5
    assert snapshot.cpu_percent is not None
    assert snapshot.cpu_percent >= 0.0
    assert snapshot.memory_rss is not None
    assert snapshot.memory_rss > 1_000_000
    assert snapshot.loop_lag_p99 is None
    assert snapshot.as_dict()["errors"] == []


def test_an_established_connection_is_counted() -> None:
    before = active_connections()
    assert before is not None
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted, client:
            assert active_connections() == before + 2
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.connect(("127.0.0.1", 9))
            assert active_connections() == before, "nothing that listens, and nothing that is no TCP"


@pytest.mark.parametrize("with_psutil", [True, False])
def test_without_proc_psutil_is_asked_and_without_psutil_what_is_left(
    monkeypatch: pytest.MonkeyPatch, with_psutil: bool
) -> None:
    monkeypatch.setattr("understudy.monitor.system._PROC", Path("/nonexistent"))
    if not with_psutil:
        monkeypatch.setitem(sys.modules, "psutil", None)  # as where the extra is not installed
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        snapshot = SystemMetrics(FakeClock()).read()
    assert snapshot.memory_rss is not None
    assert snapshot.memory_rss > 1_000_000
    assert snapshot.cpu_percent is None
    assert (snapshot.active_connections is not None) == with_psutil
    assert with_psutil is False or (snapshot.active_connections or 0) >= 1


class Slow(FakeClock):
    """Each look at it takes a hundredth of a second."""

    def monotonic(self) -> float:
        self.tick(0.01)
        return super().monotonic()


def test_connections_are_not_counted_more_often_than_counting_is_cheap() -> None:
    clock = Slow()
    system = SystemMetrics(clock)
    before = system.read().active_connections
    assert before is not None
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert system.read().active_connections == before
        clock.tick(1.0)
        assert (system.read().active_connections or 0) > before


def test_memory_is_in_bytes() -> None:
    rss = memory_rss()
    assert rss is not None
    assert 1_000_000 < rss < 10_000_000_000


async def test_loop_lag_is_measured_while_it_runs_and_errors_are_collected() -> None:
    clock = FakeClock()
    system = SystemMetrics(clock)
    task = asyncio.create_task(system.run())
    await asyncio.sleep(0)
    logging.getLogger("understudy.test").error("broken %s", "pipe")
    await clock.sleep(10.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    snapshot = system.read()
    assert snapshot.loop_lag_p99 is not None
    assert snapshot.loop_lag_max is not None
    assert [entry.message for entry in snapshot.errors] == ["broken pipe"]
    assert system.errors not in logging.getLogger().handlers


def test_a_blocked_loop_shows_as_lag() -> None:
    clock = FakeClock(auto=False)

    async def story() -> float | None:
        system = SystemMetrics(clock)
        task = asyncio.create_task(system.run())
        await clock.advance(1.0)
        clock.tick(3.0)  # the loop is busy: time passes and no timer runs
        await clock.advance(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return system.read().loop_lag_max

    lag = asyncio.run(story())
    assert lag is not None
    assert lag >= 2.5


def test_the_error_log_keeps_the_last_ones_masked_and_on_one_line() -> None:
    errors = RecentErrors(keep=3)
    for number in range(5):
        errors.emit(record("failure %d\x1b[2J token=abc123 %s", number, "x" * 10_000))
    assert errors.total == 5
    assert len(errors.entries) == 3
    last = errors.entries[-1]
    assert last.message.startswith("failure 4")
    assert last.message.isprintable()
    assert "abc123" not in last.message
    assert len(last.message) <= 300


def test_a_wrong_format_string_does_not_harm_the_error_log() -> None:
    errors = RecentErrors()
    errors.emit(record("no place for %d", "this"))
    assert errors.entries[-1].message == "no place for %d"


def test_a_record_that_cannot_be_printed_reaches_neither_the_log_nor_its_caller_as_an_error() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no")

    errors = RecentErrors()
    errors.emit(logging.LogRecord("l", logging.ERROR, __file__, 1, Mute(), (), None))
    errors.emit(record("%s", Mute()))
    assert [entry.message for entry in errors.entries] == ["<Mute without a text>", "%s"]


def test_only_errors_are_collected() -> None:
    system = SystemMetrics(FakeClock())
    with system.collecting() as errors:
        logging.getLogger("understudy.test").warning("only a warning")
        try:
            raise ValueError("password=hunter2")
        except ValueError:
            logging.getLogger("understudy.test").exception("that went wrong")
    (entry,) = errors.entries
    assert entry.message == "that went wrong: ValueError: password=********"
