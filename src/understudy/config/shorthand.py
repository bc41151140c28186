"""The short ways to write things, spelled out before anything is validated."""

from __future__ import annotations

from typing import Any

from understudy.resilience.plain import spell_out

from .alert_rules import expand_rules
from .channels import expand_channels
from .faults import Fault, Path
from .tree import Layer

_SHORT_ENVIRONMENTS = {"dev": "development", "stage": "staging", "prod": "production"}


def full_environment(name: str) -> str:
    """`production` for `prod`; an unknown name as it is."""
    lower = name.strip().lower()
    return _SHORT_ENVIRONMENTS.get(lower, lower)


def expand(layer: Layer, faults: list[Fault]) -> None:
    """Spell out the shorthands of one layer, in place."""
    values = layer.values
    if isinstance(values.get("environment"), str):
        values["environment"] = full_environment(values["environment"])
    log = values.get("log")
    if isinstance(log, dict) and isinstance(log.get("level"), str):
        log["level"] = log["level"].upper()
    apis = values.get("apis")
    for name, api in apis.items() if isinstance(apis, dict) else ():
        if isinstance(api, dict):
            _outcomes(api, ("apis", name, "outcomes"), layer, faults)
            spell_out(api)
    expand_rules(layer, faults)
    expand_channels(layer)


def _outcomes(api: dict[str, Any], at: Path, layer: Layer, faults: list[Fault]) -> None:
    """`class` is a word of Python, so the field is called `class_`, which no file may say."""
    rules = api.get("outcomes")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        if "class_" in rule:
            path: Path = (*at, index, "class_")
            faults.append(Fault(path, layer.origin(path), "unknown key", hint="did you mean 'class'?"))
        if "class" in rule:
            layer.origins[(*at, index, "class_")] = layer.origin((*at, index, "class"))
