"""A rule as the fields of a form, and back: every fault stands beside the field that it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from understudy.alerts.metrics import DERIVED, EVENTS, METRICS
from understudy.alerts.model import NoData, Operator, Rule, Subject
from understudy.alerts.rule_faults import RuleFault
from understudy.alerts.rules import RuleError, rule_from
from understudy.monitor.search import duration

from .alert_words import Words

#: Rows of the ladder that the form has.
LEVELS: Final = 4
KINDS: Final = ("threshold", "expression", "burn_rate", "event", "no_traffic")
SUBJECTS: Final[tuple[str, ...]] = get_args(Subject)
OPERATORS: Final[tuple[str, ...]] = get_args(Operator)
NO_DATA: Final[tuple[str, ...]] = get_args(NoData)
EVENT_NAMES: Final = (*EVENTS, *DERIVED)
METRIC_NAMES: Final = tuple(METRICS)

_DURATIONS: Final = ("window", "for", "keep_firing_for", "no_data_after", "cooldown", "reminder", "ack_timeout")
_NUMBERS: Final = ("hysteresis", "objective")
_WHOLES: Final = ("count", "min_samples", "min_failures", "escalation_threshold")
_TEXTS: Final = (
    "kind", "subject", "metric", "operator", "when", "event", "no_data", "description", "runbook", "escalation",
)  # fmt: skip  # a list of names
_LINES: Final = ("match", "labels")
_LEVEL_FIELDS: Final = tuple(f"level{row}.{name}" for row in range(LEVELS) for name in ("severity", "threshold", "for"))
#: Every field of the form that is about the rule itself.
FIELDS: Final = ("name", "enabled", *_TEXTS, *_DURATIONS, *_NUMBERS, *_WHOLES, *_LINES, *_LEVEL_FIELDS)
#: What only some kinds have; of another kind it is left out, whatever the form still holds.
_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "metric": ("threshold", "event"), "operator": ("threshold", "event"), "hysteresis": ("threshold", "event"),
    "when": ("expression",), "event": ("event",), "objective": ("burn_rate",), "min_failures": ("burn_rate",),
}  # fmt: skip


@dataclass(slots=True)
class RuleForm:
    """What people wrote, what rule it means if it means one, and what is wrong, by field."""

    values: dict[str, str]
    rule: Rule | None = None
    faults: dict[str, str] = field(default_factory=dict)


def blank(kind: str) -> dict[str, str]:
    """The form of a new rule of a kind, with the defaults written out."""
    return {**filled(Rule()), "name": "", "kind": kind if kind in KINDS else "threshold", "level0.severity": "warning"}


def filled(rule: Rule) -> dict[str, str]:
    """The form of a rule that there is."""
    values = dict.fromkeys(FIELDS, "")
    for name in (*_TEXTS, *_NUMBERS, *_WHOLES, "name"):
        value = getattr(rule, name)
        values[name] = "" if value is None else _plain(value)
    for name in _DURATIONS:
        values[name] = lasting(getattr(rule, "for_" if name == "for" else name))
    values["match"] = "\n".join(rule.match)
    values["labels"] = "\n".join(f"{name}={value}" for name, value in rule.labels.items())
    values["enabled"] = "yes" if rule.enabled else ""
    for row, level in enumerate(rule.levels[:LEVELS]):
        values[f"level{row}.severity"] = level.severity.value
        values[f"level{row}.threshold"] = _plain(level.threshold)
        values[f"level{row}.for"] = "" if level.for_ is None else lasting(level.for_)
    return values


def read(values: Mapping[str, str], w: Words, base: Rule | None = None) -> RuleForm:
    """The rule that a form means, or what is wrong with it. Levels beyond the form's rows are those of `base`."""
    found = RuleForm({name: values.get(name, "") for name in FIELDS})
    doc, rows = _document(found, w)
    if base is not None and len(base.levels) > LEVELS:
        doc["levels"] = [*doc.get("levels", ()), *({"severity": level.severity.value, "threshold": level.threshold,
                         "for": level.for_} for level in base.levels[LEVELS:])]  # fmt: skip
    try:
        rule = rule_from(doc, "api")
    except RuleError as error:
        for fault in error.faults:
            name = _place(fault, rows)
            if name == "name" and not doc["name"]:
                found.faults[name] = w._("Expected a name.")
            if name in found.faults and name:
                continue
            found.faults[name] = "; ".join(each for each in (found.faults.get(name, ""), _sentence(fault, w)) if each)
        return found
    if not found.faults:
        found.rule = rule
    return found


def lasting(seconds: float) -> str:
    """A duration as the form writes it: 90s, 5m, 2h, 7d."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def _plain(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _document(found: RuleForm, w: Words) -> tuple[dict[str, Any], list[int]]:
    """The document of the rule, and which row of the form each of its levels stands in."""
    values, kind = found.values, found.values["kind"]
    doc: dict[str, Any] = {"name": values["name"].strip(), "kind": kind, "enabled": values["enabled"] == "yes"}
    wanted = [name for name in (*_TEXTS, *_DURATIONS, *_NUMBERS, *_WHOLES) if kind in _ONLY.get(name, (kind,))]
    for name in wanted:
        text = values[name].strip()
        if not text:
            continue
        value = _value(name, text)
        if value is None:
            found.faults[name] = _expected(name, w)
        else:
            doc[name] = value
    doc["match"] = [line.strip() for line in values["match"].splitlines() if line.strip()]
    doc["labels"] = _labels(found, w)
    rows: list[int] = []
    levels: list[dict[str, Any]] = []
    for row in range(LEVELS):
        level = _level(found, row, kind, w)
        if level is not None:
            levels.append(level)
            rows.append(row)
    doc["levels"] = levels
    return doc, rows


def _value(name: str, text: str) -> Any:
    """The value of a field; None when it is none."""
    if name in _DURATIONS:
        return duration(text)
    if name in _WHOLES:
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
    return _decimal(text) if name in _NUMBERS else text


def _decimal(text: str) -> float | None:
    """A number, with a point or a comma."""
    try:
        value = float(text.replace(",", ".")) if len(text) <= 40 and "_" not in text else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e300 else None


def _expected(name: str, w: Words) -> str:
    if name in _DURATIONS:
        return w._("Expected a duration such as 30s, 5m, 2h or 7d.")
    return w._("Expected a whole number.") if name in _WHOLES else w._("Expected a number.")


def _labels(found: RuleForm, w: Words) -> dict[str, str]:
    labels: dict[str, str] = {}
    for line in found.values["labels"].splitlines():
        name, equals, value = line.partition("=")
        if not line.strip():
            continue
        if not equals or not name.strip():
            found.faults["labels"] = w._("Expected lines such as team=payments.")
            continue
        labels[name.strip()] = value.strip()
    return labels


def _level(found: RuleForm, row: int, kind: str, w: Words) -> dict[str, Any] | None:
    """One row of the ladder; None where it is empty."""
    given = [found.values[f"level{row}.{name}"].strip() for name in ("severity", "threshold", "for")]
    severity, threshold, waits = given
    # The first level of an event holds whatever its metric says: its threshold orders the ladder, or is left out.
    compares = kind in ("threshold", "burn_rate", "event")
    if not any(given) or (row and not compares):
        return None
    level: dict[str, Any] = {"severity": severity or "warning"}
    if compares and (threshold or row or kind != "event"):
        if not threshold or (number := _decimal(threshold)) is None:
            found.faults[f"level{row}.threshold"] = w._("Expected a number.")
        else:
            level["threshold"] = number
    if waits:
        seconds = duration(waits)
        if seconds is None:
            found.faults[f"level{row}.for"] = w._("Expected a duration such as 30s, 5m, 2h or 7d.")
        else:
            level["for"] = seconds
    return level


def _place(fault: RuleFault, rows: list[int]) -> str:
    """The field that a fault is about; empty for the rule as a whole."""
    if not fault.place:
        return ""
    first = str(fault.place[0])
    if first == "levels":
        index = fault.place[1] if len(fault.place) > 1 and isinstance(fault.place[1], int) else 0
        row = rows[index] if index < len(rows) else 0
        name = str(fault.place[2]) if len(fault.place) > 2 else "threshold"
        return f"level{row}.{name}"
    return first if first in FIELDS else ""


def _sentence(fault: RuleFault, w: Words) -> str:
    return "; ".join(w.fault(each) for each in (fault.expected, fault.hint) if each)


def written(doc: Mapping[str, Any] | None) -> list[str]:
    """A rule's document in lines that can be compared, one for each field and level."""
    if doc is None:
        return []
    lines = []
    for name, value in sorted(doc.items()):
        if name == "levels" and isinstance(value, list):
            lines += [f"level = {json.dumps(level, ensure_ascii=False, sort_keys=True)}" for level in value]
        elif isinstance(value, str) and "\n" in value:
            lines += [f"{name} = {line}" for line in value.split("\n")]
        else:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False, sort_keys=True)}")
    return lines
