"""JSON schemas of answers: read from the classes of views, so that a new field documents itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from .kinds import Schema

#: The named schemas of a document, by name; made while it is written.
Components = dict[str, Schema]
#: A schema, or what makes it and puts the views that it names among the components.
Lazy = Schema | Callable[[Components], Schema]

ANY: Final[Schema] = {}
TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
FLAG: Final[Schema] = {"type": "boolean"}
#: What was not measured is null.
NUMBER: Final[Schema] = {"type": ["number", "null"]}
TIME: Final[Schema] = {"type": "number", "description": "epoch seconds"}
OBJECT: Final[Schema] = {"type": "object"}
MAYBE_OBJECT: Final[Schema] = {"type": ["object", "null"]}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
NEXT: Final[Schema] = {
    "type": ["string", "null"], "description": "what before is for the page that follows; null on the last one",
}  # fmt: skip
_PLAIN: Final[Mapping[Any, Schema]] = {
    str: TEXT, int: WHOLE, float: NUMBER, bool: FLAG, NoneType: {"type": "null"}, Any: ANY, object: ANY, bytes: TEXT,
}  # fmt: skip


def resolved(schema: Lazy, components: Components) -> Schema:
    """The schema itself."""
    return schema(components) if callable(schema) else schema


def view(cls: type, name: str = "", without: Sequence[str] = (), /, **changed: Lazy) -> Callable[[Components], Schema]:
    """The schema of a dataclass whose `as_dict` has its fields as keys, but for those that are `changed`.

    A field that `as_dict` adds is named here as well, one that it leaves out in `without`. It stands among the
    components under `name`.
    """
    called = name or cls.__name__.removesuffix("View")

    def made(components: Components) -> Schema:
        shown = [each.name for each in fields(cls) if each.name not in (*without, *changed)]
        known = components.get(called)
        if known is None:
            components[called] = {}  # a view may hold itself
            hints = _hints(cls, shown)
            found = {name: of_hint(hints[name], components) for name in shown}
            found |= {key: resolved(each, components) for key, each in changed.items()}
            about = {"description": " ".join(cls.__doc__.split("\n\n")[0].split())} if cls.__doc__ else {}
            components[called] = {"type": "object", **about, "properties": found, "required": sorted(found)}
        elif known and known["properties"].keys() != {*shown, *changed}:
            raise ValueError(f"two different things are called {called} in the document")
        return {"$ref": f"#/components/schemas/{called}"}

    return made


def _hints(cls: type, names: Sequence[str]) -> dict[str, Any]:
    """The types of some fields; those of the others need not be known where the module is loaded."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        told = {name: hint for name, hint in get_annotations(base).items() if name in names}
        found |= get_type_hints(type("", (), {"__annotations__": told, "__module__": base.__module__}))
    return found


def merged(name: str, *classes: type, needed: Sequence[str], **more: Lazy) -> Callable[[Components], Schema]:
    """The fields of several dataclasses in one object, and `more`; only those that are `needed` must be there."""

    def made(components: Components) -> Schema:
        found: Schema = {}
        for cls in classes:
            hints = _hints(cls, [each.name for each in fields(cls)])
            found |= {each.name: of_hint(hints[each.name], components) for each in fields(cls)}
        found |= {key: resolved(each, components) for key, each in more.items()}
        components[name] = {"type": "object", "properties": found, "required": sorted({*needed, *more})}
        return {"$ref": f"#/components/schemas/{name}"}

    return made


def obj(_optional: Sequence[str] = (), /, **properties: Lazy) -> Callable[[Components], Schema]:
    """An object with these keys; all of them are there but the optional ones."""

    def made(components: Components) -> Schema:
        found = {name: resolved(each, components) for name, each in properties.items()}
        return {"type": "object", "properties": found, "required": sorted(found.keys() - set(_optional))}

    return made


def array(items: Lazy) -> Callable[[Components], Schema]:
    """A list of these."""
    return lambda components: {"type": "array", "items": resolved(items, components)}


def mapping(values: Lazy) -> Callable[[Components], Schema]:
    """An object from names to these."""
    return lambda components: {"type": "object", "additionalProperties": resolved(values, components)}


def maybe(schema: Lazy) -> Callable[[Components], Schema]:
    """That, or null."""
    return lambda components: {"anyOf": [resolved(schema, components), {"type": "null"}]}


def paged(name: str, items: Lazy, **more: Lazy) -> Callable[[Components], Schema]:
    """A page of a list: the list under its name, and `next`."""
    return obj(**{"next": NEXT, name: array(items), **more})


def of_hint(hint: Any, components: Components) -> Schema:
    """The schema of a type annotation; nothing is said of what has none."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _union([of_hint(each, components) for each in arguments])
    if origin is Literal:
        return {"enum": list(arguments)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"type": "string", "enum": [each.value for each in hint]}
    if isinstance(hint, type) and is_dataclass(hint):
        return view(hint)(components)
    kind = origin or hint
    if isinstance(kind, type) and issubclass(kind, Mapping):
        values = of_hint(arguments[1], components) if len(arguments) == 2 else ANY
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        places = [of_hint(each, components) for each in arguments]
        return {"type": "array", "prefixItems": places, "minItems": len(places), "maxItems": len(places)}
    if isinstance(kind, type) and issubclass(kind, Sequence | set | frozenset):
        return {"type": "array", "items": of_hint(arguments[0], components) if arguments else ANY}
    return ANY


def _union(found: Sequence[Schema]) -> Schema:
    """Plain types become one list of types, which reads better than alternatives."""
    if any(not each for each in found):
        return ANY
    if all(each.keys() == {"type"} for each in found):
        kinds: list[str] = []
        for each in found:
            kinds += [each["type"]] if isinstance(each["type"], str) else each["type"]
        return {"type": list(dict.fromkeys(kinds))}
    return {"anyOf": list(found)}
