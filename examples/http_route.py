"""Let Understudy make the requests: one route, served by two APIs.

python examples/http_route.py

The APIs are those of the bundled simulator, real HTTP servers on this machine, so that it runs without a network.
"""

import asyncio
from pathlib import Path

from understudy import Understudy
from understudy.config import load
from understudy.simulator import Fault, Simulator

CONFIGURATION = Path(__file__).with_name("http_route.toml")


async def main():
    async with Simulator(apis=["odds_prime", "odds_open"]) as simulator:
        settings = load(CONFIGURATION, overrides=simulator.overrides()).settings
        async with Understudy.build(settings) as app:
            odds = app.route("odds")

            answer = await odds.get("/odds", deadline=3.0)
            print("all is well:", answer.status, "from", answer.api, "with", len(answer.json()), "matches")

            simulator.inject("odds_prime", Fault("error_envelope"))
            for number in range(1, 7):
                answer = await odds.get("/odds", deadline=3.0)
                print(f"odds_prime answers 200 with an error inside, call {number}:", answer.status, "from", answer.api)
            print(answer.explain())
            print("requests that reached odds_prime meanwhile:", simulator.requests("odds_prime") - 1)


asyncio.run(main())
