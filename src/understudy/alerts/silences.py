"""Silences: what is kept quiet, by whom, why, and until when. A maintenance window is one of another kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import annotated_types as at

from understudy.core.errors import UnderstudyError
from understudy.core.matchers import Matcher, matches, parse_list
from understudy.core.options import Doc, Options

from .recurrence import Recurrence
from .zoned import first, last, local, span, zone_named

Kind = Literal["silence", "maintenance"]
_DAY = 86400.0
#: Longest silence; longest window of one that recurs.
MAX_LENGTH, MAX_WINDOW = 366 * _DAY, 7 * _DAY
#: People are reminded of a silence's end that long before, or a tenth of its length; of a shorter one not at all.
REMINDED_BEFORE, REMINDED_FROM = 3600.0, 3600.0
#: Windows that follow each other without a gap are looked at so far ahead.
_MOST_CHAINED = 400


class SilenceError(UnderstudyError, ValueError):
    """A silence cannot be kept as it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Keeps alerts quiet whose labels meet all of `matchers`, from `starts_at` up to `ends_at` (epoch seconds).

    With `rrule` it holds for `duration` seconds each time that the rule names, read as local time of
    `time_zone`; the rule's own beginning is `starts_at`, and it goes on for ever where `ends_at` is None. Besides
    their own labels, alerts have those of their rule, and `rule`, `severity`, `metric`, `event`, `kind`, `subject`.

    Raises:
        SilenceError: without a matcher, a reason or an author, too long, or with times that make no sense.
    """

    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float | None = None
    rrule: str = ""
    duration: float = 0.0
    time_zone: str = "UTC"
    reason: str = ""
    author: str = ""
    id: str = ""
    kind: Kind = "silence"
    created_at: float = 0.0
    #: The rule, and where its local time is.
    _recurs: tuple[Recurrence, ZoneInfo] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for problem in self._faults():
            raise SilenceError(problem)
        try:
            zone = zone_named(self.time_zone)
            recurs = (Recurrence(self.rrule, local(self.starts_at, zone)), zone) if self.rrule else None
        except (ValueError, OverflowError) as problem:
            raise SilenceError(str(problem)) from None
        object.__setattr__(self, "_recurs", recurs)

    def _faults(self) -> Iterable[str]:
        if not self.matchers:
            yield "a silence needs at least one matcher: one without any would keep everything quiet"
        if not self.reason.strip():
            yield "a silence needs a reason: whoever finds it must know why nothing is told"
        if not self.author.strip():
            yield "a silence needs an author"
        if self.ends_at is not None and not self.ends_at > self.starts_at:
            yield "a silence ends after it starts"
        if self.rrule:
            if not 60 <= self.duration <= MAX_WINDOW:
                yield f"each window lasts from one minute to {MAX_WINDOW / _DAY:g} days, not {self.duration:g} s"
        elif self.duration:
            yield "a duration belongs to a recurrence rule; without one, say when it ends"
        elif self.ends_at is None:
            yield "a silence without a recurrence rule needs an end"
        elif self.ends_at - self.starts_at > MAX_LENGTH:
            yield f"a silence lasts at most {MAX_LENGTH / _DAY:g} days: disable the rule, or let it recur"

    def window(self, moment: float) -> tuple[float, float] | None:
        """From when to when it holds, of the window that covers a moment; None where none does."""
        if moment < self.starts_at or (self.ends_at is not None and moment >= self.ends_at):
            return None
        if self._recurs is None:
            return self.starts_at, self.ends_at or self.starts_at
        found = [pair for pair in self._windows(moment) if pair[0] <= moment < pair[1]]
        if not found:
            return None
        begins, ends = min(pair[0] for pair in found), max(pair[1] for pair in found)
        for _ in range(_MOST_CHAINED):
            further = max((pair[1] for pair in self._windows(ends) if pair[0] <= ends), default=ends)
            if further <= ends:
                break
            ends = further
        return begins, ends if self.ends_at is None else min(ends, self.ends_at)

    def active(self, moment: float) -> bool:
        """Whether it holds at a moment."""
        return self.window(moment) is not None

    def over(self, moment: float) -> bool:
        """Whether it will never hold again."""
        return self.ends_at is not None and moment >= self.ends_at

    def next_start(self, moment: float, days: int = 400) -> float | None:
        """When it begins to hold next, of those many days; None where it does not."""
        if self._recurs is None:
            return self.starts_at if moment < self.starts_at else None
        recurrence, zone = self._recurs
        today = local(max(moment, self.starts_at), zone).date()
        for day in range(-1, days):
            for shown in recurrence.on(today + timedelta(days=day)):
                begins = first(shown, zone)
                if begins > moment:
                    return begins if self.ends_at is None or begins < self.ends_at else None
        return None

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about an alert with these labels."""
        return matches(self.matchers, labels)

    def reminder_at(self) -> float | None:
        """When people are reminded that it ends; None for one that recurs or is short."""
        if self.rrule or self.ends_at is None or self.ends_at - self.starts_at < REMINDED_FROM:
            return None
        return self.ends_at - min(REMINDED_BEFORE, (self.ends_at - self.starts_at) / 10)

    def expired(self, moment: float) -> Silence:
        """The same, ended at a moment; a recurring one keeps its rule."""
        ends = max(moment, self.starts_at + 1e-3)
        return replace(self, ends_at=ends if self.ends_at is None else min(ends, self.ends_at))

    def _windows(self, moment: float) -> Iterable[tuple[float, float]]:
        """The windows that may cover a moment: those that began within the longest time before."""
        if self._recurs is None:
            return
        recurrence, zone = self._recurs
        lasting = timedelta(seconds=self.duration)
        today = local(moment, zone).date()
        # A day more on both sides, for what a change of the clocks moves.
        for back in range(int(self.duration // _DAY) + 2, -2, -1):
            for shown in recurrence.on(today - timedelta(days=back)):
                yield span(shown, lasting, zone)

    def as_dict(self) -> dict[str, Any]:
        """The silence as JSON-ready values; `from_dict` reads them."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if not each.name.startswith("_")}
        return {**values, "matchers": [str(each) for each in self.matchers]}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """The silence that `as_dict` wrote; what a later version added is left out.

        Raises:
            SilenceError: it is none.
        """
        known = {each.name for each in fields(cls) if not each.name.startswith("_")}
        values = {name: value for name, value in found.items() if name in known}
        return cls(**{**values, "matchers": parse_list(values.get("matchers", ()))})


@dataclass(frozen=True, slots=True)
class PlannedSilence(Options):
    """A silence or maintenance window that stands in the configuration."""

    match: Annotated[tuple[str, ...], at.MaxLen(50), Doc('which alerts: api=~"odds.*"; all must hold')] = ()
    starts: Annotated[str, at.MaxLen(40), Doc("local time, as 2026-11-28T22:00; a recurrence rule counts from it")] = ""
    ends: Annotated[str, at.MaxLen(40), Doc("local time; empty: never, for one that recurs")] = ""
    rrule: Annotated[str, at.MaxLen(500), Doc("recurrence (RFC 5545): FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=0")] = ""
    duration: Annotated[float, at.Ge(0), at.Le(MAX_WINDOW), Doc("of each recurrence, it holds that long", "s")] = 0.0
    time_zone: Annotated[str, at.MaxLen(100), Doc("whose local time: America/Sao_Paulo")] = "UTC"
    reason: Annotated[str, at.MaxLen(1000), Doc("why nothing is told")] = ""
    kind: Annotated[Kind, Doc("silence, or maintenance (told first as the reason)")] = "silence"

    def silence(self, name: str) -> Silence:
        """The silence that this plans.

        Raises:
            SilenceError: it cannot be kept as it is.
        """
        try:
            zone = zone_named(self.time_zone)
            starts = first(_shown(self.starts or "2020-01-01T00:00", "starts"), zone)
            ends = last(_shown(self.ends, "ends"), zone) if self.ends else None
            matchers = parse_list(self.match)
        except ValueError as problem:
            raise SilenceError(str(problem)) from None
        return Silence(
            matchers, starts, ends, self.rrule, self.duration, self.time_zone, self.reason,
            author="configuration", id=f"file:{name}", kind=self.kind,
        )  # fmt: skip


def _shown(text: str, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SilenceError(f"{name}: expected local time such as 2026-11-28T22:00, found {text!r:.50}") from None
    if found.tzinfo is not None:
        raise SilenceError(f"{name}: give local time without an offset; time_zone says where, found {text!r:.50}")
    return found


class Silences:
    """All silences, with those that hold now at hand."""

    __slots__ = ("_active", "_at", "_until", "items")

    def __init__(self, items: Iterable[Silence] = ()) -> None:
        self.items = tuple(items)
        self._active: list[tuple[Silence, float]] = []
        self._at = self._until = 0.0

    def covering(self, kind: Kind, labels: Mapping[str, str], moment: float) -> tuple[Silence, float] | None:
        """The silence of that kind that keeps such an alert quiet the longest, and until when."""
        if not self.items:
            return None
        found = [pair for pair in self._now(moment) if pair[0].kind == kind and pair[0].covers(labels)]
        return max(found, key=lambda pair: pair[1], default=None)

    def _now(self, moment: float) -> list[tuple[Silence, float]]:
        """Those that hold, each with its end; worked out once for as long as that stays so."""
        if not self._at <= moment < self._until:
            windows = [(silence, silence.window(moment)) for silence in self.items if not silence.over(moment)]
            self._active = [(silence, window[1]) for silence, window in windows if window is not None]
            ahead = [silence.next_start(moment, 2) for silence in self.items if not silence.over(moment)]
            changes = [each for each in (*ahead, *(ends for _, ends in self._active)) if each is not None]
            self._at, self._until = moment, min((*changes, moment + _DAY))
        return self._active
