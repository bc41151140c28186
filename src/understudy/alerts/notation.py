"""How tests of rules write series: `100x10 0x5 _ 20+5x4`, one value for each step.

`V` is one step, `VxN` the same for N steps, `V+DxN` or `V-DxN` N steps that begin with V and grow or fall by D
each; `_` and `_xN` are steps in which nothing is known. As promtool's notation, but that N counts the steps.
"""

from __future__ import annotations

import re
from math import isfinite

#: Longest series, steps.
MOST_STEPS = 100_000
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?"
_ITEM = re.compile(
    rf"(?P<value>_|-?{_NUMBER})(?:(?P<sign>[+-])(?P<delta>{_NUMBER}))?(?:x(?P<times>\d{{1,6}}))?", re.ASCII
)


class NotationError(ValueError):
    """A series cannot be read; `position` is where, from 0."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(what)
        self.position = position


def series(text: str) -> list[float | None]:
    """The values of a series, None where nothing is known.

    Raises:
        NotationError: it is not written so, or too long.
    """
    values: list[float | None] = []
    for word in re.finditer(r"\S+", text):
        found = _ITEM.fullmatch(word[0])
        if found is None or (found["value"] == "_" and found["sign"]) or (found["sign"] and not found["times"]):
            raise NotationError(
                f"expected a value such as 100, 100x10, 20+5x4 or _, found {word[0]!r:.40}", word.start()
            )
        times = int(found["times"] or 1)
        if times < 1 or len(values) + times > MOST_STEPS:
            raise NotationError(f"a series has 1 to {MOST_STEPS} steps", word.start())
        if found["value"] == "_":
            values += [None] * times
            continue
        first = float(found["value"])
        delta = float(f"{found['sign']}{found['delta']}") if found["sign"] else 0.0
        last = first + delta * (times - 1)
        if not (isfinite(first) and isfinite(last)):
            raise NotationError("a value is no number that can be counted with", word.start())
        values += [first + delta * step for step in range(times)] if delta else [first] * times
    if not values:
        raise NotationError("a series has at least one value", 0)
    return values
