"""Layers of values with their origins, and how a later layer goes over an earlier one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .faults import DEFAULT, Origin, Path


@dataclass(slots=True)
class Layer:
    """A tree of plain values and where its parts came from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Origin] = field(default_factory=dict)

    def origin(self, path: Path) -> Origin:
        """Where the value at `path` came from, or the nearest table around it."""
        while path:
            if path in self.origins:
                return self.origins[path]
            path = path[:-1]
        return DEFAULT

    def put(self, path: tuple[str, ...], value: Any, origin: Origin) -> None:
        """Set one value; what stands in the way of its tables is replaced."""
        node = self.values
        for part in path[:-1]:
            below = node.get(part)
            if not isinstance(below, dict):
                below = node[part] = {}
            node = below
        node[path[-1]] = value
        self.origins[path] = origin

    def go_over(self, later: Layer) -> None:
        """Merge `later` into this layer: tables are merged, everything else is replaced."""
        self._merge(self.values, later.values, (), later)

    def _merge(self, mine: dict[str, Any], theirs: dict[str, Any], at: Path, later: Layer) -> None:
        for name, value in theirs.items():
            path = (*at, name)
            if isinstance(value, dict) and isinstance(mine.get(name, {}), dict):
                self.origins.setdefault(path, later.origin(path))
                self._merge(mine.setdefault(name, {}), value, path, later)
                continue
            mine[name] = value
            size = len(path)
            for old in [old for old in self.origins if old[:size] == path]:
                del self.origins[old]
            self.origins[path] = later.origin(path)
            self.origins.update({p: o for p, o in later.origins.items() if p[:size] == path})


def lookup(values: Any, path: Path) -> Any:
    """The value at `path`, or None."""
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values
