"""Counts the attempts of a breaker in their order, and says when they must open it."""

from __future__ import annotations

from math import copysign, inf
from typing import TYPE_CHECKING

from .breaker_window import Window

if TYPE_CHECKING:
    from .breaker import BreakerOptions


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
        if window.calls >= options.min_calls:
            if failed and window.failures >= options.failure_ratio * window.calls:
                return f"{window.failures} of {window.calls} attempts failed"
            if slow and window.slow >= options.slow_ratio * window.calls:
                return f"{window.slow} of {window.calls} attempts took {options.slow_call:g} s or more"
        return ""


def is_failure(seconds: float) -> bool:
    """Whether the number stands for a failed attempt: it carries a minus sign, `-0.0` too."""
    return copysign(1.0, seconds) < 0
