"""How each API is doing, in plain lists: a `HealthView` to look into, for tests that need no statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import copysign, inf
from statistics import median

from understudy.core.types import Attribution, Explanation, OutcomeClass


class MemorySeries:
    """The attempts of one (API, operation), every one of them kept.

    `results` are the settled attempts in order: seconds of a success, with a minus sign those of a
    failure, `-inf` a failure without a duration. `kinds` tells the class and attribution of each
    failure and of each neutral attempt, in order.
    """

    def __init__(self) -> None:
        self._pending: list[float] = []
        self._old: list[list[float]] = []
        self.append: Callable[[float], None] = self._pending.append
        self.listener: Callable[[Sequence[float]], None] | None = None
        self.results: list[float] = []
        self.kinds: list[tuple[OutcomeClass, Attribution]] = []

    def succeeded(self, seconds: float) -> None:
        """As `resilience.ports.Series.succeeded`."""
        self.append(seconds)

    def failed(
        self,
        seconds: float | None,
        outcome: OutcomeClass,
        attribution: Attribution,
        message: str = "",
        status: int | None = None,
    ) -> None:
        """As `resilience.ports.Series.failed`."""
        self.kinds.append((outcome, attribution))
        self.append(-inf if seconds is None else -abs(seconds))

    def neutral(
        self, outcome: OutcomeClass, attribution: Attribution, message: str = "", status: int | None = None
    ) -> None:
        """As `resilience.ports.Series.neutral`."""
        self.kinds.append((outcome, attribution))

    def drain(self) -> None:
        """As `resilience.ports.Series.drain`."""
        batch = _take(self._pending)
        try:
            if batch and self.listener is not None:
                self.listener(batch)
        finally:
            self.results += batch
            for late in self._old:
                self.results += _take(late)

    def rotate(self) -> None:
        """As `resilience.ports.Series.rotate`."""
        self.drain()
        self._old.append(self._pending)
        self._pending = []
        self.append = self._pending.append


class MemoryHealth:
    """Series by API and operation; forgets nothing.

    health = MemoryHealth()
    manager = FallbackManager(health=health, clock=FakeClock())
    """

    def __init__(self) -> None:
        self.all: dict[tuple[str, str], MemorySeries] = {}
        #: Decision records of the calls that did not take the prepared path, in order.
        self.calls: list[Explanation] = []

    def series(self, api: str, operation: str = "") -> MemorySeries:
        """As `resilience.ports.HealthView.series`."""
        return self.all.setdefault((api, operation), MemorySeries())

    def called(
        self, record: Explanation, endpoint: str, causes: Mapping[str, BaseException], *, part: bool = False
    ) -> None:
        """As `resilience.ports.HealthView.called`; a part is told like a call."""
        self.calls.append(record)

    def p50(self, api: str) -> float | None:
        """Median seconds of all settled successes of the API; None without any."""
        successes = [
            seconds
            for (name, _), series in self.all.items()
            if name == api
            for seconds in series.results
            if copysign(1.0, seconds) > 0  # the sign of -0.0 says failure, too
        ]
        return median(successes) if successes else None


def _take(pending: list[float]) -> list[float]:
    """What has arrived; two steps that no append of another thread can come between and be lost."""
    count = len(pending)
    taken = pending[:count]
    del pending[:count]
    return taken
