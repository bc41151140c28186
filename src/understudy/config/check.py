"""Validates the merged tree: every fault at once, each with its place."""

from __future__ import annotations

import datetime as dt
import json
import math
from functools import cache
from typing import Any

from .faults import Fault, Path, did_you_mean, shown
from .settings import NOT_IN_FILES, Settings
from .shape import known_names
from .tree import Layer, lookup

_KINDS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "a text", "tuple": "an array",
    "dict": "a table", "dataclass": "a table", "dataclass_exact": "a table", "list": "an array",
}  # fmt: skip
_LIMITS = {
    "greater_than": ("more than", "gt"), "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"), "less_than_equal": ("at most", "le"),
}  # fmt: skip


@cache
def _adapter() -> Any:
    """Built once: it takes longer than all the validating."""
    from pydantic import TypeAdapter

    return TypeAdapter(Settings)


def validate(layer: Layer, faults: list[Fault]) -> Settings | None:
    """The settings that the tree means; None, with faults, when it means none."""
    from pydantic import ValidationError

    before = len(faults)
    _refuse_dates(layer.values, (), layer, faults)
    try:
        text = json.dumps(layer.values, default=str)
        settings = _adapter().validate_json(text)
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_input=False):
            faults.append(_fault(entry, layer))
        return None
    except RecursionError:
        faults.append(Fault((), layer.origin(()), "the configuration is nested too deeply"))
        return None
    return settings if len(faults) == before else None


def refuse_unknown(layer: Layer, faults: list[Fault]) -> None:
    """Drop, with a fault, the tables that exist in `Settings` but no file may hold."""
    for name in NOT_IN_FILES:
        if layer.values.pop(name, None) is not None:
            faults.append(Fault((name,), layer.origin((name,)), "unknown key"))


def _refuse_dates(value: Any, path: Path, layer: Layer, faults: list[Fault]) -> None:
    if isinstance(value, dict):
        for name, below in value.items():
            _refuse_dates(below, (*path, name), layer, faults)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            _refuse_dates(below, (*path, index), layer, faults)
    elif value in (math.inf, -math.inf):
        faults.append(Fault(path, layer.origin(path), "expected a finite number", shown(path, value)))
    elif isinstance(value, (dt.date, dt.time)):
        faults.append(Fault(path, layer.origin(path), "no date or time is expected here", shown(path, str(value))))


def _fault(entry: Any, layer: Layer) -> Fault:
    """One of pydantic's errors in our words. Its own text is not used: it may show the value."""
    raw: Path = tuple(entry["loc"])
    path: Path = tuple("class" if part == "class_" else part for part in raw)
    origin, kind, context = layer.origin(raw), entry["type"], entry.get("ctx", {})
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return Fault(path, origin, "unknown key", hint=did_you_mean(str(path[-1]), known_names(path[:-1])))
    if kind in ("missing", "missing_argument"):
        return Fault(path, origin, "required, but not there")
    found = shown(path, lookup(layer.values, raw))
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return Fault(path, origin, f"expected {words} {context[limit]:.12g}", found)
    if kind in ("literal_error", "enum"):
        wanted = str(context["expected"])
        value = lookup(layer.values, raw)
        hint = (
            did_you_mean(value, wanted.replace("'", "").replace(" or ", ", ").split(", "))
            if isinstance(value, str)
            else ""
        )
        return Fault(path, origin, f"expected {wanted}", found, hint)
    if kind == "value_error":
        error = context.get("error")
        field, expected = getattr(error, "field", ""), getattr(error, "expected", "a valid value")
        return Fault((*path, field) if field else path, origin, f"expected {expected}")
    if kind == "too_short" or kind == "string_too_short":
        return Fault(path, origin, "must not be empty")
    return Fault(
        path,
        origin,
        f"expected {_KINDS.get(kind.removesuffix('_type').removesuffix('_parsing'), 'another value')}",
        found,
    )
