"""How long 256 callers wait for one of 100 connections: the longest wait beside the usual one.

Each caller asks again as soon as it has its answer. The API, in a process of its own, takes 50 to 150 ms
for an answer and says how long it took; the rest of the time that a call takes is waiting. A caller whom
nobody overtakes waits about as long as all the others. Run: `python benchmarks/fairness.py`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

import aiohttp

from _apis import TOOK, serving
from common import QUICK, Table
from understudy.app import Understudy
from understudy.resilience.bulkhead import BulkheadOptions

CALLERS, CONNECTIONS = 256, 100
DELAY = (0.05, 0.15)
SECONDS, ROUNDS = (1.0, 1) if QUICK else (4.0, 4)

ROUTE = "Understudy route, bulkhead of 100"
AIOHTTP = "aiohttp, its default pool of 100"
WHAT = {
    ROUTE: '`app.route("api").get(path)` with the default bulkhead: places are handed on in the order of asking',
    AIOHTTP: "one ClientSession with its default connector, which lets 100 connections be open at once",
}

KEYS = {ROUTE: "ours", AIOHTTP: "aiohttp"}

#: Asks once; answers how long the API itself took, s.
Ask = Callable[[], Awaitable[float]]


@dataclass
class Seen:
    """What the callers saw in one round."""

    waits: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    @property
    def unfairness(self) -> float:
        """The longest wait over the median wait."""
        return max(self.waits) / median(self.waits)


async def crowd(ask: Ask, seconds: float) -> Seen:
    """All callers at once, for that long; calls that have begun are waited for."""
    seen = Seen()
    until = time.perf_counter() + seconds

    async def caller() -> None:
        calls = 0
        while (began := time.perf_counter()) < until:
            took = await ask()
            seen.waits.append(time.perf_counter() - began - took)
            calls += 1
        seen.calls.append(calls)

    await asyncio.gather(*[caller() for _ in range(CALLERS)])
    return seen


async def compare(url: str) -> dict[str, list[Seen]]:
    """Rounds of both, in turn."""
    app = Understudy.build(seed=1)
    app.fallback.register_api("api", base_url=url, bulkhead=BulkheadOptions(limit=CONNECTIONS))
    found: dict[str, list[Seen]] = {ROUTE: [], AIOHTTP: []}
    async with app, aiohttp.ClientSession() as session:
        route = app.route("api")

        async def ours() -> float:
            return float((await route.get("/")).headers[TOOK])

        async def theirs() -> float:
            async with session.get(url) as response:
                await response.read()
                return float(response.headers[TOOK])

        for ask in (ours, theirs):
            await crowd(ask, 0.5)  # opens the connections, so that no measured wait contains that
        for _ in range(ROUNDS):
            found[ROUTE].append(await crowd(ours, SECONDS))
            found[AIOHTTP].append(await crowd(theirs, SECONDS))
    return found


def main() -> int:
    """Measure, print, write; the exit code says whether the goal is met."""
    with serving(1, DELAY) as [url]:
        found = asyncio.run(compare(url))
    table = Table("fairness", f"{CALLERS} callers on {CONNECTIONS} connections", libraries=("aiohttp",), unit="ms")
    rows = []
    for label, rounds in found.items():
        middle = median(median(seen.waits) for seen in rounds)
        longest = median(max(seen.waits) for seen in rounds)
        fewest, most = min(min(seen.calls) for seen in rounds), max(max(seen.calls) for seen in rounds)
        table.figure(f"{KEYS[label]}_longest_ms", longest * 1000)
        table.figure(f"{KEYS[label]}_over_median", median(seen.unfairness for seen in rounds))
        rows.append([label, middle * 1000, longest * 1000, median(s.unfairness for s in rounds), f"{fewest}–{most}"])
    header = ["candidate", "median wait ms", "longest wait ms", "longest over median", "calls of a caller"]
    table.section(f"Median of {ROUNDS} rounds of {SECONDS:g} s", header, rows)
    table.explain(WHAT)
    worst = max(seen.unfairness for seen in found[ROUTE])
    table.goal("longest wait ≤ 3 × the median wait, in the worst round", worst, 3)
    table.note(
        "A wait is the time from asking to the answer, less the time that the API says it took; calls of a "
        "caller are the fewest and the most that one of them got through in a round."
    )
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
