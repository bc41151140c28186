"""Counts the attempts of a breaker in their order, and says when they must open it."""

from __future__ import annotations

from math import copysign, inf
from typing import TYPE_CHECKING

from .breaker_window import Window

if TYPE_CHECKING:
    from .breaker_options import BreakerOptions


class Judge:
    """Failures in a row, and the shares of failures and of slow attempts in the window."""

    __slots__ = ("in_a_row", "window")

    def __init__(self, options: BreakerOptions) -> None:
        self.window = Window(options.window, options.buckets)
        self.in_a_row = 0

    def successes(self, count: int, now: float) -> None:
        """Count attempts that were neither failed nor slow; these never open anything."""
        self.window.add(now, count)
        self.in_a_row = 0

    def count(self, seconds: float, now: float, options: BreakerOptions, *, standby: bool) -> str:
        """Count one attempt; the cause when the breaker must open after it, else the empty string.

        A ratio is judged only after an attempt that raised it, so that no good outcome ever trips.
        """
        failed = is_failure(seconds)
        slow = options.slow_call <= abs(seconds) < inf
        window = self.window
        window.add(now, 1, failed, slow)
        self.in_a_row = self.in_a_row + 1 if failed else 0
        limit = options.consecutive_with_standby if standby else options.consecutive
        if self.in_a_row >= limit:
            return f"{self.in_a_row} failures in a row"
        enough = window.calls >= options.min_calls
        if failed and enough and window.failures >= options.failure_ratio * window.calls:
            return f"{window.failures} of {window.calls} attempts failed"
        return self._slow(options) if slow else ""

    def gave_up(self, now: float, options: BreakerOptions) -> str:
        """Count an attempt that its caller gave up on, after a time that is slow; the cause when it must open."""
        self.window.add(now, 0, waited=1)
        return self._slow(options)

    def _slow(self, options: BreakerOptions) -> str:
        slow = self.window.slow + self.window.waited
        timed = self.window.calls + self.window.waited
        if timed < options.min_calls or slow < options.slow_ratio * timed:
            return ""
        return f"{slow} of {timed} attempts took {options.slow_call:g} s or more"


def is_failure(seconds: float) -> bool:
    """Whether the number stands for a failed attempt: it carries a minus sign, `-0.0` too."""
    return copysign(1.0, seconds) < 0
