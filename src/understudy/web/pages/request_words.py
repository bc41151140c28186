"""What the pages of requests say, in the reader's language: faults of a search, what the language of the search has."""

from __future__ import annotations

from typing import Final

from understudy.core.text import Texts
from understudy.monitor.search import SearchError
from understudy.resilience.words import gates

#: How a call that ended so is marked.
MARKS: Final = {
    "success": "healthy", "fallback": "degraded", "failed": "down", "deadline": "down", "cancelled": "unknown",
}  # fmt: skip


def fault(_: Texts, found: SearchError) -> str:
    """What is wrong with a search."""
    said = {
        "a query is at most {most} characters long": _("a query is at most {most} characters long"),
        "a query has no NUL character": _("a query has no NUL character"),
        "a query has at most {most} terms": _("a query has at most {most} terms"),
        "the span of time is empty": _("the span of time is empty"),
        "{name}: needs a value": _("{name}: needs a value"),
        'a closing " is missing': _("a closing quotation mark is missing"),
        "{name}: cannot be left out with a minus": _("{name}: cannot be left out with a minus"),
        "{name}: cannot be compared with {operator}": _("{name}: cannot be compared with {operator}"),
        "outcome: is one of {words}": _("outcome: is one of {words}"),
        "status: expected a status such as 503 or 5xx, found {found}": _(
            "status: expected a status such as 503 or 5xx, found {found}"
        ),
        "lat: expected a duration such as 200ms or 2s, found {found}": _(
            "lat: expected a duration such as 200ms or 2s, found {found}"
        ),
        "attempts: expected a whole number, found {found}": _("attempts: expected a whole number, found {found}"),
        "last: expected a span such as 15m, 1h or 7d, found {found}": _(
            "last: expected a span such as 15m, 1h or 7d, found {found}"
        ),
        "{name}: expected a time such as 2026-11-25T14:00 or 2026-11-25, found {found}": _(
            "{name}: expected a time such as 2026-11-25T14:00 or 2026-11-25, found {found}"
        ),
        "{name}: is given twice": _("{name}: is given twice"),
        "unknown name {name}:; did you mean {nearest}:?": _("unknown name {name}:; did you mean {nearest}:?"),
        "unknown name {name}:; there are {known}": _("unknown name {name}:; there are {known}"),
    }
    return said.get(found.message, found.message).format(**found.values)


def error(_: Texts, text: str) -> str:
    """An error as it was kept; the code of a gate that it may begin with becomes words."""
    code, blank, rest = text.partition(" ")
    known = gates(_).get(code)
    return text if known is None else f"{known}: {rest}" if blank else known


def language(_: Texts) -> tuple[tuple[str, str], ...]:
    """The search by examples: a term, and what it finds."""
    return (
        ("api:odds_prime", _("calls that were tried on this API, whoever served them; -api: leaves them out")),
        ("route:checkout", _("calls of a route")),
        (
            "outcome:failed",
            _("how it ended: success, fallback, failed, deadline, cancelled; or ok, or error"),
        ),
        ("status:>=500", _("the status of the last answer, compared; 5xx means the whole class")),
        ("lat:>2s", _("how long the caller waited")),
        ("attempts:>1", _("how many attempts it took")),
        ("class:timeout", _("what kind of failure it was")),
        ('err:"timed out"', _("part of the error's text; a word alone means the same")),
        ('path:"GET /fixtures"', _("one method and path")),
        ("group:…", _("one kind of error, as the list of them links it")),
        ("id:…", _("one call")),
        ("last:15m", _("since then; also since: and until: with a date and time")),
    )
