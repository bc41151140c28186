"""Code that blocks: no `async` anywhere, all features.

python examples/blocking_code.py

Needs `pip install 'understudy[requests]'`. The APIs are those of the bundled simulator.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from understudy.config import load
from understudy.simulator import Fault, SimulatorThread
from understudy.sync import Understudy

CONFIGURATION = Path(__file__).with_name("http_route.toml")


def main():
    with SimulatorThread(apis=["odds_prime", "odds_open"]) as simulator:
        settings = load(CONFIGURATION, overrides=simulator.overrides()).settings
        with Understudy(settings) as app:
            print("a route:", app.route("odds").get("/odds").api)

            # Your own session, from as many threads as you like.
            simulator.inject("odds_prime", Fault("status", status=500))
            with requests.Session() as session:
                session.mount("https://odds.any", app.requests_adapter("odds"))
                with ThreadPoolExecutor(4) as threads:
                    answers = list(threads.map(lambda _: session.get("https://odds.any/odds", timeout=3), range(8)))
            print("odds_prime answers 500:", {answer.understudy().chosen for answer in answers}, "served", len(answers))

            # Any blocking function.
            @app.guard("report", default="no report today")
            def report(day):
                raise OSError(f"no report of {day} on the disk")

            print("a function:", report("monday"))


main()
