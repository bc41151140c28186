"""Signals that come while others are being kept: they are taken in together, in one evaluation and one commit.

One by one, each would wait for the disk: two hundred alerts a second would be all that a store can take.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from .context import identity
from .ports import Signal

#: Signals that are taken in together at most.
_TOGETHER: Final = 200


class Heard:
    """A signal, and what became of it."""

    __slots__ = ("done", "problem", "signal")

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.done = False
        self.problem: Exception | None = None


class Hearing:
    """The signals that wait, in order. Whoever adds one calls `take`, under the lock of all, until it is done."""

    def __init__(self) -> None:
        self._waiting: deque[Heard] = deque()

    def add(self, signal: Signal) -> Heard:
        """One more."""
        heard = Heard(signal)
        self._waiting.append(heard)
        return heard

    async def take(self, work: Callable[[Sequence[Signal]], Awaitable[None]]) -> None:
        """Let `work` take in those that come first; what it raises is what became of each of them."""
        batch = self._batch()
        try:
            await work([each.signal for each in batch])
        except Exception as problem:  # noqa: BLE001 - handed on to whoever told of each
            for each in batch:
                each.problem = problem
        except BaseException:
            # Whoever took them in was cancelled; the others' signals are taken in by them.
            self._waiting.extendleft(reversed(batch))
            raise
        for each in batch:
            each.done = True

    def _batch(self) -> list[Heard]:
        """As many as are about different alerts: what begins and ends at once is two things all the same."""
        batch: list[Heard] = []
        alerts: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        while self._waiting and len(batch) < _TOGETHER:
            signal = self._waiting[0].signal
            alert = (signal.event, tuple(sorted(identity(signal.labels).items())))
            if alert in alerts:
                break
            alerts.add(alert)
            batch.append(self._waiting.popleft())
        return batch
