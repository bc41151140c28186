"""Rules as people write them: documents to `Rule` and back, with every fault told at once.

A document has the names of `Rule`'s fields, `for` in place of `for_`. Where there is one level only, its `severity`
and `threshold` may stand in the rule itself. A burn rate without levels has those of `slo.LEVELS`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from typing import Any, Final

from understudy.core.errors import OptionError, UnderstudyError
from understudy.core.matchers import MatcherError
from understudy.core.matchers import parse as parse_matcher
from understudy.core.notices import Severity

from .expression import ExpressionError, parse
from .ladder import clear_point
from .metrics import EVENTS, METRICS, Metric
from .model import Level, Rule
from .slo import LEVELS as BURN_LEVELS
from .slo import PAIRS

Place = tuple[str | int, ...]

#: What a document may hold; `name` and `version` are not the writer's to say in every place.
FIELDS: Final = tuple("for" if each.name == "for_" else each.name for each in fields(Rule))
_SHORT: Final = ("severity", "threshold")
_LEVEL: Final = ("severity", "threshold", "for")

_OPERATORS: Final[dict[str, str]] = {
    ">": ">", ">=": ">=", "<": "<", "<=": "<=", "==": "==", "!=": "!=", "=": "==",
    "gt": ">", "gte": ">=", "ge": ">=", "lt": "<", "lte": "<=", "le": "<=", "eq": "==", "ne": "!=",
    "greater_than": ">", "less_than": "<", "above": ">", "below": "<", "equals": "==", "not_equals": "!=",
    "greater": ">", "less": "<", "equal": "==", "not_equal": "!=",
    "greater_equal": ">=", "less_equal": "<=", "greater_than_or_equal": ">=", "less_than_or_equal": "<=",
    "maior": ">", "menor": "<", "igual": "==", "diferente": "!=", "maior_que": ">", "menor_que": "<",
}  # fmt: skip
_SEVERITIES: Final[dict[str, str]] = {
    "info": Severity.INFO, "low": Severity.INFO, "notice": Severity.INFO, "debug": Severity.INFO,
    "warning": Severity.WARNING, "warn": Severity.WARNING, "medium": Severity.WARNING, "aviso": Severity.WARNING,
    "error": Severity.CRITICAL, "high": Severity.CRITICAL, "critical": Severity.CRITICAL,
    "emergency": Severity.CRITICAL, "fatal": Severity.CRITICAL, "critico": Severity.CRITICAL,
    "crítico": Severity.CRITICAL,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleFault:
    """One thing that is wrong with a rule: where in its document, what was expected, what would help."""

    place: Place
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.place).lstrip(".")
        return f"{where + ': ' if where else ''}{self.expected}{'; ' + self.hint if self.hint else ''}"


class RuleError(UnderstudyError, ValueError):
    """A rule that cannot be used; `faults` holds every reason at once."""

    def __init__(self, name: str, faults: tuple[RuleFault, ...]) -> None:
        super().__init__(f"rule {name!r}: " + "\n".join(map(str, faults)))
        self.name, self.faults = name, faults


def rule_from(doc: Mapping[str, Any], origin: str = "code") -> Rule:
    """The rule that a document means. `origin` says whose it is, for the text of an error.

    Raises:
        RuleError: with everything that is wrong with it.
    """
    faults: list[RuleFault] = []
    values = _values(doc, faults)
    name = values.get("name")
    shown = f"{name[:200] if isinstance(name, str) else '?'} ({origin})"
    levels = values.get("levels")
    if isinstance(levels, (list, tuple)):
        faults += [RuleFault(place, "required, but not there") for place in lacking(values)]
        values["levels"] = tuple(_levels(levels, faults))
    rule = _built(values, faults)
    if rule is not None:
        told = {fault.place[0] for fault in faults if fault.place}
        faults += [fault for fault in faults_of(rule) if not fault.place or fault.place[0] not in told]
    if faults or rule is None:
        raise RuleError(shown, tuple(faults))
    return rule


def rule_to_doc(rule: Rule) -> dict[str, Any]:
    """The document of a rule, JSON-ready: its name, and what differs from the defaults. `rule_from` reads it."""
    doc: dict[str, Any] = {"name": rule.name}
    for each in fields(Rule):
        value = getattr(rule, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if each.name in ("name", "version") or value == default:
            continue
        if each.name == "levels":
            value = [level_to_doc(level) for level in value]
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, dict):
            value = dict(value)
        doc["for" if each.name == "for_" else each.name] = value
    return doc


def seed_rule(
    *,
    name: str,
    metric: str,
    threshold: float,
    operator: str = ">",
    severity: str = "warning",
    description: str = "",
    cooldown_seconds: float = 300.0,
    escalation_threshold: int | None = None,
) -> Rule:
    """The rule that the original document's `add_custom_alert_rule` means.

    `operator` and `severity` may be words (`less_than`, `high`) or members of an enumeration of such.

    Raises:
        RuleError: with everything that is wrong with it.
    """
    faults: list[RuleFault] = []
    sign = _word(operator, _OPERATORS, "operator", faults)
    level = _word(severity, _SEVERITIES, "severity", faults)
    doc: dict[str, Any] = {"name": name, "metric": metric, "description": description, "cooldown": cooldown_seconds}
    doc |= {"operator": sign or ">", "threshold": threshold, "severity": level or Severity.WARNING}
    doc["escalation_threshold"] = escalation_threshold or None
    known = METRICS.get(metric)
    if known is not None and "api" not in known.subjects:
        doc["subject"] = known.subjects[0]
    try:
        rule = rule_from(doc, "code")
    except RuleError as error:
        raise RuleError(error.name, (*faults, *error.faults)) from None
    if faults:
        raise RuleError(f"{name} (code)", tuple(faults))
    return rule


def _word(given: Any, known: Mapping[str, str], field: str, faults: list[RuleFault]) -> str | None:
    text = getattr(given, "value", given)
    found = known.get(text.strip().lower()) if isinstance(text, str) else None
    if found is None:
        expected = "one of > >= < <= == !=" if field == "operator" else "info, warning or critical"
        faults.append(RuleFault((field,), f"expected {expected}, found {text!r:.60}", _near(text, known)))
    return found


# -- documents ----------------------------------------------------------------------------------------


def _values(doc: Mapping[str, Any], faults: list[RuleFault]) -> dict[str, Any]:
    """The document with its short forms spelled out; unknown keys are faults."""
    values = {str(key): value for key, value in doc.items()}
    for key in [key for key in values if key not in (*FIELDS, *_SHORT)]:
        faults.append(RuleFault((key[:100],), "unknown key", _near(key, (*FIELDS, *_SHORT))))
        del values[key]
    short = {key: values.pop(key) for key in _SHORT if key in values}
    if short and "levels" in values:
        faults.append(RuleFault((next(iter(short)),), "stands in the levels, where there are levels"))
    elif short:
        values["levels"] = [short]
    if values.get("kind") == "burn_rate" and "levels" not in values:
        values["levels"] = BURN_LEVELS
    if "for" in values:
        values["for_"] = values.pop("for")
    if isinstance(values.get("match"), (list, tuple)):
        values["match"] = tuple(values["match"])
        for index in [i for i, each in enumerate(values["match"]) if not isinstance(each, str)]:
            faults.append(RuleFault(("match", index), "expected a text"))
    labels = values.get("labels")
    if isinstance(labels, Mapping):
        for key in [key for key, value in labels.items() if not (isinstance(key, str) and isinstance(value, str))]:
            faults.append(RuleFault(("labels", str(key)[:100]), "expected a text"))
    for wrong in {fault.place[0] for fault in faults if fault.place} & {"match", "labels"}:
        del values[str(wrong)]
    return values


def _levels(given: Any, faults: list[RuleFault]) -> Iterator[Level]:
    for index, each in enumerate(given):
        if isinstance(each, Level):
            yield each
            continue
        at: Place = ("levels", index)
        if not isinstance(each, Mapping):
            faults.append(RuleFault(at, "expected a table with severity and threshold"))
            continue
        for key in [key for key in each if key not in _LEVEL]:
            faults.append(RuleFault((*at, str(key)[:100]), "unknown key", _near(str(key), _LEVEL)))
        values = {"for_" if key == "for" else key: value for key, value in each.items() if key in _LEVEL}
        try:
            yield Level(**values)
        except OptionError as error:
            faults.append(_fault(error, at))


def lacking(doc: Mapping[str, Any]) -> Iterator[Place]:
    """The places of a document's thresholds that are not there, though the kind of the rule compares with them."""
    levels = doc.get("levels")
    if doc.get("kind", "threshold") not in ("threshold", "burn_rate") or not isinstance(levels, (list, tuple)):
        return
    for index, level in enumerate(levels):
        if isinstance(level, Mapping) and "threshold" not in level:
            yield ("levels", index, "threshold")


def level_to_doc(level: Level) -> dict[str, Any]:
    """A level as documents hold it, JSON-ready."""
    doc: dict[str, Any] = {"severity": level.severity.value, "threshold": level.threshold}
    return doc if level.for_ is None else {**doc, "for": level.for_}


def _built(values: dict[str, Any], faults: list[RuleFault]) -> Rule | None:
    """The rule; each round leaves out one field that is wrong, so that all of them are told."""
    values = dict(values)
    while True:
        try:
            return Rule(**values)
        except OptionError as error:
            faults.append(_fault(error, ()))
            if error.field not in values:
                return None
            del values[error.field]


def _fault(error: OptionError, at: Place) -> RuleFault:
    field = "for" if error.field == "for_" else error.field
    return RuleFault((*at, field), f"expected {error.expected}, found {error.found!r:.80}")


def _near(name: object, known: Any) -> str:
    near = difflib.get_close_matches(str(name)[:100].lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


# -- across the fields --------------------------------------------------------------------------------


def faults_of(rule: Rule) -> list[RuleFault]:
    """Everything that is wrong with a rule whose fields are right one by one."""
    return [*_common(rule), *_KINDS[rule.kind](rule)]


def _common(rule: Rule) -> Iterator[RuleFault]:
    if not rule.name.strip() or not rule.name.isprintable():
        yield RuleFault(("name",), "expected a printable name")
    for index, text in enumerate(rule.match):
        try:
            parse_matcher(text)
        except MatcherError as error:
            yield RuleFault(("match", index), f"expected a condition on labels ({error})")
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
        yield RuleFault(("metric",), expected, _near(rule.metric, METRICS))
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
    known = EVENTS.get(rule.event)
    if known is None:
        expected = "expected the name of an event" + (f", found {rule.event!r:.80}" if rule.event else "")
        yield RuleFault(("event",), expected, _near(rule.event, EVENTS))
    elif known[0] != rule.subject:
        yield RuleFault(("subject",), f"the event {rule.event} is about one {known[0]}, not {rule.subject}")
    if not rule.levels:
        yield RuleFault(("levels",), "expected a level with the severity", 'write severity = "critical"')
    if len(rule.levels) > 1:
        yield from _threshold(rule)


_KINDS: Final = {
    "threshold": _threshold, "expression": _expression, "no_traffic": _no_traffic, "burn_rate": _burn_rate,
    "event": _event,
}  # fmt: skip
