"""Drills: a made-up outage, from the first failing call to the message on each channel, and back.

A small application of its own plays it: an API that exists only there fails, its breaker opens, the alert goes
through the same engine, outbox and channels as any other, and each message says that it is a drill. Nothing of the
running application is touched. Part of the composition root: the command line plays drills, and the service by its
schedule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from .alerts.defaults import default_rules
from .alerts.options import AlertOptions
from .core.clock import Clock
from .core.errors import UnderstudyError, UnknownName
from .notifications import notes
from .notifications.message import Message, Outcome
from .notifications.ports import Channel, Traits
from .notifications.shown import masked

if TYPE_CHECKING:
    from .app import Understudy

#: The API that fails, as messages name it.
NAME = "understudy_drill"
#: Calls a second; how long a good API must stay good before the alert is over, s; its breaker's first wait, s.
RATE, KEEP, OPEN = 10.0, 1.0, 0.5
#: Good calls before the outage; how often it looks what has arrived, s.
BEFORE, LOOK = 5, 0.05
#: Everything must have come within so many seconds.
PATIENCE = 60.0
_ENDED = ("delivered", "digested", "suppressed", "dead", "discarded")


class Receiver(Protocol):
    """A receiver of ours that knows what came: for drills that tell nobody."""

    @property
    def accepted(self) -> Callable[[], int]:
        """Messages that it accepted."""

    @property
    def refusals(self) -> Callable[[], list[str]]:
        """Why it refused others."""


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
    #: Channels that were left out because they ring people's phones.
    spared: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every channel did its job."""
        return self.detected is not None and bool(self.channels) and all(each.good for each in self.channels.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"good": self.good, **asdict(self)}


class Marked:
    """A channel whose every message says that it is a drill, in the title and in a note. It is not closed here."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def traits(self) -> Traits:
        """Those of the channel; nothing takes its place in a drill."""
        return replace(self._channel.traits, fallback="", template="")

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`."""
        return await self._channel.send(marked(message))

    async def close(self) -> None:
        """Whoever made the channel closes it."""


def marked(message: Message) -> Message:
    """The message, with the word in front of everything that is a title, and what it means behind it."""
    word, note = notes.drill(message.card.language)
    card = replace(
        message.card, title=f"[{word}] {message.card.title}", subject=f"[{word}] {message.card.subject}",
        notes=(note, *message.card.notes),
    )  # fmt: skip  # one line of titles
    notice = replace(
        message.notice, title=f"[{word}] {message.notice.title}", facts={**message.notice.facts, "drill": note}
    )
    return replace(message, card=card, notice=notice)


def sparing(channels: Mapping[str, Channel], *, pagers: bool) -> tuple[dict[str, Channel], list[str]]:
    """The channels that a drill tells, and those that it spares: pagers, unless somebody asked for them, too."""
    told = {name: each for name, each in channels.items() if pagers or not each.traits.pager}
    return told, [name for name in channels if name not in told]


#: Makes the application that plays: `Understudy.build`, handed in by whoever stands above it.
Make = Callable[..., "Understudy"]


async def play(
    make: Make, channels: Mapping[str, Channel], clock: Clock, *, patience: float = PATIENCE,
    local: Mapping[str, Receiver] = {},
) -> Report:  # fmt: skip
    """Play an outage through these channels; they stay open. `patience` is the longest wait for a message, s."""
    from .config.settings import Settings  # many modules, which a program without drills does not need

    app = make(replace(Settings(), alerts=AlertOptions(rules=_rules())), clock=clock)
    for name, channel in channels.items():
        app.add_channel(name, Marked(channel))
    async with app:
        return await Outage(app, clock, patience, local).play()


async def drilled(make: Make, clock: Clock, channels: Mapping[str, Channel], *, pagers: bool) -> Report:
    """A drill by the schedule: through all channels but the pagers, or those, too."""
    told, spared = sparing(channels, pagers=pagers)
    report = await play(make, told, clock) if told else Report()
    report.spared = spared
    return report


def _rules() -> dict[str, Any]:
    """Only the rule that the drill is about, quick to end; all others are switched off."""
    found = {rule.name: replace(rule, enabled=False) for rule in default_rules()}
    found["api_down"] = replace(found["api_down"], enabled=True, keep_firing_for=KEEP, cooldown=0.0, runbook="")
    return found


class _Down(Exception):
    """What the made-up API fails with."""


class Outage:
    """One API that fails for a while, and what each channel told of it."""

    def __init__(self, app: Understudy, clock: Clock, patience: float, local: Mapping[str, Receiver]) -> None:
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
