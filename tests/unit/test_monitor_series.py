"""The recorder: nothing is lost, nothing waits, late results are counted but told to nobody."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from math import copysign, inf, nan

import pytest

from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor.histogram import quantiles
from understudy.monitor.series import Series
from understudy.monitor.window import Tally
from understudy.testing.clock import FakeClock


def window(series: Series, width: int = 5) -> Tally:
    tally = Tally()
    series.view(width, tally)
    return tally


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def series(clock: FakeClock) -> Series:
    return Series(clock)


def test_a_batch_reaches_the_listener_in_order_and_before_the_windows(series: Series) -> None:
    seen: list[list[float]] = []
    counted: list[int] = []

    def listen(batch: Sequence[float]) -> None:
        seen.append(list(batch))
        counted.append(series.totals.ok)

    series.listener = listen
    series.append(0.1)
    series.failed(0.2, OutcomeClass.TIMEOUT, Attribution.PROVIDER)
    series.append(0.3)
    series.failed(None, OutcomeClass.CONNECT, Attribution.PROVIDER)
    assert seen == []
    series.drain()
    assert seen == [[0.1, -0.2, 0.3, -inf]]
    assert counted == [0]
    assert (series.totals.ok, series.totals.failed) == (2, 2)


def test_a_failure_after_no_time_keeps_its_sign(series: Series) -> None:
    seen: list[float] = []
    series.listener = seen.extend
    series.failed(0.0, OutcomeClass.PROVIDER, Attribution.PROVIDER)
    series.drain()
    assert copysign(1.0, seen[0]) == -1.0
    assert window(series).failed == 1


def test_a_failures_duration_never_enters_the_quantiles(series: Series) -> None:
    series.append(0.1)
    series.failed(30.0, OutcomeClass.TIMEOUT, Attribution.PROVIDER)
    series.failed(None, OutcomeClass.CONNECT, Attribution.PROVIDER)
    series.drain()
    tally = window(series)
    (p99,) = quantiles(tally.counts(), (0.99,))
    assert p99 == pytest.approx(0.1, rel=0.004)
    assert tally.failed_seconds == 30.0
    assert tally.seconds == 0.1


def test_a_neutral_outcome_counts_in_the_total_and_under_its_name_only(series: Series) -> None:
    series.neutral(OutcomeClass.RATE, Attribution.KEY, "slow down", 429)
    series.drain()
    tally = window(series)
    assert (tally.total, tally.ok, tally.failed, tally.neutral) == (1, 0, 0, 1)
    assert tally.kinds == (((True, OutcomeClass.RATE, Attribution.KEY), 1),)
    assert series.last_error is not None
    assert series.last_error.status == 429


def test_odd_values_in_the_raw_append_count_but_have_no_duration(series: Series) -> None:
    odd: list[object] = [0.5, nan, inf, -nan, 1e300, 10**400, "x", None, True, -inf]
    for value in odd:
        series.append(value)  # type: ignore[arg-type]  # what an unchecked caller may do
    series.drain()
    tally = window(series)
    assert tally.total == len(odd)
    assert tally.failed == 2
    assert tally.timed == 2
    assert tally.seconds == 1.5


def test_a_raising_listener_does_not_cost_the_batch(series: Series) -> None:
    def listen(batch: Sequence[float]) -> None:
        raise RuntimeError("listener")

    series.listener = listen
    series.append(0.1)
    with pytest.raises(RuntimeError, match="listener"):
        series.drain()
    assert window(series).ok == 1


def test_late_results_after_a_rotation_reach_statistics_and_not_the_listener(series: Series) -> None:
    seen: list[float] = []
    series.listener = seen.extend
    late = series.append
    late(0.1)
    series.rotate()
    late(0.2)
    series.append(0.3)
    series.drain()
    assert seen == [0.1, 0.3]
    assert window(series).ok == 3
    late(0.4)
    series.drain()
    assert seen == [0.1, 0.3]
    assert window(series).ok == 4


def test_a_listener_may_rotate_the_series_that_told_it(series: Series) -> None:
    seen: list[float] = []

    def listen(batch: Sequence[float]) -> None:
        seen.extend(batch)
        series.rotate()

    series.listener = listen
    series.append(0.1)
    series.append(0.2)
    series.drain()
    series.append(0.3)
    series.drain()
    assert seen == [0.1, 0.2, 0.3]
    assert window(series).ok == 3


def test_old_lists_are_let_go_when_no_call_holds_them(series: Series) -> None:
    held = series.append
    for _ in range(1000):
        series.rotate()
        series.drain()
    assert len(series._old) == 1
    held(0.5)
    del held
    series.drain()
    assert series._old == []
    assert window(series).ok == 1


def test_counts_are_exact_while_four_threads_append_and_two_drain(series: Series) -> None:
    each = 300_000
    stop = threading.Event()

    def record() -> None:
        for number in range(each):
            if number % 100 == 99:
                series.failed(0.2, OutcomeClass.PROVIDER, Attribution.PROVIDER)
            else:
                series.append(0.1)

    def drain() -> None:
        while not stop.wait(0.001):
            series.drain()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        recorders = [threading.Thread(target=record) for _ in range(4)]
        drainers = [threading.Thread(target=drain) for _ in range(2)]
        for thread in (*recorders, *drainers):
            thread.start()
        for thread in recorders:
            thread.join()
        stop.set()
        for thread in drainers:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    series.drain()
    assert (series.totals.ok, series.totals.failed) == (4 * each * 99 // 100, 4 * each // 100)
    assert sum(series.buckets()) == series.totals.ok
    assert series.totals.kinds == {(False, OutcomeClass.PROVIDER, Attribution.PROVIDER): 4 * each // 100}
    tally = window(series)
    assert (tally.ok, tally.failed) == (series.totals.ok, series.totals.failed)


def test_a_suspended_process_leaves_empty_slices_and_forgets_what_is_too_old(series: Series, clock: FakeClock) -> None:
    series.append(0.1)
    series.drain()
    clock.tick(120.0)
    series.append(0.2)
    series.drain()
    assert (window(series, 1).ok, window(series, 5).ok, window(series, 60).ok) == (1, 2, 2)
    clock.tick(86_400.0)
    assert window(series, 60).total == 0
    assert series.totals.ok == 2


def test_a_jump_of_the_wall_clock_changes_no_window(series: Series, clock: FakeClock) -> None:
    series.append(0.1)
    series.drain()
    clock.jump_wall(3600.0)
    series.append(0.1)
    series.drain()
    clock.jump_wall(-7200.0)
    series.drain()
    assert (window(series, 1).ok, window(series, 60).ok) == (2, 2)


def test_an_idle_series_ends_up_holding_no_slices(series: Series, clock: FakeClock) -> None:
    for _ in range(200):
        series.append(0.1)
        series.drain()
        clock.tick(30.0)
    clock.tick(7200.0)
    series.drain()
    assert list(series._windows._pieces()) == []
    assert sum(series.buckets()) == 200


def test_forgetting_clears_the_windows_and_keeps_the_totals(series: Series) -> None:
    series.failed(0.1, OutcomeClass.PROVIDER, Attribution.PROVIDER, "boom")
    series.append(0.1)
    series.forget()
    assert window(series).total == 0
    assert (series.totals.ok, series.totals.failed, sum(series.buckets())) == (1, 1, 1)
    assert series.last_error is None
