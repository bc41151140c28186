"""What protection costs one successful call: Understudy beside the libraries that teams combine today.

Every candidate awaits the same trivial coroutine. `Understudy` has everything on: breaker, retry with
budget, deadline, choice among three APIs, record. Run: `python benchmarks/pipeline.py`.
"""

from __future__ import annotations

import asyncio
import sys
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
        "Understudy execute_with_fallback": run,
        "Understudy guard": loop_of(app.guard("lead")(operation)),
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
    count = prometheus_client.Counter("calls", "Calls", ["api"], registry=registry).labels("lead")
    seconds = prometheus_client.Histogram("seconds", "Seconds", ["api"], registry=registry).labels("lead")

    @stamina.retry(on=Exception, attempts=3)
    async def combined() -> int:
        async with await purgatory.get_breaker("combined"):
            async with asyncio.timeout(10):
                with seconds.time():
                    value = await operation()
        count.inc()
        return value

    peers: dict[str, Callable[[], Awaitable[int]]] = {
        "hyx retry + breaker": with_hyx,
        "pybreaker around a plain call + bare await": with_pybreaker,
        "purgatory": with_purgatory,
        "tenacity": with_tenacity,
        "stamina": with_stamina,
        "stamina + purgatory + timeout + prometheus_client": combined,
    }
    return {label: loop_of(make) for label, make in peers.items()}


async def pass_through() -> int:
    """One coroutine around the operation, for scale."""
    return await operation()


def _on(loop: asyncio.AbstractEventLoop, run: Loop) -> Callable[[int], None]:
    return lambda n: loop.run_until_complete(run(n))


def main() -> int:
    """Measure, print, write; the exit code says whether the goals are met."""
    stamina.set_active(True)
    loop = asyncio.new_event_loop()
    app = Understudy.build(seed=1)
    loop.run_until_complete(app.start())
    loops = {
        "bare await": loop_of(operation),
        "one pass-through coroutine": loop_of(pass_through),
        **ours(app),
        **theirs(),
    }
    timings = measure({label: _on(loop, run) for label, run in loops.items()}, n=5_000, rounds=31)
    table = Table(
        "pipeline",
        "Wrapping one successful call",
        libraries=("stamina", "tenacity", "pybreaker", "purgatory", "hyx", "prometheus_client"),
    )
    table.add(timings, baseline="bare await")
    combination = "stamina + purgatory + timeout + prometheus_client"
    for label in ("Understudy execute_with_fallback", "Understudy guard"):
        table.goal(f"{label} ≤ 8 bare awaits", ratio(timings, label, "bare await"), 8)
        table.goal(f"{label} ≤ 1/40 of {combination}", ratio(timings, label, combination), 1 / 40)
        table.goal(f"{label} ≤ 1/2 of hyx retry + breaker", ratio(timings, label, "hyx retry + breaker"), 1 / 2)
    table.note("Every candidate awaits the same coroutine, on one event loop, in interleaved rounds.")
    loop.run_until_complete(app.stop(0))
    loop.close()
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
