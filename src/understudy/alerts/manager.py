"""Alerts from outside: rules, what fires, what fired, and what people do about it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from understudy.core.clock import Clock
from understudy.core.durations import Durations
from understudy.core.errors import StoreUnavailable
from understudy.core.lease import Lease
from understudy.core.notices import Notice
from understudy.core.turn import LoopLock, Turn

from .context import Context, Handling, unhandled
from .desk import ACT, AlertDesk
from .hearing import Hearing
from .incident_notes import IncidentNotes
from .inhibition import inhibitors
from .metrics import EVENTS
from .model import Labels, Rule, Subject
from .options import AlertOptions
from .ports import AlertStore, DocumentStore, MetricSource, Outlet, Signal
from .rounds import Rounds
from .rulebook import RuleBook
from .rules import seed_rule
from .shelf import SilenceShelf
from .silences import Silences
from .state import AlertState
from .timings import Timing

_log = logging.getLogger("understudy.alerts")

#: What another instance edited is looked for that often, s.
_EDITED_EVERY: Final = 5.0


class AlertManager(AlertDesk):
    """The alerts of one application; what people see and do is in `AlertDesk`.

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
        rounds = Rounds(source, clock, Context(make_id, handling=handling), store, lease, outlet)
        super().__init__(clock, store, outlet, rounds, SilenceShelf(documents, clock, make_id), instance)
        self._active = active
        self._sweeping, self._hearing = LoopLock(), Hearing()
        #: Every rule, with its versions.
        self.rules = RuleBook(defaults, documents)
        #: What people wrote down about incidents.
        self.notes = IncidentNotes(documents)
        self._edited_at = float("-inf")
        #: Brings what was recorded into the windows.
        self.drain: Callable[[], Awaitable[None]] = _at_once
        #: No other instance has a hand in what is stored, so nothing is read again.
        self.alone = False
        self.options = options
        self.configure(options, defaults)
        self.rules.on_change = self._rule_changed
        self._shelf.on_change = self._silences_changed

    # -- configuration ----------------------------------------------------------------------------

    def configure(self, options: AlertOptions, defaults: Iterable[Rule], environment: str = "") -> None:
        """Go on with these options: rules of the file, policies of escalation, hours, inhibitions.

        `environment` is a label of every alert from now on; no label where it is empty.

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
        context.beside = {"environment": environment} if environment else {}
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

    def tell_beside(self, facts: Callable[[Rule, Labels], Mapping[str, str]]) -> None:
        """Tell these facts beside the breaches of rules: name to text."""
        self._rounds.watch.facts = facts

    def problems(self) -> list[str]:
        """What is wrong with alerts, for people; empty when nothing is."""
        stored = [f"the stored rule {name} cannot be used: {why}" for name, why in self.rules.problems.items()]
        return [*super().problems(), *stored]

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
    def failing(self) -> list[str]:
        """The names of rules whose last three evaluations failed."""
        return self._rounds.failing

    async def ready(self) -> bool:
        """Whether this instance evaluates; it takes up what is stored when it begins to.

        Raises:
            StoreUnavailable: it is the one, but cannot read what is stored now.
        """
        async with self._turn():
            if not (self._active() and self.options.enabled):
                self._taken_up = False
                await self._rounds.keeper.part()
                return False
            if not self._taken_up:
                await self._load()
                await self._rounds.take_up()
                self._taken_up, self._edited_at = True, self._clock.monotonic()
            return True

    async def _reread(self) -> None:
        """Take over what others have edited; what has just happened does not wait for that."""
        now = self._clock.monotonic()
        if self.alone or now - self._edited_at < _EDITED_EVERY:
            return
        self._edited_at = now
        try:
            await self._load()
        except StoreUnavailable as problem:
            _log.info("rules and silences that others edit are read later: %s", problem)

    async def _load(self) -> None:
        await self.rules.load()
        await self._shelf.load()

    async def round(self, breath: Callable[[], Awaitable[None]], since: float | None = None) -> None:
        """Evaluate everything; `since` is when something happened that nobody has looked at, epoch s.

        Raises:
            LeaseLost: another instance evaluates by now.
        """
        async with self._sweeping.here():
            await self._reread()
            await self._rounds.sweep(breath)
            async with self._turn():
                if self._taken_up:
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
            heard = self._hearing.add(signal)
            async with self._turn():
                while not heard.done:
                    await self._hearing.take(self._signalled)
            if heard.problem is not None:
                raise heard.problem
        else:
            await self._store.post([signal], self._instance)

    async def _signalled(self, signals: Sequence[Signal]) -> None:
        await self._guarded(self._rounds.signalled(signals))

    # -- several instances ------------------------------------------------------------------------

    async def post(self, signals: Sequence[Signal], instance: str) -> None:
        """Leave signals for the instance that evaluates, and look how it sees the alerts, and what others edited.

        Raises:
            StoreUnavailable: they could not be left there.
        """
        if signals:
            await self._store.post(signals, instance)
        await self._reread()
        documents = await self._store.states()
        followed = {name: AlertState.from_dict(document) for name, document in documents.items()}
        self._followed = self._with_passed(followed)

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
                    await self._signalled([signal])
            else:
                found.append((instance, signal))
            self._rounds.heard([number])
        return found


async def _breath() -> None:
    await Turn()


async def _at_once() -> None:
    """Nothing has to be brought in."""
