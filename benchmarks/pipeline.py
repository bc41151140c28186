"""What protection costs one successful call: Understudy beside the libraries that teams combine today.

Every candidate awaits the same trivial coroutine. `Understudy` has everything on: breaker, retry with
budget, deadline, choice among three APIs, record. Run: `python benchmarks/pipeline.py`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import hyx.circuitbreaker
import hyx.retry
import prometheus_client
import pybreaker
import stamina
import tenacity
from purgatory import AsyncCircuitBreakerFactory

from common import Table, measure, ratio
from understudy.app import Understudy

BARE, PASS = "bare await", "one pass-through coroutine"
EXECUTE, GUARD = "Understudy execute_with_fallback", "Understudy guard"
HYX, COMBINATION = "hyx retry + breaker", "stamina + purgatory + timeout + prometheus_client"
#: Calls of a stretch, as a multiple of those of the others: the stretches take about as long.
SHARE = {BARE: 10, PASS: 8, EXECUTE: 2, GUARD: 2, "tenacity": 0.1, "stamina": 0.1, COMBINATION: 0.1}
WHAT = {
    BARE: "`await operation()` in a loop",
    EXECUTE: '`await execute("lead", operation)` on a route of three APIs with the defaults: breakers of API and hub, '
    "retry and its budget, deadline, choice by cost, record, explanation on demand",
    GUARD: '`await guarded()`, decorated with `@app.guard("lead")`; the same route',
    HYX: "its decorators `retry(attempts=3)` and `consecutive_breaker(...)`; no deadline, no record, no choice",
    "pybreaker around a plain call + bare await": "its decorator on a plain function, because it has none for "
    "coroutines of asyncio; no retry, no deadline, no record, no choice",
    "purgatory": '`async with await factory.get_breaker("lead")`; no retry, no deadline, no record, no choice',
    "tenacity": "its decorator with three attempts and a jittered wait; no breaker, no deadline, no record, no choice",
    "stamina": "its decorator with three attempts; no breaker, no deadline of the call, no record, no choice",
    COMBINATION: "stamina's decorator around purgatory's breaker around `asyncio.timeout(10)`, a histogram and a "
    "counter with cached children; no choice, no explanation",
}


async def operation() -> int:
    """What is wrapped."""
    return 1


Loop = Callable[[int], Awaitable[None]]


def loop_of(make: Callable[[], Awaitable[int]]) -> Loop:
    """Awaits `make()` n times."""

    async def run(n: int) -> None:
        for _ in range(n):
            await make()

    return run


def ours(app: Understudy) -> dict[str, Loop]:
    """The two front doors of Understudy, over a route of three APIs."""
    for name, priority in (("lead", 1), ("second", 2), ("third", 3)):
        app.fallback.register_api(name, priority=priority, route="bench", operation=operation)
    execute = app.fallback.execute_with_fallback

    async def run(n: int) -> None:
        for _ in range(n):
            await execute("lead", operation)

    return {
        EXECUTE: run,
        GUARD: loop_of(app.guard("lead")(operation)),
    }


def theirs() -> dict[str, Loop]:
    """The peers, alone and in the usual combination."""

    @stamina.retry(on=Exception, attempts=3)
    async def with_stamina() -> int:
        return await operation()

    @tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_exponential_jitter())
    async def with_tenacity() -> int:
        return await operation()

    breaker = pybreaker.CircuitBreaker()

    @breaker
    def with_pybreaker_sync() -> int:
        return 1

    async def with_pybreaker() -> int:
        with_pybreaker_sync()
        return await operation()

    purgatory = AsyncCircuitBreakerFactory()

    async def with_purgatory() -> int:
        async with await purgatory.get_breaker("lead"):
            return await operation()

    @hyx.retry.retry(attempts=3)
    @hyx.circuitbreaker.consecutive_breaker(exceptions=Exception, failure_threshold=5, recovery_time_secs=30)
    async def with_hyx() -> int:
        return await operation()

    registry = prometheus_client.CollectorRegistry()
    count = prometheus_client.Counter("calls", "Calls", ["api"], registry=registry).labels("lead").inc
    observe = prometheus_client.Histogram("seconds", "Seconds", ["api"], registry=registry).labels("lead").observe

    @stamina.retry(on=Exception, attempts=3)
    async def combined() -> int:
        async with await purgatory.get_breaker("combined"), asyncio.timeout(10):
            began = time.perf_counter()
            value = await operation()
            observe(time.perf_counter() - began)
        count()
        return value

    peers: dict[str, Callable[[], Awaitable[int]]] = {
        HYX: with_hyx,
        "pybreaker around a plain call + bare await": with_pybreaker,
        "purgatory": with_purgatory,
        "tenacity": with_tenacity,
        "stamina": with_stamina,
        COMBINATION: combined,
    }
    return {label: loop_of(make) for label, make in peers.items()}


async def pass_through() -> int:
    """One coroutine around the operation, for scale."""
    return await operation()


def _on(loop: asyncio.AbstractEventLoop, run: Loop) -> Callable[[int], None]:
    return lambda n: loop.run_until_complete(run(n))


def main() -> int:
    """Measure, print, write; the exit code says whether the goals are met."""
    loop = asyncio.new_event_loop()
    app = Understudy.build(seed=1)
    loop.run_until_complete(app.start())
    loops = {
        BARE: loop_of(operation),
        PASS: loop_of(pass_through),
        **ours(app),
        **theirs(),
    }
    timings = measure({label: _on(loop, run) for label, run in loops.items()}, 4_000, 101, cpu=True, share=SHARE)
    table = Table(
        "pipeline",
        "Wrapping one successful call",
        libraries=("stamina", "tenacity", "pybreaker", "purgatory", "hyx", "prometheus_client"),
    )
    table.add(timings, BARE)
    table.explain(WHAT)
    table.figure("awaits", ratio(timings, EXECUTE, BARE))
    table.figure("combination", ratio(timings, EXECUTE, COMBINATION))
    table.figure("hyx", ratio(timings, EXECUTE, HYX))
    for label in (EXECUTE, GUARD):
        table.goal(f"{label} ≤ 8 bare awaits", ratio(timings, label, BARE), 8)
        table.goal(f"{label} ≤ 1/40 of {COMBINATION}", ratio(timings, label, COMBINATION), 1 / 40)
        table.goal(f"{label} ≤ 1/2 of {HYX}", ratio(timings, label, HYX), 1 / 2)
    table.note("Processor time; every candidate awaits the same coroutine, on one event loop, in interleaved rounds.")
    loop.run_until_complete(app.stop(0))
    loop.close()
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
