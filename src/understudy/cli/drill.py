"""`understudy notify drill`: a made-up outage, from the first failing call to the message on each channel, and back.

A small application of its own plays it: an API that exists only here fails, its breaker opens, the alert goes
through the same engine, outbox and channels as any other, and says that it is a drill. Nothing of the
running service is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rich.text import Text

from understudy.alerts.defaults import default_rules
from understudy.alerts.options import AlertOptions
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.errors import UnderstudyError, UnknownName
from understudy.notifications.shown import masked

from .alerts_shown import print_json
from .exits import FAILED, OK, USAGE, Stop
from .local_receivers import Local, local_receivers
from .screen import Screen, safe

#: The API that fails, as messages name it.
NAME = "understudy_drill"
#: Calls a second; how long a good API must stay good before the alert is over, s; its breaker's first wait, s.
RATE, KEEP, OPEN = 10.0, 1.0, 0.5
#: Good calls before the outage; how often it looks what has arrived, s.
BEFORE, LOOK = 5, 0.05
#: Everything must have come within so many seconds.
PATIENCE = 60.0
_ENDED = ("delivered", "digested", "suppressed", "dead", "discarded")


@dataclass(slots=True)
class Told:
    """What one channel did. Seconds count from the first failing call, and from the first good one after."""

    kind: str
    delivered: float | None = None
    resolved: float | None = None
    attempts: int = 0
    #: What was accepted, where a receiver of ours counts; it must be as many as were delivered.
    accepted: int | None = None
    deliveries: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether it told of the outage and of its end, each once."""
        return self.delivered is not None and self.resolved is not None and not self.problems


@dataclass(slots=True)
class Report:
    """What a drill found."""

    detected: float | None = None
    ended: float | None = None
    channels: dict[str, Told] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether every channel did its job."""
        return self.detected is not None and bool(self.channels) and all(each.good for each in self.channels.values())


def drill(screen: Screen, settings: Settings | None, names: list[str], *, patience: float, as_json: bool) -> int:
    """Play it with the channels of a configuration, or, without one, with receivers on this machine."""
    _ = screen.text
    if settings is not None:
        unknown = [name for name in names if name not in settings.channels]
        if unknown:
            raise Stop(USAGE, _("no channel named {name} in the configuration", name=", ".join(map(safe, unknown))))
        if not settings.channels:
            raise Stop(USAGE, _("no channel is configured; --local drills with receivers on this machine"))
    if not as_json:
        screen.line(_("A drill: an API that exists only here fails, and comes back. It takes a few seconds."), "name")
    report = asyncio.run(_drill(settings, names, patience, screen.text.tag))
    if as_json:
        print_json(screen, {"good": report.good, **asdict(report)})
    else:
        render(screen, report)
    return OK if report.good else FAILED


async def _drill(settings: Settings | None, names: list[str], patience: float, language: str) -> Report:
    async with AsyncExitStack() as stack:
        local: Mapping[str, Local] = {}
        if settings is None:
            local = await stack.enter_async_context(local_receivers(*names, language=language))
            channels: dict[str, Any] = {name: each.options for name, each in local.items()}
        else:
            channels = {name: each for name, each in settings.channels.items() if not names or name in names}
        made = replace(Settings(), alerts=AlertOptions(rules=_rules()), channels=channels)
        app = await stack.enter_async_context(Understudy.build(made))
        return await Outage(app, SYSTEM_CLOCK, patience, local).play()


def _rules() -> dict[str, Any]:
    """Only the rule that the drill is about, quick to end; all others are switched off."""
    found = {rule.name: replace(rule, enabled=False) for rule in default_rules()}
    found["api_down"] = replace(
        found["api_down"], enabled=True, keep_firing_for=KEEP, cooldown=0.0, runbook="",
        description="This is a drill: nothing is wrong. It shows how long it takes until you are told.",
    )  # fmt: skip  # the changes in two lines
    return found


class _Down(Exception):
    """What the made-up API fails with."""


class Outage:
    """One API that fails for a while, and what each channel told of it."""

    def __init__(self, app: Understudy, clock: Clock, patience: float, local: Mapping[str, Local]) -> None:
        self._app, self._clock, self._patience, self._local = app, clock, patience, local
        self._broken = False
        self.report = Report()

    async def play(self) -> Report:
        """Let it fail, wait until everybody knows, mend it, wait again."""
        app = self._app
        app.fallback.register_api(
            NAME, operation=self._operation, breaker={"open_for": OPEN, "open_cap": OPEN, "jitter": 0.0},
            retry={"max_attempts_per_api": 1},
        )  # fmt: skip  # one line of settings
        kinds = {name: each.kind for name, each in app.notifications.channels().items()}
        self.report.channels = {name: Told(kind) for name, kind in kinds.items()}
        calls = asyncio.ensure_future(self._calls())
        try:
            await self._clock.sleep(BEFORE / RATE)
            self._broken, began = True, self._clock.time()
            await self._until("fired", began)
            self._broken, mended = False, self._clock.time()
            await self._until("resolved", mended)
        finally:
            calls.cancel()
            await asyncio.wait([calls])
        self._count()
        return self.report

    async def _operation(self) -> str:
        if self._broken:
            raise _Down("this is a drill")
        return "fine"

    async def _calls(self) -> None:
        while True:
            try:
                await self._app.fallback.execute_with_fallback(NAME, self._operation)
            except (UnderstudyError, _Down):
                pass  # as it should be
            await self._clock.sleep(1.0 / RATE)

    async def _until(self, kind: str, since: float) -> None:
        """Wait until each channel has told of it, or never will; note how long that took."""
        until = self._clock.monotonic() + self._patience
        while self._clock.monotonic() < until:
            await self._clock.sleep(LOOK)
            if await self._look(kind, since):
                return
        for told in self.report.channels.values():
            if (told.delivered if kind == "fired" else told.resolved) is None and not told.problems:
                told.problems.append(f"{kind}: nothing came within {self._patience:g} s")

    async def _look(self, kind: str, since: float) -> bool:
        events, rows = await self._known()
        found = [each for each in events if each.kind == kind]
        if not found:
            return False
        if kind == "fired":
            self.report.detected = found[0].at - since
        else:
            self.report.ended = found[0].at - since
        mine = {row["channel"]: row for row in rows if row["event_id"] == found[0].event_id}
        for name, told in self.report.channels.items():
            row = mine.get(name)
            if row is None:
                continue
            arrived = [each["at"] + each["seconds"] for each in row["log"] if each["result"] == "delivered"]
            if arrived and kind == "fired":
                told.delivered = arrived[0] - since
            elif arrived:
                told.resolved = arrived[0] - since
            elif row["state"] in _ENDED and row["state"] != "delivered" and not told.problems:
                told.problems.append(f"{kind}: {row['state']}: {row['reason']}")
        views = self._app.notifications.channels()
        for name, told in self.report.channels.items():
            if views[name].state == "disabled" and not told.problems:
                told.problems.append(f"{kind}: {masked(views[name].reason)}")
        return all(
            told.problems or (name in mine and mine[name]["state"] in _ENDED)
            for name, told in self.report.channels.items()
        )

    async def _known(self) -> tuple[list[Any], list[Mapping[str, Any]]]:
        """The events of the drill's alert, and what was sent for them."""
        alerts = self._app.alerts
        fired = [each for each in alerts.active() if each.labels.get("api") == NAME and each.episode]
        if fired:
            self._episode = fired[0].episode
        try:
            view = await alerts.episode(self._episode)
        except UnknownName:
            return [], []
        return list(view.events), list(view.deliveries)

    _episode = ""

    def _count(self) -> None:
        """Each message once: as many were accepted as were delivered."""
        counters = self._app.notifications.dispatcher.counters.results
        for name, told in self.report.channels.items():
            told.attempts = sum(count for (channel, _), count in counters.items() if channel == name)
            told.deliveries = counters[name, "delivered"]
            if told.deliveries > 2:
                told.problems.append(f"it was told {told.deliveries} times")
            local = self._local.get(name)
            if local is not None:
                told.accepted = local.accepted()
                told.problems += [f"refused: {reason}" for reason in local.refusals()[:3]]
                if told.accepted < told.deliveries:
                    told.problems.append(f"{told.deliveries} were delivered, {told.accepted} arrived")


def render(screen: Screen, report: Report) -> None:
    """The report as a table, and the verdict."""
    _ = screen.text
    table = screen.table(
        _("Channel"),
        _("Kind"),
        _("Outage told after"),
        _("End told after"),
        _("Attempts"),
        _("Result"),
        numbers=(2, 3, 4),
    )
    for name, told in report.channels.items():
        table.add_row(
            Text(safe(name), "name"),
            safe(told.kind),
            screen.seconds(told.delivered),
            screen.seconds(told.resolved),
            screen.number(told.attempts),
            Text("✓ " + _("works"), "good") if told.good else Text("✗ " + _("fails"), "bad"),
        )
    screen.console.print(table)
    for name, told in report.channels.items():
        for problem in told.problems:
            screen.line(Text.assemble((f"{safe(name)}: ", "name"), safe(problem, 400)))
    if report.detected is not None:
        screen.line(
            _(
                "Noticed {detected} after the first failing call; over {ended} after the first good one, "
                "{keep} of which it had to stay good.",
                detected=screen.seconds(report.detected),
                ended=screen.seconds(report.ended),
                keep=screen.seconds(KEEP),
            ),
            "quiet",
        )
    else:
        screen.line(_("The outage was not noticed."), "bad")
    if report.good:
        screen.line("✓ " + _("Every channel did its job."), "good")
    else:
        screen.line("✗ " + _("Not every channel did its job."), "bad")
