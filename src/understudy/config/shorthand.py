"""The short ways to write things, spelled out before anything is validated."""

from __future__ import annotations

import re
from typing import Any

from .faults import Fault, Path
from .tree import Layer

_RATE = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)?\s*(s|second|m|min|minute|h|hour|d|day)\s*", re.IGNORECASE
)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
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
            _api(api)
            _outcomes(api, ("apis", name, "outcomes"), layer, faults)


def _api(api: dict[str, Any]) -> None:
    if _number(api.get("timeout")):
        api["timeout"] = {"attempt": api["timeout"]}
    if _number(api.get("bulkhead")):
        api["bulkhead"] = {"limit": api["bulkhead"]}
    if _number(api.get("quota")):
        api["quota"] = {"limit": api["quota"], "window": "month"}
    if isinstance(api.get("rate_limit"), str):
        api["rate_limit"] = _rate(api["rate_limit"])
    success = api.get("success")
    if isinstance(success, dict) and "status" in success:
        success["status"] = _statuses(success["status"])
    auth = api.get("auth")
    if isinstance(auth, dict) and isinstance(auth.get("keys"), str):
        auth["keys"] = [auth["keys"]]
    if isinstance(auth, dict) and isinstance(auth.get("keys"), list):
        auth["keys"] = [{"value": key} if isinstance(key, str) else key for key in auth["keys"]]


def _rate(text: str) -> Any:
    found = _RATE.fullmatch(text)
    if found is None:
        return text
    return {"rate": float(found[1]), "per": float(found[2] or 1) * _UNITS[found[3][0].lower()]}


def _statuses(value: Any) -> Any:
    if isinstance(value, list):
        return [str(part) if _number(part) else part for part in value]
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [str(value)] if _number(value) else value


def _outcomes(api: dict[str, Any], at: Path, layer: Layer, faults: list[Fault]) -> None:
    """`class` is a word of Python, so the field is called `class_`; a status may be a plain number."""
    rules = api.get("outcomes")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        if "class_" in rule:
            path: Path = (*at, index, "class_")
            faults.append(Fault(path, layer.origin(path), "unknown key", hint="did you mean 'class'?"))
        if "class" in rule:
            rule["class_"] = rule.pop("class")
            layer.origins[(*at, index, "class_")] = layer.origin((*at, index, "class"))
        if _number(rule.get("status")):
            rule["status"] = str(rule["status"])


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
