"""Memory per API with all windows full, how near the quantiles are to the exact ones, and whether a count is lost."""

from __future__ import annotations

import gc
import random
import threading
import tracemalloc
from collections.abc import Callable
from math import ceil

from common import Table
from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor import PerformanceMonitor
from understudy.testing.clock import FakeClock

APIS = 5
HOUR = 3700
THREADS, THREAD_EVENTS = 4, 300_000


def grown(rate: float, seconds: int) -> float:
    """Bytes per API after `seconds` at `rate` calls a second, drained each second, 2 % failures."""
    clock = FakeClock()
    monitor = PerformanceMonitor(clock)
    rng = random.Random(1)
    names = [f"api-{number}" for number in range(APIS)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    series = [monitor.series(name, "fixtures") for name in names]
    for _ in range(seconds):
        for each in series:
            for _ in range(int(rate)):
                if rng.random() < 0.02:
                    each.failed(1.0, OutcomeClass.PROVIDER, Attribution.PROVIDER, "HTTP 503", 503)
                else:
                    each.append(rng.lognormvariate(-2, 0.5))
        clock.tick(1.0)
        monitor.drain()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / APIS


def worst_error(draw: Callable[[random.Random], float]) -> float:
    """The largest relative error of p50, p95 and p99 over an hour at 20 calls/s."""
    clock = FakeClock()
    monitor = PerformanceMonitor(clock)
    rng = random.Random(2)
    series = monitor.series("odds")
    values = []
    for _ in range(3500):
        for _ in range(20):
            value = draw(rng)
            values.append(value)
            series.append(value)
        clock.tick(1.0)
        monitor.drain()
    values.sort()
    snapshot = monitor.snapshot("odds", "1h")
    if snapshot.successes != len(values):
        return float("nan")
    worst = 0.0
    for share, found in ((0.5, snapshot.p50), (0.95, snapshot.p95), (0.99, snapshot.p99)):
        exact = values[ceil(share * len(values)) - 1]
        worst = max(worst, abs((found or 0.0) - exact) / exact)
    return worst


def miscounted() -> int:
    """By how many the count is wrong after four threads recorded at once and a fifth drained all the time."""
    monitor = PerformanceMonitor(FakeClock())
    series = monitor.series("odds")
    over = threading.Event()

    def record() -> None:
        append = series.append
        for _ in range(THREAD_EVENTS):
            append(0.1)

    def drain() -> None:
        while not over.is_set():
            monitor.drain()

    threads = [threading.Thread(target=record) for _ in range(THREADS)]
    drainer = threading.Thread(target=drain)
    for thread in (drainer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    drainer.join()
    monitor.drain()
    return abs(monitor.snapshot("odds", "1h").successes - THREADS * THREAD_EVENTS)


def main() -> bool:
    table = Table("memory", "Memory and accuracy of the monitor")
    idle, slow, fast = grown(0, 10), grown(1, HOUR), grown(100, HOUR)
    table.section(
        "Memory per API, windows of 1 m, 5 m and 1 h full",
        ["load", "KB"],
        [["idle", idle / 1024], ["1 call/s", slow / 1024], ["100 calls/s", fast / 1024]],
    )
    shapes = {
        "typical (log-normal around 135 ms)": lambda rng: rng.lognormvariate(-2, 0.5),
        "microseconds": lambda rng: rng.uniform(1e-6, 5e-6),
        "two humps (20 ms, 8 s)": lambda rng: rng.gauss(0.02, 0.001) if rng.random() < 0.7 else rng.gauss(8, 0.5),
        "from 1 µs to 10,000 s": lambda rng: 10 ** rng.uniform(-6, 4),
    }
    errors = {name: worst_error(draw) for name, draw in shapes.items()}
    table.section(
        "Worst error of p50, p95, p99 over an hour, counts exact",
        ["durations", "error %"],
        [[name, 100 * error] for name, error in errors.items()],
    )
    table.figure("slow_kb", slow / 1024)
    table.figure("fast_kb", fast / 1024)
    table.figure("error_percent", 100 * max(errors.values()))
    table.goal("idle ≤ 4 KB", idle / 1024, 4.0)
    table.goal("1 call/s ≤ 64 KB", slow / 1024, 64.0)
    table.goal("100 calls/s ≤ 300 KB", fast / 1024, 300.0)
    lost = miscounted()
    table.goal(f"{THREADS} threads × {THREAD_EVENTS:,} events and a drainer: wrong counts", lost, 0)
    table.goal("quantiles within 1 %", 100 * max(errors.values()), 1.0)
    return table.write()


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
