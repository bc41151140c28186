"""The story of `understudy demo`: what fails, when, and what must come of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle

from understudy.app import Understudy
from understudy.core.clock import Clock
from understudy.core.errors import UnderstudyError
from understudy.core.text import Texts
from understudy.core.types import Explanation
from understudy.simulator import Fault, Simulator

from .simulated import PATHS

#: Share of a part in which its fault is active; in the rest the API can come back.
FAULTY = 0.7
#: Longest pause between two parts, s.
PAUSE = 0.4
#: Deadline of each call, s; a call may be this late and still count as on time, s.
DEADLINE, GRACE = 5.0, 0.1
#: Longest wait, after the last part, for the leads to serve again, s.
RECOVERY = 20.0


@dataclass(slots=True)
class Part:
    """One fault, on one API or on the hub, and the calls on the routes that it strikes."""

    title: str
    target: str
    routes: tuple[str, ...]
    fault: Fault | None
    calls: int = 0
    served: int = 0
    by_standby: int = 0
    late: int = 0
    unexplained: int = 0
    done: bool = False
    errors: Counter[str] = field(default_factory=Counter)
    #: A fallback of this part, to be shown.
    example: Explanation | None = None

    @property
    def settled(self) -> bool:
        """Whether it is over and each of its calls has ended."""
        return self.done and self.calls == self.served + self.errors.total()

    @property
    def good(self) -> bool:
        """Whether it did its job: every call served in time, by a standby where the lead failed, and explained."""
        stood_in = self.by_standby > 0 or self.fault is None
        return self.calls > 0 and self.served == self.calls and stood_in and not self.late and not self.unexplained

    def book(self, record: Explanation, seconds: float) -> None:
        """A call was served."""
        self.served += 1
        self.late += seconds > DEADLINE + GRACE
        if record.outcome == "fallback":
            self.by_standby += 1
            explained = len(record.attempts) > 1 or any(each.gate for each in record.candidates)
            self.unexplained += not explained
            if self.example is None or len(record.attempts) > len(self.example.attempts):
                self.example = record


def parts(_: Texts) -> list[Part]:
    """The parts in their order; routes take turns, so that each lead has time to come back."""
    return [
        Part(_("Nothing fails"), "", tuple(PATHS), None),
        Part(_("The lead answers 500"), "fixtures_pro", ("fixtures",), Fault("status", status=500)),
        Part(_("The lead refuses connections"), "odds_prime", ("odds",), Fault("refuse")),
        Part(_("The lead hangs without a word"), "predictions_ai", ("predictions",), Fault("hang")),
        Part(_("The lead says 429, come back later"), "fixtures_pro", ("fixtures",), Fault("rate_limit", after=2.0)),
        Part(_("A 200 with an error inside"), "odds_prime", ("odds",), Fault("error_envelope")),
        Part(_("The answer breaks off half way"), "predictions_ai", ("predictions",), Fault("truncated")),
        Part(_("The hub before four of them fails"), "hub", tuple(PATHS), Fault("hub_failure")),
    ]


class Story:
    """Plays the parts against running simulated APIs while calls go on."""

    def __init__(self, app: Understudy, simulator: Simulator, acts: list[Part], clock: Clock) -> None:
        self._app, self._simulator, self._clock = app, simulator, clock
        self.parts = acts
        self.now: Part | None = None
        self._running: set[asyncio.Task[None]] = set()
        #: Routes whose leads serve again after the last part; all of them when the story ends well.
        self.recovered: tuple[str, ...] = ()

    async def play(self, seconds: float, rate: float) -> None:
        """The whole story; calls still running at the end are waited for."""
        each = seconds / len(self.parts)
        # Calls of the pause belong to no part: they may run into the fault of the next.
        pause = min(PAUSE, each * (1 - FAULTY) / 2)
        calls = asyncio.ensure_future(self._calls(rate))
        try:
            for part in self.parts:
                self.now = part
                if part.fault is not None:
                    self._simulator.inject(part.target, part.fault)
                await self._clock.sleep(each * FAULTY)
                self._simulator.clear()
                await self._clock.sleep(each * (1 - FAULTY) - pause)
                part.done = True
                self.now = None
                await self._clock.sleep(pause)
            await self._recover()
        finally:
            calls.cancel()
            await asyncio.wait([calls, *self._running])

    async def _recover(self) -> None:
        """Wait until each route's lead serves again."""
        until = self._clock.monotonic() + RECOVERY
        roster = self._app.fallback.roster
        while self._clock.monotonic() < until and len(self.recovered) < len(PATHS):
            await self._clock.sleep(0.25)
            self.recovered = tuple(
                name for name in PATHS if roster.routes[name].incumbent == roster.routes[name].apis[0].name
            )

    async def _calls(self, rate: float) -> None:
        started = self._clock.monotonic()
        for number, route in enumerate(cycle(PATHS)):
            await self._clock.sleep(started + number / rate - self._clock.monotonic())
            task = asyncio.ensure_future(self._call(route, self.now))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _call(self, route: str, part: Part | None) -> None:
        began = self._clock.monotonic()
        mine = part if part is not None and route in part.routes else None
        if mine is not None:
            mine.calls += 1
        try:
            response = await self._app.route(route).get(PATHS[route], deadline=DEADLINE)
        except UnderstudyError as error:
            if mine is not None:
                mine.errors[type(error).__name__] += 1
            return
        if mine is not None:
            mine.book(response.explain(), self._clock.monotonic() - began)
