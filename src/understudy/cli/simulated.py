"""The sample configuration, pointed at simulated APIs that run beside it; and traffic to look at."""

from __future__ import annotations

import asyncio
from importlib.resources import as_file, files
from itertools import cycle

from understudy.app import Understudy
from understudy.config import Loaded, load
from understudy.config.managed import ManagedTree
from understudy.core.clock import Clock
from understudy.core.errors import UnderstudyError
from understudy.simulator import Simulator, SimulatorThread

#: What the routes of the sample are asked for.
PATHS = {"fixtures": "/fixtures", "odds": "/odds", "predictions": "/predictions"}


def load_sample(
    simulator: Simulator | SimulatorThread, overrides: list[str], environment: str | None = None,
    managed: ManagedTree | None = None,
) -> Loaded:  # fmt: skip
    """The sample configuration with the addresses and keys of `simulator`; `overrides` come last."""
    mine = [*simulator.overrides(), *overrides]
    with as_file(files("understudy.config").joinpath("sample.toml")) as path:
        return load(path, overrides=mine, environment=environment, managed=managed)


async def traffic(app: Understudy, clock: Clock, rate: float) -> None:
    """Call the routes in turn, `rate` times a second, until cancelled; what fails is in the statistics.

    Calls that run then may end in their own time; a second cancelling cuts them off.
    """
    running: set[asyncio.Task[None]] = set()
    routes = [name for name in PATHS if name in app.fallback.roster.routes] or list(app.fallback.roster.routes)
    started = clock.monotonic()
    try:
        for number, route in enumerate(cycle(routes)):
            await clock.sleep(started + number / rate - clock.monotonic())
            task = asyncio.ensure_future(_call(app, route))
            running.add(task)
            task.add_done_callback(running.discard)
    finally:
        try:
            if running:
                await asyncio.wait(running)
        finally:
            for task in tuple(running):
                task.cancel()


async def _call(app: Understudy, route: str) -> None:
    try:
        await app.route(route).get(PATHS.get(route, "/"))
    except UnderstudyError:
        pass  # its decision record tells
