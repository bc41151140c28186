"""The monitor's front door against a model that keeps every event: any order of recording, reading and clearing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import ceil, isnan

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor import PerformanceMonitor
from understudy.monitor.window import WINDOWS
from understudy.testing.clock import FakeClock

API = "odds"
OPERATIONS = ("", "fixtures", "live")
seconds = st.one_of(st.floats(min_value=1e-6, max_value=1e4), st.sampled_from([0.0, 0.1, 1.0]))
gaps = st.one_of(
    st.floats(min_value=0.0, max_value=400.0),
    st.sampled_from([0.0, 1e-9, 0.999, 1.0, 4.0, 5.0, 59.0, 60.0, 299.0, 300.0, 3540.0, 3600.0, 86_400.0]),
)
kinds = st.sampled_from(
    [
        (OutcomeClass.TIMEOUT, Attribution.PROVIDER),
        (OutcomeClass.HUB, Attribution.HUB),
        (OutcomeClass.RATE, Attribution.KEY),
    ]
)


@dataclass
class Model:
    """Events as (time of their drain, kind, seconds); kind is `ok`, or (failed or neutral, outcome, attribution)."""

    pending: list[tuple[object, float | None]] = field(default_factory=list)
    events: list[tuple[float, object, float | None]] = field(default_factory=list)
    before_clear: int = 0
    since: float = 0.0

    def drain(self, now: float) -> None:
        self.events += [(now, kind, value) for kind, value in self.pending]
        self.pending.clear()

    def recent(self, now: float, width: int) -> list[tuple[object, float | None]]:
        kept = self.events[self.before_clear :]
        return [(kind, value) for at, kind, value in kept if int(at) // width > int(now) // width - 60]


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        self.monitor = PerformanceMonitor(self.clock)
        self.model = Model(since=self.clock.monotonic())
        self.all_ever = 0
        for operation in OPERATIONS:
            self.monitor.series(API, operation)

    @rule(gap=gaps)
    def time_passes(self, gap: float) -> None:
        self.clock.tick(gap)

    @rule(
        operation=st.sampled_from(OPERATIONS), values=st.lists(seconds, max_size=8), copies=st.sampled_from([1, 3, 300])
    )
    def calls_succeed(self, operation: str, values: list[float], copies: int) -> None:
        append = self.monitor.series(API, operation).append
        for value in values * copies:
            append(value)
            self.model.pending.append(("ok", value))

    @rule(operation=st.sampled_from(OPERATIONS), value=st.none() | seconds, kind=kinds)
    def a_call_fails(self, operation: str, value: float | None, kind: tuple[OutcomeClass, Attribution]) -> None:
        self.monitor.series(API, operation).failed(value, *kind)
        self.model.pending.append((("failed", *kind), value))

    @rule(operation=st.sampled_from(OPERATIONS), kind=kinds)
    def a_call_is_neutral(self, operation: str, kind: tuple[OutcomeClass, Attribution]) -> None:
        self.monitor.series(API, operation).neutral(*kind)
        self.model.pending.append((("neutral", *kind), None))

    @rule(value=seconds)
    def a_user_records_a_success(self, value: float) -> None:
        self.monitor.record_request_success(API, value)
        self.model.pending.append(("ok", value))

    @rule(value=st.none() | seconds)
    def a_user_records_a_failure(self, value: float | None) -> None:
        self.monitor.record_request_failure(API, TimeoutError(), value)
        self.model.pending.append((("failed", OutcomeClass.TIMEOUT, Attribution.PROVIDER), value))

    @rule(operation=st.sampled_from(OPERATIONS), value=seconds)
    def a_result_comes_late(self, operation: str, value: float) -> None:
        series = self.monitor.series(API, operation)
        late = series.append
        series.rotate()
        late(value)
        self.monitor.drain()
        self.model.pending.append(("ok", value))
        self.model.drain(self.clock.monotonic())

    @rule()
    def drained(self) -> None:
        self.monitor.drain()
        self.model.drain(self.clock.monotonic())

    @rule()
    def scraped(self) -> None:
        self.monitor.drain()
        self.model.drain(self.clock.monotonic())
        counters = self.monitor.cumulative(API)
        kinds = Counter(kind for _, kind, _ in self.model.events if kind != "ok")
        successes = sum(kind == "ok" for _, kind, _ in self.model.events)
        assert counters.successes == counters.timed == sum(counters.buckets) == successes
        assert counters.failures + counters.neutral == sum(kinds.values())
        assert counters.outcomes == {
            (outcome, attribution): sum(kinds[state, outcome, attribution] for state in ("failed", "neutral"))
            for _, outcome, attribution in kinds
        }
        assert counters.successes + counters.failures + counters.neutral >= self.all_ever
        self.all_ever = len(self.model.events)

    @rule()
    def cleared(self) -> None:
        self.monitor.clear(API)
        self.model.drain(self.clock.monotonic())
        self.model.before_clear = len(self.model.events)
        self.model.since = self.clock.monotonic()

    @rule(window=st.sampled_from(list(WINDOWS)))
    def looked_at(self, window: str) -> None:
        snapshot = self.monitor.snapshot(API, window)
        now = self.clock.monotonic()
        self.model.drain(now)
        length, width = WINDOWS[window]
        events = self.model.recent(now, width)
        good = sorted(value for kind, value in events if kind == "ok" and value is not None)
        bad = [kind for kind, _ in events if kind != "ok" and kind[0] == "failed"]
        neutral = [kind for kind, _ in events if kind != "ok" and kind[0] == "neutral"]
        assert (snapshot.successes, snapshot.failures, snapshot.neutral) == (len(good), len(bad), len(neutral))
        assert snapshot.total == len(events)
        assert snapshot.errors_by_class == Counter(kind[1].value for kind in bad)
        assert snapshot.errors_by_attribution == Counter(kind[2].value for kind in bad)
        assert snapshot.neutral_by_class == Counter(kind[1].value for kind in neutral)
        if good or bad:
            assert snapshot.success_rate == pytest.approx(100 * len(good) / (len(good) + len(bad)))
            assert snapshot.success_rate + snapshot.error_rate == pytest.approx(100)
        else:
            assert snapshot.success_rate is snapshot.error_rate is None
        if good:
            assert snapshot.response_time == pytest.approx(sum(good) / len(good), rel=1e-9, abs=1e-12)
            for share, found in ((0.5, snapshot.p50), (0.95, snapshot.p95), (0.99, snapshot.p99)):
                exact = good[max(1, ceil(share * len(good) - 1e-9)) - 1]
                assert found == pytest.approx(exact, rel=0.01, abs=1e-9)
            assert snapshot.p50 <= snapshot.p95 <= snapshot.p99
        else:
            assert snapshot.response_time is snapshot.p50 is snapshot.p95 is snapshot.p99 is None
        begun = (int(now) // width - 59) * width
        covered = min(length, max(60.0, now - max(begun, self.model.since)))
        assert snapshot.requests_per_minute == pytest.approx(60 * len(events) / covered)

    @rule()
    def summed_up(self) -> None:
        summary = self.monitor.get_performance_summary()
        self.model.drain(self.clock.monotonic())
        events = self.model.events[self.model.before_clear :]
        good = [value for _, kind, value in events if kind == "ok"]
        bad = [kind for _, kind, _ in events if kind != "ok" and kind[0] == "failed"]
        api = summary["apis"][API]
        assert summary["total_requests"] == api["total_requests"] == len(events)
        assert (api["successful_requests"], api["failed_requests"]) == (len(good), len(bad))
        assert api["errors_by_class"] == Counter(kind[1].value for kind in bad)
        assert api["requests_per_minute"] == len(self.model.recent(self.clock.monotonic(), 1))
        if good:
            # The sums since the start are subtracted, so a long gone 10,000 s leaves its rounding behind.
            assert api["avg_response_time"] == pytest.approx(sum(good) / len(good), rel=1e-6, abs=1e-5)
        else:
            assert isnan(api["avg_response_time"])
        if good or bad:
            assert summary["overall_success_rate"] == pytest.approx(100 * len(good) / (len(good) + len(bad)))
        else:
            assert isnan(summary["overall_success_rate"])


TestMonitor = Machine.TestCase
TestMonitor.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
