"""Trends and comparisons say how sure they are, and nothing when they cannot know."""

from __future__ import annotations

import random

import pytest

from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor import PerformanceMonitor
from understudy.monitor.trends import theil_sen
from understudy.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def monitor(clock: FakeClock) -> PerformanceMonitor:
    return PerformanceMonitor(clock)


def live(monitor: PerformanceMonitor, clock: FakeClock, seconds_at: dict[str, tuple[float, float]]) -> None:
    """Forty minutes with a call a second to each API: response time (start, end), with some noise."""
    rng = random.Random(7)
    for second in range(2400):
        for name, (start, end) in seconds_at.items():
            base = start + (end - start) * second / 2400
            monitor.series(name).append(base * rng.lognormvariate(0, 0.2))
        clock.tick(1.0)
        monitor.drain()


def test_a_slow_rise_is_told_with_its_size_and_interval(monitor: PerformanceMonitor, clock: FakeClock) -> None:
    live(monitor, clock, {"slower": (0.2, 0.4), "same": (0.2, 0.2)})
    rising = monitor.trend("slower")
    assert rising.direction == "rising"
    assert rising.low is not None
    assert rising.low < 0.3 < (rising.high or 0)  # 0.2 s in forty minutes are 0.3 s in the window's hour
    steady = monitor.trend("same")
    assert steady.direction == "steady"
    assert (steady.low or 0) <= 0 <= (steady.high or 0)
    assert monitor.trend("same", "requests_per_minute").direction == "steady"


def test_a_trend_without_enough_slices_is_unknown(monitor: PerformanceMonitor) -> None:
    monitor.record_request_success("odds", 0.1)
    trend = monitor.trend("odds")
    assert (trend.direction, trend.change, trend.low) == ("unknown", None, None)
    assert monitor.trend("nobody").direction == "unknown"


def test_one_wild_slice_does_not_turn_a_trend() -> None:
    points = [(float(x), 1.0 + 0.001 * (x % 3)) for x in range(40)]
    points[20] = (20.0, 1000.0)
    slope, low, high = theil_sen(points)
    assert abs(slope) < 0.001
    assert low <= slope <= high


def test_the_interval_of_a_slope_holds_the_true_one_about_nineteen_times_in_twenty() -> None:
    rng = random.Random(3)
    held = 0
    for _ in range(200):
        points = [(float(x), 0.5 * x + rng.gauss(0, 2)) for x in range(20)]
        _, low, high = theil_sen(points)
        held += low <= 0.5 <= high
    assert 180 <= held <= 199


def test_the_faster_of_two_equally_reliable_apis_is_the_better_one(
    monitor: PerformanceMonitor, clock: FakeClock
) -> None:
    live(monitor, clock, {"fast": (0.1, 0.1), "slow": (0.3, 0.3)})
    comparison = monitor.compare(["slow", "fast"])
    assert comparison.best == "fast"
    medians = next(each for each in comparison.differences if each.metric == "p50")
    assert medians.better == "fast"
    assert medians.significant
    assert medians.difference == pytest.approx(0.2, rel=0.1)
    rates = next(each for each in comparison.differences if each.metric == "success_rate")
    assert not rates.significant


def test_reliability_outweighs_speed(monitor: PerformanceMonitor) -> None:
    for number in range(300):
        monitor.series("quick").append(0.05)
        monitor.series("sure").append(0.5)
        if number % 4 == 0:
            monitor.series("quick").failed(0.05, OutcomeClass.PROVIDER, Attribution.PROVIDER)
    assert monitor.compare().best == "sure"


def test_a_handful_of_calls_proves_nothing(monitor: PerformanceMonitor) -> None:
    for _ in range(3):
        monitor.series("a").append(0.1)
        monitor.series("b").append(0.2)
    monitor.series("b").failed(0.2, OutcomeClass.PROVIDER, Attribution.PROVIDER)
    comparison = monitor.compare()
    assert comparison.best == ""
    assert not any(each.significant for each in comparison.differences)
    assert comparison.as_dict()["differences"][1]["difference"] is None


def test_comparing_equals_rarely_finds_a_winner(clock: FakeClock) -> None:
    rng = random.Random(11)
    found = 0
    for _ in range(60):
        monitor = PerformanceMonitor(clock)
        for name in ("a", "b", "c"):
            for _ in range(200):
                monitor.series(name).append(rng.lognormvariate(-2, 0.5))
        found += any(each.significant for each in monitor.compare().differences)
    assert found <= 6


def test_comparing_nobody_or_one_is_no_error(monitor: PerformanceMonitor) -> None:
    assert monitor.compare().best == ""
    assert monitor.compare(["odds", "odds"]).names == ("odds",)


def test_an_unknown_metric_is_named(monitor: PerformanceMonitor) -> None:
    with pytest.raises(ValueError, match="expected one of response_time, error_rate"):
        monitor.trend("odds", "speed")
