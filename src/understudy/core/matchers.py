"""Conditions on labels, for rules, silences and policies: `api="odds"`, `api=~"odds.*"`, `severity!="info"`.

A label that is missing counts as empty. A pattern stands for the whole value and takes linear time (`core.pattern`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from .errors import UnderstudyError
from .pattern import Pattern, PatternError

Comparison = Literal["=", "!=", "=~", "!~"]
#: How many conditions one list may have.
MAX_MATCHERS = 50
_MAX_LENGTH = 2000
#: The longer signs first, for they begin with the shorter ones.
_SIGNS: tuple[Comparison, ...] = ("=~", "!~", "!=", "=")


class MatcherError(UnderstudyError, ValueError):
    """A condition on labels cannot be read; the text says which, where and why."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label."""

    name: str
    sign: Comparison
    value: str
    _pattern: Pattern | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.sign in ("=~", "!~"):
            try:
                object.__setattr__(self, "_pattern", _compiled(self.value))
            except PatternError as problem:
                raise MatcherError(f"{self.name}{self.sign}: {problem}") from None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it."""
        return self.accepts(labels.get(self.name, ""))

    def accepts(self, value: str) -> bool:
        """Whether this value of the label meets it."""
        found = value == self.value if self._pattern is None else self._pattern.matches(value)
        return found is (self.sign[0] == "=")

    def __str__(self) -> str:
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}{self.sign}"{quoted}"'


def parse(text: str) -> Matcher:
    """The condition that `text` writes: a name, `=`, `!=`, `=~` or `!~`, and a value, in quotes or not.

    Raises:
        MatcherError: it is no condition.
    """
    matcher, rest = _read(text, 0)
    if text[rest:].strip():
        raise _wrong(text, rest, "there is more than one condition; give a list")
    return matcher


def parse_list(texts: str | Iterable[str]) -> tuple[Matcher, ...]:
    """Conditions that must all be met: a list of them, or one text as `{api="odds", severity!="info"}`.

    Raises:
        MatcherError: one of them is no condition, or there are too many.
    """
    found = tuple(_each(texts)) if isinstance(texts, str) else tuple(parse(text) for text in texts)
    if len(found) > MAX_MATCHERS:
        raise MatcherError(f"{len(found)} conditions: at most {MAX_MATCHERS} are possible")
    return found


def matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels meet every condition; none at all is met by everything."""
    return all(matcher.accepts(labels.get(matcher.name, "")) for matcher in matchers)


def _each(text: str) -> Iterable[Matcher]:
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}") or inner == "{":
        raise _wrong(text, 0, "a { belongs together with a }")
    inner = inner[1:-1] if inner.startswith("{") else inner
    at = 0
    while inner[at:].strip():
        matcher, at = _read(inner, at)
        yield matcher
        rest = inner[at:].lstrip()
        if rest and not rest.startswith(","):
            raise _wrong(inner, at, "expected a comma")
        at = len(inner) - len(rest) + 1 if rest else len(inner)


def _read(text: str, at: int) -> tuple[Matcher, int]:
    if len(text) > _MAX_LENGTH:
        raise MatcherError(f"a condition is at most {_MAX_LENGTH} characters long: {text[:60]!r}…")
    begins = at + len(text[at:]) - len(text[at:].lstrip())
    at = begins
    while text[at : at + 1].isalnum() or text[at : at + 1] in ("_", ".", "-"):
        at += 1
    name = text[begins:at]
    if not name:
        raise _wrong(text, begins, 'expected the name of a label, as in api="odds"')
    at += len(text[at:]) - len(text[at:].lstrip())
    sign = next((sign for sign in _SIGNS if text.startswith(sign, at)), None)
    if sign is None:
        raise _wrong(text, at, "expected one of = != =~ !~")
    at += len(sign)
    at += len(text[at:]) - len(text[at:].lstrip())
    value, at = _quoted(text, at) if text.startswith('"', at) else _plain(text, at)
    return Matcher(name, sign, value), at


def _quoted(text: str, begins: int) -> tuple[str, int]:
    """A value in quotes: `\\"` and `\\\\` mean the character itself, every other backslash stays, for patterns."""
    at, value = begins + 1, ""
    while at < len(text):
        if text[at] == '"':
            return value, at + 1
        if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
            at += 1
        value += text[at]
        at += 1
    raise _wrong(text, begins, "a quote is not closed")


def _plain(text: str, begins: int) -> tuple[str, int]:
    end = text.find(",", begins)
    end = len(text) if end < 0 else end
    return text[begins:end].strip(), end


def _wrong(text: str, at: int, problem: str) -> MatcherError:
    return MatcherError(f"{problem}, at character {at + 1} of {text[:120]!r}")


@lru_cache(maxsize=500)
def _compiled(pattern: str) -> Pattern:
    return Pattern(pattern)
