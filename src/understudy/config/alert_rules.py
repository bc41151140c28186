"""Alert rules in the tree: what files write in short is spelled out, and defaults lie beneath rules of their names."""

from __future__ import annotations

from typing import Any

from understudy.alerts.defaults import AlertThresholds, default_rules
from understudy.alerts.rules import lacking, level_to_doc, rule_to_doc
from understudy.alerts.slo import LEVELS
from understudy.core.errors import OptionError
from understudy.core.notices import Severity

from .faults import DEFAULT, Fault, Path
from .tree import Layer, spelled

#: Keys of a rule that stand for its one level, with their types.
SHORT: dict[str, Any] = {"severity": Severity, "threshold": float}
#: Fields of a rule that its place in the tree says, or its store.
NOT_SAID = ("name", "version")


def rules_of(layer: Layer) -> dict[str, Any]:
    """The tables of rules in a layer, whatever is in them; empty when there are none."""
    alerts = layer.values.get("alerts")
    rules = alerts.get("rules") if isinstance(alerts, dict) else None
    return rules if isinstance(rules, dict) else {}


def expand_rules(layer: Layer, faults: list[Fault]) -> None:
    """Spell out the rules of one layer, in place."""
    for name, rule in rules_of(layer).items():
        at: Path = ("alerts", "rules", name)
        if not isinstance(rule, dict):
            continue
        for key in (*NOT_SAID, "for_"):
            if key in rule:
                hint = "did you mean 'for'?" if key == "for_" else "the table's own name is the rule's"
                faults.append(Fault((*at, key), layer.origin((*at, key)), "unknown key", hint=hint))
                del rule[key]
        _spell(rule, at, layer)
        levels = rule.get("levels")
        for index, level in enumerate(levels if isinstance(levels, list) else ()):
            if isinstance(level, dict):
                _spell(level, (*at, "levels", index), layer)


def _spell(table: dict[str, Any], at: Path, layer: Layer) -> None:
    if "for" in table:
        table["for_"] = table.pop("for")
        layer.origins[(*at, "for_")] = layer.origins.pop((*at, "for"), layer.origin(at))


def complete_rules(layer: Layer, faults: list[Fault]) -> None:
    """Finish the rules of the merged tree, in place.

    Each gets its name, and beneath it lies the default of that name: a file says only what is different. One
    level may stand in the rule itself; its two keys may come from different sources, so this waits until here.
    """
    rules = rules_of(layer)
    if not rules:
        return
    defaults = {rule.name: rule_to_doc(rule) for rule in default_rules(_thresholds(layer.values["alerts"]))}
    for name, rule in rules.items():
        if not isinstance(rule, dict):
            continue
        at: Path = ("alerts", "rules", name)
        _level(rule, at, layer, faults)
        for key, value in defaults.get(name, {}).items():
            if (field := spelled((key,))[0]) not in rule:
                rule[str(field)] = value
                layer.origins[(*at, field)] = DEFAULT
        if rule.get("kind") == "burn_rate" and "levels" not in rule:
            rule["levels"] = [level_to_doc(level) for level in LEVELS]
            layer.origins[(*at, "levels")] = DEFAULT
        for place in lacking(rule):
            faults.append(Fault((*at, *place), layer.origin((*at, *place)), "required, but not there"))
        rule["name"] = name


def _level(rule: dict[str, Any], at: Path, layer: Layer, faults: list[Fault]) -> None:
    level = {key: rule.pop(key) for key in SHORT if key in rule}
    if not level:
        return
    first = layer.origin((*at, next(iter(level))))
    if "levels" in rule:
        faults.append(Fault((*at, next(iter(level))), first, "stands in the levels, where there are levels"))
        return
    rule["levels"] = [level]
    for key in level:
        layer.origins[(*at, "levels", 0, key)] = layer.origin((*at, key))
    layer.origins[(*at, "levels")] = first


def _thresholds(alerts: dict[str, Any]) -> AlertThresholds:
    """The thresholds that the tree sets; what is wrong with them is told elsewhere."""
    given = {name: alerts[name] for name in ("success_rate", "response_time", "error_rate") if name in alerts}
    try:
        return AlertThresholds(**given)
    except OptionError:
        return AlertThresholds()
