"""Drills by a schedule: now and then an outage is played, and it is kept whether every channel told of it.

Only the instance that delivers plays them. A drill that fell due while nothing ran, or more than an hour ago, is left
out: it would come at a time that nobody chose. Pagers are spared unless the configuration says otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from understudy.alerts.zoned import first, local
from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable
from understudy.notifications.options import DAYS, NotificationOptions
from understudy.notifications.ports import Channel, StateStore

_log = logging.getLogger("understudy.alerting")

#: How often it is looked whether a drill is due, s; one that is later than the second is left out, s.
EVERY, TOO_LATE = 30.0, 3600.0
#: One that goes on for longer has been interrupted, s.
LONGEST = 600.0
#: What the last drill is kept under.
KEY = "drill:last"


class Drilled(Protocol):
    """What a drill found; `drilling.Report` is one."""

    @property
    def good(self) -> bool:
        """Whether every channel did its job."""

    @property
    def channels(self) -> Mapping[str, Any]:
        """What each did; empty when all were spared."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""


class Player(Protocol):
    """Plays a drill; `drilling.drilled` behind it."""

    async def __call__(self, channels: Mapping[str, Channel], *, pagers: bool) -> Drilled:
        """Play it through these channels."""


class Drills:
    """The schedule of one application. `active`: whether this instance is the one that delivers.

    Without `play`, none is played.
    """

    def __init__(
        self, clock: Clock, state: StateStore, options: Callable[[], NotificationOptions],
        channels: Callable[[], Mapping[str, Channel]], active: Callable[[], bool],
        play: Player | None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._state = state
        self._options = options
        self._channels = channels
        self._active = active
        self._play = play
        #: The last drill as it is kept; None before the first.
        self.last: Mapping[str, Any] | None = None

    async def run(self) -> None:
        """Play what is due until cancelled."""
        while True:
            try:
                await self.load()
                await self._if_due()
            except StoreUnavailable as problem:
                _log.info("drills are looked at later: %s", problem)
            await pause(self._clock, EVERY)

    async def load(self) -> None:
        """See what is kept of the last drill, whoever played it.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        found = (await self._state.load(KEY)).get(KEY)
        self.last = found if isinstance(found, dict) else None

    @property
    def next_at(self) -> float | None:
        """When the next drill is due, epoch seconds; None when none is."""
        return next_after(self._options(), self._clock.time())

    async def _if_due(self) -> None:
        options, now = self._options(), self._clock.time()
        due = next_after(options, now - TOO_LATE)
        if due is None or due > now or self._play is None or not self._active() or not self._channels():
            return
        if self.last is not None and float(self.last.get("due", 0.0)) >= due:
            return
        # Kept before it is played: who starts meanwhile, or takes over, does not play it again.
        await self._keep({"due": due, "at": now, "state": "playing"})
        _log.info("a drill begins, as [notifications] drill says")
        report = await self._play(self._channels(), pagers=options.drill_pagers)
        state = "good" if report.good else "bad" if report.channels else "spared"
        await self._keep({"due": due, "at": now, "state": state, "report": report.as_dict()})
        if state == "bad":
            _log.error("a drill found channels that do not tell: %s", ", ".join(failing(report.as_dict())) or "all")

    async def _keep(self, told: Mapping[str, Any]) -> None:
        await self._state.save({KEY: dict(told)})
        self.last = told

    def problems(self) -> list[str]:
        """What the last drill found wrong; empty where it found nothing, or there was none."""
        if self.last is None or self.last.get("state") != "bad":
            return []
        named = failing(self.last["report"])
        if not named:
            return ["the last drill was not noticed: no channel told of it"]
        return [f"the last drill found channels that did not tell of it: {', '.join(named)}"]

    def as_dict(self) -> dict[str, Any]:
        """The schedule and the last drill, JSON-ready."""
        last = dict(self.last) if self.last is not None else None
        if last is not None and last.get("state") == "playing" and self._clock.time() - last["at"] > LONGEST:
            last["state"] = "interrupted"
        return {"schedule": self._options().drill, "next_at": self.next_at, "last": last}


def failing(report: Mapping[str, Any]) -> list[str]:
    """The channels of a report that did not tell of the outage and of its end."""
    return [
        name
        for name, told in report["channels"].items()
        if told["problems"] or told["delivered"] is None or told["resolved"] is None
    ]


def next_after(options: NotificationOptions, at: float) -> float | None:
    """The first moment later than `at` at which a drill is due, epoch seconds; None when there are none."""
    if options.drill == "never":
        return None
    zone = ZoneInfo(options.drill_zone)
    day, _, shown = options.drill_at.partition(" ")
    hour, _, minute = shown.partition(":")
    midnight = local(at, zone).replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    ahead = (DAYS.index(day) - midnight.weekday()) % 7
    for week in range(7):
        found = midnight + timedelta(days=ahead + 7 * week)
        moment = first(found, zone)
        if moment > at and (options.drill == "weekly" or _is_first_of_month(found)):
            return moment
    return None


def _is_first_of_month(shown: datetime) -> bool:
    """Whether it is the first such weekday of its month."""
    return shown.day <= 7
