"""Layers of values with their origins, and how a later layer goes over an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .faults import DEFAULT, Origin, Path

#: No value of a configuration lies deeper than this; what does is a mistake or an attack.
DEEPEST = 24


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
        for size, part in enumerate(path[:-1], 1):
            self.origins.setdefault(path[:size], origin)
            below = node.get(part)
            if not isinstance(below, dict):
                below = node[part] = {}
            node = below
        node[path[-1]] = value
        self.origins[path] = origin

    def take_out(self, path: tuple[str, ...]) -> None:
        """Remove what stands at `path`, with its origins."""
        holder = lookup(self.values, path[:-1])
        if isinstance(holder, dict) and path[-1] in holder:
            for old in _places(holder.pop(path[-1]), path):
                self.origins.pop(old, None)

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
            if name in mine:
                for old in _places(mine[name], path):
                    self.origins.pop(old, None)
            mine[name] = value
            self.origins[path] = later.origin(path)
            self.origins.update((p, later.origins[p]) for p in _places(value, path) if p in later.origins)


def _places(value: Any, at: Path) -> Iterator[Path]:
    """The paths of a value and of all below it."""
    yield at
    for name, below in value.items() if isinstance(value, dict) else ():
        yield from _places(below, (*at, name))
    for index, below in enumerate(value) if isinstance(value, list) else ():
        yield from _places(below, (*at, index))


def too_deep(value: Any) -> Path | None:
    """The first few parts of a path that is longer than any that means something; None when all are short."""
    waiting: list[tuple[Any, Path]] = [(value, ())]
    while waiting:
        node, path = waiting.pop()
        if len(path) > DEEPEST:
            return path[:3]
        parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        waiting.extend((below, (*path, name)) for name, below in parts if isinstance(below, (dict, list)))
    return None


def holds(values: Any, path: Path) -> bool:
    """Whether there is a value at `path`, `class` and `for` standing for the fields `class_` and `for_`."""
    return lookup(values, spelled(path)) is not None


def spelled(path: Path) -> Path:
    """A path as the fields are called: words of Python, which files may say, have an underscore there."""
    return tuple(f"{part}_" if part in ("class", "for") else part for part in path)


def lookup(values: Any, path: Path) -> Any:
    """The value at `path`, or None."""
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values
