"""The front door: recording from anywhere, summaries that say what happened, bounded against hostile names."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import threading
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from math import inf, isnan, nan

import pytest

from understudy.core.errors import ConnectFailed
from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor import PerformanceMonitor
from understudy.monitor.collector import Collector
from understudy.resilience.ports import HealthView
from understudy.resilience.ports import Series as PortSeries
from understudy.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def monitor(clock: FakeClock) -> PerformanceMonitor:
    return PerformanceMonitor(clock)


def test_a_summary_without_samples_prints_as_the_document_prints_it(monitor: PerformanceMonitor) -> None:
    summary = monitor.get_performance_summary()
    assert isnan(summary["overall_success_rate"])
    assert f"{summary['overall_success_rate']:.1f}%" == "nan%"
    assert summary["apis"] == {}


def test_a_summary_goes_into_json_with_null_where_there_are_no_samples(monitor: PerformanceMonitor) -> None:
    monitor.record_request_start("odds")
    text = json.dumps(monitor.get_performance_summary(missing=None), allow_nan=False)
    summary = json.loads(text)
    assert summary["overall_success_rate"] is None and summary["total_requests"] == 0
    assert summary["apis"]["odds"]["p95"] is None and summary["apis"]["odds"]["in_flight"] == 1


def test_a_summary_counts_what_was_recorded(monitor: PerformanceMonitor) -> None:
    for _ in range(3):
        monitor.record_request_start("odds")
        monitor.record_request_success("odds", 0.5)
    monitor.record_request_start("odds")
    monitor.record_request_failure("odds", TimeoutError("no answer"), 2.0)
    monitor.record_request_start("odds")
    summary = monitor.get_performance_summary()
    assert summary["overall_success_rate"] == 75.0
    odds = summary["apis"]["odds"]
    assert odds["total_requests"] == 4
    assert (odds["success_rate"], odds["error_rate"]) == (75.0, 25.0)
    assert odds["avg_response_time"] == 0.5
    assert odds["p95"] == pytest.approx(0.5, rel=0.01)
    assert odds["requests_per_minute"] == 4.0
    assert odds["errors_by_class"] == {"timeout": 1}
    assert odds["errors_by_attribution"] == {"provider": 1}
    assert odds["last_error"]["message"] == "TimeoutError: no answer"
    assert odds["in_flight"] == 1


def test_successes_without_a_start_never_make_the_balance_negative(monitor: PerformanceMonitor) -> None:
    monitor.record_request_success("odds", 0.1)
    assert monitor.in_flight("odds") == 0
    monitor.record_request_start("odds")
    assert monitor.in_flight("odds") == 1
    monitor.record_request_failure("odds", "down")
    assert monitor.in_flight("odds") == 0


class Incomparable:
    """Raises on its own when it is compared, as arrays and signalling decimals do."""

    def __gt__(self, other: object) -> bool:
        raise ArithmeticError("ambiguous")

    __lt__ = __ge__ = __le__ = __gt__


@pytest.mark.parametrize(
    "odd",
    [
        nan, inf, -0.1, -inf, "1", b"1", None, [], 1j, timedelta(seconds=1), Incomparable(),
        1.1e9, 1e300, 10**400, -(10**400), 10**5000, Decimal("NaN"), Decimal("sNaN"), Decimal("1e400"),
    ],
    ids=lambda odd: type(odd).__name__,
)  # fmt: skip
def test_a_response_time_that_is_no_time_is_refused_clearly(monitor: PerformanceMonitor, odd: object) -> None:
    with pytest.raises(ValueError, match="response_time: expected a number of seconds from 0 to 1e"):
        monitor.record_request_success("odds", odd)  # type: ignore[arg-type]  # the point of the test
    if odd is not None:
        with pytest.raises(ValueError, match="response_time: expected"):
            monitor.record_request_failure("odds", "down", odd)  # type: ignore[arg-type]  # the point of the test
    assert monitor.snapshot("odds").total == 0


@pytest.mark.parametrize("fine", [0, -0.0, 0.0, 1, True, Decimal("0.5"), Fraction(1, 3), 1e-9, 10**9])
def test_any_number_of_seconds_is_taken_as_a_success(monitor: PerformanceMonitor, fine: float) -> None:
    monitor.record_request_success("odds", fine)
    snapshot = monitor.snapshot("odds")
    assert (snapshot.successes, snapshot.failures) == (1, 0)
    assert snapshot.response_time == pytest.approx(float(fine))
    assert snapshot.p99 == pytest.approx(float(fine), rel=0.01)


@pytest.mark.parametrize("name", ["", " ", "\x1b[31m", "a\nb", "x" * 10_000, "\u202eevil", "ação"])
def test_a_strange_name_is_counted_under_a_printable_one(monitor: PerformanceMonitor, name: str) -> None:
    monitor.record_request_success(name, 0.1)
    monitor.record_request_failure(name, None)
    monitor.record_request_start(name)
    (kept,) = monitor.names()
    assert kept.isprintable()
    assert 0 < len(kept) <= 200
    assert monitor.snapshot(kept).total == 2


def test_names_are_bounded_and_what_is_over_the_bound_is_counted_as_other(clock: FakeClock) -> None:
    monitor = PerformanceMonitor(clock, max_names=10)
    for number in range(100):
        monitor.record_request_success(f"name-{number}", 0.1)
    assert len(monitor.names()) == 11
    assert monitor.snapshot("other").total == 90
    assert monitor.overflowed == 90
    assert monitor.get_performance_summary()["total_requests"] == 100


def test_apis_that_are_registered_after_too_many_names_still_have_series_of_their_own(clock: FakeClock) -> None:
    monitor = PerformanceMonitor(clock, max_names=10)
    for number in range(20):
        monitor.record_request_success(f"name-{number}", 0.1)
    odds, fixtures = monitor.series("odds", "route"), monitor.series("fixtures", "route")
    assert odds is not fixtures
    odds.append(0.1)
    assert monitor.snapshot("odds").total == 1
    assert monitor.snapshot("other").total == 10
    monitor.record_request_success("odds", 0.1)
    assert monitor.snapshot("odds").total == 2


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, 7])
def test_a_series_wants_a_proper_name(monitor: PerformanceMonitor, name: str) -> None:
    with pytest.raises(ValueError, match="API name"):
        monitor.series(name)


def test_an_exception_that_cannot_be_printed_is_recorded_all_the_same(monitor: PerformanceMonitor) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    monitor.record_request_failure("odds", Mute())
    snapshot = monitor.snapshot("odds")
    assert snapshot.failures == 1


def test_an_exception_whose_status_cannot_be_read_is_recorded_all_the_same(monitor: PerformanceMonitor) -> None:
    class Shy(Exception):
        @property
        def status(self) -> int:
            raise RuntimeError("no")

    monitor.record_request_failure("odds", Shy("text"))
    assert monitor.get_performance_summary()["apis"]["odds"]["last_error"]["message"] == "Shy: text"


def test_texts_of_errors_are_clipped_and_carry_neither_secrets_nor_control_characters(
    monitor: PerformanceMonitor,
) -> None:
    text = "GET https://user:hunter2@host/?api_key=abc123 \x1b[2J Authorization: Bearer s3cr3t " + "z" * 5000
    monitor.record_request_failure("odds", RuntimeError(text))
    message = monitor.get_performance_summary()["apis"]["odds"]["last_error"]["message"]
    assert len(message) < 400
    assert message.isprintable()
    for secret in ("hunter2", "abc123", "s3cr3t"):
        assert secret not in message


def test_the_class_of_a_recorded_failure_follows_its_exception(monitor: PerformanceMonitor) -> None:
    for error in (
        TimeoutError(),
        ConnectFailed("refused"),
        ConnectionResetError(),
        ValueError("x"),
        "text",
        None,
        ConnectFailed("bad", stage="tls"),
        ssl.SSLCertVerificationError("expired"),
    ):
        monitor.record_request_failure("odds", error)
    assert monitor.snapshot("odds").errors_by_class == {
        "timeout": 1, "connect": 1, "lost": 1, "provider": 3, "tls": 2,
    }  # fmt: skip


def test_the_class_of_a_recorded_failure_follows_what_caused_its_exception(monitor: PerformanceMonitor) -> None:
    """HTTP libraries wrap what the socket said."""
    refused = OSError("cannot connect")
    refused.__cause__ = OSError("no route")
    refused.__cause__.__context__ = ConnectionRefusedError(111, "refused")
    hidden = ValueError("own")
    hidden.__context__, hidden.__suppress_context__ = TimeoutError(), True
    circle = ValueError("a")
    circle.__cause__ = ValueError("b")
    circle.__cause__.__cause__ = circle
    for error in (refused, hidden, circle):
        monitor.record_request_failure("odds", error)
    assert monitor.snapshot("odds").errors_by_class == {"connect": 1, "provider": 2}


def test_an_api_is_the_sum_of_its_operations(monitor: PerformanceMonitor) -> None:
    monitor.series("odds", "fixtures").append(0.1)
    monitor.series("odds", "live").append(0.3)
    monitor.series("odds").neutral(OutcomeClass.RATE, Attribution.KEY)
    monitor.record_request_success("odds", 0.2)
    snapshot = monitor.snapshot("odds", "1m")
    assert (snapshot.total, snapshot.successes, snapshot.neutral) == (4, 3, 1)
    assert snapshot.success_rate == 100.0
    assert snapshot.response_time == pytest.approx(0.2)
    assert snapshot.neutral_by_class == {"rate": 1}
    assert monitor.p50("odds") == pytest.approx(0.2, rel=0.01)
    assert monitor.p50("nobody") is None


def test_only_neutral_outcomes_leave_the_rates_open(monitor: PerformanceMonitor) -> None:
    monitor.series("odds").neutral(OutcomeClass.RATE, Attribution.KEY)
    snapshot = monitor.snapshot("odds")
    assert (snapshot.total, snapshot.success_rate, snapshot.error_rate) == (1, None, None)


def test_clearing_begins_statistics_anew_and_leaves_the_counters_of_metrics(
    monitor: PerformanceMonitor, clock: FakeClock
) -> None:
    monitor.record_request_success("odds", 0.1)
    monitor.record_request_failure("odds", "down")
    monitor.record_request_success("fixtures", 0.1)
    version = monitor.changed("odds")
    monitor.clear("odds")
    summary = monitor.get_performance_summary()
    assert summary["apis"]["odds"]["total_requests"] == 0
    assert summary["apis"]["odds"]["errors_by_class"] == {}
    assert summary["apis"]["fixtures"]["total_requests"] == 1
    counters = monitor.cumulative("odds")
    assert (counters.successes, counters.failures, sum(counters.buckets)) == (1, 1, 1)
    assert counters.outcomes == {(OutcomeClass.PROVIDER, Attribution.PROVIDER): 1}
    assert monitor.changed("odds") != version
    monitor.record_request_success("odds", 0.1)
    assert monitor.get_performance_summary()["apis"]["odds"]["total_requests"] == 1


def test_an_api_that_nothing_happened_to_keeps_its_version(monitor: PerformanceMonitor, clock: FakeClock) -> None:
    monitor.series("odds").append(0.1)
    monitor.series("fixtures").append(0.1)
    monitor.drain()
    before = {name: monitor.changed(name) for name in monitor.names()}
    clock.tick(100.0)
    monitor.series("odds").append(0.1)
    monitor.drain()
    assert monitor.changed("odds") > before["odds"]
    assert monitor.changed("fixtures") == before["fixtures"]


def test_requests_per_minute_divides_by_the_age_of_a_young_api(monitor: PerformanceMonitor, clock: FakeClock) -> None:
    for _ in range(120):
        monitor.record_request_success("odds", 0.1)
        clock.tick(1.0)
    snapshot = monitor.snapshot("odds", "1h")
    assert snapshot.covered == 120.0
    assert snapshot.requests_per_minute == 60.0


def test_another_thread_that_reads_leaves_series_with_an_owner_alone(monitor: PerformanceMonitor) -> None:
    threads: list[int] = []
    series = monitor.series("odds", "fixtures")
    series.listener = lambda batch: threads.append(threading.get_ident())
    monitor.drain()
    series.append(0.1)
    reader = threading.Thread(target=monitor.get_performance_summary)
    reader.start()
    reader.join()
    assert threads == []
    monitor.drain()
    assert threads == [threading.get_ident()]


def test_one_raising_listener_does_not_keep_others_from_being_drained(
    monitor: PerformanceMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    def listen(batch: object) -> None:
        raise RuntimeError("listener")

    monitor.series("a").listener = listen
    monitor.series("a").append(0.1)
    monitor.series("b").append(0.1)
    monitor.drain()
    assert monitor.snapshot("a").total == monitor.snapshot("b").total == 1
    assert "listener of the series of a failed" in caplog.text


def test_without_a_loop_one_thread_drains_what_is_recorded(clock: FakeClock) -> None:
    monitor = PerformanceMonitor(clock)
    monitor.record_request_success("odds", 0.1)
    thread = monitor._drainer
    assert thread is not None
    assert thread.daemon
    monitor.record_request_success("fixtures", 0.1)
    assert monitor._drainer is thread
    monitor.drain_recorded()  # what the thread does each second
    assert monitor.cumulative("odds").successes == 1


def test_the_thread_leaves_the_work_to_an_application_until_it_drains_no_more(clock: FakeClock) -> None:
    monitor = PerformanceMonitor(clock)
    monitor.drain()
    monitor.record_request_success("odds", 0.1)
    monitor.drain_in_background()
    assert monitor.cumulative("odds").successes == 0
    clock.tick(5.0)  # its loop ended without a word, and this name's append is remembered
    monitor.record_request_success("odds", 0.1)
    monitor.drain_in_background()
    assert monitor.cumulative("odds").successes == 2


def test_an_application_that_lets_go_leaves_its_series_to_every_reader(clock: FakeClock) -> None:
    monitor = PerformanceMonitor(clock)
    series = monitor.series("odds")
    monitor.drain()
    monitor.release()
    series.append(0.1)
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.append(monitor.snapshot("odds").total))
    reader.start()
    reader.join()
    assert found == [1]


def test_where_no_thread_can_be_started_events_are_recorded_all_the_same(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thread limits, and an interpreter that is ending, refuse with a RuntimeError."""
    monitor = PerformanceMonitor(clock)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        monitor.record_request_start("odds")
        monitor.record_request_success("odds", 0.1)
        monitor.record_request_failure("odds", "down")
        assert monitor._drainer is None
    monitor.record_request_success("odds", 0.1)
    assert monitor._drainer is not None
    assert monitor.snapshot("odds").total == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_the_child_of_a_fork_records_reads_and_drains_whatever_its_parents_threads_held() -> None:
    monitor = PerformanceMonitor()
    monitor.record_request_success("odds", 0.1)
    series = monitor.series("fixtures")
    series.append(0.1)
    collector = Collector()
    monitor.collect_into(collector)
    held = (monitor._lock, monitor._ledgers["odds"]._lock, series._lock, collector._lock)
    for lock in held:
        lock.acquire()  # as a thread that the child does not have
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # a child that waits for those locks ends by this signal
        monitor.record_request_success("odds", 0.1)
        monitor.record_request_success("new", 0.1)
        alive = monitor._drainer is not None and monitor._drainer.is_alive()
        totals = {name: monitor.snapshot(name).total for name in monitor.names()}
        os._exit(0 if alive and totals == {"odds": 2, "fixtures": 1, "new": 1} else 1)
    for lock in held:
        lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert monitor.snapshot("odds").total == 1


class Ticking(FakeClock):
    """Each look at it takes a millisecond."""

    def monotonic(self) -> float:
        self.tick(0.001)
        return super().monotonic()


def test_draining_many_apis_stops_after_its_slice_and_goes_on_where_it_left_off() -> None:
    monitor = PerformanceMonitor(Ticking())
    for number in range(50):
        monitor.series(f"api-{number}").append(0.1)
    rounds = 1
    while not monitor.drain_some(0.010):
        settled = sum(monitor.cumulative(name).successes for name in monitor.names())
        assert settled <= rounds * 10
        rounds += 1
        assert rounds < 60
    assert rounds >= 5
    assert sum(monitor.cumulative(name).successes for name in monitor.names()) == 50
    monitor.series("api-0").append(0.1)
    monitor.drain_some(10.0)
    assert monitor.cumulative("api-0").successes == 2


async def test_summing_up_many_apis_gives_the_loop_its_turn_and_says_the_same() -> None:
    monitor = PerformanceMonitor(Ticking())
    for number in range(50):
        monitor.record_request_success(f"api-{number}", 0.1)
    monitor.record_request_failure("api-0", "down")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    summary = await monitor.performance_summary()
    beside.cancel()
    assert turns >= 10
    told = monitor.get_performance_summary()
    assert summary | {"uptime": 0.0} == told | {"uptime": 0.0}
    assert summary["total_requests"] == 51


def test_a_slice_of_no_length_still_gets_on(clock: FakeClock) -> None:
    monitor = PerformanceMonitor(clock)
    for name in ("odds", "fixtures"):
        monitor.series(name).append(0.1)
    assert not monitor.drain_some(0.0)
    assert monitor.drain_some(0.0)


def test_counts_are_exact_from_many_threads_and_a_loop(monitor: PerformanceMonitor) -> None:
    def record() -> None:
        for number in range(2000):
            monitor.record_request_start(f"api-{number % 7}")
            monitor.record_request_success(f"api-{number % 7}", 0.1)
            if number % 50 == 0:
                monitor.get_performance_summary()

    async def on_a_loop() -> None:
        record()

    threads = [threading.Thread(target=record) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(on_a_loop())
    for thread in threads:
        thread.join()
    summary = monitor.get_performance_summary()
    assert summary["total_requests"] == 8000
    assert all(api["in_flight"] == 0 for api in summary["apis"].values())


def test_the_median_follows_a_drain_and_moves_with_the_window(monitor: PerformanceMonitor, clock: FakeClock) -> None:
    series = monitor.series("odds", "fixtures")
    assert monitor.p50("odds") is None
    series.append(0.1)
    series.drain()
    assert monitor.p50("odds") == pytest.approx(0.1, rel=0.01)
    series.append(0.3)
    series.append(0.3)
    series.drain()
    assert monitor.p50("odds") == pytest.approx(0.3, rel=0.01)
    clock.tick(400.0)
    assert monitor.p50("odds") is None


def test_the_monitor_is_what_the_resilience_rooms_ask_for(monitor: PerformanceMonitor) -> None:
    view: HealthView = monitor  # the type checker compares the shapes
    series: PortSeries = view.series("odds", "fixtures")
    series.append(0.1)
    series.rotate()
    assert monitor.snapshot("odds").total == 1


def test_an_unknown_window_is_named(monitor: PerformanceMonitor) -> None:
    with pytest.raises(ValueError, match="expected one of 1m, 5m, 1h, found '2h'"):
        monitor.snapshot("odds", "2h")
