"""Recurrence rules of RFC 5545, 3.3.10, in local time: `FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=0`.

Each day is looked at by itself: whether the rule names it follows from the calendar alone. So nothing is ever
counted from the rule's beginning, however long ago that was, and a rule that names no day at all (the 30th of
February) costs no more than another. What would need counting is refused: COUNT, BYSETPOS, and frequencies below a day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import product

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PERIODS = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
#: Each number of a part: its range, without zero where negative ones count from the end.
_NUMBERS = {"BYMONTHDAY": (-31, 31), "BYMONTH": (1, 12), "BYHOUR": (0, 23), "BYMINUTE": (0, 59)}
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
#: Longest rule, characters; and the most occurrences of a day.
MAX_RULE, MAX_A_DAY = 500, 96


class RecurrenceError(ValueError):
    """The text is no recurrence rule that can be followed."""


class Recurrence:
    """A rule that begins at `begins`, local time: nothing before it counts.

    Raises:
        RecurrenceError: `text` is no rule, or asks for what is not supported; it says which part.
    """

    __slots__ = (
        "_days",
        "_interval",
        "_months",
        "_ordinals",
        "_parts",
        "_times",
        "_until",
        "_week",
        "begins",
        "period",
    )

    def __init__(self, text: str, begins: datetime) -> None:
        self.begins = begins.replace(second=0, microsecond=0)
        self._parts = parts = _parts(text)
        self.period = parts["FREQ"]
        self._interval = _number("INTERVAL", parts.get("INTERVAL", "1"), 1, 1000)
        self._week = _DAYS.index(_one_of("WKST", parts.get("WKST", "MO"), _DAYS))
        self._until = _until(parts["UNTIL"]) if "UNTIL" in parts else None
        self._ordinals = self._weekdays(parts.get("BYDAY", ""))
        self._months, self._days = _numbers(parts, "BYMONTH"), _numbers(parts, "BYMONTHDAY")
        if not self._ordinals and not self._days:
            self._from_beginning()
        hours = _numbers(parts, "BYHOUR") or {begins.hour}
        minutes = _numbers(parts, "BYMINUTE") or {begins.minute}
        if len(hours) * len(minutes) > MAX_A_DAY:
            raise RecurrenceError(f"BYHOUR and BYMINUTE name more than {MAX_A_DAY} times a day")
        self._times = [time(hour, minute) for hour, minute in sorted(product(hours, minutes))]

    def on(self, day: date) -> Iterator[datetime]:
        """When the rule begins something on a day, local time, in order."""
        if self._names(day):
            for each in self._times:
                found = datetime.combine(day, each)
                if found >= self.begins and (self._until is None or found <= self._until):
                    yield found

    def _from_beginning(self) -> None:
        """What a rule without days repeats: the day on which it begins."""
        if self.period == "WEEKLY":
            self._ordinals = {(0, self.begins.weekday())}
        elif self.period in ("MONTHLY", "YEARLY"):
            self._days = {self.begins.day}
            if self.period == "YEARLY" and not self._months:
                self._months = {self.begins.month}

    def _names(self, day: date) -> bool:
        if self._months and day.month not in self._months:
            return False
        if self._days and not {day.day, day.day - 1 - monthrange(day.year, day.month)[1]} & self._days:
            return False
        if self._ordinals and not any(self._is_nth(day, nth, weekday) for nth, weekday in self._ordinals):
            return False
        return self._periods_since(day) % self._interval == 0

    def _periods_since(self, day: date) -> int:
        """How many periods lie between the beginning and the day."""
        start = self.begins.date()
        match self.period:
            case "DAILY":
                return day.toordinal() - start.toordinal()
            case "WEEKLY":
                return _week(day, self._week) - _week(start, self._week)
            case "MONTHLY":
                return (day.year - start.year) * 12 + day.month - start.month
        return day.year - start.year

    def _is_nth(self, day: date, nth: int, weekday: int) -> bool:
        if day.weekday() != weekday or not nth:
            return day.weekday() == weekday
        if self.period == "YEARLY" and not self._months:
            at, length = day.timetuple().tm_yday, date(day.year, 12, 31).timetuple().tm_yday
        else:
            at, length = day.day, monthrange(day.year, day.month)[1]
        return nth == ((at - 1) // 7 + 1 if nth > 0 else -((length - at) // 7 + 1))

    def _weekdays(self, text: str) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for word in filter(None, text.split(",")):
            match = _BYDAY.fullmatch(word)
            if match is None or match[1] in ("0", "+0", "-0"):
                raise RecurrenceError(f"BYDAY: expected days such as MO,TU or 1SU, found {word!r:.40}")
            if match[1] and self.period not in ("MONTHLY", "YEARLY"):
                raise RecurrenceError(f"BYDAY: {word} counts days within a month or year, but FREQ is {self.period}")
            found.add((int(match[1] or 0), _DAYS.index(match[2])))
        return found


def _week(day: date, first: int) -> int:
    return (day.toordinal() - 1 - first) // 7


def _parts(text: str) -> dict[str, str]:
    if len(text) > MAX_RULE:
        raise RecurrenceError(f"a recurrence rule is at most {MAX_RULE} characters long")
    found: dict[str, str] = {}
    for part in filter(None, text.strip().removeprefix("RRULE:").upper().split(";")):
        name, equals, value = part.partition("=")
        if not equals or not value or name in found:
            raise RecurrenceError(f"expected NAME=VALUE once each, separated by semicolons, found {part!r:.60}")
        if name not in ("FREQ", "INTERVAL", "UNTIL", "WKST", "BYDAY", *_NUMBERS):
            raise RecurrenceError(
                f"{name[:40]} is not supported; known are FREQ, INTERVAL, UNTIL, WKST, BYDAY, {', '.join(_NUMBERS)}"
            )
        found[name] = value
    _one_of("FREQ", found.get("FREQ", ""), _PERIODS)
    return found


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise RecurrenceError(f"{name}: expected one of {', '.join(known)}, found {value!r:.40}")
    return value


def _number(name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,4}", text, re.ASCII) or not least <= int(text) <= most:
        raise RecurrenceError(f"{name}: expected a whole number from {least} to {most}, found {text!r:.40}")
    if least < 0 and int(text) == 0:
        raise RecurrenceError(f"{name}: there is no day 0")
    return int(text)


def _numbers(parts: dict[str, str], name: str) -> set[int]:
    return {_number(name, each, *_NUMBERS[name]) for each in parts[name].split(",")} if name in parts else set()


def _until(text: str) -> datetime:
    """The last moment that counts; a date alone means all of that day. Read as local time, without a Z."""
    for form, length in (("%Y%m%dT%H%M%S", 15), ("%Y%m%d", 8)):
        if len(text) == length:
            try:
                found = datetime.strptime(text, form).replace(tzinfo=UTC).replace(tzinfo=None)
            except ValueError:
                break
            return found if length > 8 else found + timedelta(days=1) - timedelta(seconds=1)
    raise RecurrenceError(f"UNTIL: expected local time as 20261231T235959 or 20261231, found {text!r:.40}")
