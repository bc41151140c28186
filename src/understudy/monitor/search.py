"""The small language of the request log: `api:odds status:>=500 lat:>2s err:"timed out" last:1h`.

A query is a list of terms, all of which must hold; terms of one name are alternatives where a name is
compared (`api:a api:b`), and both must hold where a number is (`lat:>1s lat:<5s`). `-api:a` leaves out.
A word without a name is looked for in the error's text. The grammar:

    query      = { term }
    term       = [ "-" ] name ":" value | text
    value      = [ operator ] ( word | quoted )
    operator   = ">=" | "<=" | "!=" | ">" | "<" | "="
    quoted     = '"' { any character but '"' or '\\' | '\\"' | '\\\\' } '"'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from understudy.core.errors import UnderstudyError

from .requests import Comparison, Operator, RequestQuery

#: Longest query, characters, and most terms in one.
MAX_LENGTH, MAX_TERMS = 2000, 40
#: What a call can end as; `ok` and `error` are short for several.
OUTCOMES: Final = ("success", "fallback", "failed", "deadline", "cancelled")
_OUTCOME_WORDS: Final = {"ok": ("success", "fallback"), "error": ("failed", "deadline")}

_OPERATORS: tuple[Operator, ...] = (">=", "<=", "!=", ">", "<", "=")
_UNITS = {"": 1.0, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s?(us|µs|ms|s|m|h|d|w|)")
#: Longest duration that is one, s: three hundred years.
_LONGEST = 1e10
_STATUS_CLASS = re.compile(r"([1-5])xx")


class SearchError(UnderstudyError, ValueError):
    """A query that cannot be read; `position` is the index of the character where it went wrong.

    `message` has places for `values`, so that it can be told in other languages, too. `instead` is the query as it
    was perhaps meant; empty where nobody can tell.
    """

    def __init__(self, message: str, position: int, instead: str = "", **values: object) -> None:
        super().__init__(f"{message.format(**values)} (at character {position + 1})")
        self.message, self.position, self.instead, self.values = message, position, instead, values


class _Unknown(Exception):
    """A term has a name that there is not."""


@dataclass(frozen=True, slots=True)
class _Term:
    name: str
    value: str
    quoted: bool
    negative: bool
    position: int


def parse(text: str, now: float) -> RequestQuery:
    """The query that `text` means; `now` is the epoch second that `last:` counts back from.

    Raises:
        SearchError: with the place and what was expected there.
    """
    if len(text) > MAX_LENGTH:
        raise SearchError("a query is at most {most} characters long", MAX_LENGTH, most=MAX_LENGTH)
    if "\0" in text:
        raise SearchError("a query has no NUL character", text.index("\0"))
    query = RequestQuery()
    terms = _terms(text)
    if len(terms) > MAX_TERMS:
        raise SearchError("a query has at most {most} terms", terms[MAX_TERMS].position, most=MAX_TERMS)
    for term in terms:
        try:
            query = _apply(query, term, now)
        except _Unknown:
            raise _unknown(text, term) from None
    if query.start is not None and query.end is not None and query.start >= query.end:
        raise SearchError("the span of time is empty", terms[-1].position)
    return query


def term(name: str, value: str) -> str:
    """A term as it stands in a query; the value in quotes where it needs them."""
    plain = value and not any(sign.isspace() or sign in '"\\' for sign in value) and value[0] not in "<>=!"
    if plain:
        return f"{name}:{value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}:"{escaped}"'


def _terms(text: str) -> list[_Term]:
    found = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        start = place
        negative = text[place] == "-" and place + 1 < len(text) and not text[place + 1].isspace()
        place += negative
        name = ""
        named = re.compile(r"([A-Za-z_]{1,20}):").match(text, place)
        if named:
            name = named[1].lower()
            place = named.end()
        value, quoted, place = _value(text, place)
        if negative and not name:
            value, negative = f"-{value}", False
        if not value and not quoted:
            raise SearchError("{name}: needs a value", place, name=name)
        found.append(_Term(name, value, quoted, negative, start))
    return found


def _value(text: str, place: int) -> tuple[str, bool, int]:
    """A word or a quoted text from `place` on, with the operator in front of it, and where it ends."""
    operator = next((each for each in _OPERATORS if text.startswith(each, place)), "")
    place += len(operator)
    if place >= len(text) or text[place] != '"':
        end = place
        while end < len(text) and not text[end].isspace():
            end += 1
        return operator + text[place:end], False, end
    letters = []
    end = place + 1
    while end < len(text) and text[end] != '"':
        if text[end] == "\\" and text[end + 1 : end + 2] in ('"', "\\"):
            end += 1
        letters.append(text[end])
        end += 1
    if end >= len(text):
        raise SearchError('a closing " is missing', place, f'{text}"')
    return operator + "".join(letters), True, end + 1


def _apply(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
    if not term.name:
        return replace(query, text=(*query.text, term.value))
    known = _NAMES.get(term.name)
    if known is None:
        raise _Unknown
    if term.negative and term.name not in _EXCLUDING:
        raise SearchError("{name}: cannot be left out with a minus", term.position, name=term.name)
    return known(query, term, now)


def _unknown(text: str, term: _Term) -> SearchError:
    """What to say of a name that there is not, with the query as it was perhaps meant."""
    nearest = get_close_matches(term.name, _NAMES, 1)
    if not nearest:
        known = ", ".join(sorted(_NAMES))
        return SearchError("unknown name {name}:; there are {known}", term.position, name=term.name, known=known)
    begin = term.position + term.negative
    instead = text[:begin] + nearest[0] + text[begin + len(term.name) :]
    said = "unknown name {name}:; did you mean {nearest}:?"
    return SearchError(said, term.position, instead, name=term.name, nearest=nearest[0])


def _with(query: RequestQuery, field: str, value: Any) -> RequestQuery:
    changed: RequestQuery = replace(query, **{field: value})
    return changed


def _names(field: str, excluded: str = "") -> Callable[[RequestQuery, _Term, float], RequestQuery]:
    def apply(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
        value, out = _plain(term), term.negative
        operator = "" if term.quoted else next((each for each in _OPERATORS if value.startswith(each)), "")
        if operator == "!=" and excluded:
            value, out = value[2:], True
        elif operator:
            raise SearchError(
                "{name}: cannot be compared with {operator}", term.position, name=term.name, operator=operator
            )
        chosen = excluded if out else field
        known: tuple[str, ...] = getattr(query, chosen)
        values = _outcomes(value, term) if field == "outcomes" else (value,)
        return _with(query, chosen, (*known, *values))

    return apply


def _outcomes(value: str, term: _Term) -> tuple[str, ...]:
    value = value.lower()
    if value in _OUTCOME_WORDS:
        return _OUTCOME_WORDS[value]
    if value not in OUTCOMES:
        raise SearchError("outcome: is one of {words}", term.position, words=", ".join((*OUTCOMES, *_OUTCOME_WORDS)))
    return (value,)


def _plain(term: _Term) -> str:
    return term.value if term.quoted or not term.value.startswith("=") else term.value[1:]


def _number(
    field: str, read: Callable[[str], float | None], expected: str
) -> Callable[[RequestQuery, _Term, float], RequestQuery]:
    def apply(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
        operator = next((each for each in _OPERATORS if term.value.startswith(each)), None)
        text = term.value[len(operator or "") :]
        comparisons: tuple[Comparison, ...]
        whole = _STATUS_CLASS.fullmatch(text.lower()) if field == "status" and operator in (None, "=") else None
        if whole:
            first = int(whole[1]) * 100
            comparisons = (Comparison(">=", first), Comparison("<", first + 100))
        else:
            value = read(text)
            if value is None:
                raise SearchError(expected, term.position, found=f"{text!r:.40}")
            comparisons = (Comparison(operator or "=", value),)
        return _with(query, field, (*getattr(query, field), *comparisons))

    return apply


def _integer(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def duration(text: str) -> float | None:
    """Seconds of `1.5s`, `200ms`, `1h`, `7d` (a bare number is seconds); None when it is none, or centuries."""
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else _LONGEST
    return seconds if seconds < _LONGEST else None


def moment(text: str) -> float | None:
    """Epoch seconds of an ISO date or time (UTC unless it says otherwise) or of a plain number; None for others."""
    if text.isascii() and text.isdigit() and 9 <= len(text) <= 11:
        return float(text)
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _last(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
    seconds = duration(_plain(term))
    if not seconds:
        raise SearchError(
            "last: expected a span such as 15m, 1h or 7d, found {found}", term.position, found=f"{term.value!r:.40}"
        )
    return replace(query, start=max(query.start or 0.0, now - seconds))


def _since(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
    return replace(query, start=max(query.start or 0.0, _moment(term)))


def _until(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
    at = _moment(term)
    return replace(query, end=at if query.end is None else min(query.end, at))


def _moment(term: _Term) -> float:
    at = moment(_plain(term))
    if at is None:
        raise SearchError(
            "{name}: expected a time such as 2026-11-25T14:00 or 2026-11-25, found {found}",
            term.position,
            name=term.name,
            found=f"{term.value!r:.40}",
        )
    return at


def _only(field: str) -> Callable[[RequestQuery, _Term, float], RequestQuery]:
    def apply(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
        if getattr(query, field):
            raise SearchError("{name}: is given twice", term.position, name=term.name)
        return _with(query, field, _plain(term))

    return apply


def _text(query: RequestQuery, term: _Term, now: float) -> RequestQuery:
    return replace(query, text=(*query.text, _plain(term)))


_NAMES: Final[dict[str, Callable[[RequestQuery, _Term, float], RequestQuery]]] = {
    "api": _names("apis", "excluded_apis"),
    "route": _names("routes", "excluded_routes"),
    "outcome": _names("outcomes", "excluded_outcomes"),
    "class": _names("error_classes"),
    "path": _names("endpoints"),
    "status": _number("status", _integer, "status: expected a status such as 503 or 5xx, found {found}"),
    "lat": _number("latency", duration, "lat: expected a duration such as 200ms or 2s, found {found}"),
    "attempts": _number("attempts", _integer, "attempts: expected a whole number, found {found}"),
    "err": _text,
    "id": _only("call_id"),
    "group": _only("fingerprint"),
    "instance": _only("instance"),
    "last": _last,
    "since": _since,
    "until": _until,
}
_EXCLUDING = ("api", "route", "outcome")
