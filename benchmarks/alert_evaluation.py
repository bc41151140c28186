"""What evaluating rules costs: 1,000 APIs with 50 rules each, every second, while calls go on.

Every API has calls in every second. One round is what the application does each second: look at every subject,
judge what changed, move the alerts, keep them (in memory here). Counting the calls for the rules is measured
beside it: the same drain with and without the tracks. Run: `python benchmarks/alert_evaluation.py`.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

from common import QUICK, Table
from understudy.alerts.model import Level, Operator, Rule
from understudy.alerts.options import AlertOptions
from understudy.app import Understudy
from understudy.core.notices import Severity
from understudy.core.turn import Slices
from understudy.testing import FakeClock

APIS, RULES = (200, 50) if QUICK else (1000, 50)
#: The share of an API's calls that fail, by its number.
Failing = Callable[[int], float]
ROUNDS = 5 if QUICK else 25
#: Steps of five seconds before anything is measured, so that the longest window is full.
WARM = 10 if QUICK else 190
#: APIs that fail in the last run.
FAILING = 20
#: Metrics of the rules: each with an operator, and thresholds that healthy APIs stay clear of.
METRICS: tuple[tuple[str, Operator, float, float], ...] = (
    ("success_rate", "<", 80.0, 60.0), ("error_rate", ">", 20.0, 40.0), ("response_time", ">", 2.0, 5.0),
    ("response_time_p95", ">", 3.0, 8.0), ("response_time_p99", ">", 4.0, 9.0),
    ("requests_per_minute", ">", 100_000.0, 200_000.0), ("failures", ">", 5_000.0, 9_000.0),
)  # fmt: skip


def rules() -> dict[str, Rule]:
    """Fifty rules about every API over three windows, besides the default ones that are about APIs."""
    found: dict[str, Rule] = {}
    for number in range(RULES):
        metric, operator, first, second = METRICS[number % len(METRICS)]
        sign = -1.0 if operator == "<" else 1.0
        off = sign * 0.01 * (number // len(METRICS))
        levels = (Level(Severity.WARNING, first + off), Level(Severity.CRITICAL, second + off))
        window = (60.0, 300.0, 900.0)[number % 3]
        name = f"rule {number}"
        found[name] = Rule(name, metric=metric, operator=operator, levels=levels, window=window)
    return found


async def traffic(
    app: Understudy, clock: FakeClock, rng: random.Random, failing: Failing, seconds: float = 1.0
) -> float:
    """One second of calls on every API, and their drain; the processor time of the drain."""
    for number, name in enumerate(app.fallback.roster.apis):
        series, share = app.monitor.series(name), failing(number)
        for _ in range(rng.randint(1, 4)):
            series.append(-0.2 if rng.random() < share else rng.uniform(0.05, 0.4))
    clock.tick(seconds)
    began = time.process_time()
    app.monitor.drain()
    return time.process_time() - began


async def measured(failing: Failing) -> tuple[list[float], list[float], int]:
    """Processor time of each round and of each drain, and how many alerts fire at the end."""
    from understudy.config.settings import Settings

    clock, rng = FakeClock(auto=False), random.Random(7)
    app = Understudy.build(Settings(alerts=AlertOptions(rules=rules())), clock=clock, seed=1)
    for number in range(APIS):
        app.fallback.register_api(f"api {number}")
    alerts = app.alerts
    app.alerting.watch()
    for _ in range(WARM):
        await traffic(app, clock, rng, failing, 5.0)
    await alerts.evaluate_now()
    seconds, drains = [], []
    for _ in range(ROUNDS):
        drains.append(await traffic(app, clock, rng, failing))
        slices = Slices(time.perf_counter, 0.001)
        began = time.process_time()
        await alerts.round(slices.breath)
        seconds.append(time.process_time() - began)
    return seconds, drains, len(alerts.active())


async def unwatched() -> list[float]:
    """Processor time of each drain while nothing counts for rules."""
    clock, rng = FakeClock(auto=False), random.Random(7)
    app = Understudy.build(clock=clock, seed=1)
    for number in range(APIS):
        app.fallback.register_api(f"api {number}")
    for _ in range(WARM):
        await traffic(app, clock, rng, lambda _: 0.0, 5.0)
    return [await traffic(app, clock, rng, lambda _: 0.0) for _ in range(ROUNDS)]


def main() -> int:
    """Measure, print, write; the exit code."""
    table = Table("alert_evaluation", f"Evaluating {APIS:,} APIs × {RULES} rules each second")
    plain = median(asyncio.run(unwatched()))
    rows = []
    runs: tuple[tuple[str, Failing], ...] = (
        ("all well", lambda _: 0.0),
        ("1 % of the calls fail", lambda _: 0.01),
        (f"{FAILING} APIs fail in half of their calls", lambda number: 0.5 if number < FAILING else 0.0),
    )
    for label, failing in runs:
        seconds, drains, firing = asyncio.run(measured(failing))
        rows.append([label, firing, 100 * median(seconds), 100 * max(seconds), 100 * (median(drains) - plain)])
    table.section("", ["traffic", "alerts", "% of a core, median", "worst round", "counting, % of a core"], rows)
    table.figure("share_of_a_core", rows[0][2])  # type: ignore[arg-type] # a number of that row
    table.goal("evaluation, all well, % of a core", float(rows[0][2]), 5.0)  # type: ignore[arg-type] # as above
    table.goal("evaluation, 1 % failing, % of a core", float(rows[1][2]), 5.0)  # type: ignore[arg-type] # as above
    table.note("A round is in slices of a millisecond, between which calls have their turn.")
    table.note("Counting is what draining the calls of one second costs more because rules want their numbers.")
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
