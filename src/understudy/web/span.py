"""The span of time that a request asks about: `last=1h`, or `from=` and `to=`, or `month=2026-11`."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.monitor.search import duration, moment
from understudy.reports.months import span_of

from .http import Problem

#: The query parameters that say a span.
SPAN = ("last", "from", "to", "month")


def span(query: Mapping[str, str], now: float, default: float = 3600.0) -> tuple[float, float]:
    """Begin and end in epoch seconds; the last `default` seconds when nothing is said.

    Raises:
        Problem: 400 with what was expected.
    """
    given = [name for name in ("last", "from", "month") if name in query]
    if len(given) > 1 or ("to" in query and "from" not in query):
        raise Problem(400, "say the span as last=1h, or as from= with or without to=, or as month=2026-11")
    if "month" in query:
        try:
            return span_of(query["month"])
        except ValueError as error:
            raise Problem(400, str(error)) from None
    if "from" in query:
        start, end = _moment(query, "from"), _moment(query, "to") if "to" in query else now
        if not start < end:
            raise Problem(400, "from must lie before to, and before now")
        return start, end
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
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= highest):
        raise Problem(400, f"{name} is a number from 1 to {highest}")
    return int(text)
