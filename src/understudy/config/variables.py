"""Variables and command-line overrides as layers of the tree."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_origin

from .environ import SEED_PATHS
from .faults import Fault, Origin
from .shape import from_text, normalised, type_at
from .sources import Variables, is_pointer
from .tree import DEEPEST, Layer

PREFIX = "UNDERSTUDY__"


def variable_layer(variables: Variables, known: Mapping[str, Any], faults: list[Fault]) -> Layer:
    """What the seed's variables and `UNDERSTUDY__…` set; `known` are the values below, for their names."""
    layer = Layer()
    for name, path in SEED_PATHS.items():
        found = variables.get(name)
        if found is not None and found[0].strip() and path != ("environment",):
            layer.put(path, from_text(path, found[0].strip()), found[1])
    for name in variables.names():
        if not name.startswith(PREFIX) or is_pointer(name):
            continue
        found = variables.get(name)
        if found is None:
            continue
        target = _path(name.removeprefix(PREFIX).split("__"), known, found[1], faults)
        if target:
            _set(layer, target, found, faults)
    return layer


def _set(layer: Layer, path: tuple[str, ...], found: tuple[str, Origin], faults: list[Fault]) -> None:
    """Put the value of a variable or an override into the layer, unless its place is none of theirs."""
    text, origin = found
    if path[0] == "environments":
        faults.append(Fault(path[:1], origin, "the tables of environments stand in files only"))
    elif len(path) > DEEPEST:
        faults.append(Fault(path[:3], origin, "is nested too deeply"))
    else:
        layer.put(path, from_text(path, text), origin)


def _path(parts: Sequence[str], known: Any, origin: Origin, faults: list[Fault]) -> tuple[str, ...]:
    """The place that the parts of a variable's name mean; empty, with a fault, where two names match."""
    path: tuple[str, ...] = ()
    if not all(parts):
        faults.append(Fault((), origin, "expected a name such as UNDERSTUDY__APIS__NAME__TIMEOUT"))
        return ()
    for part in parts:
        kind = type_at(path)
        here = part.lower()
        if get_origin(kind) is dict and not dataclasses.is_dataclass(kind):
            names = known if isinstance(known, Mapping) else {}
            matches = [name for name in names if normalised(name) == normalised(part)]
            if len(matches) > 1:
                both = " and ".join(repr(name) for name in matches)
                faults.append(Fault(path, origin, f"the variable's name matches {both}", hint="rename one of them"))
                return ()
            here = matches[0] if matches else here
        path = (*path, here)
        known = known.get(here) if isinstance(known, Mapping) else None
    return path


def override_layer(overrides: Sequence[str], faults: list[Fault]) -> Layer:
    """`apis.x.timeout=3` of the command line. A part with dots in it can be quoted: `apis."a.b".timeout=3`."""
    layer, origin = Layer(), Origin("cli")
    for text in overrides:
        name, equals, value = text.partition("=")
        path = _quoted_path(name.strip())
        if not equals or not path:
            faults.append(Fault((), origin, "an override is written PATH=VALUE, as in apis.x.timeout=3"))
            continue
        _set(layer, path, (value, origin), faults)
    return layer


def _quoted_path(text: str) -> tuple[str, ...]:
    parts: list[str] = []
    for index, chunk in enumerate(text.split('"')):
        parts.extend([chunk] if index % 2 else [part for part in chunk.split(".") if part])
    return tuple(parts)
