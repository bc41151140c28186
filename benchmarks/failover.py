"""Time until the caller has its answer when the lead refuses, hangs, answers 500 or answers 429.

The APIs are real HTTP servers on loopback, in a process of their own, without latency of their own.
Beside Understudy stand the fallbacks that are written by hand around a library: try the lead, else ask
the standby. All have the same limit for an attempt and, where they repeat, the same number of attempts.
Run: `python benchmarks/failover.py`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).parent))

import aiohttp
import stamina
from purgatory import AsyncCircuitBreakerFactory

from _simulated import Simulated, simulating
from common import QUICK, Table
from understudy.app import Understudy
from understudy.core.secrets import Secret
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.keys import AuthOptions, KeyOptions

ATTEMPT, ATTEMPTS = 0.5, 2
ROUNDS, MORE = (1, 2) if QUICK else (7, 8)
LEAD, STANDBY = "fixtures_lite", "fixtures_pro"
PATH = "/fixtures?round=3"

#: The fault of the lead, and its parameters.
CASES: dict[str, tuple[str, dict[str, int]] | None] = {
    "lead answers": None,
    "lead refuses the connection": ("refuse", {}),
    "lead answers 500": ("status", {"status": 500}),
    "lead answers 429": ("rate_limit", {}),
    "lead hangs": ("hang", {}),
}

Call = Callable[[], Awaitable[int]]
#: Opens a fresh client, which knows nothing of the lead yet, and answers its call.
Opening = Callable[[Simulated, int], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def understudy(sim: Simulated, seed: int) -> AsyncIterator[Call]:
    """A route of two APIs with the defaults, apart from the limit of an attempt."""
    app = Understudy.build(seed=seed)
    auths = {
        LEAD: AuthOptions(kind="bearer", keys=(KeyOptions(Secret(sim.keys[LEAD][0])),)),
        STANDBY: AuthOptions(kind="rapidapi", keys=(KeyOptions(Secret(sim.keys[STANDBY][0])),)),
    }
    timeout = TimeoutOptions(attempt=ATTEMPT)
    for priority, (name, auth) in enumerate(auths.items(), 1):
        app.fallback.register_api(name, priority, "fixtures", base_url=sim.base_urls[name], auth=auth, timeout=timeout)
    app.fallback.register_route("fixtures", mode="priority")

    async def call() -> int:
        return (await app.route("fixtures").get(PATH)).status

    async with app:
        yield call


class Refused(Exception):
    """The API is out of order (5xx): worth another attempt."""


class Declined(Exception):
    """The API does not want this request now (4xx): another attempt at once is pointless."""


WORTH_REPEATING = (aiohttp.ClientError, TimeoutError, Refused)


@asynccontextmanager
async def by_hand(sim: Simulated, protect: Callable[[Call], Call]) -> AsyncIterator[Call]:
    """The lead under `protect`; whatever it raises, the standby is asked once."""
    headers = {
        LEAD: {"Authorization": f"Bearer {sim.keys[LEAD][0]}"},
        STANDBY: {
            "X-RapidAPI-Key": sim.keys[STANDBY][0],
            "X-RapidAPI-Host": sim.base_urls[STANDBY].split("/")[2],
        },
    }
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ATTEMPT)) as session:

        async def get(name: str) -> int:
            async with session.get(sim.base_urls[name] + PATH, headers=headers[name]) as response:
                await response.read()
                if response.status >= 500:
                    raise Refused(f"{name} answered {response.status}")
                if response.status >= 400:
                    raise Declined(f"{name} answered {response.status}")
                return response.status

        async def ask_lead() -> int:
            return await get(LEAD)

        lead = protect(ask_lead)

        async def call() -> int:
            try:
                return await lead()
            except Exception:
                return await get(STANDBY)

        yield call


def with_stamina(sim: Simulated, seed: int) -> AbstractAsyncContextManager[Call]:
    return by_hand(sim, stamina.retry(on=WORTH_REPEATING, attempts=ATTEMPTS))


def with_quick_stamina(sim: Simulated, seed: int) -> AbstractAsyncContextManager[Call]:
    return by_hand(sim, stamina.retry(on=WORTH_REPEATING, attempts=ATTEMPTS, wait_initial=0.0, wait_jitter=0.25))


def with_purgatory(sim: Simulated, seed: int) -> AbstractAsyncContextManager[Call]:
    factory = AsyncCircuitBreakerFactory()

    def protect(call: Call) -> Call:
        async def protected() -> int:
            async with await factory.get_breaker("lead"):
                return await call()

        return protected

    return by_hand(sim, protect)


CANDIDATES: dict[str, Opening] = {
    "Understudy": understudy,
    "stamina, then the standby": with_stamina,
    "stamina with our waits, then the standby": with_quick_stamina,
    "purgatory, then the standby": with_purgatory,
}
WHAT = {
    "Understudy": f'`app.route("fixtures").get(path)` with the defaults ({ATTEMPTS} attempts on an API, a random wait '
    f"of at most 0.25 s between them) and an attempt limit of {ATTEMPT:g} s",
    "stamina, then the standby": f"aiohttp with a total timeout of {ATTEMPT:g} s; `stamina.retry(attempts={ATTEMPTS})` "
    "after connection errors, time-outs and 5xx with its default wait of 0.1 to 1.1 s; on any error one request to "
    "the standby",
    "stamina with our waits, then the standby": "the same with waits of at most 0.25 s",
    "purgatory, then the standby": "one request to the lead under a breaker with its defaults (open after 5 failures, "
    "for 30 s), on any error one request to the standby",
}


async def timed(call: Call) -> float:
    """Seconds of one call, which must succeed."""
    began = time.perf_counter()
    status = await call()
    took = time.perf_counter() - began
    if status != 200:
        raise RuntimeError(f"expected 200, found {status}")
    return took


async def first_and_more(sim: Simulated, opening: Opening, seed: int, more: int) -> tuple[float, list[float]]:
    """Seconds of the first call of a fresh client, and of `more` calls after it."""
    async with opening(sim, seed) as call:
        return await timed(call), [await timed(call) for _ in range(more)]


def case(sim: Simulated, opening: Opening, fault: tuple[str, dict[str, int]] | None) -> tuple[list[float], list[float]]:
    """First calls of fresh clients, and the later calls of the last of them."""
    firsts: list[float] = []
    later: list[float] = []
    for seed in range(ROUNDS):
        served = sim.requests(STANDBY)
        if fault is not None:
            sim.inject(LEAD, fault[0], **fault[1])
        more = MORE if seed == ROUNDS - 1 else 0
        first, rest = asyncio.run(first_and_more(sim, opening, seed, more))
        sim.clear()
        firsts.append(first)
        later += rest
        if sim.requests(STANDBY) - served != (0 if fault is None else 1 + more):
            raise RuntimeError("the calls were not served by the API that was to serve them")
    return firsts, later


def main() -> int:
    """Measure, print, write; the exit code says whether the goal is met."""
    stamina.instrumentation.set_on_retry_hooks([])  # its log lines would be part of the time
    table = Table("failover", "Time until the caller has its answer", libraries=("aiohttp", "stamina", "purgatory"))
    table.figure("limit of an attempt, ms", ATTEMPT * 1000)
    first_rows, later_rows = [], []
    hang = float("nan")
    with simulating() as sim:
        for opening in CANDIDATES.values():  # loads modules, so that no measurement contains that
            asyncio.run(first_and_more(sim, opening, 0, 0))
        for label, fault in CASES.items():
            found = {name: case(sim, opening, fault) for name, opening in CANDIDATES.items()}
            first_rows += [[label, name, median(first) * 1000, max(first) * 1000] for name, (first, _) in found.items()]
            later_rows.append([label, *(mean(later) * 1000 for _, later in found.values())])
            for name, (first, later) in found.items():
                table.figure(f"{label}, {name}: first call, ms", median(first) * 1000)
                table.figure(f"{label}, {name}: later calls, ms", mean(later) * 1000)
            if label == "lead hangs":
                hang = max(found["Understudy"][0])
    table.section(
        f"First call of a fresh client ({ROUNDS} of them)", ["case", "candidate", "median ms", "worst ms"], first_rows
    )
    table.section(f"Mean of the {MORE} calls after it, lead as before, ms", ["case", *CANDIDATES], later_rows)
    table.explain(WHAT)
    table.goal("lead hangs: the answer comes within the limit of an attempt + 100 ms, s", hang, ATTEMPT + 0.1)
    table.note("A new connection to every API is part of the first call's time.")
    table.note("After a refusal and a 500 the lead is tried once more, after a random wait: hence the spread.")
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
