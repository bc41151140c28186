"""Keep your httpx client: give it our transport, and its requests are served by a route.

python examples/own_httpx_client.py

Needs `pip install 'understudy[httpx]'`. The APIs are those of the bundled simulator.
"""

import asyncio
from pathlib import Path

import httpx

from understudy import Understudy
from understudy.config import load
from understudy.simulator import Fault, Simulator

CONFIGURATION = Path(__file__).with_name("http_route.toml")


async def main():
    async with Simulator(apis=["odds_prime", "odds_open"]) as simulator:
        settings = load(CONFIGURATION, overrides=simulator.overrides()).settings
        async with (
            Understudy.build(settings) as app,
            # The host is replaced by that of the API that serves; path, query and body are kept.
            httpx.AsyncClient(transport=app.httpx_transport("odds"), base_url="https://odds.any") as client,
        ):
            simulator.inject("odds_prime", Fault("hang"))
            answer = await client.get("/odds", params={"round": 3}, extensions={"understudy_deadline": 4.0})
            answer.raise_for_status()
            record = answer.extensions["understudy"]()
            print("odds_prime says nothing;", answer.status_code, "from", record.chosen)
            print(record)

            simulator.inject("odds_open", Fault("refuse"))
            try:
                await client.get("/odds", extensions={"understudy_deadline": 2.0})
            except httpx.TransportError as error:  # what your code expects of httpx
                print("both are out of order:", type(error).__name__)


asyncio.run(main())
