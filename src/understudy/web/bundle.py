"""The modules that every page needs, as one file: each stays a scope of its own, all of them share one request.

Our modules keep to a few forms, which a test looks after: imports by name from a file beside, and exports that stand
before a function, a class or a constant. So a module becomes a function that gives what it exports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

_IMPORT: Final = re.compile(r"""^import (?:\{([^}]*)\} from )?["']\./([a-z0-9-]+\.js)["'];?\n?""", re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ((?:async )?(?:function\*?|class|const|let) (\w+))", re.MULTILINE)
_DYNAMIC: Final = re.compile(r"""import\(["']\./([a-z0-9-]+\.js)["']\)""")


def imported(text: str) -> list[str]:
    """The files that a module names in its imports, in their order."""
    return [found[2] for found in _IMPORT.finditer(text)]


def loaded_later(text: str) -> list[str]:
    """The files that a module loads when it needs them."""
    return _DYNAMIC.findall(text)


def in_order(entry: str, read: Callable[[str], str]) -> list[str]:
    """The entry and all that it imports, what is needed first standing first."""
    found: list[str] = []

    def add(name: str) -> None:
        if name not in found:
            for each in imported(read(name)):
                add(each)
            found.append(name)

    add(entry)
    return found


def bundled(names: Iterable[str], read: Callable[[str], str]) -> str:
    """The modules as one; it exports everything that they do.

    Raises:
        ValueError: two of them export the same name.
    """
    pieces: list[str] = []
    owners: dict[str, str] = {}
    for name in names:
        text = read(name)
        exports = [found[2] for found in _EXPORT.finditer(text)]
        for each in exports:
            if each in owners:
                raise ValueError(f"{name} and {owners[each]} both export {each}")
            owners[each] = name
        body = _EXPORT.sub(r"\1", _IMPORT.sub(_taken, text))
        pieces.append(
            f"const {_variable(name)} = (() => {{\n{body.rstrip()}\nreturn {{ {', '.join(exports)} }};\n}})();\n"
        )
        if exports:
            pieces.append(f"export const {{ {', '.join(exports)} }} = {_variable(name)};\n")
    return "".join(pieces)


def from_bundle(text: str, names: Iterable[str], bundle: str) -> str:
    """A module that imports from the bundle what is in it."""
    inside = frozenset(names)
    return _IMPORT.sub(lambda found: found[0].replace(found[2], bundle) if found[2] in inside else found[0], text)


def _taken(found: re.Match[str]) -> str:
    """An import as a look into what another module gave."""
    if found[1] is None:
        return ""
    return f"const {{{found[1].replace(' as ', ': ')}}} = {_variable(found[2])};\n"


def _variable(name: str) -> str:
    return "m_" + name.removesuffix(".js").replace("-", "_")
