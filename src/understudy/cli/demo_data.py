"""Demo data in a running service: the simulated APIs and calls to them, until somebody takes them away again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from understudy.app import Understudy
from understudy.config import Loaded
from understudy.core.clock import Clock
from understudy.simulator import SimulatorThread

from .simulated import load_sample, traffic

#: Calls a second: enough that every page moves.
RATE: Final = 5.0


class DemoData:
    """Adds the sample's APIs and routes to whatever is configured, while it runs; nothing of it is stored."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._simulator: SimulatorThread | None = None
        self._calls: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        #: Reads the configuration anew; the service sets it.
        self.reread: Callable[[], Awaitable[bool]] | None = None

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._simulator is not None

    def added_to(self, loaded: Loaded) -> Loaded:
        """The configuration with the sample's APIs and routes; those of the user win."""
        if self._simulator is None:
            return loaded
        sample, settings = load_sample(self._simulator, []).settings, loaded.settings
        more = replace(
            settings, apis={**sample.apis, **settings.apis}, routes={**sample.routes, **settings.routes}
        )  # fmt: skip
        return replace(loaded, settings=more)

    async def start(self, app: Understudy, clock: Clock) -> None:
        """Start the simulated APIs, take them in, call them."""
        async with self._one_at_a_time:
            if self._simulator is None and self.reread is not None:
                simulator = SimulatorThread(self._seed)
                await asyncio.to_thread(simulator.__enter__)
                self._simulator = simulator
                await self.reread()
                self._calls = asyncio.ensure_future(traffic(app, clock, RATE))

    async def stop(self) -> None:
        """Take everything away again; what was recorded of it stays in the history."""
        async with self._one_at_a_time:
            calls, self._calls = self._calls, None
            if calls is not None:
                calls.cancel()
                await asyncio.wait([calls])
            simulator, self._simulator = self._simulator, None
            if simulator is not None:
                if self.reread is not None:
                    await self.reread()
                await asyncio.to_thread(simulator.__exit__, None, None, None)

    async def life(self) -> None:
        """Lasts as long as the service: when it ends, so do the simulated APIs and the calls to them."""
        try:
            await asyncio.Event().wait()
        finally:
            self.reread = None
            await self.stop()
