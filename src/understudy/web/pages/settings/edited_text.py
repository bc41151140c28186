"""An entry of the settings as the document that people edit: to text and back, and never with a secret they typed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from understudy.config.editing import toml_document
from understudy.config.faults import CHANNEL_SECRETS, SECRET_PARTS, Path, is_secret
from understudy.config.managed import SECTIONS
from understudy.config.positions import positions
from understudy.config.tree import too_deep
from understudy.core.redaction import Redactor

from .edited_reference import in_order

#: Longest document, characters.
LONGEST: Final = 100_000
#: What a stored secret, or one that waits, is shown as: see `config.managed.mark`.
MARK: Final = re.compile(r"set \(sha256:([0-9a-f]{8})…\)")
#: Parts of an entry that lie among secrets, or are called like them, and are none.
_PLAIN: Final = frozenset({"alias", "quota_group", "token_method", "token_path"})
#: A key that is none of ours, and whose value is a secret all the same: somebody misspelled it.
_ALIKE: Final = re.compile(r"(?i)key|token|secret|pas+w|pass|senha|pwd|auth|cred|bearer|signature")
_SHAPES: Final = Redactor()
#: A line of a document that cannot be read: a table's head, a key, a sign that closes something.
_HEAD: Final = re.compile(r"\s*\[\[?([^\]#]*)\]")
_KEY: Final = re.compile(r"""((?<![\w.-])[\w.-]++|"[^"]*+"|'[^']*+')\s*+[=:]\s*+""")
#: A key of so many parts takes a reader time in proportion to the square of them; an entry has a few.
_LONG_KEY: Final = re.compile(r"""(?:(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')\s*+\.\s*+){40}""")
#: Bits of the numbers that TOML has.
_BITS: Final = 64


class Unreadable(ValueError):
    """The text is no TOML; says where."""


def text_of(kind: str, values: Mapping[str, Any]) -> str:
    """The document of an entry's values."""
    return toml_document(in_order(kind, values))


def values_of(text: str) -> dict[str, Any]:
    """What a document says.

    Raises:
        Unreadable: it is no TOML that could be an entry.
    """
    if len(text) > LONGEST:
        raise Unreadable(f"is longer than {LONGEST} characters")
    if _LONG_KEY.search(text):
        raise Unreadable("is nested too deeply")
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise Unreadable("is nested too deeply") from None
    except ValueError as error:
        raise Unreadable(f"is no valid TOML: {str(error)[:300]}") from None
    if too_deep(values) is not None:
        raise Unreadable("is nested too deeply")
    if _too_large(values):
        raise Unreadable("is no valid TOML: a whole number has at most 64 bits")
    return values


def _too_large(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_too_large, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and value.bit_length() > _BITS


def lines_of(kind: str, values: Mapping[str, Any] | None) -> list[str]:
    """The document in lines that can be compared; none where there is no entry."""
    return text_of(kind, values).splitlines() if values else []


def line_of(text: str, path: Path) -> int:
    """The line, from 1, on which a part of the entry stands, or else what holds it; 0 where nothing does."""
    try:
        found = positions(text)
    except (ValueError, IndexError, RecursionError):
        return 0
    return next((found[path[:size]] for size in range(len(path), 0, -1) if path[:size] in found), 0)


def replaced(kind: str, name: str, values: Mapping[str, Any], by: Callable[[str], str]) -> dict[str, Any]:
    """The same with something else in place of every secret that stands there itself; marks stay."""
    if kind == "route":
        return dict(values)  # holds none, and its keys are called as they like
    found = _replaced(values, (SECTIONS[kind], name), by)
    return found if isinstance(found, dict) else {}


def _replaced(value: Any, at: Path, by: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(below, (*at, name), by) for name, below in value.items()}
    if isinstance(value, list):
        return [_replaced(below, (*at, index), by) for index, below in enumerate(value)]
    if isinstance(value, str):
        return by(value) if _looks_secret(value, at) else value
    if not isinstance(value, bool | int | float):
        return str(value)  # a date, which no entry has: it is told as a fault of its own
    return by(str(value)) if not isinstance(value, bool) and _called_secret(at) else value


def _looks_secret(text: str, at: Path) -> bool:
    if not text or MARK.fullmatch(text):
        return False
    return _called_secret(at) or _SHAPES.redact(text) != text


def _called_secret(at: Path) -> bool:
    last = next((part for part in reversed(at) if isinstance(part, str)), "")
    if last in _PLAIN or len(at) < 3:
        return False
    return is_secret(at) or not SECRET_PARTS.isdisjoint(at[2:]) or _ALIKE.search(last) is not None


def without_secrets(kind: str, text: str) -> str:
    """A text that is no TOML without what may be a secret in it, line for line.

    Nobody can say what such a text means, so whatever follows a key that is called like a secret goes, and so does
    everything that is in no known place.
    """
    return "\n".join(_safe_lines(kind, text.split("\n"))) if kind != "route" else _SHAPES.redact(text, foreign=True)


def _safe_lines(kind: str, lines: list[str]) -> Iterator[str]:
    hidden = in_table = False  # whether what the last key and the last table hold is kept back
    open_since_key = 0
    for line in lines:
        bare = line.strip()
        head = _HEAD.match(line) if not open_since_key else None
        key = _KEY.match(line.lstrip())
        if head is not None:
            in_table, hidden = any(_hides(kind, part) for part in head[1].split(".")), False
            yield line if _SHAPES.redact(bare, foreign=True) == bare else ""
        elif key is not None:
            kept = _kept(kind, line, in_table)
            hidden = kept != line
            open_since_key = 0 if hidden else _opened(line)
            yield kept
        elif not bare or set(bare) <= set("]},"):
            open_since_key = max(0, open_since_key + _opened(line))
            yield line
        elif open_since_key and not hidden:
            open_since_key = max(0, open_since_key + _opened(line))
            yield _kept(kind, line, in_table)
        else:
            yield ""


def _opened(line: str) -> int:
    """How many more arrays and tables a line opens than it closes, roughly: inside texts signs count, too."""
    return sum(line.count(sign) for sign in "[{") - sum(line.count(sign) for sign in "]}")


def _kept(kind: str, line: str, in_table: bool) -> str:
    """A line up to the first value that may be a secret."""
    for found in _KEY.finditer(line):
        rest = line[found.end() :]
        parts = found[1].strip("\"'").split(".")
        if rest.startswith("{") and parts[-1] != "headers":
            continue
        if MARK.fullmatch(rest.strip().strip("\"'")):
            continue
        if in_table or any(_hides(kind, part) for part in parts):
            return line[: found.end()] + '""'
    return line if _SHAPES.redact(line, foreign=True) == line else ""


def _hides(kind: str, part: str) -> bool:
    name = part.strip().strip("\"'").lower()
    if name in _PLAIN:
        return False
    known = CHANNEL_SECRETS | SECRET_PARTS if kind == "channel" else SECRET_PARTS
    return name in known or _ALIKE.search(name) is not None


def stray_mark(kind: str, name: str, value: Any, at: Path = ()) -> Path | None:
    """Where a mark stands that means nothing there: no secret of that place would be put in."""
    if isinstance(value, dict | list):
        below = value.items() if isinstance(value, dict) else enumerate(value)
        return next((found for key, each in below if (found := stray_mark(kind, name, each, (*at, key)))), None)
    known = kind != "route" and is_secret((SECTIONS[kind], name, *at))
    return at if isinstance(value, str) and MARK.fullmatch(value) and not known else None
