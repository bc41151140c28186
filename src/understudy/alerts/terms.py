"""What the parts of a condition become: numbers and truths that are worked out when the condition is evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from .ladder import COMPARE
from .metrics import Metric
from .model import Operator

_MIRRORED: Final[dict[str, Operator]] = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}


class Scope(Protocol):
    """Where the values of metrics come from. A window of None is the rule's own."""

    def value(self, metric: Metric, window: float | None) -> float | None:
        """The plain value; None when it is unknown."""

    def holds(self, metric: Metric, window: float | None, operator: Operator, threshold: float) -> bool | None:
        """Whether the metric compares so, with the evidence that this takes; None when it is unknown."""


@dataclass(frozen=True, slots=True)
class Number:
    """A part that has a value. `unit` is empty when it fits everything."""

    at: int
    unit: str
    run: Callable[[Scope], float | None]
    constant: float | None = None
    metric: tuple[Metric, float | None] | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """A part that is true, false or unknown."""

    at: int
    run: Callable[[Scope], bool | None]


Part = Number | Truth


class Threshold(NamedTuple):
    """A metric, its window (None: the rule's own), and what it is compared with."""

    metric: Metric
    window: float | None
    operator: Operator
    value: float


def as_ratio(side: Number, other: str) -> Number | None:
    """A constant in percent as a ratio, where the other side is one; None otherwise."""
    if side.unit != "%" or other != "ratio" or side.constant is None:
        return None
    value = side.constant / 100.0
    return Number(side.at, "ratio", lambda scope: value, value)


def sum_of(a: Number, sign: float, b: Number) -> float | None:
    """The sum of two constants; None when it is none."""
    return None if a.constant is None or b.constant is None else _known(a.constant + sign * b.constant)


def product_of(a: float | None, divided: bool, b: float | None) -> float | None:
    """The product, or the quotient, of two constants; None when it is none."""
    if a is None or b is None or (divided and b == 0):
        return None
    return _known(a / b if divided else a * b)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def add(parts: tuple[tuple[float, Callable[[Scope], float | None]], ...]) -> Callable[[Scope], float | None]:
    """The sum of parts with their signs, in order; unknown when one of them is."""

    def run(scope: Scope) -> float | None:
        total = 0.0
        for sign, part in parts:
            value = part(scope)
            if value is None:
                return None
            total += sign * value
        return _known(total)

    return run


def multiply(parts: tuple[tuple[bool, Callable[[Scope], float | None]], ...]) -> Callable[[Scope], float | None]:
    """The product of parts, some of which are divided by, in order; unknown when one is, or a divisor is zero."""

    def run(scope: Scope) -> float | None:
        total = 1.0
        for divided, part in parts:
            value = part(scope)
            if value is None or (divided and value == 0):
                return None
            total = total / value if divided else total * value
        return _known(total)

    return run


def threshold_in(a: Number, operator: Operator, b: Number) -> Threshold | None:
    """The comparison of one metric with a number, whichever side it stands on; None for any other."""
    if a.metric is not None and b.constant is not None:
        return Threshold(*a.metric, operator, b.constant)
    if b.metric is not None and a.constant is not None:
        return Threshold(*b.metric, _MIRRORED[operator], a.constant)
    return None


def compared(a: Number, operator: Operator, b: Number) -> Callable[[Scope], bool | None]:
    """A metric against a number is judged as a rule's threshold is; everything else by its plain values."""
    found = threshold_in(a, operator, b)
    if found is not None:
        metric, window, sign, threshold = found
        return lambda scope: scope.holds(metric, window, sign, threshold)
    compare, left, right = COMPARE[operator], a.run, b.run

    def run(scope: Scope) -> bool | None:
        x, y = left(scope), right(scope)
        return None if x is None or y is None else compare(x, y)

    return run


def negated(inner: Callable[[Scope], bool | None]) -> Callable[[Scope], bool | None]:
    """True where the part is false, and the other way round; unknown stays so."""

    def run(scope: Scope) -> bool | None:
        found = inner(scope)
        return None if found is None else not found

    return run


def joined(parts: tuple[Callable[[Scope], bool | None], ...], decisive: bool) -> Callable[[Scope], bool | None]:
    """`or` where True decides, `and` where False does."""

    def run(scope: Scope) -> bool | None:
        unknown = False
        for part in parts:
            found = part(scope)
            if found is decisive:
                return decisive
            unknown = unknown or found is None
        return None if unknown else not decisive

    return run
