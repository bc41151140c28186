"""Reports that are made by themselves: when they are due, and handing them over until somebody took them.

A schedule's place in time is kept in the `StateStore`-like memory that is handed in, so a report that
fell due while nothing ran is made at the next start, once, and none is delivered twice after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Protocol

import annotated_types as at

from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable, UnderstudyError
from understudy.core.options import Doc, Options

from .model import Report

_log = logging.getLogger("understudy.reports")

#: How often it is looked whether a report is due, s.
EVERY = 30.0
#: A stretch is reported on this long after its end, s: its last numbers, and those of other processes, must be written.
SETTLED = 120.0
#: Most stretches that are made up for, of one schedule, after a time in which nothing ran.
MOST_LATE = 12
_PREFIX = "reports/"


@dataclass(frozen=True, slots=True)
class ReportSchedule(Options):
    """A report that is made by itself each time a day, week or month is over, as in `[reports.NAME]`."""

    every: Annotated[Literal["day", "week", "month"], Doc("how long a stretch each report covers; UTC")] = "month"
    kind: Annotated[
        Literal["summary", "service-level", "comparison", "savings", "cost", "incidents", "failures"],
        Doc("what it is about"),
    ] = "summary"
    api: Annotated[str, Doc("only this API; empty: all")] = ""
    target: Annotated[float, at.Gt(0), at.Le(100), Doc("the promise that is held against the numbers", "%")] = 99.9
    formats: Annotated[tuple[Literal["html", "json", "csv"], ...], at.MinLen(1), Doc("as what it is written")] = (
        "html",
    )
    folder: Annotated[str, Doc("where the files go; made when it is not there; empty: there are no files")] = "reports"
    channels: Annotated[
        tuple[str, ...], at.MaxLen(20), Doc("who is told of it, in short, with a link to all of it")
    ] = ()
    language: Annotated[Literal["en", "pt_BR"], Doc("language of the report")] = "en"


class Deliverer(Protocol):
    """Takes finished reports to where they are read: into a folder, or to people."""

    async def deliver(self, name: str, schedule: ReportSchedule, report: Report) -> None:
        """Take a report; the same one may come again after a crash.

        Raises:
            OSError, UnderstudyError: it was not taken; it is made and offered again later.
        """


class Maker(Protocol):
    """Makes reports; `Reports` is one."""

    async def make(
        self, kind: str, start: float, end: float, *, api: str = "", target: float = 99.9, language: str = "en"
    ) -> Report:
        """As `Reports.make`."""


class Memory(Protocol):
    """Remembers what was delivered; `resilience.ports.StateStore` is one."""

    async def load(self, prefix: str = "") -> dict[str, Any]:
        """Every value whose key begins with `prefix`."""

    async def save(self, values: Mapping[str, Any]) -> None:
        """Keep values; returns when they are safe."""


def latest_span(every: str, now: float) -> tuple[float, float]:
    """The last day, week (from Monday) or month that is over at `now`, in epoch seconds, UTC."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if every == "day":
        return (today - timedelta(days=1)).timestamp(), today.timestamp()
    if every == "week":
        monday = today - timedelta(days=today.weekday())
        return (monday - timedelta(days=7)).timestamp(), monday.timestamp()
    first = today.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1).timestamp(), first.timestamp()


def spans_since(every: str, before: float, now: float) -> list[tuple[float, float]]:
    """The stretches that are over at `now` and end after `before`, in order of time; only the last ones of many."""
    found: list[tuple[float, float]] = []
    start, end = latest_span(every, now)
    while end > before and len(found) < MOST_LATE:
        found.append((start, end))
        start, end = latest_span(every, start)
    return found[::-1]


def _delivered(kept: Any, schedule: ReportSchedule) -> float | None:
    """Up to where a schedule was delivered; None for a new one, or one that covers another stretch now."""
    if not isinstance(kept, dict) or kept.get("every") != schedule.every:
        return None
    end = kept.get("end")
    return float(end) if isinstance(end, int | float) else None


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


class Scheduler:
    """Makes and hands over what is due. `deliverers` may be added to while it runs."""

    def __init__(
        self,
        schedules: Mapping[str, ReportSchedule],
        maker: Maker,
        memory: Memory,
        clock: Clock,
        *deliverers: Deliverer,
        chosen: Callable[[], bool] = lambda: True,
    ) -> None:
        self.schedules = dict(schedules)
        self.deliverers = list(deliverers)
        #: Tells people of reports on their channels; None until notifications run.
        self.teller: Deliverer | None = None
        self._maker = maker
        self._memory = memory
        self._clock = clock
        self._chosen = chosen
        #: Why a schedule's report was not delivered yet, by its name.
        self.problems: dict[str, str] = {}

    async def run(self) -> None:
        """Look every half minute until cancelled, while this is the one of several services that is chosen for it."""
        while True:
            if self._chosen():
                await self.look()
            else:
                self.problems.clear()  # another's now
            await pause(self._clock, EVERY)

    async def look(self) -> Sequence[str]:
        """Make and deliver what is due; the names of what was delivered."""
        done: list[str] = []
        try:
            known = await self._memory.load(_PREFIX)
        except StoreUnavailable:
            return done
        for name, schedule in tuple(self.schedules.items()):
            now = self._clock.time() - SETTLED
            before = _delivered(known.get(_PREFIX + name), schedule)
            if before is None:
                # A new schedule begins with the stretch that is running now.
                await self._remember(name, schedule, latest_span(schedule.every, now)[1])
                continue
            for start, end in spans_since(schedule.every, before, now):
                if not await self._deliver(name, schedule, start, end):
                    break
                done.append(name)
        return done

    async def _deliver(self, name: str, schedule: ReportSchedule, start: float, end: float) -> bool:
        try:
            report = await self._maker.make(
                schedule.kind, start, end, api=schedule.api, target=schedule.target, language=schedule.language
            )
            for deliverer in tuple(self.deliverers):
                await deliverer.deliver(name, schedule, report)
            if schedule.channels:
                if self.teller is None:
                    raise StoreUnavailable("nobody can be told yet")
                await self.teller.deliver(name, schedule, report)
        except (OSError, ValueError, UnderstudyError) as error:
            problem = f"report {name} waits: {_told(error)}"
            if self.problems.get(name) != problem:
                _log.warning("%s", problem)
            self.problems[name] = problem
            return False
        self.problems.pop(name, None)
        return await self._remember(name, schedule, end)

    async def _remember(self, name: str, schedule: ReportSchedule, end: float) -> bool:
        try:
            await self._memory.save({_PREFIX + name: {"every": schedule.every, "end": end}})
        except StoreUnavailable as problem:
            self.problems[name] = f"report {name}: {problem}"
            return False
        return True
