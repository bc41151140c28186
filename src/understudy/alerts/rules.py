"""Rules as people write them: documents to `Rule` and back, with every fault told at once.

A document has the names of `Rule`'s fields, `for` in place of `for_`. Where there is one level only, its `severity`
and `threshold` may stand in the rule itself. A burn rate without levels has those of `slo.LEVELS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from understudy.core.errors import OptionError, UnderstudyError
from understudy.core.notices import Severity

from .metrics import METRICS
from .model import Level, Rule
from .rule_faults import Place, RuleFault, faults_of, near
from .slo import LEVELS as BURN_LEVELS

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
        faults.append(RuleFault((field,), f"expected {expected}, found {text!r:.60}", near(text, known)))
    return found


# -- documents ----------------------------------------------------------------------------------------


def _values(doc: Mapping[str, Any], faults: list[RuleFault]) -> dict[str, Any]:
    """The document with its short forms spelled out; unknown keys are faults. What is null is not said."""
    values = {str(key): value for key, value in doc.items() if value is not None}
    if "name" not in values:
        faults.append(RuleFault(("name",), "required, but not there"))
    for key in [key for key in values if key not in (*FIELDS, *_SHORT)]:
        faults.append(RuleFault((key[:100],), "unknown key", near(key, (*FIELDS, *_SHORT))))
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
            faults.append(RuleFault((*at, str(key)[:100]), "unknown key", near(str(key), _LEVEL)))
        values = {"for_" if key == "for" else key: each[key] for key in _LEVEL if each.get(key) is not None}
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
        if isinstance(level, Mapping) and level.get("threshold") is None:
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
