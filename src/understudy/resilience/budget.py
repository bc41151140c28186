"""The retry budget: retries may be only a share of first attempts (resilience rule R3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.clock import Clock
from understudy.core.options import Doc, Options
from understudy.core.types import Mode

from .breaker_window import Window


@dataclass(frozen=True, slots=True)
class BudgetOptions(Options):
    """Retries and hedges of an API draw from a bucket that its first attempts fill."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    ratio: Annotated[float, at.Ge(0), at.Le(1), Doc("retries for each first attempt")] = 0.2
    window: Annotated[float, at.Gt(0), at.Le(3600), Doc("how long a first attempt counts", "s")] = 10.0
    floor: Annotated[int, at.Ge(0), at.Le(10000), Doc("retries a window that are always allowed", "retries")] = 3


#: Five first attempts at 0.2 make one retry, whatever floating point says.
_EPSILON = 1e-9
#: Slices of the window; what is counted reaches back at most one slice less (deposits) or more (retries).
_SLICES = 10


class Budget:
    """Allows retries as a share of the first attempts of the last `window` seconds, plus a floor.

    In no stretch of `window` seconds are more retries allowed than the floor and the share of the
    first attempts before: where the slices are coarser than that, they err on the strict side.
    """

    __slots__ = ("_clock", "_drawn", "_firsts", "_options", "denied", "would_deny")

    def __init__(self, options: BudgetOptions, clock: Clock) -> None:
        self._clock = clock
        #: Retries refused, and those that would have been in mode observe, since the start.
        self.denied = self.would_deny = 0
        self._options = options
        self._begin(options)

    @property
    def options(self) -> BudgetOptions:
        """Settable: what was counted survives unless the window changes."""
        return self._options

    @options.setter
    def options(self, options: BudgetOptions) -> None:
        if options.window != self._options.window:
            self._begin(options)
        self._options = options

    def _begin(self, options: BudgetOptions) -> None:
        self._firsts = Window(options.window, _SLICES)
        self._drawn = Window(options.window * (_SLICES + 1) / _SLICES, _SLICES + 1)

    def deposit(self, n: int = 1) -> None:
        """Count `n` first attempts."""
        self._firsts.add(self._clock.monotonic(), n)

    def withdraw(self) -> bool:
        """Take one retry or hedge; False when there is none left."""
        mode = self._options.mode
        if mode is Mode.OFF:
            return True
        if self.left() < 1.0 - _EPSILON:
            if mode is Mode.ENFORCE:
                self.denied += 1
                return False
            self.would_deny += 1
        self._drawn.add(self._clock.monotonic(), 1)
        return True

    def left(self) -> float:
        """Retries that would be allowed now; fractions add up."""
        now = self._clock.monotonic()
        self._firsts.forget(now)
        self._drawn.forget(now)
        earned = self._options.floor + self._options.ratio * self._firsts.calls
        return max(0.0, earned - self._drawn.calls)
