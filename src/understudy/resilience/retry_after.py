"""What a response says about when to come back (resilience rule R3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

#: No wait for a rate limit is longer, whatever a response claims; seconds.
RATE_CAP = 24 * 3600.0
#: No plan window is longer: a month, seconds.
QUOTA_CAP = 31 * 24 * 3600.0

_NUMBER = re.compile(r"\d{1,18}(?:\.\d{0,9})?\Z")
_ABSURD = re.compile(r"\s*\d{19,}\s*\Z", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,9}(?:\.\d{1,9})?)(ms|us|µs|ns|d|h|m|s))")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_MAX_TEXT = 64


def header(headers: Mapping[str, str], name: str) -> str | None:
    """The value of `name`, whatever its case, also from a plain dict."""
    value = headers.get(name)
    if value is None:
        value = headers.get(name.lower())
    if value is None:
        for key in headers:
            if len(key) == len(name) and key.lower() == name.lower():
                return headers[key]
    return value


def number(text: str) -> float | None:
    """A plain, non-negative decimal number; None for everything else, `nan`, `1e9` and `-1` included."""
    text = text.strip()
    return float(text) if _NUMBER.match(text) else None


def date(text: str) -> float | None:
    """Epoch seconds of an HTTP date or an ISO 8601 date and time; None when it is neither."""
    text = text.strip()
    if not 8 <= len(text) <= _MAX_TEXT:
        return None
    try:
        if text[:4].isdigit():
            moment = datetime.fromisoformat(text)
        else:
            from email.utils import parsedate_to_datetime  # takes long to import, and few responses hold a date

            moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def duration(text: str) -> float | None:
    """Seconds of `6m0s`, `20ms`, `1.5s`: the form in which some APIs tell their resets."""
    text = text.strip()
    if len(text) > _MAX_TEXT:
        return None
    total, end = 0.0, 0
    for match in _DURATION.finditer(text):
        if match.start() != end:
            return None
        total += float(match[1]) * _UNITS[match[2]]
        end = match.end()
    return total if end and end == len(text) else None


def parse_retry_after(headers: Mapping[str, str], now_wall: float, cap: float = RATE_CAP) -> float | None:
    """Seconds to wait, at most `cap`; None when nothing usable is said.

    `retry-after-ms` and `x-ms-retry-after-ms` are finer than `Retry-After` and win over it. A date is
    measured against the response's own `Date`, so that a skewed clock on either side does no harm.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        text = header(headers, name)
        millis = number(text) if text else None
        if millis is not None:
            return min(millis / 1000.0, cap)
    text = header(headers, "retry-after")
    if not text or len(text) > _MAX_TEXT:
        return None
    # More digits than a number of ours has are still a number of seconds, and an absurd one.
    parts = [cap if _ABSURD.match(part) else number(part) for part in text.split(",")]
    seconds = [part for part in parts if part is not None]
    if seconds and len(seconds) == len(parts):
        return min(max(seconds), cap)
    until = date(text)
    if until is None:
        return None
    wait = until - server_time(headers, now_wall)
    return min(wait, cap) if wait >= 0 else None


def server_time(headers: Mapping[str, str], now_wall: float) -> float:
    """Epoch seconds of the moment at which the response was made: its own `Date`, or else `now_wall`.

    Whatever a response tells as a moment counts from there, so that a clock that is set, on either side,
    changes no wait.
    """
    sent = header(headers, "date")
    moment = _date_of(sent) if sent else None
    return now_wall if moment is None else moment


#: A busy API sends the same `Date` for a second.
_date_of = lru_cache(maxsize=256)(date)
