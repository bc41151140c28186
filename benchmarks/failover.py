"""Time until the caller has its answer when the lead refuses, hangs, answers 500 or answers 429.

Each measurement is the first call of a new application: its breaker knows nothing yet. The APIs are
real HTTP servers on loopback, in a thread of their own, without latency of their own.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median

from common import Table
from understudy.app import Understudy
from understudy.core.secrets import Secret
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.simulator import Fault, SimulatorThread

ATTEMPT = 1.0
ROUNDS = 9
CASES: dict[str, Fault | None] = {
    "lead answers": None,
    "lead refuses": Fault("refuse"),
    "lead answers 500": Fault("status", status=500),
    "lead answers 429": Fault("rate_limit"),
    "lead hangs (attempt timeout 1 s)": Fault("hang"),
}


async def first_call(sim: SimulatorThread, seed: int) -> float:
    """Seconds of the first call of a fresh application on a route of two APIs."""
    app = Understudy.build(seed=seed)
    keys = {name: (KeyOptions(Secret(sim.keys[name][0])),) for name in ("fixtures_lite", "fixtures_pro")}
    timeout = TimeoutOptions(attempt=ATTEMPT)
    auths = {
        "fixtures_lite": AuthOptions(kind="bearer", keys=keys["fixtures_lite"]),
        "fixtures_pro": AuthOptions(kind="rapidapi", keys=keys["fixtures_pro"]),
    }
    for priority, (name, auth) in enumerate(auths.items(), 1):
        app.fallback.register_api(name, priority, "fixtures", base_url=sim.base_urls[name], auth=auth, timeout=timeout)
    app.fallback.register_route("fixtures", mode="priority")
    async with app:
        began = time.perf_counter()
        response = await app.route("fixtures").get("/fixtures?round=3")
        took = time.perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"expected 200, found {response.status}")
    return took


def main() -> int:
    """Measure, print, write."""
    rows = []
    with SimulatorThread(latency_scale=0) as sim:
        asyncio.run(first_call(sim, 0))  # loads the modules, so that no measurement contains that
        for label, fault in CASES.items():
            times = []
            served = sim.requests("fixtures_pro")
            for seed in range(ROUNDS):
                if fault is not None:
                    sim.inject("fixtures_lite", fault)
                times.append(asyncio.run(first_call(sim, seed)) * 1000)
                sim.clear()
            served = sim.requests("fixtures_pro") - served
            if served != (0 if fault is None else ROUNDS):
                raise RuntimeError(f"{label}: the standby served {served} of {ROUNDS} calls")
            rows.append([label, median(times), max(times)])
    table = Table("failover", "Time until the caller has its answer", libraries=("aiohttp",), unit="ms")
    table.section("", ["case", "median ms", "worst ms"], rows)
    table.note(f"First calls of {ROUNDS} fresh applications each; a new connection to every API is part of the time.")
    table.note("After a refusal and a 500 the lead is tried once more, after a random wait: hence the spread.")
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
