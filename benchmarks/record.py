"""Recording one outcome: what the caller pays, and what it costs all in, beside the usual ways.

Every candidate records one success with its duration. "All in" includes what must happen later for the
numbers to be readable: our drain (once per 100 and per 1,000 events, and once a second of the window's
time, with slices closing, merging and being packed), their nothing (they count at once).
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from common import Table, measure, ratio
from understudy.monitor import PerformanceMonitor
from understudy.monitor.series import Series
from understudy.testing.clock import FakeClock

N, ROUNDS = 100_000, 21
SLOW_N = 20_000
DURATIONS = [random.Random(1).lognormvariate(-2, 0.5) for _ in range(1000)]

CACHED = "prometheus_client, cached children"
APPEND = "series.append, bound"
BY_NAME = "record_request_success(name, seconds)"
DEQUE = "lock + deque of (time, seconds, ok)"
BARE_DEQUE = "the same written inline, one constant tuple, no time"
LOOP = "the loop around each of these, empty"
CLOCK = "two perf_counter() calls, for scale"


def prometheus() -> dict[str, Callable[[int], None]]:
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    counter = Counter("requests", "Requests.", ["api", "outcome"], registry=registry)
    histogram = Histogram("duration_seconds", "Durations.", ["api"], registry=registry)
    inc, observe = counter.labels("odds", "success").inc, histogram.labels("odds").observe

    def cached(n: int) -> None:
        for _ in range(n):
            inc()
            observe(0.123)

    def labelled(n: int) -> None:
        for _ in range(n):
            counter.labels("odds", "success").inc()
            histogram.labels("odds").observe(0.123)

    return {CACHED: cached, "prometheus_client, labels() each time": labelled}


def opentelemetry() -> dict[str, Callable[[int], None]]:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("benchmark")
    counter, histogram = meter.create_counter("requests"), meter.create_histogram("duration", "s")
    labels = {"api": "odds"}

    def record(n: int) -> None:
        for _ in range(n):
            counter.add(1, labels)
            histogram.record(0.123, labels)

    return {"OpenTelemetry counter + histogram": record}


class LockedDeque:
    """What is often written by hand: a sliding window needs the time of each event beside its numbers."""

    def __init__(self) -> None:
        self._events: deque[tuple[float, float, bool]] = deque(maxlen=10_000)
        self._lock = threading.Lock()

    def record(self, seconds: float, ok: bool) -> None:
        with self._lock:
            self._events.append((time.monotonic(), seconds, ok))


def bare_lock_and_deque(n: int) -> None:
    events: deque[tuple[float, bool]] = deque(maxlen=10_000)
    lock = threading.Lock()
    for _ in range(n):
        with lock:
            events.append((0.123, True))


def lock_and_deque(n: int) -> None:
    record = LockedDeque().record
    for _ in range(n):
        record(0.123, True)


def two_clock_reads(n: int) -> None:
    read = time.perf_counter
    for _ in range(n):
        read()
        read()


def bound_append(n: int) -> None:
    append = Series(FakeClock()).append
    for _ in range(n):
        append(0.123)


def by_name(n: int) -> None:
    monitor = PerformanceMonitor(FakeClock())
    monitor.drain()  # as an application does: no background thread takes part
    success = monitor.record_request_success
    for _ in range(n):
        success("odds", 0.123)


def all_in(per_drain: int, step: float) -> Callable[[int], None]:
    """Record and drain; `step` seconds of the window's time pass at each drain."""
    clock = FakeClock()
    series = Series(clock)
    values = (DURATIONS * (per_drain // len(DURATIONS) + 1))[:per_drain]

    def record(n: int) -> None:
        drain, append = series.drain, series.append
        for _ in range(n // per_drain):
            for value in values:
                append(value)
            clock.tick(step)
            drain()

    return record


def empty_loop(n: int) -> None:
    for _ in range(n):
        pass


def main() -> bool:
    table = Table("record", "Recording one outcome", ("prometheus_client", "opentelemetry-sdk"))
    callers = {
        **prometheus(),
        DEQUE: lock_and_deque,
        BARE_DEQUE: bare_lock_and_deque,
        CLOCK: two_clock_reads,
        BY_NAME: by_name,
        APPEND: bound_append,
        LOOP: empty_loop,
    }
    caller = measure(callers, N, ROUNDS, cpu=True)
    table.add(caller, CACHED, "On the caller's path")
    alone = {**opentelemetry(), CACHED: callers[CACHED]}
    table.add(measure(alone, SLOW_N, 5, cpu=True), CACHED, "OpenTelemetry, in a run of its own because it is slow")
    whole = {
        "record + drain, 100 events a drain": all_in(100, 0.0001),
        "record + drain, 1,000 events a drain": all_in(1000, 0.001),
        "100 events a drain, a drain a second, an hour's windows full": all_in(100, 1.0),
    }
    whole["100 events a drain, a drain a second, an hour's windows full"](400_000)
    timings = measure(
        {
            CACHED: callers[CACHED],
            DEQUE: lock_and_deque,
            BARE_DEQUE: bare_lock_and_deque,
            CLOCK: two_clock_reads,
            **whole,
            LOOP: empty_loop,
        },
        N,
        ROUNDS,
        cpu=True,
    )
    table.add(timings, CACHED, "All in")

    first, _, steady = whole
    table.figure("by_name", ratio(caller, BY_NAME, CACHED))
    table.figure("all_in", ratio(timings, first, CACHED))
    deque_share = ratio(timings, first, DEQUE, less=LOOP)
    table.figure("all_in_deque", deque_share)
    bound = ratio(caller, APPEND, CACHED, less=LOOP)
    table.goal("series.append ≤ 1/40 of prometheus_client's cached pair, loop taken off both", bound, 1 / 40)
    table.goal("record_request_success ≤ 1/12 of it", ratio(caller, BY_NAME, CACHED), 1 / 12)
    table.goal("record + drain, 100 events, ≤ 1/12 of it", ratio(timings, first, CACHED), 1 / 12)
    table.goal("record + drain, 100 events, ≤ 1/5 of lock + deque, loop taken off both", deque_share, 1 / 5)
    table.goal("record + drain, 100 events, less than two clock reads", ratio(timings, first, CLOCK), 1.0)
    table.note(
        "The last row of “All in” is a steady state at 100 calls/s with time running: it also pays for closing a "
        f"slice each second, merging, and counting durations into packed pairs once. It is "
        f"1/{1 / ratio(timings, steady, CACHED):.3g} of prometheus_client's cached pair."
    )
    table.note(
        "Lock + deque is measured as a recorder has to be written for a sliding window: a method that notes the "
        "time of the event. Against the bare inline form, which could answer no question about a window, record + "
        f"drain is 1/{1 / ratio(timings, first, BARE_DEQUE, less=LOOP):.3g}, short of 1/5."
    )
    return table.write()


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
