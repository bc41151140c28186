"""Validates the merged tree: every fault at once, each with its place."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import re
from functools import cache
from typing import Any

from .channels import kind_fault, known_keys, place
from .faults import Fault, Path, did_you_mean, shown
from .settings import Settings
from .shape import known_names, written
from .tree import Layer, lookup

_KINDS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "a text", "tuple": "an array",
    "dict": "a table", "dataclass": "a table", "dataclass_exact": "a table", "list": "an array",
}  # fmt: skip
_LIMITS = {
    "greater_than": ("more than", "gt"), "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"), "less_than_equal": ("at most", "le"),
}  # fmt: skip


#: What a field of an API may be besides a table.
_SHORT: dict[Path, str] = {
    ("timeout",): "a number or ", ("bulkhead",): "a whole number or ", ("quota",): "a whole number or ",
    ("rate_limit",): "a text such as '10/s' or ", ("auth", "keys"): "a text or ", ("success", "status"): "a status or ",
}  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Rounds of leaving out; each finds what was hidden behind the faults of the one before.
_ROUNDS = 4


@cache
def _adapter() -> Any:
    """Built once: it takes longer than all the validating."""
    from pydantic import TypeAdapter

    return TypeAdapter(Settings)


def validate(layer: Layer, faults: list[Fault]) -> Settings | None:
    """The settings that the tree means; None, with faults, when it means none."""
    bad = _unfit(layer)
    settings, wrong = _read(layer)
    # What is unfit at all is told once, in its own words.
    faults.extend(bad.values())
    faults.extend(fault for path, fault in wrong if path not in bad)
    return settings if not bad else None


def salvage(layer: Layer) -> tuple[Settings, tuple[Path, ...]] | None:
    """The settings without what is wrong in them, and the paths that were left out.

    For looking further: what can only be judged with the whole tree in sight shall be told at once too.
    None when nothing is left to look at.
    """
    rest = Layer(copy.deepcopy(layer.values), layer.origins)
    gone: list[Path] = []
    for _ in range(_ROUNDS):
        settings, wrong = _read(rest)
        bad = _unfit(rest)
        if settings is not None and not bad:
            return settings, tuple(gone)
        gone.extend(_leave_out(rest.values, path) for path in dict.fromkeys([*(path for path, _ in wrong), *bad]))
    return None


def _read(layer: Layer) -> tuple[Settings | None, list[tuple[Path, Fault]]]:
    """What pydantic makes of the tree: the settings, or faults by their paths."""
    from pydantic import ValidationError

    text = json.dumps(layer.values, default=str, ensure_ascii=False).encode("utf-8", "replace")
    try:
        return _adapter().validate_json(text), []
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        return None, [(place(tuple(entry["loc"])), _fault(entry, layer)) for entry in entries]


def _leave_out(values: dict[str, Any], path: Path) -> Path:
    """Take the value at `path` out of the tree; the path of what had to go with it."""
    if len(path) == 2 and path[0] in ("apis", "routes"):
        values[str(path[0])][path[1]] = {}  # its name stays, for those that refer to it
        return path
    holder = lookup(values, path[:-1])
    if isinstance(holder, dict) and path[-1] in holder:
        if path[-1] == "class_":
            holder["class_"] = "caller"  # a rule has to have one, and its conditions are to be looked at
        else:
            del holder[path[-1]]
        return path
    return _leave_out(values, path[:-1]) if len(path) > 1 else path


def _unfit(layer: Layer) -> dict[Path, Fault]:
    """The values that no key of ours can have: dates, numbers that are none, bytes that are no text."""
    found: dict[Path, Fault] = {}
    waiting: list[tuple[Any, Path]] = [(layer.values, ())]
    while waiting:
        value, path = waiting.pop()
        said = ""
        if isinstance(value, dict):
            waiting.extend((below, (*path, name)) for name, below in value.items())
            said = _no_text(str(path[-1])) if path else ""
        elif isinstance(value, list):
            waiting.extend((below, (*path, index)) for index, below in enumerate(value))
        elif isinstance(value, float) and not math.isfinite(value):
            said = "expected a finite number"
        elif isinstance(value, (dt.date, dt.time)):
            said = "no date or time is expected here"
        elif isinstance(value, str):
            said = _no_text(value)
        if said:
            seen = str(value) if isinstance(value, (dt.date, dt.time)) else value
            found[path] = Fault(path, layer.origin(path), said, shown(path, seen))
    return found


def _no_text(text: str) -> str:
    """Bytes of a variable that are no UTF-8 come in as lone surrogates."""
    return "" if text.isascii() or not _SURROGATE.search(text) else "is not UTF-8 text"


def _fault(entry: Any, layer: Layer) -> Fault:
    """One of pydantic's errors in our words. Its own text is not used: it may show the value."""
    raw: Path = place(tuple(entry["loc"]))
    path: Path = tuple(written(part) if isinstance(part, str) else part for part in raw)
    origin, kind, context = layer.origin(raw), entry["type"], entry.get("ctx", {})
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        known = known_keys(entry["loc"][2]) if path[0] == "channels" else known_names(path[:-1])
        return Fault(path, origin, "unknown key", hint=did_you_mean(str(path[-1]), known))
    if kind in ("missing", "missing_argument"):
        return Fault(path, origin, "required, but not there")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return kind_fault(path, lookup(layer.values, (*raw, "kind")), layer)
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
        field, expected = getattr(error, "field", ""), getattr(error, "expected", "a text")
        if not field:
            return Fault(path, origin, f"expected {expected}")
        return Fault((*path, written(field)), layer.origin((*raw, field)), f"expected {expected}")
    if kind in ("too_short", "string_too_short"):
        return Fault(path, origin, "must not be empty")
    expected = _KINDS.get(kind.removesuffix("_type").removesuffix("_parsing"), "another value")
    short = _SHORT.get(path[2:], "") if path[:1] == ("apis",) else ""
    return Fault(path, origin, f"expected {short}{expected}", found)
