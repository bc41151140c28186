"""Alerts from outside: rules, what fires, what fired, and what people do about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from understudy.core.audit import AuditEntry
from understudy.core.clock import Clock
from understudy.core.durations import Durations
from understudy.core.errors import LeaseLost, NotActive, UnknownName
from understudy.core.lease import Lease
from understudy.core.matchers import Matcher, matches
from understudy.core.notices import Notice
from understudy.core.turn import Turn

from .context import Context, Handling, unhandled
from .inhibition import inhibitors
from .metrics import EVENTS
from .model import Labels, Phase, Rule, Subject
from .options import AlertOptions
from .ports import AlertStore, DocumentStore, EpisodeQuery, EpisodeRow, MetricSource, Outlet, Signal
from .rounds import Rounds
from .rulebook import RuleBook
from .rules import seed_rule
from .shelf import SilenceShelf
from .shown import AlertView, EpisodeView, event_as_dict
from .silences import Silence, Silences
from .state import AlertState
from .timings import Timing
from .viewing import view

_log = logging.getLogger("understudy.alerts")

#: What another instance edited is looked for that often, s.
_EDITED_EVERY: Final = 5.0
#: Most events of one episode that are shown.
_MOST_EVENTS: Final = 1000
#: The event by which an instance that does not evaluate passes on what a person did there.
ACT: Final = "act"


class AlertManager:
    """The alerts of one application.

    Everything runs on one loop. `active` tells whether this instance is the one that evaluates, `lease` what it
    writes under; another one shows what is stored, and passes on what people do.
    """

    def __init__(
        self,
        source: MetricSource,
        clock: Clock,
        *,
        make_id: Callable[[], str],
        store: AlertStore,
        documents: DocumentStore,
        outlet: Outlet,
        options: AlertOptions,
        defaults: Iterable[Rule],
        instance: str = "local",
        active: Callable[[], bool] = lambda: True,
        lease: Callable[[], Lease | None] = lambda: None,
        handling: Callable[[Mapping[str, str]], Handling] = unhandled,
    ) -> None:
        self._clock = clock
        self._store = store
        self._outlet = outlet
        self._instance = instance
        self._active = active
        context = Context(make_id, handling=handling)
        self._rounds = Rounds(source, clock, context, store, lease, outlet)
        if facts is not None:
            self._rounds.watch.facts = facts
        #: Every rule, with its versions.
        self.rules = RuleBook(defaults, documents)
        self._shelf = SilenceShelf(documents, clock, make_id)
        self._taken_up = False
        self._edited_at = float("-inf")
        self._followed: dict[str, AlertState] = {}
        self._lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        #: Enters what people did into the audit log.
        self.acted: Callable[[AuditEntry], Awaitable[None]] = _unaudited
        #: Called before something is awaited here, so that the application runs on this loop.
        self.on_use: Callable[[], None] = _nothing
        #: Brings what was recorded into the windows.
        self.drain: Callable[[], Awaitable[None]] = _at_once
        self.options = options
        self.configure(options, defaults)
        self.rules.on_change = self._rule_changed
        self._shelf.on_change = self._silences_changed

    # -- configuration ----------------------------------------------------------------------------

    def configure(self, options: AlertOptions, defaults: Iterable[Rule]) -> None:
        """Go on with these options: rules of the file, policies of escalation, hours, inhibitions.

        Raises:
            SilenceError, OptionError: something in them cannot be used; nothing has changed.
        """
        timings = tuple(Timing(name, each) for name, each in options.mute_timings.items())
        inhibiting = inhibitors(options.inhibitions)
        self._shelf.configured(options.silences)
        self.options = options
        context = self._rounds.context
        context.timings, context.inhibitors = timings, inhibiting
        context.escalations, context.interval = dict(options.escalations), options.interval
        context.options = options.engine
        self.rules.configured(options.rules.values(), defaults)
        self._rounds.use(self.rules.rules())
        self._silences_changed()

    def _rule_changed(self, name: str, old: Rule | None, new: Rule | None) -> None:
        self._rounds.use(self.rules.rules())

    def _silences_changed(self) -> None:
        self._rounds.context.silences = Silences(self._shelf.all())
        self._rounds.context.changed()

    async def add_custom_alert_rule(
        self,
        name: str,
        metric: str,
        threshold: float,
        operator: str = ">",
        severity: str = "warning",
        description: str = "",
        cooldown_seconds: float = 300.0,
        escalation_threshold: int | None = None,
    ) -> Rule:
        """Put a rule about every API in force, as the original document's function of that name.

        The same again makes no new version. Further things can be said with `rules.put`.

        Raises:
            RuleError: with everything that is wrong with it; nothing has changed.
        """
        rule = seed_rule(
            name=name, metric=metric, threshold=threshold, operator=operator, severity=severity,
            description=description, cooldown_seconds=cooldown_seconds, escalation_threshold=escalation_threshold,
        )  # fmt: skip
        self.on_use()
        return await self.rules.put(rule, actor="program", comment="add_custom_alert_rule", origin="code")

    def add_callback(self, function: Callable[[Notice], Any], name: str | None = None) -> str:
        """Call a function, plain or async, with the notice of every alert, as a delivery like every other.

        One that raises is called again, one that hangs keeps nobody waiting. Answers the name under which an
        escalation policy may name it.
        """
        return self._outlet.add_callback(function, name)

    # -- evaluation -------------------------------------------------------------------------------

    @property
    def interval(self) -> float:
        """How often everything is evaluated, s."""
        return self.options.interval

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The kinds of subject that any rule is about."""
        return self._rounds.watch.subjects

    @property
    def longest_window(self) -> float:
        """The longest window that any rule asks for, s."""
        return self._rounds.longest_window

    @property
    def evaluation(self) -> Durations:
        """Seconds that evaluating everything took, each time."""
        return self._rounds.evaluation

    @property
    def detection(self) -> Durations:
        """Seconds from what happened to the alert that told of it."""
        return self._rounds.detection

    @property
    def failing(self) -> int:
        """Rules whose last three evaluations failed."""
        return self._rounds.failing

    async def ready(self) -> bool:
        """Whether this instance evaluates; it takes up what is stored when it begins to.

        Raises:
            StoreUnavailable: it is the one, but cannot read what is stored now.
        """
        async with self._turn():
            if not (self._active() and self.options.enabled):
                self._taken_up = False
                return False
            now = self._clock.monotonic()
            if not self._taken_up:
                await self._load()
                await self._rounds.take_up()
                self._taken_up, self._edited_at = True, now
            elif now - self._edited_at >= _EDITED_EVERY:
                self._edited_at = now
                await self._load()
            return True

    async def _load(self) -> None:
        await self.rules.load()
        await self._shelf.load()

    async def round(self, breath: Callable[[], Awaitable[None]], since: float | None = None) -> None:
        """Evaluate everything; `since` is when something happened that nobody has looked at, epoch s.

        Raises:
            LeaseLost: another instance evaluates by now.
        """
        async with self._turn():
            await self._guarded(self._rounds.everything(breath, since))

    async def look(self, touched: Sequence[tuple[Subject, Labels]], since: float | None = None) -> None:
        """Evaluate the rules about subjects to which something has just happened.

        Raises:
            LeaseLost: another instance evaluates by now.
        """
        async with self._turn():
            if self._taken_up:
                await self._guarded(self._rounds.some(touched, since))

    async def evaluate_now(self) -> None:
        """Evaluate everything at once, where this instance is the one that evaluates; for tests, and for people.

        Raises:
            StoreUnavailable: what is stored cannot be read now.
        """
        self.on_use()
        await self.drain()
        if await self.ready():
            await self.round(_breath)

    async def signal(self, signal: Signal) -> None:
        """Tell that something began or ended, for rules of kind `event`.

        On an instance that does not evaluate, it is left for the one that does.

        Raises:
            StoreUnavailable: it could not be left there.
        """
        self.on_use()
        if await self.ready():
            async with self._turn():
                await self._guarded(self._rounds.signalled(signal))
        else:
            await self._store.post([signal], self._instance)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except LeaseLost:
            self._taken_up = False
            raise

    def _turn(self) -> asyncio.Lock:
        """One round, or one person's act, at a time; on whatever loop runs now."""
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock[0] is not loop:
            self._lock = (loop, asyncio.Lock())
        return self._lock[1]

    # -- several instances ------------------------------------------------------------------------

    async def post(self, signals: Sequence[Signal], instance: str) -> None:
        """Leave signals for the instance that evaluates, and look how it sees the alerts.

        Raises:
            StoreUnavailable: they could not be left there.
        """
        if signals:
            await self._store.post(signals, instance)
        documents = await self._store.states()
        self._followed = {name: AlertState.from_dict(document) for name, document in documents.items()}

    async def posted(self, limit: int) -> list[tuple[str, Signal]]:
        """The signals that other instances left: instance and signal. What people did there is done here.

        Raises:
            StoreUnavailable: they cannot be read now.
        """
        waiting = await self._store.posted(limit)
        found: list[tuple[str, Signal]] = []
        for number, instance, signal in waiting:
            if signal.event == ACT:
                await self._act_for(signal)
            elif signal.event not in EVENTS:
                async with self._turn():
                    await self._guarded(self._rounds.signalled(signal))
            else:
                found.append((instance, signal))
            self._rounds.heard([number])
        return found

    # -- what people see --------------------------------------------------------------------------

    def _states(self) -> Mapping[str, AlertState]:
        return self._rounds.standing.states if self._taken_up or not self._followed else self._followed

    def active(self) -> list[AlertView]:
        """Every alert that is pending, fires or recovers."""
        rules = self._rounds.context.rules
        shown = [view(state, rules.get(state.rule)) for state in self._states().values()]
        return [each for each in shown if each.phase != Phase.INACTIVE]

    async def history(self, query: EpisodeQuery | None = None, limit: int = 100) -> list[EpisodeRow]:
        """Episodes that are kept, the newest first.

        Raises:
            StoreUnavailable: they cannot be read now.
        """
        return await self._store.episodes(query or EpisodeQuery(), limit)

    async def episode(self, name: str) -> EpisodeView:
        """One episode with its timeline and what was sent; the fingerprint of an alert means its newest one.

        Raises:
            UnknownName: there is none.
            StoreUnavailable: it cannot be read now.
        """
        found = await self._store.episodes(EpisodeQuery(fingerprint=name), 1)
        events = await self._store.events(episode=found[0].episode if found else name, limit=_MOST_EVENTS)
        if not found and events:
            rows = await self._store.episodes(EpisodeQuery(fingerprint=events[0].fingerprint), _MOST_EVENTS)
            found = [row for row in rows if row.episode == name]
        if not found:
            raise UnknownName("alert or episode", name)
        row = found[0]
        deliveries: list[Mapping[str, Any]] = []
        for event in events:
            if not event.suppressed_by:
                deliveries += (await self._outlet.why(event.event_id)).get("rows", ())
        state = self._states().get(row.fingerprint)
        shown = None
        if state is not None and row.resolved_at is None and state.episode == row.episode:
            shown = view(state, self._rounds.context.rules.get(state.rule))
        return EpisodeView(row, events, deliveries, shown)

    async def why(self, event_id: str) -> dict[str, Any]:
        """Why somebody was, or was not, told of an event: from what was measured to each attempt at delivery.

        Raises:
            UnknownName: nothing of that name ever happened, or it is forgotten.
            StoreUnavailable: it cannot be read now.
        """
        events = await self._store.events(event_id=event_id, limit=1)
        told = await self._outlet.why(event_id)
        if not events and not told.get("rows"):
            raise UnknownName("event", event_id)
        event = events[0] if events else None
        notice = Notice.from_dict(event.notice) if event is not None and event.notice else None
        return {
            "event": None if event is None else event_as_dict(event),
            "routing": None if notice is None else self._outlet.explain(notice, dict(notice.labels)),
            "deliveries": list(told.get("rows", ())),
        }

    def matching(self, matchers: Sequence[Matcher]) -> list[AlertView]:
        """The alerts that a silence with these matchers would keep quiet now."""
        standing = self._rounds.standing
        chosen = {name for name, state in self._states().items() if matches(matchers, standing.labels(state))}
        return [each for each in self.active() if each.fingerprint in chosen]

    # -- what people do ---------------------------------------------------------------------------

    async def acknowledge(self, alert: str, *, actor: str, comment: str = "") -> None:
        """Somebody works on it: no reminders and no escalation until it ends or gets worse. Again is harmless.

        `alert` is its fingerprint or episode, here and below.

        Raises:
            UnknownName: there is no such alert.
            NotActive: it does not fire.
        """
        await self._act("acknowledge", alert, actor, comment)

    async def unacknowledge(self, alert: str, *, actor: str, comment: str = "") -> None:
        """Nobody works on it any more.

        Raises:
            UnknownName, NotActive: as above.
        """
        await self._act("unacknowledge", alert, actor, comment)

    async def snooze(self, alert: str, until: float, *, actor: str, comment: str = "") -> None:
        """As acknowledged, until a time (epoch s); what still fires then is told once more.

        Raises:
            UnknownName, NotActive: as above.
        """
        await self._act("snooze", alert, actor, comment, until)

    async def resolve(self, alert: str, *, actor: str, reason: str = "") -> None:
        """End the episode by hand; while the condition holds, a new one begins after a while at the earliest.

        Raises:
            UnknownName, NotActive: as above.
        """
        await self._act("resolve", alert, actor, reason)

    async def _act(self, name: str, alert: str, actor: str, comment: str, until: float | None = None) -> None:
        self.on_use()
        if await self.ready():
            async with self._turn():
                state = self._found(alert, self._rounds.standing.states)
                await self._guarded(self._rounds.act(name, state.fingerprint, actor, comment, until))
        else:
            documents = await self._store.states()
            state = self._found(alert, {key: AlertState.from_dict(each) for key, each in documents.items()})
            if not state.firing:
                raise NotActive(f"the alert {state.rule!r} does not fire")
            detail = {"act": name, "alert": state.fingerprint, "actor": actor, "comment": comment, "until": until}
            await self._store.post([Signal(ACT, {}, True, self._clock.time(), detail)], self._instance)
        after = {"comment": comment, **({} if until is None else {"until": until})}
        about = f"{state.rule} {' '.join(f'{key}={value}' for key, value in state.labels.items())}".strip()
        await self.acted(AuditEntry(self._clock.time(), actor, f"alert.{name}", about, None, after))

    async def _act_for(self, signal: Signal) -> None:
        """Do what a person did on another instance, which has entered it into the audit log."""
        detail = signal.detail
        until = detail.get("until")
        async with self._turn():
            try:
                await self._guarded(self._rounds.act(
                    str(detail.get("act")), str(detail.get("alert")), str(detail.get("actor")),
                    str(detail.get("comment", "")), None if until is None else float(until),
                ))  # fmt: skip
            except (NotActive, UnknownName, ValueError) as problem:
                _log.info("what was done on another instance came too late: %s", problem)

    @staticmethod
    def _found(alert: str, states: Mapping[str, AlertState]) -> AlertState:
        found = states.get(alert) or next((each for each in states.values() if alert and each.episode == alert), None)
        if found is None:
            raise UnknownName("alert", alert)
        return found

    def silences(self) -> list[Silence]:
        """Silences that hold now or later, and those that have ended within a day."""
        return self._shelf.all()

    async def silence(self, silence: Silence, *, actor: str) -> Silence:
        """Keep matching alerts quiet; answers the silence with its name.

        Raises:
            StoreUnavailable: it was not kept.
        """
        self.on_use()
        kept = await self._shelf.put(silence, actor)
        await self.acted(AuditEntry(self._clock.time(), actor, "silence.made", kept.id, None, kept.as_dict()))
        return kept

    async def expire_silence(self, name: str, *, actor: str) -> None:
        """End a silence now.

        Raises:
            UnknownName: there is none of that name, or it stands in the configuration.
            StoreUnavailable: it could not be kept; the silence holds.
        """
        self.on_use()
        await self._shelf.expire(name, actor)
        await self.acted(AuditEntry(self._clock.time(), actor, "silence.expired", name))

    def problems(self) -> list[str]:
        """What is wrong with alerts, for people; empty when nothing is."""
        keeper, found = self._rounds.keeper, []
        if keeper.problem:
            found.append(f"{keeper.waiting} events of alerts wait to be kept: {keeper.problem}")
        if keeper.dropped:
            found.append(f"{keeper.dropped} events of alerts were never kept")
        if self.failing:
            found.append(f"{self.failing} rules cannot be evaluated")
        found += [f"the stored rule {name} cannot be used: {why}" for name, why in self.rules.problems.items()]
        return found


async def _unaudited(entry: AuditEntry) -> None:
    _log.info("audit: %s %s %s", entry.actor, entry.action, entry.object)


async def _breath() -> None:
    await Turn()


async def _at_once() -> None:
    """Nothing has to be brought in."""


def _nothing() -> None:
    """Nothing has to run first."""
