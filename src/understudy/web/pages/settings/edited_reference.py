"""Everything that an entry may say: each key with what it is, its unit, its usual value and its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

from understudy.channels import KINDS
from understudy.config.channels import alternatives
from understudy.config.managed import FILES_ONLY
from understudy.config.shape import written
from understudy.core.options import describe
from understudy.core.secrets import Secret
from understudy.resilience.api import ApiOptions, RouteOptions


class Known(NamedTuple):
    """One key."""

    path: str
    about: str
    unit: str
    usual: str


def known_keys(kind: str, values: Mapping[str, Any]) -> list[Known]:
    """The keys of an entry like this, of a channel those of its kind."""
    options = _options(kind, values)
    return list(_keys(options, "")) if options is not None else []


def in_order(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the order of `known_keys`: a store may give them in any, and two versions are compared by lines."""
    return _in_order(_options(kind, values), values)


def _in_order(options: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    specs = {written(spec.name): alternatives(spec.type) for spec in describe(options)} if options is not None else {}
    names = dict.fromkeys((*(name for name in specs if name in values), *values))
    found = {}
    for name in names:
        inner, value = specs.get(name, []), values[name]
        found[name] = _in_order(inner[0], value) if len(inner) == 1 and isinstance(value, Mapping) else value
    return found


def _options(kind: str, values: Mapping[str, Any]) -> Any:
    of_channel = KINDS.get(str(values.get("kind", ""))) if kind == "channel" else None
    return {"api": ApiOptions, "route": RouteOptions}.get(kind) or (of_channel.options if of_channel else None)


def _keys(options: Any, under: str) -> Iterator[Known]:
    defaults = {each.name: each for each in dataclasses.fields(options)}
    for spec in describe(options):
        name = written(spec.name)
        if name in FILES_ONLY:
            continue
        inner = alternatives(spec.type)
        if len(inner) == 1:
            yield from _keys(inner[0], f"{under}{name}.")
            continue
        about, unit = (spec.doc.text, spec.doc.unit) if spec.doc is not None else ("", "")
        yield Known(f"{under}{name}", about, unit, _usual(defaults[spec.name]))


def _usual(field: dataclasses.Field[Any]) -> str:
    value = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    if value is dataclasses.MISSING or value is None or isinstance(value, Secret):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    return ", ".join(map(str, value)) if isinstance(value, tuple | list | dict) else str(value)
