"""What the long experiments share: promises with what was measured of them, and how far a run has come."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: Told how much of an experiment is done, 0 to 1.
Tell = Callable[[float], None]


def quiet(_: float) -> None:
    """For those who do not want to know."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that was promised, what was seen, and whether the promise was kept."""

    text: str
    measured: str
    kept: bool


@dataclass(slots=True)
class Report:
    """What one experiment found: its promises, and figures that nobody promised."""

    name: str
    title: str
    promises: list[Promise] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0

    def at_most(self, text: str, measured: float, limit: float, unit: str = "") -> None:
        """Promise that a number does not exceed its limit."""
        self.promises.append(Promise(f"{text} ≤ {_show(limit)}{unit}", f"{_show(measured)}{unit}", measured <= limit))

    def at_least(self, text: str, measured: float, limit: float, unit: str = "") -> None:
        """Promise that a number does not fall below its limit."""
        self.promises.append(Promise(f"{text} ≥ {_show(limit)}{unit}", f"{_show(measured)}{unit}", measured >= limit))

    def exactly(self, text: str, measured: object, promised: object) -> None:
        """Promise one value."""
        self.promises.append(Promise(f"{text}: {_show(promised)}", _show(measured), measured == promised))

    def none_of(self, text: str, found: list[str]) -> None:
        """Promise that something never happens; the first few that did are shown."""
        shown = "none" if not found else f"{len(found)}: " + "; ".join(found[:3])
        self.promises.append(Promise(f"{text}: none", shown, not found))

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept, a line each; empty when all were."""
        return [f"{p.text} (measured {p.measured})" for p in self.promises if not p.kept]


def _show(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class LoopLag:
    """How late the event loop is at its worst: a task that wakes every 10 ms and looks at the clock."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LoopLag:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            self.worst = max(self.worst, time.perf_counter() - before - 0.01)


async def settled(condition: Callable[[], bool], within: float = 5.0) -> bool:
    """Wait, briefly, until something that ends by itself has ended; whether it did."""
    until = time.perf_counter() + within
    while not condition():
        if time.perf_counter() > until:
            return False
        await asyncio.sleep(0.01)
    return True


def live_objects() -> int:
    """Objects that the garbage collector knows, after it has done its work."""
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects())
