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
    """`with SimulatorThread(seed=7) as sim:` — as `Simulator`, from any thread. May be entered again after its end."""

    def __init__(
        self, seed: int = 7, apis: Sequence[str] | None = None, *, latency_scale: float = 1.0, port_base: int = 0
    ) -> None:
        self._simulator = Simulator(seed, apis, latency_scale=latency_scale, port_base=port_base)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.keys = self._simulator.keys

    def __enter__(self) -> Self:
        if self._loop is not None:
            raise RuntimeError("the simulator has been started already")
        # A selector loop by name: Windows' own default offers no `add_reader`.
        loop = self._loop = asyncio.SelectorEventLoop(selectors.DefaultSelector())
        self._thread = threading.Thread(target=_run, args=(loop,), name="understudy-simulator", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._simulator.start(), loop).result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is None:
            return
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
        if self._loop is None:
            raise RuntimeError("the simulator is not running: use `with`")

        async def on_loop() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result()

    def _end(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
