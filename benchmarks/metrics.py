"""What a scrape costs with 1,000 APIs: our exposition beside prometheus_client's `generate_latest`.

Both hold the same counters and histograms (16 outcomes and 15 buckets for each API). Ours is measured as
the service sends it, piece by piece. Run: `python benchmarks/metrics.py`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import prometheus_client

from common import Table, Timing, ratio
from understudy.app import Understudy
from understudy.export.prometheus import OUTCOMES, Exposition
from understudy.monitor.histogram import BOUNDS

APIS, ROUNDS = 1000, 9


def ours() -> tuple[Understudy, Exposition]:
    """An application with 1,000 HTTP APIs that have served."""
    app = Understudy.build(seed=1)
    for number in range(APIS):
        name = f"api{number}"
        api = app.fallback.register_api(name, base_url=f"http://host{number}.test")
        app.fallback.roster.binding(api, app.fallback.roster.route(name))
        app.monitor.series(name).append(0.02)
    app.monitor.drain()
    return app, Exposition(app.fallback, app.monitor, version="1", started_at=app.started_at)


def theirs() -> prometheus_client.CollectorRegistry:
    """The same counters and histograms in prometheus_client."""
    registry = prometheus_client.CollectorRegistry()
    requests = prometheus_client.Counter("requests", "Attempts", ["api", "outcome"], registry=registry)
    seconds = prometheus_client.Histogram("seconds", "Seconds", ["api"], buckets=BOUNDS, registry=registry)
    for number in range(APIS):
        for outcome in OUTCOMES:
            requests.labels(f"api{number}", outcome).inc(0)
        seconds.labels(f"api{number}").observe(0.02)
    return registry


def change(app: Understudy, count: int) -> None:
    """Let this many APIs have new numbers."""
    for number in range(count):
        series = app.monitor.series(f"api{number}")
        for step in range(20):
            series.append(0.004 * (step + 1))
    app.monitor.drain()


async def scrape(page: Exposition) -> float:
    """Processor time of one scrape, s."""
    gc.collect()
    began = time.process_time()
    async for _ in page.page():
        pass
    return time.process_time() - began


async def longest_wait(page: Exposition) -> float:
    """The longest that anything else had to wait for its turn during one scrape, s of processor time.

    Other programs on the machine take the processor for longer than that.
    """
    longest = 0.0
    ended = False

    async def watch() -> None:
        nonlocal longest
        before = time.thread_time()
        while not ended:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, before = max(longest, now - before), now

    gc.collect()
    watching = asyncio.ensure_future(watch())
    await asyncio.sleep(0)
    async for _ in page.page():
        pass
    ended = True
    await watching
    return longest


async def main() -> bool:
    """Measure and write the table."""
    app, page = ours()
    await page.text()
    registry = theirs()
    cases = {"5 % changed": APIS // 20, "all changed": APIS}
    seconds: dict[str, list[float]] = {label: [] for label in (*cases, "prometheus_client")}
    longest = []
    for _ in range(ROUNDS):
        for label, count in cases.items():
            change(app, count)
            seconds[label].append(await scrape(page))
        change(app, APIS)
        longest.append(await longest_wait(page))
        began = time.process_time()
        prometheus_client.generate_latest(registry)
        seconds["prometheus_client"].append(time.process_time() - began)
    timings = {label: Timing(label, 1, tuple(values)) for label, values in seconds.items()}
    table = Table("metrics", "One scrape of 1,000 APIs", libraries=("prometheus_client",), unit="ms")
    table.add(timings, baseline="prometheus_client")
    table.figure("some_ms", timings["5 % changed"].median * 1000)
    table.figure("some", ratio(timings, "5 % changed", "prometheus_client"))
    table.goal("5 % changed, ms of processor time", timings["5 % changed"].median * 1000, 15)
    table.goal("all changed, ms of processor time", timings["all changed"].median * 1000, 80)
    table.goal(
        "longest slice of the event loop, all changed (median of scrapes), ms",
        sorted(longest)[len(longest) // 2] * 1000,
        5,
    )
    table.note(
        f"Our page also holds states, breakers, budgets and attempts of each API, which the other lacks. "
        f"All changed costs {ratio(timings, 'all changed', 'prometheus_client'):.2f} of prometheus_client's."
    )
    return table.write()


if __name__ == "__main__":
    raise SystemExit(0 if asyncio.run(main()) else 1)
