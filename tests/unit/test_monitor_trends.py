"""Trends and comparisons say how sure they are, and nothing when they cannot know."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp, sqrt

import pytest

from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor import PerformanceMonitor
from understudy.monitor.summary import Point
from understudy.monitor.trends import METRICS, theil_sen, trend
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


Shape = Callable[[float], float]


def steadily(value: float) -> Shape:
    return lambda _: value


def linearly(begin: float, end: float) -> Shape:
    return lambda share: begin + (end - begin) * share


def suddenly(before: float, after: float, at: float) -> Shape:
    return lambda share: after if share >= at else before


TENTH, FEW = steadily(0.1), steadily(0.01)


def hour(
    rng: random.Random,
    *,
    traffic: Shape,
    seconds: Shape = TENTH,
    errors: Shape = FEW,
    spread: float = 0.5,
    alike: float = 0.0,
) -> list[Point]:
    """Sixty slices of one API: requests a minute, log-normal seconds, errors; `alike` makes minutes slow together."""
    points = []
    wander = 0.0
    for place in range(60):
        share = place / 59
        wander = alike * wander + 0.1 * sqrt(1 - alike**2) * rng.gauss(0, 1) if alike else 0.0
        total = sum(rng.random() < traffic(share) / 200 for _ in range(200))
        failed = sum(rng.random() < errors(share) for _ in range(total))
        times = [exp(wander) * seconds(share) * rng.lognormvariate(0, spread) for _ in range(total - failed)]
        mean = sum(times) / len(times) if times else None
        points.append(Point(place * 60.0, 60, total, total - failed, failed, 0, mean, None, None))
    return points


def verdicts(number: int, **api: object) -> dict[str, dict[str, float]]:
    """How often, in percent, each direction of each metric is said of this many such APIs."""
    rng = random.Random(5)
    found = {metric: dict.fromkeys(("rising", "falling", "steady", "unknown"), 0.0) for metric in METRICS}
    for _ in range(number):
        points = hour(rng, **api)  # type: ignore[arg-type]  # what `hour` takes
        for metric in METRICS:
            found[metric][trend(points, metric, api="a", window="1h").direction] += 100 / number
    return found


def moved(found: dict[str, float]) -> float:
    return found["rising"] + found["falling"]


@pytest.mark.parametrize(
    "api",
    [
        {"traffic": steadily(40)},
        {"traffic": steadily(6), "errors": steadily(0.05)},
        {"traffic": steadily(1), "errors": steadily(0.05), "spread": 1.2},
        {"traffic": steadily(40), "errors": steadily(0.3), "spread": 1.5},
        {"traffic": steadily(40), "errors": steadily(0.0)},
    ],
    ids=["usual", "few calls", "very few and wild", "many errors and wild", "no errors"],
)
def test_of_stable_apis_at_most_one_in_twenty_is_said_to_move(api: dict[str, object]) -> None:
    for found in verdicts(200, **api).values():
        assert found["unknown"] == 0
        assert moved(found) <= 7.5  # 5, and what chance adds to it in two hundred


@pytest.mark.parametrize(("begin", "end"), [(1, 30), (40, 2)])
def test_growing_or_falling_traffic_alone_is_no_change_of_anything_else(begin: int, end: int) -> None:
    found = verdicts(200, traffic=linearly(begin, end), errors=steadily(0.05), spread=1.2)
    assert moved(found["response_time"]) <= 9
    assert moved(found["error_rate"]) <= 9
    assert found["requests_per_minute"]["rising" if begin < end else "falling"] == pytest.approx(100)


def test_minutes_that_are_slow_together_are_no_proof_of_a_trend() -> None:
    found = verdicts(200, traffic=steadily(40), alike=0.5)
    assert moved(found["response_time"]) <= 13  # without a look at the neighbours it would be twenty


@pytest.mark.parametrize(
    ("metric", "api", "least"),
    [
        ("response_time", {"traffic": steadily(40), "seconds": linearly(0.1, 0.125)}, 95),
        ("response_time", {"traffic": steadily(6), "seconds": linearly(0.1, 0.2)}, 95),
        ("response_time", {"traffic": steadily(40), "seconds": suddenly(0.1, 0.15, 0.5)}, 95),
        ("response_time", {"traffic": steadily(40), "seconds": suddenly(0.1, 0.15, 0.75)}, 85),
        ("response_time", {"traffic": steadily(40), "seconds": linearly(0.1, 0.15), "alike": 0.5}, 90),
        ("error_rate", {"traffic": steadily(40), "errors": linearly(0.01, 0.06)}, 95),
        ("error_rate", {"traffic": steadily(6), "errors": linearly(0.01, 0.2)}, 80),
        ("error_rate", {"traffic": steadily(40), "errors": suddenly(0.01, 0.1, 0.75)}, 95),
        ("error_rate", {"traffic": steadily(20), "errors": suddenly(0.01, 1.0, 0.84)}, 95),
        ("requests_per_minute", {"traffic": linearly(40, 60)}, 95),
        ("requests_per_minute", {"traffic": linearly(1, 6)}, 75),
    ],
)
def test_a_real_change_is_found(metric: str, api: dict[str, object], least: int) -> None:
    found = verdicts(60, **api)[metric]
    assert found["rising"] >= least
    assert found["falling"] == 0


def test_an_outage_that_is_over_leaves_the_error_rate_steady() -> None:
    found = verdicts(60, traffic=steadily(20), errors=lambda share: 1.0 if 0.4 < share < 0.5 else 0.01)
    assert found["error_rate"]["steady"] >= 90


@pytest.mark.parametrize(
    ("metric", "api", "truth"),
    [
        ("error_rate", {"traffic": steadily(20), "errors": linearly(0.05, 0.15)}, 10 * 60 / 59),
        ("error_rate", {"traffic": steadily(20), "errors": steadily(0.0)}, 0.0),
        ("response_time", {"traffic": steadily(20), "seconds": linearly(0.1, 0.2), "spread": 0.3}, 6 / 59 * exp(0.045)),
        ("requests_per_minute", {"traffic": linearly(20, 40)}, 20 * 60 / 59),
    ],
)  # fmt: skip
def test_the_interval_of_a_change_holds_the_true_one_nineteen_times_in_twenty(
    metric: str, api: dict[str, object], truth: float
) -> None:
    rng = random.Random(9)
    held = 0
    for _ in range(200):
        found = trend(hour(rng, **api), metric, api="a", window="1h")  # type: ignore[arg-type]  # what `hour` takes
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.high
        held += found.low <= truth <= found.high
    assert held >= 185


def test_the_first_slice_of_a_young_api_says_nothing_of_its_traffic(
    monitor: PerformanceMonitor, clock: FakeClock
) -> None:
    """It began in the middle of a slice, which is not a slice with half the requests."""
    clock.tick(31.0)
    for _ in range(60 * 10):
        monitor.record_request_success("odds", 0.1)
        clock.tick(1.0)
        monitor.drain()
    found = monitor.trend("odds", "requests_per_minute")
    assert (found.direction, found.change, found.points) == ("steady", 0.0, 9)


def test_minutes_without_a_request_are_part_of_an_older_apis_traffic(
    monitor: PerformanceMonitor, clock: FakeClock
) -> None:
    monitor.record_request_success("odds", 0.1)
    clock.tick(7200.0)
    for _ in range(1800):
        monitor.record_request_success("odds", 0.1)
        clock.tick(1.0)
        monitor.drain()
    assert monitor.trend("odds", "requests_per_minute").direction == "rising"


@pytest.mark.parametrize("metric", METRICS)
def test_a_step_between_values_that_never_vary_is_a_change(metric: str) -> None:
    before = Point(0.0, 60, 30, 30, 0, 0, 0.1, None, None)
    after = Point(0.0, 60, 60, 50, 10, 0, 0.2, None, None)
    points = [before] * 30 + [after] * 29
    assert trend(points, metric, api="a", window="1h").direction == "rising"
    assert trend(points[::-1], metric, api="a", window="1h").direction == "falling"
    assert trend([after] * 59, metric, api="a", window="1h").direction == "steady"


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


def test_more_apis_than_can_be_compared_in_time_are_refused(monitor: PerformanceMonitor) -> None:
    for number in range(201):
        monitor.series(f"api-{number}")
    with pytest.raises(ValueError, match="at most 200 APIs"):
        monitor.compare()
    assert len(monitor.compare(monitor.names()[:200]).differences) == 200 * 199


def test_an_unknown_metric_is_named(monitor: PerformanceMonitor) -> None:
    with pytest.raises(ValueError, match="expected one of response_time, error_rate"):
        monitor.trend("odds", "speed")
