"""The span of time that a request asks about: `last=1h`, or `from=` and `to=`, or `month=2026-11`."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.monitor.search import duration, moment
from understudy.reports.months import span_of
from understudy.web.declared import Field, Param
from understudy.web.http import Problem
from understudy.web.kinds import Text

#: The query parameters that say a span.
SPAN = ("last", "from", "to", "month")
_TIME = "2026-11-25T14:00 or 2026-11-25 (UTC unless it has an offset), or epoch seconds."
#: The same, declared.
SPANNING = (
    Param("last", Text(100), "The span until now: 15m, 1h, 7d.", example="1h"),
    Param("from", Text(100), f"In place of last: where the span begins. {_TIME}"),
    Param("to", Text(100), f"Where a span with from ends; now when it is left out. {_TIME}"),
    Param("month", Text(7), "In place of last: a whole month, UTC, such as 2026-11."),
)
#: The same as keys of a body.
SPANNING_BODY = tuple(Field(each.name, each.kind, each.about, example=each.example) for each in SPANNING)


def span(query: Mapping[str, str], now: float, default: float = 3600.0) -> tuple[float, float]:
    """Begin and end in epoch seconds; the last `default` seconds when nothing is said.

    The span is never empty, and begins in the past; nothing is older than 1970.

    Raises:
        Problem: 400 with what was expected.
    """
    given = [name for name in ("last", "from", "month") if name in query]
    if len(given) > 1 or ("to" in query and "from" not in query):
        raise Problem(400, "say the span as last=1h, or as from= with or without to=, or as month=2026-11")
    start, end = _told(query, now, default)
    start = max(start, 0.0)
    if not start < min(end, now):
        raise Problem(400, "the span is empty: it must begin before its end, and before now")
    return start, end


def _told(query: Mapping[str, str], now: float, default: float) -> tuple[float, float]:
    if "month" in query:
        try:
            return span_of(query["month"])
        except ValueError as error:
            raise Problem(400, str(error)) from None
    if "from" in query:
        return _moment(query, "from"), _moment(query, "to") if "to" in query else now
    seconds = duration(query["last"]) if "last" in query else default
    if not seconds:
        raise Problem(400, "last is a span such as 15m, 1h or 7d")
    return now - seconds, now


def _moment(query: Mapping[str, str], name: str) -> float:
    at = moment(query[name])
    if at is None:
        raise Problem(400, f"{name} is a time such as 2026-11-25T14:00, 2026-11-25, or epoch seconds")
    return at


def whole(query: Mapping[str, str], name: str, default: int, highest: int) -> int:
    """A whole number from 1 to `highest` out of the query.

    Raises:
        Problem: 400 when it is none.
    """
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and 1 <= int(text) <= highest):
        raise Problem(400, f"{name} is a number from 1 to {highest}")
    return int(text)


#: Longest number that is read.
_DIGITS = 15
