"""Edits the text of `understudy.toml` and `.env`, and leaves everything else of them as it is: comments, order, blanks.

Texts in, texts out. Whether the result means what was wanted is judged by loading it, before anything is written.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .environ import SEED_VARIABLES

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|\'(?P<literal>[^\']*)\'|(?P<bare>[A-Za-z0-9_-]+))\s*(?:\.|$)')
_KEY = r'(?:"(?:[^"\\]|\\.)*"|\'[^\']*\'|[A-Za-z0-9_-]+)'
#: `[name]` or `[[name]]`, with quoted parts in it that may hold anything.
_HEADER = re.compile(rf"^\s*\[\[?\s*(?P<name>{_KEY}(?:\s*\.\s*{_KEY})*)\s*\]\]?\s*(?:#.*)?$")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,=%~-]+")
#: A value that is longer stands in a table of its own.
_LONGEST_INLINE = 100


def toml_value(value: Any) -> str:
    """A value as TOML writes it on one line.

    Raises:
        TypeError: TOML has no such value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for this one control character that JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_key(name)} = {toml_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def toml_key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else toml_value(name)


def set_table(text: str, path: Sequence[str], values: Mapping[str, Any]) -> str:
    """Put `[path]` with these values in the place of the table of that name and all below it, or at the end."""
    lines = _lines(text)
    places = [place for place, name in _headers(lines) if name[: len(path)] == tuple(path)]
    block = _block(path, values)
    kept: list[str] = []
    at, put = 0, False
    while at < len(lines):
        if at in places:
            if not put:
                kept += block
                put = True
            at = _end(lines, at)
            continue
        kept.append(lines[at])
        at += 1
    if not put:
        kept += [*([""] if kept and kept[-1].strip() else []), *block]
    return "\n".join(kept).rstrip("\n") + "\n"


def set_key(text: str, path: Sequence[str], value: Any) -> str:
    """Give one key its value: where it stands, else at the top of its table, which is added if it is missing."""
    *table, name = path
    lines = _lines(text)
    line = f"{toml_key(name)} = {toml_value(value)}"
    headers = _headers(lines)
    start = 0
    if table:
        found = [place for place, each in headers if each == tuple(table)]
        if not found:
            return set_table(text, table, {name: value})
        start = found[0] + 1
    end = next((place for place, _ in headers if place >= start), len(lines))
    spelled = re.compile(rf"^\s*(?:{re.escape(name)}|{re.escape(json.dumps(name))})\s*=")
    for place in range(start, end):
        if spelled.match(lines[place]):
            lines[place] = line
            break
    else:
        at = start if table else _behind_comments(lines, end)
        above = [""] if at and lines[at - 1].strip() else []
        lines[at:at] = [line] if table else [*above, line, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def set_variable(text: str, name: str, value: str) -> str:
    """Give a variable of a `.env` its value: in its line, else under its sentence at the end.

    Raises:
        ValueError: the value holds a sign that no line of such a file can carry.
    """
    if "\0" in value or len(value.replace("\n", "").replace("\r", "").splitlines()) > 1:
        raise ValueError(f"the value of {name} holds a control character")
    line = f"{name}={_quoted(value)}"
    lines = text.splitlines()
    spelled = re.compile(rf"^\s*(?:export\s+)?{re.escape(name)}\s*=")
    places = [place for place, each in enumerate(lines) if spelled.match(each)]
    if places:
        lines[places[-1]] = line  # of several, the last one counts
    else:
        said = SEED_VARIABLES.get(name)
        lines += [*([f"# {said[0]}"] if said else []), line]
    return "\n".join(lines) + "\n"


def _lines(text: str) -> list[str]:
    """The lines of TOML, which ends them in one way only: other separators are signs of a text."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def _block(path: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """The lines of a table; tables in it that are long stand below it under their own names."""
    lines = [f"[{'.'.join(map(toml_key, path))}]"]
    below: list[str] = []
    for name, value in values.items():
        if isinstance(value, Mapping) and len(toml_value(value)) > _LONGEST_INLINE:
            below += ["", *_block([*path, name], value)]
        else:
            lines.append(f"{toml_key(name)} = {toml_value(value)}")
    return lines + below


def toml_document(values: Mapping[str, Any]) -> str:
    """A document of these values; TOML has no null, so that what is None is left out.

    Raises:
        TypeError: TOML has no such value.
    """
    return "\n".join(_block([], _without_none(values))[1:]).strip("\n") + "\n" if values else ""


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_none(each) for name, each in value.items() if each is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_none(each) for each in value if each is not None]
    return value


def _headers(lines: Sequence[str]) -> list[tuple[int, tuple[str, ...]]]:
    """Where tables begin, with their names; lines inside a text of several lines are none."""
    found: list[tuple[int, tuple[str, ...]]] = []
    inside = ""
    for place, line in enumerate(lines):
        if inside:
            inside = "" if inside in line else inside
            continue
        opened = next((quote for quote in ('"""', "'''") if line.count(quote) % 2), "")
        if opened and "=" in line.partition(opened)[0]:
            inside = opened
            continue
        match = _HEADER.match(line)
        if match:
            found.append((place, _name(match["name"])))
    return found


def _name(text: str) -> tuple[str, ...]:
    parts: list[str] = []
    for match in _PART.finditer(text):
        quoted = match["quoted"]
        parts.append(json.loads(f'"{quoted}"') if quoted is not None else match["literal"] or match["bare"] or "")
    return tuple(parts)


def _end(lines: Sequence[str], start: int) -> int:
    """The line behind a table; comments right above the next one belong to that."""
    following = [place for place, _ in _headers(lines) if place > start]
    end = following[0] if following else len(lines)
    while end > start + 1 and following and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _behind_comments(lines: Sequence[str], end: int) -> int:
    """The first line that is no comment of the file's head."""
    return next((place for place in range(end) if not lines[place].startswith("#")), end)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value and "\n" not in value and "\r" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
