"""Notifications from outside: channels, policies, sending, and the account of what became of everything."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from understudy.core.clock import Clock
from understudy.core.http import HttpClient
from understudy.core.ids import ulid_source
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, Priority, RowState

from .callbacks import Callback, CallbackChannel
from .compose import Composer, Linker, no_links
from .counters import DeliveryCounters
from .deadletters import DeadLetters
from .dispatch import Dispatcher
from .feed import Feed
from .lanes import Lanes
from .message import NotificationMessage, NotificationResult
from .options import NotificationOptions
from .planning import Plans
from .policy import Policies, PolicyOptions, Routing
from .ports import Attempt, Channel, OutboxStore, Recorder, StateStore
from .shown import (
    Accounting,
    ChannelStatistics,
    ChannelView,
    TestResult,
    account,
    card_as_dict,
    row_as_dict,
    statistics,
)
from .trial import Trials
from .waiters import Waiters
from .watch import Watch

_log = logging.getLogger("understudy.notifications")

#: Lanes that a message may ask for.
_PRIORITIES = {
    "critical": Priority.CRITICAL, "high": Priority.WARNING, "normal": Priority.INFO, "low": Priority.HOUSEKEEPING,
}  # fmt: skip
#: Why a message is not sent.
COOLDOWN = "cooldown"
#: Messages whose cooldown is remembered.
_REMEMBERED = 10_000
#: In-flight sends are waited for that long at the end, s.
DRAIN = 12.0


class NotificationManager:
    """Tells people: once, and known to have arrived.

    It is an `alerts.ports.Planner`. Everything runs on one loop: `run` delivers in the background until it is
    cancelled or `stop` has drained it. `active` tells whether this instance is the one that delivers; others
    only add to the outbox.
    """

    def __init__(
        self,
        store: OutboxStore,
        clock: Clock,
        rng: random.Random,
        *,
        instance: str = "local",
        options: NotificationOptions | None = None,
        state: StateStore | None = None,
        http: HttpClient | None = None,
        recorder: Recorder | None = None,
        active: Callable[[], bool] = lambda: True,
    ) -> None:
        self.options = options or NotificationOptions()
        self._store = store
        self._clock = clock
        self.make_id = ulid_source(clock, rng)
        self.plans = Plans(clock, self.make_id)
        self._configured: dict[str, Channel] = {}
        self._callbacks: dict[str, CallbackChannel] = {}
        self._composer = Composer(store, clock)
        self._waiters = Waiters(store, clock)
        self.lanes = Lanes(rng)
        feed = self._feed = Feed(store, clock, active)
        self.dispatcher = Dispatcher(
            store, clock, self.lanes, self._composer, feed, owner=f"{instance}-{self.make_id()[-6:]}",
            make_id=self.make_id, recorder=recorder, told=self._told, changed=self._changed,
        )  # fmt: skip
        self._dead = DeadLetters(store, clock, self.plans, self._put, lambda: self.options.tell_dead_letters)
        self._watch = Watch(self.lanes, self.dispatcher, clock, lambda: self.options, state, http)
        self._trials = Trials(store, clock, self.plans, self._put, self._waiters)
        self._last_sent: dict[tuple[str, str], float] = {}
        #: Called before something is awaited here, so that the application runs on this loop.
        self.on_use: Callable[[], None] = lambda: None

    def alone(self, alone: bool) -> None:
        """Whether no other process has a hand in the outbox."""
        self._feed.alone = alone

    # -- configuration ------------------------------------------------------------------------------

    def set_channels(self, channels: Mapping[str, Channel]) -> None:
        """Go on with these channels in place of those before; callbacks stay.

        What waits for a channel that has gone is suppressed with that reason after a minute. A channel whose
        traits have another `revision` begins with a closed breaker. Those before are not closed here: what is
        on its way with them comes back.
        """
        self._configured = dict(channels)
        self._apply()

    def set_policies(self, policies: Mapping[str, PolicyOptions]) -> None:
        """Go on with these policies.

        Raises:
            OptionError: a condition cannot be read; nothing has changed.
        """
        self.plans.policies = Policies(policies)

    def set_links(self, linker: Linker = no_links) -> None:
        """What makes the links of messages, see `links.Linker`."""
        self._composer.linker = linker

    def add_callback(self, function: Callback, name: str | None = None) -> str:
        """Call a function, plain or async, with the notice of every alert; answers the channel's name.

        The name must be the same after a restart for what waits to reach it. Another function under a
        known name takes its place.

        Raises:
            TypeError: `function` cannot be called.
        """
        chosen = name or f"callback:{getattr(function, '__qualname__', type(function).__name__)}"
        self._callbacks[chosen] = CallbackChannel(chosen, function)
        self._apply()
        return chosen

    def remove_callback(self, name: str) -> None:
        """Call that function no more."""
        if self._callbacks.pop(name, None) is not None:
            self._apply()

    def _apply(self) -> None:
        channels: dict[str, Channel] = {**self._callbacks, **self._configured}
        self.plans.channels = {name: each.traits for name, each in channels.items()}
        self.dispatcher.set_channels(channels)
        self._watch.restore()

    # -- planning and sending -----------------------------------------------------------------------

    def plan(
        self, notice: Notice, *, targets: Sequence[str] = (), labels: Mapping[str, str] | None = None
    ) -> list[OutboxRow]:
        """As `alerts.ports.Planner.plan`."""
        return self.plans.plan(notice, targets=targets, labels=labels)

    def explain(self, notice: Notice, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Who would be told of a notice, on which channels, and why; JSON-ready."""
        return self.plans.explain(notice, labels)

    def imagined(self, notice: Notice, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """As `explain`, with the message that each channel would get, in its language; nothing is sent. JSON-ready."""
        found = self.plans.explain(notice, labels)
        for each in found["channels"]:
            traits = self.plans.channels.get(each["channel"])
            row = replace(self.plans.row(notice, each["channel"]), detected_at=notice.at)
            each["message"] = None if traits is None else card_as_dict(self._composer.imagined(row, traits))
        return found

    def route(self, notice: Notice, labels: Mapping[str, str] | None = None) -> Routing:
        """The policies that match a notice, with their escalation and grouping."""
        return self.plans.route(notice, labels)

    def accept(self, rows: Sequence[OutboxRow], *, kept: bool = True) -> None:
        """Deliver rows at once. `kept`: the store has them; else they are told first and recorded when it has."""
        self.dispatcher.accept(rows, kept=kept)

    def leased(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Rows that are to be kept and accepted next: those that go at once are leased to this instance by that."""
        return self.dispatcher.leased(rows)

    async def _put(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Keep rows of our own, and deliver them."""
        new = set(await self._store.add(rows))
        added = [row for row in rows if row.id in new]
        self.accept(added)
        return added

    async def tell(self, notice: Notice, channels: Sequence[str]) -> list[OutboxRow]:
        """Tell of a notice on these channels, at once and until it has arrived; answers the rows that are new.

        The same event is told once on each channel, also after a restart. A channel that is not there is left out.

        Raises:
            StoreUnavailable: it could not be kept; nothing was sent.
        """
        self.on_use()
        names = [name for name in dict.fromkeys(channels) if name in self.plans.channels]
        return await self._put([self.plans.row(notice, name) for name in names])

    async def send_notification(
        self, message: NotificationMessage, *, wait: float = 30.0
    ) -> dict[str, NotificationResult]:
        """Send a message to the channels it names, or to those of the policies; answers what became of it on each.

        It is kept before it is sent: what could not be delivered within `wait` seconds is answered as
        `pending` and goes on. A channel that is not there is answered as such.

        Raises:
            StoreUnavailable: it could not be kept; nothing was sent.
        """
        self.on_use()
        notice = self._notice(message)
        targets = list(dict.fromkeys(message.channels or ()))
        unknown = [name for name in targets if name not in self.plans.channels]
        names = [name for name in targets if name not in unknown] if targets else self.plans.route(notice).channels
        results = {name: NotificationResult(name, False, "unknown", "no such channel") for name in unknown}
        priority = _PRIORITIES.get(str(message.priority)) if message.priority is not None else None
        rows = [self.plans.row(notice, name, priority=priority) for name in names if name in self.plans.channels]
        if self._cools(message):
            rows = [replace(row, state=RowState.SUPPRESSED, reason=COOLDOWN) for row in rows]
        with self._waiters.expect(rows) as waiting:
            await self._put(rows)
            return {**results, **await waiting.results(wait)}

    def _notice(self, message: NotificationMessage) -> Notice:
        return Notice(
            event_id=f"message-{self.make_id()}",
            kind=NoticeKind.MESSAGE,
            severity=Severity(str(message.severity)),
            at=self._clock.time(),
            title=message.title,
            content=message.content,
            facts={str(name): str(value) for name, value in (message.fields or {}).items()},
        )

    def _cools(self, message: NotificationMessage) -> bool:
        """Whether the same was sent so lately that it is not sent again."""
        if not self.options.message_cooldown:
            return False
        key, now = (message.title, str(message.severity)), self._clock.monotonic()
        last = self._last_sent.pop(key, None)
        cools = last is not None and now - last < self.options.message_cooldown
        self._last_sent[key] = last if cools and last is not None else now
        if len(self._last_sent) > _REMEMBERED:
            del self._last_sent[next(iter(self._last_sent))]
        return cools

    async def test(self, channel: str, *, actor: str) -> TestResult:
        """Send a test through a channel's whole pipeline, past suppression, digests and an open breaker.

        A success ends an outage that was believed in. What a pager test opened is closed again.

        Raises:
            UnknownName: there is no such channel.
            StoreUnavailable: nothing was sent.
        """
        self.on_use()
        return await self._trials.run(channel, actor)

    # -- what became of everything ------------------------------------------------------------------

    def _told(self, row: OutboxRow) -> None:
        """A row was finished, and the store has it."""
        self._waiters.told(row)
        if row.state is RowState.DEAD:
            _log.error("not delivered on %s: %s: %s", row.channel, row.notice.title[:200], row.reason)
            self._dead.given_up(row)

    def _changed(self, lane: Any, change: str) -> None:
        self._watch.changed(lane, change)

    @property
    def counters(self) -> DeliveryCounters:
        """Attempts since the start of the process, for `/metrics`."""
        return self.dispatcher.counters

    @property
    def oldest_critical(self) -> float:
        """How long the oldest critical message has been waiting, s; 0 when none waits."""
        return self._watch.oldest_critical()

    @property
    def oldest(self) -> float:
        """How long the oldest message has been waiting, s; 0 when none waits."""
        return self._watch.oldest()

    @property
    def dead(self) -> int:
        """How many dead letters wait for a person, as counted last."""
        return self._dead.depth

    def made_by(self, stalled: Callable[[], str]) -> None:
        """Stop the heartbeat, too, while what makes the messages says why it does not work."""
        self._watch.unmade = stalled

    def channels(self) -> dict[str, ChannelView]:
        """Every channel as it stands."""
        return {name: self._watch.view(lane) for name, lane in self.lanes.lanes.items()}

    async def statistics(self, start: float, end: float) -> dict[str, ChannelStatistics]:
        """What each channel was asked between two times (epoch seconds), and did."""
        return {name: statistics(each) for name, each in (await self._store.counts(start, end)).items()}

    async def accounting(self, start: float, end: float) -> Accounting:
        """Where everything ended that was to be told between two times (epoch seconds)."""
        return account(await self._store.counts(start, end))

    async def log(
        self, limit: int = 100, *, row: str = "", channel: str = "", before: tuple[float, int] | None = None
    ) -> list[tuple[int, Attempt]]:
        """Attempts, newest first, each with its number; `before` is (time, number) of the last one seen."""
        return await self._store.attempts(limit, row=row, channel=channel, before=before)

    async def dead_letters(self, limit: int = 100, *, channel: str = "", before: str = "") -> list[OutboxRow]:
        """What was given up, newest first; `before` is the id of the last one seen."""
        return await self._dead.letters(limit, channel=channel, before=before)

    async def replay(self, row_id: str, *, actor: str, reason: str = "") -> OutboxRow:
        """Try a dead letter once more, under its own identity, with a deadline as long as its first.

        Raises:
            UnknownName: there is no such dead letter.
        """
        row = await self._dead.replay(row_id, actor, reason)
        self.accept([row])
        return row

    async def discard(self, row_id: str, *, actor: str, reason: str = "") -> OutboxRow:
        """Throw a dead letter away.

        Raises:
            UnknownName: there is no such dead letter.
        """
        return await self._dead.discard(row_id, actor, reason)

    async def decide_all(self, again: bool, *, channel: str = "", actor: str, reason: str = "") -> int:
        """Try every dead letter again, or throw every one away; only those of `channel`, if it is given. How many.

        Raises:
            StoreUnavailable: those that were not reached yet are as they were.
        """
        number = 0
        async for rows in self._dead.decide_all(again, channel, actor, reason):
            number += len(rows)
            if again:
                self.accept(rows)
        return number

    async def why(self, name: str) -> dict[str, Any]:
        """What became of an event, or of one row: every row with its attempts, and what it was told in; JSON-ready."""
        rows = await self._dead.rows_of(name)
        told_in = [each for row in rows if row.told_in for each in await self._dead.rows_of(row.told_in)]
        found = {row.id: row for row in (*rows, *told_in)}
        shown = [row_as_dict(row, await self._store.attempts(200, row=row.id)) for row in found.values()]
        return {"asked": name, "rows": shown}

    def problems(self) -> list[str]:
        """What is wrong with notifications, for people; empty when nothing is."""
        unknown = self.plans.policies.unknown_channels(self.plans.channels)
        return [
            *(f"policy {policy} names the channel {name}, which is not there" for policy, name in unknown),
            *self._watch.problems(),
            *self._dead.problems(),
        ]

    # -- life ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver, look after the channels and tell a dead man's switch, until cancelled or stopped."""
        self.dispatcher.begin()  # before anything is awaited: whoever stops it meanwhile has stopped it
        await self._watch.load()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch.run())
            counting = tasks.create_task(self._dead.run())
            await self.dispatcher.run()
            watching.cancel()
            counting.cancel()

    async def stop(self, timeout: float = DRAIN) -> None:
        """Start nothing more, wait for what is on its way, and record it; the rest stays in the outbox."""
        await self.dispatcher.drain(timeout)
        await self._watch.save()
