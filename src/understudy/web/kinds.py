"""Kinds of values that a request may hold: each reads a value strictly, and says as a JSON schema what it takes.

One declaration does both, so that what is documented and what is done cannot disagree. `take` reads a value of a
JSON body, `parse` the text of a query parameter; both raise ValueError with what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Protocol

from understudy.monitor.search import duration, moment

#: No clock shows more, epoch seconds: the year 9999.
END_OF_TIME = 253_402_300_800
#: Longest number, and longest time or duration in words, characters.
_DIGITS, _WORDS = 15, 100
#: Control characters that people's texts may hold all the same.
_LINES = str.maketrans("", "", "\n\t")

Schema = dict[str, Any]


class Kind(Protocol):
    """What a value may be."""

    def take(self, value: Any) -> Any:
        """A JSON value as a handler wants it."""

    def parse(self, text: str) -> Any:
        """The text of a query parameter as a handler wants it."""

    def schema(self) -> Schema:
        """What is taken, as a JSON schema."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text; without control characters unless it is the name of something, which may hold anything.

    With `lines`, line ends and tabs may be in it.
    """

    most: int
    least: int = 0
    lines: bool = False
    name: bool = False

    def take(self, value: Any) -> str:
        """The text itself."""
        bare = value.translate(_LINES) if isinstance(value, str) and self.lines else value
        good = isinstance(value, str) and self.least <= len(value) <= self.most
        if not good or not (self.name or bare.isprintable()):
            what = "text" if self.lines or self.name else "printable text"
            raise ValueError(f"a {what} of {self.least} to {self.most} characters")
        found: str = value
        return found

    parse = take

    def schema(self) -> Schema:
        """A string with its limits."""
        return {"type": "string", **({"minLength": self.least} if self.least else {}), "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within a range."""

    low: int
    high: int

    def take(self, value: Any) -> int:
        """The number itself."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise ValueError(f"a number from {self.low} to {self.high}")
        return value

    def parse(self, text: str) -> int:
        """The number that the digits say."""
        good = text.isascii() and text.isdigit() and len(text) <= _DIGITS
        return self.take(int(text) if good else None)

    def schema(self) -> Schema:
        """An integer with its limits."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Number:
    """A number within a range."""

    low: float
    high: float

    def take(self, value: Any) -> float:
        """The number as a float."""
        fits = not isinstance(value, bool) and isinstance(value, int | float) and self.low <= value <= self.high
        if not fits or not isfinite(value):
            raise ValueError(f"a number from {self.low:g} to {self.high:g}")
        return float(value)

    def parse(self, text: str) -> float:
        """The number that the text says."""
        try:
            value = float(text[:_WORDS])
        except ValueError:
            value = float("nan")
        return self.take(value)

    def schema(self) -> Schema:
        """A number with its limits."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: epoch seconds, or a text such as 2026-11-25T14:00."""

    def take(self, value: Any) -> float:
        """The time in epoch seconds."""
        at = moment(value) if isinstance(value, str) and len(value) <= _WORDS else value
        if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= END_OF_TIME:  # nor is NaN
            raise ValueError("a time such as 2026-11-25T14:00, 2026-11-25, or epoch seconds")
        return float(at)

    parse = take

    def schema(self) -> Schema:
        """A number of seconds, or a text."""
        return {
            "type": ["number", "string"],
            "minimum": 0,
            "maximum": END_OF_TIME,
            "maxLength": _WORDS,
            "description": "2026-11-25T14:00 or 2026-11-25 (UTC unless it has an offset), or epoch seconds",
        }


@dataclass(frozen=True, slots=True)
class Lasting:
    """A duration: seconds, or a text such as 2h."""

    def take(self, value: Any) -> float:
        """The duration in seconds."""
        seconds = duration(value) if isinstance(value, str) and len(value) <= _WORDS else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= END_OF_TIME:
            raise ValueError("a duration such as 30m, 2h or 7d, or seconds")
        return float(seconds)

    parse = take

    def schema(self) -> Schema:
        """A number of seconds, or a text."""
        return {
            "type": ["number", "string"],
            "exclusiveMinimum": 0,
            "maximum": END_OF_TIME,
            "maxLength": _WORDS,
            "description": "15m, 1h or 7d, or seconds",
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of several."""

    words: tuple[str, ...]

    def take(self, value: Any) -> str:
        """The word."""
        if not isinstance(value, str) or value not in self.words:
            raise ValueError(f"one of {', '.join(each or '(nothing)' for each in self.words)}")
        return value

    parse = take

    def schema(self) -> Schema:
        """The words."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Choices:
    """Words between commas; any words where none are named."""

    words: tuple[str, ...] = ()
    most: int = 100

    def take(self, value: Any) -> tuple[str, ...]:
        """The words of a comma-separated text."""
        found = tuple(each for each in value.split(",") if each) if isinstance(value, str) else None
        if found is None or len(found) > self.most:
            raise ValueError(f"at most {self.most} words between commas")
        if self.words and not set(found) <= set(self.words):
            raise ValueError(f"one or several of {', '.join(self.words)}")
        return found

    parse = take

    def schema(self) -> Schema:
        """A text; the words that it may hold are in its pattern."""
        if not self.words:
            return {"type": "string"}
        word = "|".join(self.words)
        return {"type": "string", "pattern": f"^(({word})(,|$))*$"}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false; yes or no in a query."""

    def take(self, value: Any) -> bool:
        """The truth value itself."""
        if value is True or value is False:
            return bool(value)
        raise ValueError("true or false")

    def parse(self, text: str) -> bool:
        """The truth value of yes and no."""
        if text not in ("yes", "no"):
            raise ValueError("yes or no")
        return text == "yes"

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of values of one kind; in a query, texts between commas."""

    of: Kind
    most: int
    least: int = 0
    called: str = "values"

    def take(self, value: Any) -> tuple[Any, ...]:
        """The values, in order."""
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            raise ValueError(f"a list of at most {self.most} {self.called}")
        return tuple(self.of.take(each) for each in value)

    def parse(self, text: str) -> tuple[Any, ...]:
        """The values of a comma-separated text."""
        return self.take([each for each in text.split(",") if each])

    def schema(self) -> Schema:
        """An array."""
        least = {"minItems": self.least} if self.least else {}
        return {"type": "array", "items": self.of.schema(), **least, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class Named:
    """An object from names to values of one kind."""

    of: Kind
    most: int

    def take(self, value: Any) -> dict[str, Any]:
        """The values by name."""
        if not isinstance(value, dict) or len(value) > self.most:
            raise ValueError(f"an object of at most {self.most} texts")
        return {str(name): self.of.take(each) for name, each in value.items()}

    def parse(self, text: str) -> dict[str, Any]:
        """No query parameter is an object."""
        raise ValueError("an object")

    def schema(self) -> Schema:
        """An object whose names are free."""
        return {"type": "object", "additionalProperties": self.of.schema(), "maxProperties": self.most}


@dataclass(frozen=True, slots=True)
class Document:
    """An object that is read elsewhere, by whoever knows its keys; `properties` tell of them."""

    properties: Mapping[str, Schema] = field(default_factory=dict)
    about: str = ""

    def take(self, value: Any) -> dict[str, Any]:
        """The object as it came."""
        if isinstance(value, dict):
            return value
        raise ValueError(f"an object{': ' if self.about else ''}{self.about}")

    def parse(self, text: str) -> dict[str, Any]:
        """No query parameter is an object."""
        raise ValueError("an object")

    def schema(self) -> Schema:
        """An object with what is known of its keys."""
        told: Schema = {"type": "object"}
        if self.about:
            told["description"] = self.about
        return {**told, "properties": dict(self.properties)} if self.properties else told
