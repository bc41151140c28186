"""Each effective value with its origin, secrets masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import Enum
from typing import Any

from understudy.alerts.model import Rule
from understudy.core.options import describe
from understudy.core.secrets import Secret

from .alert_rules import NOT_SAID
from .faults import Path, dotted, is_secret
from .loader import Loaded
from .shape import written
from .tree import spelled


def rows(loaded: Loaded, under: str = "") -> list[dict[str, Any]]:
    """`{path, value, origin}` of every value at or below the dotted path `under`."""
    found = []
    for path, value in _leaves(loaded.settings, ()):
        name = dotted(path)
        if under and name != under and not name.startswith((f"{under}.", f"{under}[")):
            continue
        raw = spelled(path)
        origin = loaded.origins.get(raw) or _nearest(loaded, raw)
        if isinstance(value, Secret) and value.source:
            origin = value.source
        found.append({"path": name, "value": _shown(path, value), "origin": str(origin)})
    return found


def origins(loaded: Loaded, at: Path) -> list[dict[str, Any]]:
    """As `rows`, of what stands below a path, with `key`: the path below it."""
    return [{**row, "key": row["path"].removeprefix(dotted(at)).removeprefix(".")} for row in rows(loaded, dotted(at))]


def values(options: Any, at: Path) -> list[dict[str, Any]]:
    """`{path, key, value}` of every value of the options that stand at a path, secrets masked; `key` is below it."""
    found = []
    for path, value in _leaves(options, at):
        below = dotted(path[len(at) :])
        found.append({"path": dotted(path), "key": below, "value": _shown(path, value)})
    return found


def _nearest(loaded: Loaded, path: Path) -> str:
    """The origin of a shorthand or array around the value; a table that was merely begun says nothing."""
    for size in range(len(path) - 1, 0, -1):
        if path[:size] in loaded.origins:
            whole = not any(other[:size] == path[:size] and len(other) > size for other in loaded.origins)
            return str(loaded.origins[path[:size]]) if whole and size > 2 else "default"
    return "default"


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for spec in describe(type(value)):
            if not (isinstance(value, Rule) and spec.name in NOT_SAID):
                yield from _leaves(getattr(value, spec.name), (*path, written(spec.name)))
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, (*path, name))
    elif isinstance(value, tuple) and value and (isinstance(value[0], Secret) or dataclasses.is_dataclass(value[0])):
        for index, below in enumerate(value):
            yield from _leaves(below, (*path, index))
    else:
        yield path, value


def _shown(path: Path, value: Any) -> Any:
    if isinstance(value, Secret):
        return f"set (sha256:{value.fingerprint()}…, source {value.source or 'unknown'})" if value else "not set"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str) and value and is_secret(path):
        return "set"
    return [_shown(path, each) for each in value] if isinstance(value, tuple) else value
