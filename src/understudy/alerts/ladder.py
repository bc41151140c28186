"""A value against the levels of a rule: which is in breach, and which has not been left yet.

Levels stand mildest first, and each has a clear point: its threshold moved by the hysteresis towards
the good side. A level is in breach when the operator holds for the threshold, exactly as it is written
(80 is not below 80), and it is held as long as the operator holds for the clear point.
"""

from __future__ import annotations

import math
import operator as op
from collections.abc import Callable, Sequence
from typing import Final

from .metrics import Metric
from .model import Finding, Level, Operator, Verdict

#: What each operator means.
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": op.gt, ">=": op.ge, "<": op.lt, "<=": op.le, "==": op.eq, "!=": op.ne,
}  # fmt: skip


class Ladder:
    """The levels of one rule, made ready for comparing."""

    __slots__ = ("clear", "compare", "operator", "thresholds")

    def __init__(self, metric: Metric, operator: Operator, levels: Sequence[Level], hysteresis: float | None) -> None:
        self.operator: Operator = operator
        self.compare = COMPARE[operator]
        self.thresholds = tuple(float(level.threshold) for level in levels)
        #: Where each level counts as left; around an `==`, so far to both sides.
        self.clear = tuple(
            clear_point(operator, threshold, metric.hysteresis(threshold, hysteresis)) for threshold in self.thresholds
        )

    def breached(self, value: float) -> int:
        """The worst level that the value breaches, -1 for none."""
        for index in range(len(self.thresholds) - 1, -1, -1):
            if self.compare(value, self.thresholds[index]):
                return index
        return -1

    def held(self, value: float) -> int:
        """The worst level whose clear point the value has not reached, -1 for none."""
        for index in range(len(self.thresholds) - 1, -1, -1):
            if self.holds(index, value):
                return index
        return -1

    def holds(self, index: int, value: float) -> bool:
        """Whether the value has not left level `index`."""
        if self.operator == "==":
            threshold = self.thresholds[index]
            return abs(value - threshold) <= abs(self.clear[index] - threshold)
        return self.compare(value, self.clear[index])

    def verdict(self, value: float, samples: int = 0, reason: str = "") -> Verdict:
        """What a value that can be trusted comes to."""
        level = self.breached(value)
        return decided(level, max(level, self.held(value)), value, samples, reason)

    def bounds(self) -> tuple[float, ...]:
        """The values at which the verdict may change; between two of them, and at each, it is always the same."""
        around = [2 * t - c for t, c in zip(self.thresholds, self.clear, strict=True)] if self.operator == "==" else []
        return (*self.thresholds, *self.clear, *around)


def clear_point(operator: Operator, threshold: float, hysteresis: float) -> float:
    """The threshold moved by the hysteresis towards the good side; `!=` has none."""
    if operator in (">", ">="):
        return threshold - hysteresis
    if operator in ("<", "<=", "=="):
        return threshold + hysteresis
    return threshold


def decided(level: int, held: int, value: float | None, samples: int, reason: str = "") -> Verdict:
    """The verdict for a worst level in breach and a worst level held."""
    finding = Finding.BREACH if level >= 0 else Finding.DEADBAND if held >= 0 else Finding.OK
    return Verdict(finding, level, held, value, samples, reason)


def impossible(metric: Metric, value: float) -> str:
    """Why a value cannot be one of the metric, for an error verdict; empty when it can."""
    if math.isnan(value):
        return f"{metric.name} is not a number"
    if math.isinf(value) and metric.name != "quota_exhausted_in":
        return f"{metric.name} is infinite"
    if value < metric.lowest or value > metric.highest:
        return f"{metric.name} cannot be {value:g}"
    return ""
