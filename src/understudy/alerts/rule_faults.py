"""What is wrong with a rule whose fields are right one by one: what belongs together, and what can never come true."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Final

from understudy.core.matchers import MatcherError
from understudy.core.matchers import parse as parse_matcher

from .expression import ExpressionError, parse
from .ladder import clear_point
from .metrics import DERIVED, EVENTS, METRICS, Metric
from .model import LABELS, Rule
from .slo import PAIRS

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class RuleFault:
    """One thing that is wrong with a rule: where in its document, what was expected, what would help."""

    place: Place
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.place).lstrip(".")
        return f"{where + ': ' if where else ''}{self.expected}{'; ' + self.hint if self.hint else ''}"


def near(name: object, known: Iterable[str]) -> str:
    """The hint with the nearest known name; empty when none is near."""
    found = difflib.get_close_matches(str(name)[:100].lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else ""


def faults_of(rule: Rule) -> list[RuleFault]:
    """Everything that is wrong with a rule whose fields are right one by one."""
    return [*_common(rule), *_KINDS[rule.kind](rule)]


def _common(rule: Rule) -> Iterator[RuleFault]:
    if not rule.name.strip() or not rule.name.isprintable():
        yield RuleFault(("name",), "expected a printable name")
    for index, text in enumerate(rule.match):
        try:
            label = parse_matcher(text).name
        except MatcherError as error:
            yield RuleFault(("match", index), f"expected a condition on labels ({error})")
            continue
        if label not in LABELS:
            yield RuleFault(("match", index), f"no subject has a label {label!r:.80}", near(label, LABELS))
    for label, value in rule.labels.items():
        if not label.strip() or len(label) > 100 or len(value) > 1000:
            yield RuleFault(("labels", label[:100]), "expected a name and a text of at most 1000 characters")
    if rule.kind != "expression" and rule.when:
        yield RuleFault(("when",), f"belongs to kind 'expression' only, and this is {rule.kind!r}")
    if rule.kind != "event" and rule.event:
        yield RuleFault(("event",), f"belongs to kind 'event' only, and this is {rule.kind!r}")


def _threshold(rule: Rule) -> Iterator[RuleFault]:
    metric = METRICS.get(rule.metric)
    if not rule.levels:
        yield RuleFault(("levels",), "expected at least one level", "write threshold and severity")
    if metric is None:
        expected = "expected the name of a metric" + (f", found {rule.metric!r:.80}" if rule.metric else "")
        yield RuleFault(("metric",), expected, near(rule.metric, METRICS))
        return
    yield from _subject(rule, metric)
    yield from _ladder(rule, metric)


def _subject(rule: Rule, metric: Metric, at: Place = ("metric",)) -> Iterator[RuleFault]:
    if rule.subject not in metric.subjects:
        where = ", ".join(metric.subjects)
        yield RuleFault(at, f"{metric.name} is known of {where} only, not of {rule.subject}")


def _ladder(rule: Rule, metric: Metric) -> Iterator[RuleFault]:
    yield from _severities(rule)
    for index, level in enumerate(rule.levels):
        at: Place = ("levels", index, "threshold")
        if not isfinite(level.threshold) or not metric.lowest <= level.threshold <= metric.highest:
            high = f" and {metric.highest:g}" if isfinite(metric.highest) else " upwards"
            yield RuleFault(at, f"expected a {metric.name} between {metric.lowest:g}{high}, found {level.threshold:g}")
            continue
        clear = clear_point(rule.operator, level.threshold, metric.hysteresis(level.threshold, rule.hysteresis))
        if not metric.lowest <= clear <= metric.highest:
            yield RuleFault(("hysteresis",), f"could never resolve: {metric.name} cannot reach {clear:g}")
        if index and not _worse(rule, rule.levels[index - 1].threshold, level.threshold):
            expected = f"expected a threshold beyond that of the level before, in the direction of {rule.operator}"
            yield RuleFault(at, expected, "the mildest level stands first")


def _worse(rule: Rule, milder: float, harder: float) -> bool:
    if rule.operator in (">", ">="):
        return harder > milder
    return harder < milder if rule.operator in ("<", "<=") else False


def _severities(rule: Rule) -> Iterator[RuleFault]:
    if len(rule.levels) > 1 and rule.operator in ("==", "!="):
        yield RuleFault(("levels",), f"the operator {rule.operator} can have one level only")
    for index in range(1, len(rule.levels)):
        if rule.levels[index].severity.rank < rule.levels[index - 1].severity.rank:
            yield RuleFault(("levels", index, "severity"), "expected no milder severity than that of the level before")


def _expression(rule: Rule) -> Iterator[RuleFault]:
    if rule.metric:
        yield RuleFault(("metric",), "stands in the condition (when), where there is one")
    if len(rule.levels) != 1:
        yield RuleFault(("levels",), "expected one level with the severity", 'write severity = "warning"')
    try:
        condition = parse(rule.when)
    except ExpressionError as error:
        yield RuleFault(("when",), f"expected {error.expected}\n{error.pointed()}")
        return
    if not condition.reads:
        yield RuleFault(("when",), "expected at least one metric")
    for metric, _ in condition.reads:
        yield from _subject(rule, metric, ("when",))


def _no_traffic(rule: Rule) -> Iterator[RuleFault]:
    if rule.metric:
        yield RuleFault(("metric",), "a rule about missing traffic has none")
    if len(rule.levels) != 1:
        yield RuleFault(("levels",), "expected one level with the severity", 'write severity = "warning"')
    if rule.window > 1_296_000:
        yield RuleFault(("window",), "expected at most 1296000 s (15 days): twice as long is looked back")


def _burn_rate(rule: Rule) -> Iterator[RuleFault]:
    if rule.metric not in ("", "success_rate", "error_rate"):
        yield RuleFault(("metric",), "a burn rate is about the success rate; leave the metric out")
    if rule.min_failures < 1:
        yield RuleFault(("min_failures",), "expected at least 1: without it, a single failure may be a giant burn")
    if not rule.levels:
        yield RuleFault(("levels",), "expected at least one level with one of the burn rates 1, 6 and 14.4")
    burns = [pair.burn for pair in PAIRS]
    for index, level in enumerate(rule.levels):
        if level.threshold not in burns:
            yield RuleFault(("levels", index, "threshold"), "expected one of the burn rates 1, 6 and 14.4")
        elif index and level.threshold <= rule.levels[index - 1].threshold:
            yield RuleFault(("levels", index, "threshold"), "expected a higher burn rate than that of the level before")
    yield from _severities(rule)


def _event(rule: Rule) -> Iterator[RuleFault]:
    known = DERIVED.get(rule.event) or EVENTS.get(rule.event, ("",))[0]
    if not known:
        expected = "expected the name of an event" + (f", found {rule.event!r:.80}" if rule.event else "")
        yield RuleFault(("event",), expected, near(rule.event, (*EVENTS, *DERIVED)))
    elif known != rule.subject:
        yield RuleFault(("subject",), f"the event {rule.event} is about one {known}, not {rule.subject}")
    if not rule.levels:
        yield RuleFault(("levels",), "expected a level with the severity", 'write severity = "critical"')
    if len(rule.levels) > 1 and rule.event not in DERIVED:
        yield from _threshold(rule)
        if (metric := METRICS.get(rule.metric)) is not None and metric.sampled:
            yield RuleFault(("metric",), f"expected a number of the present, which {metric.name} is not")


_KINDS: Final = {
    "threshold": _threshold, "expression": _expression, "no_traffic": _no_traffic, "burn_rate": _burn_rate,
    "event": _event,
}  # fmt: skip
