"""What the tree may hold at each place, read from the options classes themselves."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import types
from typing import Any, Union, get_args, get_origin

from understudy.alerts.model import Rule
from understudy.core.options import describe
from understudy.core.secrets import Secret

from .alert_rules import NOT_SAID, SHORT
from .faults import Path
from .settings import NOT_IN_FILES, Settings
from .tree import spelled, too_deep


def unwrap(kind: Any) -> Any:
    """The type without `| None`."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def type_at(path: Path) -> Any:
    """The type of the value at `path`, or None where the tree knows no such place."""
    kind: Any = Settings
    for part in path:
        kind = unwrap(kind)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            kind = fields_of(kind).get(str(spelled((part,))[0])) or _short(kind).get(str(part))
        elif get_origin(kind) in (dict, tuple):
            kind = get_args(kind)[1 if get_origin(kind) is dict else 0]
        else:
            return None
    return unwrap(kind) if kind is not None else None


def fields_of(kind: type) -> dict[str, Any]:
    """The types of a class's fields by name."""
    return {spec.name: spec.type for spec in describe(kind)}


def _short(kind: type) -> dict[str, Any]:
    """Keys that a table may have besides its fields, as short forms, with their types."""
    return SHORT if kind is Rule else {}


def written(field: str) -> str:
    """The key of a field as files write it."""
    plain = field.removesuffix("_")
    return plain if spelled((plain,)) == (field,) else field


def known_names(path: Path) -> list[str]:
    """The keys that the table at `path` may have."""
    kind = type_at(path)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        names = [*map(written, fields_of(kind)), *_short(kind)]
        if kind is Rule:
            return [name for name in names if name not in NOT_SAID]
        return [*(n for n in names if n not in NOT_IN_FILES), "environments"] if kind is Settings else names
    return []


def normalised(name: str) -> str:
    """A name as environment variables spell it: upper case, other characters as `_`."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def from_text(path: Path, text: str) -> Any:
    """A variable's text as the value that the tree wants at `path`; the text itself where that fails."""
    kind = type_at(path)
    if kind is bool:
        lower = text.strip().lower()
        return {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False,
                "off": False}.get(lower, text)  # fmt: skip
    if kind in (int, float):
        try:
            return kind(text.strip()) if text.isascii() else text
        except ValueError:
            return text
    if kind is str or kind is Secret or (get_origin(kind) not in (tuple, dict) and not dataclasses.is_dataclass(kind)):
        return text
    try:
        value = tomllib.loads(f"x = {text}")["x"] if "\n" not in text else None
    except (ValueError, RecursionError):
        value = None
    if get_origin(kind) is tuple and not isinstance(value, (list, dict)):
        # One element, or several with commas or line ends between; a number may be a name or a key just as well.
        return [value] if isinstance(value, str) else [p.strip() for p in re.split(r"[,\n]", text) if p.strip()]
    return text if value is None or too_deep(value) else value
