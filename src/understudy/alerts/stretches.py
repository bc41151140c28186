"""How finely the far end of a window is known: what happened lately by the second, what lies further back less.

Running counts are kept in stretches that grow with their age, so that a window of any length costs the same and
months of memory are not needed for one of days. A window begins where the first stretch begins that lies in it as
a whole: it is up to one stretch shorter than its name, never longer. Stretches begin at whole multiples of their
length on the wall clock, as the buckets of the history do, so that a backtest cuts its windows where live ones are cut.
"""

from __future__ import annotations

from bisect import bisect_right
from math import ceil
from typing import Final

#: Stretches older than the first number are thinned to the second, s.
THINNED: Final = ((64.0, 5), (360.0, 60), (3_900.0, 300), (25_200.0, 3_600))
_AGES: Final = tuple(age for age, _ in THINNED)


def width_of(age: float) -> int:
    """The length of the stretches that are that old, s."""
    place = bisect_right(_AGES, age)
    return THINNED[place - 1][1] if place else 1


def begin_of(window: float, at: float) -> float:
    """When the first stretch begins that lies as a whole in the window that ends at `at` (epoch seconds)."""
    width = width_of(window)
    return float(ceil((at - window) / width) * width)
