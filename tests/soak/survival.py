"""Every API of the simulator fails in turn while calls go on: how many succeed, how late is the latest.

`python tests/soak/survival.py --seconds 600 --rate 50` (`make soak`) is the full experiment; the test
suite runs a short one. Routes are called through the HTTP client, with real sockets and real time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from understudy.app import Understudy
from understudy.cli.simulated import PATHS, load_sample
from understudy.simulator import Simulator
from understudy.simulator.scenarios import each_api_in_turn


@dataclass
class Tally:
    """What came of the calls of one run."""

    calls: int = 0
    failed: int = 0
    latest: float = 0.0
    late: int = 0
    unexplained: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    fallbacks: int = 0

    @property
    def success(self) -> float:
        """Share of calls that succeeded."""
        return 1.0 - self.failed / self.calls if self.calls else 0.0


async def one(app: Understudy, route: str, deadline: float, tally: Tally) -> None:
    """One call, counted."""
    tally.calls += 1
    began = time.perf_counter()
    try:
        response = await app.route(route).get(PATHS[route], deadline=deadline)
    except Exception as error:
        tally.failed += 1
        tally.errors[f"{type(error).__name__}: {error}"[:200]] += 1
    else:
        tally.served[response.api] += 1
        record = response.explain()
        if record.outcome == "fallback":
            tally.fallbacks += 1
            if not any(c.gate for c in record.candidates) and len(record.attempts) < 2:
                tally.unexplained += 1
    spent = time.perf_counter() - began
    tally.latest = max(tally.latest, spent - deadline)
    tally.late += spent > deadline + 0.1


async def survive(seconds: float, rate: float, deadline: float = 5.0, seed: int = 7) -> Tally:
    """Run the experiment; the deadline of each call is in seconds."""
    tally = Tally()
    async with Simulator(seed=seed) as simulator:
        settings = load_sample(simulator, []).settings
        async with Understudy.build(settings, seed=seed) as app:
            simulator.play(each_api_in_turn(seconds))
            tasks: set[asyncio.Task[None]] = set()
            started = time.perf_counter()
            routes = list(PATHS)
            while (elapsed := time.perf_counter() - started) < seconds:
                task = asyncio.ensure_future(one(app, routes[tally.calls % 3], deadline, tally))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                await asyncio.sleep(max(0.0, (tally.calls + 1) / rate - elapsed))
            await asyncio.gather(*tasks)
    return tally


def main() -> int:
    """Command line; prints the tally as JSON, exits 1 when the promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=50, help="calls a second")
    parser.add_argument("--deadline", type=float, default=5)
    options = parser.parse_args()
    tally = asyncio.run(survive(options.seconds, options.rate, options.deadline))
    print(json.dumps({**tally.__dict__, "success": tally.success}, indent=1, default=dict))
    return 0 if tally.success >= 0.999 and not tally.late and not tally.unexplained else 1


if __name__ == "__main__":
    raise SystemExit(main())
