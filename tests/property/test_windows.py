"""Windows and quantiles against a brute-force oracle that keeps every event for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, copysign
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor import PerformanceMonitor
from understudy.monitor.histogram import BOUNDS, digest, quantiles
from understudy.monitor.series import Series
from understudy.monitor.window import WINDOWS, Tally
from understudy.testing.clock import FakeClock

durations = st.one_of(
    st.floats(min_value=1e-6, max_value=1e4),
    st.sampled_from([0.0, 0.005, 0.1, 0.25, 1.0, 10.0]),
)
outcomes = st.one_of(durations, durations.map(lambda seconds: -seconds), st.sampled_from([-0.0, float("-inf")]))
gaps = st.one_of(
    st.floats(min_value=0.0, max_value=3.0),
    st.floats(min_value=0.0, max_value=400.0),
    st.sampled_from([0.0, 1.0, 5.0, 59.0, 60.0, 300.0, 3600.0, 100_000.0]),
)
batches = st.tuples(gaps, st.lists(outcomes, max_size=30), st.integers(min_value=1, max_value=120))


@dataclass
class Oracle:
    """Every drained event with the time of its drain."""

    events: list[tuple[float, float]] = field(default_factory=list)

    def within(self, now: float, width: int) -> list[float]:
        return [value for at, value in self.events if int(at) // width > int(now) // width - 60]


def succeeded(values: list[float]) -> list[float]:
    return sorted(value for value in values if copysign(1.0, value) > 0)


def near(found: float | None, expected: float) -> bool:
    return found is not None and abs(found - expected) <= 0.004 * expected + 1e-9


@settings(max_examples=120, deadline=None)
@given(st.lists(batches, max_size=25), st.booleans())
def test_every_window_holds_exactly_the_events_of_its_slices(story: list, scraped: bool) -> None:
    clock = FakeClock()
    series = Series(clock)
    oracle = Oracle()
    for gap, batch, copies in story:
        clock.tick(gap)
        for value in batch * copies:
            series.append(value)
        series.drain()
        oracle.events += [(clock.monotonic(), value) for value in batch * copies]
        if scraped:
            series.buckets()
        for _, width in WINDOWS.values():
            tally = Tally()
            series.view(width, tally)
            expected = oracle.within(clock.monotonic(), width)
            good = succeeded(expected)
            assert (tally.ok, tally.failed) == (len(good), len(expected) - len(good))
            assert sum(tally.counts().values()) == tally.timed == len(good)
            for share, found in zip((0.5, 0.95, 0.99), quantiles(tally.counts(), (0.5, 0.95, 0.99)), strict=True):
                if good:
                    assert near(found, good[max(1, ceil(share * len(good) - 1e-9)) - 1])
    everything = succeeded([value for _, value in oracle.events])
    assert sum(series.buckets()) == len(everything) == series.totals.ok
    assert len(oracle.events) == series.totals.ok + series.totals.failed


@settings(max_examples=60, deadline=None)
@given(st.lists(batches, max_size=12))
def test_the_slices_of_a_history_add_up_to_its_window(story: list) -> None:
    clock = FakeClock()
    monitor = PerformanceMonitor(clock)
    series = monitor.series("odds", "fixtures")
    for gap, batch, _ in story:
        clock.tick(gap)
        for value in batch:
            series.append(value)
        series.neutral(OutcomeClass.RATE, Attribution.KEY)
        series.drain()
    for window in WINDOWS:
        snapshot = monitor.snapshot("odds", window)
        points = monitor.history("odds", window)
        assert len(points) == 60
        assert sum(point.total for point in points) == snapshot.total
        assert sum(point.successes for point in points) == snapshot.successes
        assert sum(point.failures for point in points) == snapshot.failures
        assert sum(point.neutral for point in points) == snapshot.neutral
        assert [point.at for point in points] == sorted(point.at for point in points)


@given(st.lists(st.floats(min_value=1e-6, max_value=1e4), min_size=1, max_size=300))
def test_quantiles_lie_within_one_percent_from_a_microsecond_to_ten_thousand_seconds(values: list[float]) -> None:
    tally = Tally()
    tally.chunks = [digest(values)[-1]]
    ordered = sorted(values)
    for share in (0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0):
        exact = ordered[max(1, ceil(share * len(ordered) - 1e-9)) - 1]
        (found,) = quantiles(tally.counts(), (share,))
        assert found is not None
        assert abs(found - exact) <= 0.01 * exact


@given(st.lists(durations, max_size=200))
def test_a_bucket_counts_what_is_at_most_its_bound_within_the_width_of_a_key(values: list[float]) -> None:
    clock = FakeClock()
    series = Series(clock)
    for value in values:
        series.append(value)
    series.drain()
    found = 0
    for bound, times in zip(BOUNDS, series.buckets(), strict=False):
        found += times
        assert sum(value <= bound for value in values) <= found <= sum(value <= bound * 1.008 for value in values)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 5.0, 30.0, 90.0]), st.booleans())
def test_hours_of_traffic_agree_with_the_oracle_at_every_step(seed: int, pause: float, scraped: bool) -> None:
    """Every slice passes every edge: of its own merging, and of leaving each window while others are merged."""
    rng = Random(seed)
    clock = FakeClock(start=rng.uniform(0.0, 10_000.0))
    series = Series(clock)
    oracle = Oracle()
    steps = min(600, int(9_000 / pause))
    for _ in range(steps):
        clock.tick(rng.expovariate(1 / pause))
        if rng.random() < 0.05:
            clock.tick(rng.choice([59.0, 61.0, 300.0, 1_800.0, 3_590.0]))
        values = [rng.choice([1, -1]) * rng.uniform(0.001, 2.0) for _ in range(rng.randrange(4))]
        for value in values:
            series.append(value)
        series.drain()
        now = clock.monotonic()
        oracle.events = [event for event in oracle.events if now - event[0] < 4_000]
        oracle.events += [(now, value) for value in values]
        if scraped and rng.random() < 0.3:
            series.buckets()
        for _, width in WINDOWS.values():
            tally = Tally()
            series.view(width, tally)
            expected = oracle.within(now, width)
            good = succeeded(expected)
            assert (tally.ok, tally.failed) == (len(good), len(expected) - len(good))
            assert tally.seconds == pytest.approx(sum(good))
            assert tally.failed_seconds == pytest.approx(-sum(value for value in expected if value < 0))
            assert sum(tally.counts().values()) == len(good)
