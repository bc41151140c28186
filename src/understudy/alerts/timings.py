"""Mute timings: hours in which some alerts are not told, because nobody is there to act on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.matchers import Matcher, MatcherError, matches, parse_list
from understudy.core.options import Doc, Options, check

from .zoned import local, span, zone_named

_Found = TypeVar("_Found")
_Read = TypeVar("_Read")
_LONG = {
    "mon": "monday", "tue": "tuesday", "wed": "wednesday", "thu": "thursday", "fri": "friday", "sat": "saturday",
    "sun": "sunday",
}  # fmt: skip
_DAYS = tuple(_LONG)
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})", re.ASCII)
#: Spans that follow each other without a gap are looked at so far ahead, days.
_CHAINED = 32


@dataclass(frozen=True, slots=True)
class MuteTiming(Options):
    """Alerts that match are not told in these hours; what still fires when they end is told then.

    A span that ends before it begins goes on past midnight; it belongs to the day on which it begins.
    """

    match: Annotated[tuple[str, ...], at.MaxLen(50), Doc('which alerts: severity!="critical"; all must hold')] = ()
    days: Annotated[tuple[str, ...], at.MaxLen(7), Doc("mon, sat-sun; empty: every day")] = ()
    times: Annotated[tuple[str, ...], at.MaxLen(24), Doc("22:00-06:00; empty: the whole day")] = ()
    days_of_month: Annotated[tuple[str, ...], at.MaxLen(31), Doc("1, 24-26; empty: every one")] = ()
    months: Annotated[tuple[str, ...], at.MaxLen(12), Doc("12, 6-8; empty: every one")] = ()
    time_zone: Annotated[str, at.MaxLen(100), Doc("whose local time: America/Sao_Paulo")] = "UTC"

    def __post_init__(self) -> None:
        check(self)
        Timing("", self)


class Timing:
    """A mute timing, ready to be asked.

    Raises:
        OptionError: a field of its options cannot be read.
    """

    __slots__ = ("_dates", "_days", "_matchers", "_months", "_spans", "_zone", "name")

    def __init__(self, name: str, options: MuteTiming) -> None:
        self.name = name
        self._matchers: tuple[Matcher, ...] = _field("match", options.match, parse_list)
        self._zone: ZoneInfo = _field("time_zone", options.time_zone, zone_named)
        self._days = _field("days", options.days, lambda found: _ranges(found, 0, 6, _DAYS))
        self._dates = _field("days_of_month", options.days_of_month, lambda found: _ranges(found, 1, 31))
        self._months = _field("months", options.months, lambda found: _ranges(found, 1, 12))
        self._spans: list[tuple[time, timedelta]] = _field("times", options.times or ("0:00-24:00",), _spans)

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about an alert with these labels."""
        return matches(self._matchers, labels)

    def until(self, moment: float) -> float | None:
        """When the muted time that covers a moment ends; None where none does."""
        ends = moment
        for _ in range(_CHAINED):
            further = max((last for first, last in self._around(ends) if first <= ends < last), default=ends)
            if further <= ends:
                break
            ends = further
        return ends if ends > moment else None

    def _around(self, moment: float) -> Iterable[tuple[float, float]]:
        today = local(moment, self._zone).date()
        # The next day too: where clocks are put back at midnight, it begins before this one has ended.
        for back in (1, 0, -1):
            day = today - timedelta(days=back)
            chosen = ((self._days, day.weekday()), (self._dates, day.day), (self._months, day.month))
            if all(each in wanted for wanted, each in chosen if wanted):
                for begins, lasting in self._spans:
                    shown = datetime.combine(day, begins)
                    yield span(shown, lasting, self._zone)


def muting(timings: Iterable[Timing], labels: Mapping[str, str], moment: float) -> tuple[Timing, float] | None:
    """The timing that mutes such an alert the longest, and until when."""
    found = ((timing, timing.until(moment)) for timing in timings if timing.covers(labels))
    return max(((timing, ends) for timing, ends in found if ends is not None), key=lambda pair: pair[1], default=None)


def _field(name: str, found: _Found, read: Callable[[_Found], _Read]) -> _Read:
    try:
        return read(found)
    except (ValueError, MatcherError) as problem:
        raise OptionError("MuteTiming", name, found, str(problem)) from None


def _ranges(texts: tuple[str, ...], least: int, most: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The numbers of `24-26` and the days of `sat-sun`; one that ends before it begins goes around."""
    found: set[int] = set()
    for text in texts:
        ends = [_number(part.strip().lower(), least, most, names) for part in text.split("-")]
        if len(ends) > 2:
            raise ValueError(f"one value or a range of two, not {text[:30]!r}")
        low, high = ends[0], ends[-1]
        found.update(range(low, high + 1) if low <= high else (*range(low, most + 1), *range(least, high + 1)))
    return frozenset(found)


def _number(text: str, least: int, most: int, names: tuple[str, ...]) -> int:
    if names:
        if text[:3] not in names or not _LONG[text[:3]].startswith(text):
            raise ValueError(f"one of {', '.join(names)}, not {text[:30]!r}")
        return names.index(text[:3])
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and least <= int(text) <= most):
        raise ValueError(f"a number from {least} to {most}, not {text[:30]!r}")
    return int(text)


def _spans(texts: tuple[str, ...]) -> list[tuple[time, timedelta]]:
    """When each span begins, and how long it lasts on the wall's clock."""
    found = []
    for text in texts:
        match = _SPAN.fullmatch(text.strip())
        hours = [int(part) for part in match.groups()] if match else [99, 0, 99, 0]
        begins, ends = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if begins >= 1440 or ends > 1440 or max(hours[1], hours[3]) > 59 or begins == ends:
            raise ValueError(f"a span of the day such as 22:00-06:00, not {text[:30]!r}")
        lasting = ends - begins if ends > begins else ends + 1440 - begins
        found.append((time(begins // 60, begins % 60), timedelta(minutes=lasting)))
    return found
