"""Calendar months in UTC, as spans of epoch seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def months(start: float, end: float) -> list[tuple[str, float, float]]:
    """The months that a span touches, each cut to the span: ("2026-11", from, to), in order of time."""
    found = []
    at = start
    while at < end:
        day = datetime.fromtimestamp(at, UTC)
        year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
        following = datetime(year, month, 1, tzinfo=UTC).timestamp()
        found.append((f"{day.year:04d}-{day.month:02d}", at, min(following, end)))
        at = following
    return found


def span_of(month: str) -> tuple[float, float]:
    """First second of a month and of the next one.

    Raises:
        ValueError: it is not written as 2026-11.
    """
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"month: expected one such as 2026-11, found {month!r:.20}") from None
    return first.timestamp(), datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC).timestamp()
