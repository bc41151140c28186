"""Checks a mechanism's options against the ranges that its own fields declare.

Each options class is a frozen, slotted dataclass whose fields are `Annotated` with limits
(annotated-types), a unit and one sentence. `check` makes direct construction as strict as loading
from a file, without importing a validation library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types as at

from .errors import OptionError

#: Every options class carries this as `__pydantic_config__`: unknown keys and wrong types are faults.
STRICT: dict[str, Any] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class Doc:
    """One sentence about a field, and its unit where it has one (`s`, `ms`, `%`, `calls`, `bytes`)."""

    text: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What an options class says about one of its fields."""

    name: str
    type: Any
    constraints: tuple[Any, ...]
    doc: Doc | None


@cache
def describe(cls: type) -> tuple[FieldSpec, ...]:
    """The fields of an options class with their limits and sentences, in order of declaration."""
    hints = get_type_hints(cls, include_extras=True)
    specs = []
    for field in fields(cls):
        hint = hints[field.name]
        constraints: list[Any] = []
        doc = None
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            for extra in extras:
                if isinstance(extra, Doc):
                    doc = extra
                elif isinstance(extra, at.GroupedMetadata):
                    constraints.extend(extra)
                else:
                    constraints.append(extra)
        specs.append(FieldSpec(field.name, hint, tuple(constraints), doc))
    return tuple(specs)


def check(options: Any) -> None:
    """Raise `OptionError` for the first field of `options` that is not of its type or lies outside its range.

    A word may be written as plain text (`mode="off"`); the field then holds the member that it names.
    """
    cls: type = type(options)
    for spec in describe(cls):
        value = getattr(options, spec.name)
        if isinstance(value, str) and _is_enum(spec.type) and value in set(spec.type):
            object.__setattr__(options, spec.name, value := spec.type(value))
        if value is None:
            continue
        if isinstance(value, float) and math.isnan(value):
            raise OptionError(type(options).__name__, spec.name, value, "a number")
        if expected := _mistyped(spec.type, value):
            # Only what a plain field holds is shown: in place of a group of options may stand a key.
            plain = spec.type in _SAID or get_origin(spec.type) is Literal or _is_enum(spec.type)
            raise OptionError(cls.__name__, spec.name, value if plain else type(value), expected)
        for limit in spec.constraints:
            if expected := _violated(limit, value):
                raise OptionError(cls.__name__, spec.name, value, expected)


#: How a type is told to a person, where its own name would not do.
_SAID: dict[Any, str] = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false", tuple: "a list", dict: "a table",
}  # fmt: skip


def _mistyped(hint: Any, value: Any) -> str:
    """What was expected, when `value` is of another type than its field; the empty string when it is not."""
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        wrong = [_mistyped(part, value) for part in get_args(hint) if part is not NoneType]
        return wrong[0] if all(wrong) else ""
    if kind is Literal or _is_enum(kind):
        known = get_args(hint) or tuple(map(str, hint))
        return "" if value in known else "one of " + ", ".join(map(repr, known))
    if not isinstance(kind, type) or isinstance(value, (int, float) if kind is float else kind):
        return "a number" if kind in (int, float) and isinstance(value, bool) else ""
    return "" if kind is tuple and isinstance(value, list) else _SAID.get(kind, kind.__name__)


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def _violated(limit: Any, value: Any) -> str:
    """What was expected, when `value` breaks `limit`; the empty string when it does not."""
    match limit:
        case at.Ge(bound) if not value >= bound:
            return f"at least {bound}"
        case at.Gt(bound) if not value > bound:
            return f"more than {bound}"
        case at.Le(bound) if not value <= bound:
            return f"at most {bound}"
        case at.Lt(bound) if not value < bound:
            return f"less than {bound}"
        case at.MinLen(bound) if len(value) < bound:
            return f"at least {bound} long"
        case at.MaxLen(bound) if len(value) > bound:
            return f"at most {bound} long"
    return ""


class Options:
    """Base of the options classes: checks itself on construction, forbids unknown keys on loading."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    def __post_init__(self) -> None:
        # Reading the declarations takes longer than everything else at import, where most instances are defaults.
        if not _is_default(self):
            check(self)


def _is_default(options: Any) -> bool:
    """Whether every field holds the very object that the class declares as its default."""
    return all(getattr(options, field.name) is field.default for field in fields(options))
