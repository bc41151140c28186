"""The simulator in a thread with a loop of its own, for blocking programs and tests."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from .faults import Fault
from .front import Simulator
from .journal import Seen
from .scenarios import Scenario

T = TypeVar("T")


class SimulatorThread:
    """`with SimulatorThread(seed=7) as sim:` — as `Simulator`, from any thread."""

    def __init__(
        self, seed: int = 7, apis: Sequence[str] | None = None, *, latency_scale: float = 1.0, port_base: int = 0
    ) -> None:
        self._simulator = Simulator(seed, apis, latency_scale=latency_scale, port_base=port_base)
        # A selector loop by name: Windows' own default offers no `add_reader`.
        self._loop = asyncio.SelectorEventLoop(selectors.DefaultSelector())
        self._thread = threading.Thread(target=self._run, name="understudy-simulator", daemon=True)
        self.keys = self._simulator.keys

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._simulator.start(), self._loop).result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._simulator.stop(), self._loop).result()
        finally:
            self._end()

    @property
    def base_urls(self) -> dict[str, str]:
        """See `Simulator.base_urls`."""
        return self._simulator.base_urls

    def overrides(self) -> list[str]:
        """See `Simulator.overrides`."""
        return self._simulator.overrides()

    @property
    def tls_urls(self) -> dict[str, str]:
        """See `Simulator.tls_urls`."""
        return self._simulator.tls_urls

    @property
    def control_url(self) -> str:
        """See `Simulator.control_url`."""
        return self._simulator.control_url

    def inject(self, api: str, fault: Fault, for_seconds: float | None = None) -> None:
        """See `Simulator.inject`; active when this returns."""
        self._call(lambda: self._simulator.inject(api, fault, for_seconds))

    def clear(self, api: str = "*") -> None:
        """See `Simulator.clear`."""
        self._call(lambda: self._simulator.clear(api))

    def play(self, scenario: Scenario) -> None:
        """See `Simulator.play`."""
        self._call(lambda: self._simulator.play(scenario))

    def requests(self, api: str) -> int:
        """See `Simulator.requests`."""
        return self._call(lambda: self._simulator.requests(api))

    def probes(self, api: str) -> int:
        """See `Simulator.probes`."""
        return self._call(lambda: self._simulator.probes(api))

    def log(self, api: str) -> tuple[Seen, ...]:
        """See `Simulator.log`."""
        return self._call(lambda: self._simulator.log(api))

    def state(self) -> dict[str, Any]:
        """See `Simulator.state`."""
        return self._call(self._simulator.state)

    def _call(self, function: Callable[[], T]) -> T:
        async def on_loop() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
