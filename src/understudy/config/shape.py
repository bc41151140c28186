"""What the tree may hold at each place, read from the options classes themselves."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import types
from typing import Annotated, Any, Union, get_args, get_origin

from understudy.alerts.model import Rule
from understudy.core.options import describe
from understudy.core.secrets import Secret

from .alert_rules import NOT_SAID, SHORT
from .channels import alternatives
from .faults import Path
from .settings import Settings
from .tree import spelled, too_deep


def unwrap(kind: Any) -> Any:
    """The type without `| None` and without what is annotated; a union of options classes stays one."""
    if get_origin(kind) is Annotated:
        return unwrap(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType) and len(alternatives(kind)) < 2:
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def type_at(path: Path) -> Any:
    """The type of the value at `path`, or None where the tree knows no such place."""
    kind: Any = Settings
    for part in path:
        kind = unwrap(kind)
        if found := alternatives(kind):
            # Where several classes have such a field, texts are read alike for all of them.
            kind = next((below for below in (_below(cls, str(part)) for cls in found) if below is not None), None)
        elif get_origin(kind) in (dict, tuple):
            kind = get_args(kind)[1 if get_origin(kind) is dict else 0]
        else:
            return None
    return unwrap(kind) if kind is not None else None


def _below(kind: type, key: str) -> Any:
    """The type of a key of an options class, or None."""
    return fields_of(kind).get(str(spelled((key,))[0])) or _short(kind).get(key)


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
        return [*names, "environments"] if kind is Settings else names
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
