"""The small language of composite conditions: parsed by hand, evaluated without anything of Python's.

    success_rate < 80 and requests_per_minute >= 10
    response_time_p95[15m] > 2s or response_time_p95 > 2 * response_time_p95[1h]
    not (quota_remaining_ratio >= 10%) or keys_available == 0

======================  ==================================================================================
metric                  a name of `METRICS`, over the rule's window
metric[15m]             the same over another window: s, m, h, d
2s  500ms  5m  80%      numbers with a unit, which must fit what they are compared with; a plain number fits all
> >= < <= == !=         comparison; one of a metric with a number wants the evidence that a rule's threshold does
and or not ( )          `not` binds closest, then `and`, then `or`
`+ - * /`               arithmetic of plain values
======================  ==================================================================================

What is unknown stays unknown: a comparison with a metric that has no data is neither true nor false.
`and` is false as soon as one part is, `or` true as soon as one part is, whatever the unknown others are;
everything else with an unknown part is unknown. So is a division by zero.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from understudy.core.errors import OptionError

from .ladder import COMPARE
from .metrics import METRICS, Metric
from .model import Operator
from .terms import (
    Number,
    Part,
    Scope,
    Threshold,
    Truth,
    add,
    as_ratio,
    compared,
    joined,
    multiply,
    negated,
    product_of,
    sum_of,
    threshold_in,
)

#: Longest text, in characters, and deepest nesting of parentheses and signs.
LONGEST: Final = 4000
DEEPEST: Final = 40
#: A metric's window, s.
WINDOWS: Final = (10.0, 2592000.0)

_TOKEN: Final = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?P<unit>%|[A-Za-z]+)?"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>>=|<=|==|!=|&&|\|\||[-+*/()\[\]<>=!])"
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WORDS: Final = ("and", "or", "not")
_INSTEAD: Final = {"=": "==", "&&": "and", "||": "or", "!": "not"}


class ExpressionError(OptionError):
    """A condition that cannot be understood. `position` is the offending character, counted from 0."""

    def __init__(self, text: str, position: int, expected: str) -> None:
        self.text, self.position = text, position
        super().__init__("Rule", "when", text[:200], f"{expected}, at character {position + 1}")

    def pointed(self) -> str:
        """The condition with a caret below the offending character, clipped to one line each."""
        start = max(0, self.position - 50)
        clip = "".join(char if char.isprintable() else " " for char in self.text[start : start + 100])
        return f"{clip}\n{' ' * (self.position - start)}^"

    def __str__(self) -> str:
        return f"{self.owner}.{self.field}: expected {self.expected}\n{self.pointed()}"


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition, ready to be evaluated any number of times."""

    text: str
    #: What it reads: metrics with their windows, in the order of reading.
    reads: tuple[tuple[Metric, float | None], ...]
    #: Its comparisons of one metric with a number, where it has no others: then it depends on nothing else.
    thresholds: tuple[Threshold, ...] | None
    _run: Callable[[Scope], bool | None]

    def evaluate(self, scope: Scope) -> bool | None:
        """Whether the condition holds now; None when that is unknown."""
        return self._run(scope)


def parse(text: str) -> Expression:
    """The condition that a text means.

    Raises:
        ExpressionError: it means none; the error has the position and what was expected there.
    """
    if len(text) > LONGEST:
        raise ExpressionError(text, LONGEST, f"at most {LONGEST} characters")
    return _Parser(text).parse()


class _Token(NamedTuple):
    kind: str  # number, name, sign, end
    text: str
    at: int
    unit: str = ""


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._index = 0
        self._depth = 0
        self._reads: dict[tuple[Metric, float | None], None] = {}
        self._thresholds: list[Threshold] = []
        #: Whether it compares anything else.
        self._others = False

    def parse(self) -> Expression:
        part = self._any()
        token = self._next
        if token.kind != "end":
            near = difflib.get_close_matches(token.text[:10].lower(), ("and", "or"), n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self._error(token.at, f"'and', 'or' or the end of the condition{hint}")
        run = self._truth(part).run
        return Expression(self._text, tuple(self._reads), None if self._others else tuple(self._thresholds), run)

    # -- words ------------------------------------------------------------------------------------

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while True:
            at = cast("re.Match[str]", _SPACE.match(self._text, at)).end()
            if at == len(self._text):
                return [*tokens, _Token("end", "", at)]
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._error(at, "a metric, a number or a sign")
            kind = next(name for name in ("number", "name", "sign") if found[name] is not None)
            if (instead := _INSTEAD.get(found[kind])) is not None:
                raise self._error(at, f"{instead!r} where {found[kind]!r} stands")
            tokens.append(_Token(kind, found[kind], at, found["unit"] or ""))
            at = found.end()

    @property
    def _next(self) -> _Token:
        return self._tokens[self._index]

    def _take(self, *texts: str) -> _Token | None:
        """The next token, if it is one of these signs or words."""
        token = self._next
        if token.kind in ("sign", "name") and token.text in texts:
            self._index += 1
            return token
        return None

    def _error(self, at: int, expected: str) -> ExpressionError:
        return ExpressionError(self._text, at, expected)

    @contextmanager
    def _deeper(self, at: int) -> Iterator[None]:
        """One level further down; Python's own stack must never decide how deep that may go."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(at, f"at most {DEEPEST} levels of parentheses and signs")
        yield
        self._depth -= 1

    # -- grammar, loosest first -------------------------------------------------------------------

    def _any(self) -> Part:
        return self._joined(self._all, "or", decisive=True)

    def _all(self) -> Part:
        return self._joined(self._not, "and", decisive=False)

    def _joined(self, below: Callable[[], Part], word: str, *, decisive: bool) -> Part:
        first = below()
        if self._next.text != word:
            return first
        parts = [self._truth(first).run]
        while self._take(word):
            parts.append(self._truth(below()).run)
        return Truth(first.at, joined(tuple(parts), decisive))

    def _not(self) -> Part:
        token = self._take("not")
        if token is None:
            return self._comparison()
        with self._deeper(token.at):
            return Truth(token.at, negated(self._truth(self._not()).run))

    def _comparison(self) -> Part:
        left = self._sum()
        token = self._take(*COMPARE)
        if token is None:
            return left
        right = self._sum()
        if self._next.text in COMPARE:
            raise self._error(self._next.at, "'and' between two comparisons")
        a, b = self._number(left), self._number(right)
        a, b = self._fitting(a, b, right.at)
        if (found := threshold_in(a, cast("Operator", token.text), b)) is not None:
            self._thresholds.append(found)
        else:
            self._others = True
        return Truth(left.at, compared(a, cast("Operator", token.text), b))

    def _sum(self) -> Part:
        first = self._product()
        if self._next.text not in ("+", "-"):
            return first
        left = self._number(first)
        parts = [(1.0, left.run)]
        while token := self._take("+", "-"):
            sign = 1.0 if token.text == "+" else -1.0
            right = self._number(self._product())
            fitted, right = self._fitting(left, right, right.at)
            if fitted is not left:
                parts = [(1.0, fitted.run)]
            parts.append((sign, right.run))
            left = Number(first.at, fitted.unit or right.unit, add(tuple(parts)), sum_of(fitted, sign, right))
        return left

    def _product(self) -> Part:
        first = self._signed()
        if self._next.text not in ("*", "/"):
            return first
        left = self._number(first)
        parts, unit, constant = [(False, left.run)], left.unit, left.constant
        while token := self._take("*", "/"):
            divided = token.text == "/"
            right = self._number(self._signed())
            # What two units make together has no name here, so it fits everything.
            unit = unit if not right.unit else right.unit if not unit and not divided else ""
            parts.append((divided, right.run))
            constant = product_of(constant, divided, right.constant)
        return Number(first.at, unit, multiply(tuple(parts)), constant)

    def _signed(self) -> Part:
        token = self._take("-", "+")
        if token is None:
            return self._single()
        with self._deeper(token.at):
            inner = self._number(self._signed())
        if token.text == "+":
            return inner
        constant = None if inner.constant is None else -inner.constant
        return Number(token.at, inner.unit, add(((-1.0, inner.run),)), constant)

    def _single(self) -> Part:
        token = self._next
        self._index += token.kind != "end"
        if token.kind == "number":
            return self._literal(token)
        if token.kind == "name" and token.text not in _WORDS:
            return self._metric(token)
        if token.text == "(":
            with self._deeper(token.at):
                inner = self._any()
            if not self._take(")"):
                raise self._error(self._next.at, f"')' for the '(' at character {token.at + 1}")
            return inner
        raise self._error(token.at, "a metric or a number")

    # -- single words -----------------------------------------------------------------------------

    def _literal(self, token: _Token) -> Number:
        value = float(token.text)
        if not math.isfinite(value):
            raise self._error(token.at, "a smaller number")
        unit = ""
        if token.unit == "%":
            unit = "%"
        elif token.unit:
            if token.unit not in _SECONDS:
                raise self._error(token.at + len(token.text), "one of the units ms, s, m, h, d and %")
            value, unit = value * _SECONDS[token.unit], "s"
        return Number(token.at, unit, lambda scope: value, value)

    def _metric(self, token: _Token) -> Number:
        metric = METRICS.get(token.text)
        if metric is None:
            near = difflib.get_close_matches(token.text[:100].lower(), METRICS, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self._error(token.at, f"the name of a metric{hint}")
        window = self._window(metric) if self._next.text == "[" else None
        self._reads[metric, window] = None
        return Number(token.at, metric.unit, lambda scope: scope.value(metric, window), None, (metric, window))

    def _window(self, metric: Metric) -> float:
        opening = self._tokens[self._index]
        if not metric.sampled:
            raise self._error(opening.at, f"no window: {metric.name} is a number of the present")
        self._index += 1
        token = self._next
        if token.kind != "number" or token.unit not in _SECONDS:
            raise self._error(token.at, "a window such as 15m")
        seconds = float(token.text) * _SECONDS[token.unit]
        if not WINDOWS[0] <= seconds <= WINDOWS[1]:
            raise self._error(token.at, "a window between 10s and 30d")
        self._index += 1
        if not self._take("]"):
            raise self._error(self._next.at, "']' after the window")
        return seconds

    # -- what fits what ---------------------------------------------------------------------------

    def _truth(self, part: Part) -> Truth:
        if isinstance(part, Number):
            raise self._error(part.at, "a comparison, as in success_rate < 80, and not a mere number")
        return part

    def _number(self, part: Part) -> Number:
        if isinstance(part, Truth):
            raise self._error(part.at, "a number on both sides, and not a comparison")
        return part

    def _fitting(self, a: Number, b: Number, at: int) -> tuple[Number, Number]:
        """Both sides in one unit; 10 % of a ratio is 0.1."""
        if not a.unit or not b.unit or a.unit == b.unit:
            return a, b
        if (scaled := as_ratio(a, b.unit)) is not None:
            return scaled, b
        if (scaled := as_ratio(b, a.unit)) is not None:
            return a, scaled
        raise self._error(at, f"something in {a.unit!r}, as on the left, and not in {b.unit!r}")
