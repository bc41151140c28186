"""Conditions over a response, compiled once: statuses, headers, JMESPath and patterns.

They run over untrusted text on the event loop, so each is bounded: patterns see the beginning of a
text only and may not be of the kind that backtracks without end, and a body that is no JSON is no error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from understudy.core.errors import OptionError

from .retry_after import header

#: Characters of a text that a pattern is searched in.
MAX_TEXT: Final = 8192
#: Bytes of an error body that is read as JSON for a rule; errors are small, and parsing holds up the loop.
MAX_RULE_JSON: Final = 1024 * 1024
#: What `json` yields for a body that is none; JMESPath never yields it.
NOT_JSON: Final = object()

_STATUS = re.compile(r"(?:(\d)xx|(\d{3})(?:\s*[-–]\s*(\d{3}))?)\Z", re.IGNORECASE)
_ANY_STATUS: Final = frozenset(range(100, 600))


def statuses(spec: str, owner: str = "status") -> frozenset[int]:
    """The statuses that `429`, `5xx`, `500-504` or a comma-separated list of these means; empty: all."""
    if not spec.strip():
        return _ANY_STATUS
    found: set[int] = set()
    for part in spec.split(","):
        match = _STATUS.match(part.strip())
        if match is None:
            raise OptionError(owner, "status", spec, "a status (429), a class (5xx) or a range (500-504)")
        if match[1]:
            found.update(range(int(match[1]) * 100, int(match[1]) * 100 + 100))
        else:
            found.update(range(int(match[2]), int(match[3] or match[2]) + 1))
    if not found or not found <= _ANY_STATUS:
        raise OptionError(owner, "status", spec, "statuses between 100 and 599")
    return frozenset(found)


def pattern(text: str, owner: str, field: str) -> re.Pattern[str]:
    """A compiled, case-blind pattern; refuses those whose search can take exponential time."""
    try:
        compiled = re.compile(text, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise OptionError(owner, field, text, f"a regular expression ({error})") from None
    if _explosive(text):
        raise OptionError(owner, field, text, "no repetition of a group that itself repeats or branches")
    return compiled


def _explosive(text: str) -> bool:
    """Whether a repeated group holds a repetition or a branch, or too many wildcards follow one another."""
    risky = [False]
    wildcards, index, size = 0, 0, len(text)
    while index < size:
        char = text[index]
        closed = False
        if char == "\\":
            index += 1
        elif char == "[":
            index = _class_end(text, index)
        elif char == "(":
            risky.append(False)
        elif char == ")" and len(risky) > 1:
            closed = risky.pop()
            risky[-1] = risky[-1] or closed
        elif char == "|":
            risky[-1] = True
        if char != "(" and char != "|" and _repeats(text, index + 1):
            if closed:
                return True
            risky[-1] = True
            wildcards += char in ".[\\"
        index += 1
    return wildcards > 6


def _class_end(text: str, index: int) -> int:
    """The index of the `]` that ends the character class opened at `index`."""
    index += 1
    if text[index : index + 1] == "^":
        index += 1
    if text[index : index + 1] == "]":
        index += 1
    while index < len(text) and text[index] != "]":
        index += 2 if text[index] == "\\" else 1
    return index


def _repeats(text: str, index: int) -> bool:
    following = text[index : index + 1]
    if following in ("*", "+"):
        return True
    bounds = re.match(r"\{(\d*)(,?)(\d*)\}", text[index : index + 16]) if following == "{" else None
    if bounds is None:
        return False
    highest = bounds[3] or ("" if bounds[2] else bounds[1])
    return not highest or int(highest) > 10


def query(text: str, owner: str, field: str) -> Any:
    """A compiled JMESPath expression."""
    try:
        return jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")  # the rest draws an arrow under the text
        raise OptionError(owner, field, text, f"a JMESPath expression ({reason})") from None


def parse_json(body: bytes, limit: int) -> Any:
    """The body as JSON, or `NOT_JSON` when it is none, is nested without end, or is larger than `limit`."""
    if len(body) > limit or not body:
        return NOT_JSON
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NOT_JSON


def search(compiled: Any, value: Any) -> Any:
    """What the expression yields; None where it does not apply to this value."""
    if value is NOT_JSON:
        return None
    try:
        return compiled.search(value)
    except (JMESPathError, RecursionError, TypeError, ValueError, ArithmeticError):
        return None


def truth(value: Any) -> bool:
    """JMESPath's idea of true: everything but null, false and what is empty; zero is true."""
    return not (value is None or value is False or value == "" or value == [] or value == {})


def as_text(value: Any) -> str:
    """A yielded value as the text that a pattern is searched in."""
    if value is None:
        return ""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:MAX_TEXT]


class HeaderCondition:
    """`Name` must be there, or `Name: pattern` must be there and match."""

    __slots__ = ("_pattern", "name")

    def __init__(self, text: str, owner: str) -> None:
        name, colon, wanted = text.partition(":")
        self.name = name.strip()
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", self.name):
            raise OptionError(owner, "header", text, "`Name` or `Name: pattern`")
        self._pattern = pattern(wanted.strip(), owner, "header") if colon and wanted.strip() else None

    def holds(self, headers: Mapping[str, str]) -> bool:
        """Whether the header is there and matches."""
        value = header(headers, self.name)
        return value is not None and (self._pattern is None or self._pattern.search(value[:MAX_TEXT]) is not None)
