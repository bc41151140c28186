"""Evaluates: asks the rules, moves the alerts, keeps what changed, tells people. One round after the other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from understudy.core.clock import Clock
from understudy.core.durations import Durations
from understudy.core.errors import LeaseLost
from understudy.core.lease import Lease
from understudy.core.notices import NoticeKind
from understudy.core.turn import Slices

from . import acts, correlation
from .context import Context
from .engine import Tick
from .expression import ExpressionError, parse
from .keeper import Keeper
from .model import Labels, Rule, Subject
from .ports import AlertStore, Change, MetricSource, Outlet, Signal
from .rows import rows_of
from .slo import PAIRS
from .standing import Standing
from .tick import Judged, Result
from .timekeeping import Timekeeper
from .watch import Watch

_log = logging.getLogger("understudy.alerts")

_LONGEST: Final = 3600.0


class Rounds:
    """The standing of all alerts and what moves it. Asked by one task at a time, see `AlertManager`."""

    def __init__(
        self, source: MetricSource, clock: Clock, context: Context, store: AlertStore,
        lease: Callable[[], Lease | None], outlet: Outlet,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._store = store
        self._outlet = outlet
        self.context = context
        self.standing = Standing(context)
        self.keeper = Keeper(store, lease, outlet.accept)
        self.watch = Watch(source, lambda: self.standing.states)
        self._timekeeper = Timekeeper(clock)
        self._taken: list[int] = []
        self._failing: dict[str, Signal] = {}
        #: Of the last sweep: alerts that fire as before and were left out, and how long it took, s.
        self._left_out: set[str] = set()
        self._swept = 0.0
        #: Seconds that evaluating everything took, and seconds from what happened to the alert that tells of it.
        self.evaluation, self.detection = Durations(), Durations()
        #: When everything was last evaluated, epoch s.
        self.evaluated_at: float | None = None
        #: Called when alerts have moved, by whoever shows them.
        self.on_moved: Callable[[], None] = _unwatched

    # -- what is evaluated ------------------------------------------------------------------------

    def use(self, rules: Iterable[Rule]) -> None:
        """Go on with these rules."""
        chosen = list(rules)
        if all(rule.name != correlation.RULE.name for rule in chosen):
            chosen.append(correlation.RULE)
        self.context.set_rules(chosen)
        # Incidents of hubs are found from other alerts, not from numbers.
        self.watch.use(rule for rule in chosen if rule.name != correlation.RULE.name)
        self.standing.reindex(self._clock.time())

    @property
    def longest_window(self) -> float:
        """The longest window that any rule asks for, s."""
        rules = self.watch.rules().values()
        return max((window for rule in rules for window in _windows(rule)), default=_LONGEST)

    @property
    def failing(self) -> list[str]:
        """The names of rules that cannot be evaluated."""
        return sorted({str(signal.detail.get("rule", "")) for signal in self._failing.values()})

    # -- rounds -----------------------------------------------------------------------------------

    async def sweep(self, breath: Callable[[], Awaitable[None]]) -> None:
        """Ask every rule about every subject, in pieces; `everything` takes in what was found.

        In between alerts may move, for what has just happened to one subject waits for no round.
        """
        began = self._clock.monotonic()
        at = self._now()
        await self.watch.everything(at, breath)
        self._left_out = await self.watch.standing(at, breath, self.standing.steady)
        self._swept = self._clock.monotonic() - began

    async def everything(self, breath: Callable[[], Awaitable[None]], since: float | None = None) -> None:
        """Move all alerts after a sweep. `since` is when something happened that has not been looked at.

        Raises:
            LeaseLost: another instance evaluates by now.
        """
        began = self._clock.monotonic()
        await self.keeper.again()
        at = self._now()
        await self._move(self.watch.gathered(), at, since, breath, complete=True)
        self.evaluation.add(self._swept + self._clock.monotonic() - began)
        self.evaluated_at = at

    async def some(self, touched: Iterable[tuple[Subject, Labels]], since: float | None) -> None:
        """Evaluate the rules about these subjects only.

        Raises:
            LeaseLost: as above.
        """
        at = self._now()
        await self._move(self.watch.some(touched, at), at, since)

    async def signalled(self, signals: Sequence[Signal]) -> None:
        """Evaluate the rules about what began or ended; no two of the signals are about one alert.

        Raises:
            LeaseLost: as above.
        """
        at = self._now()
        judged = [each for signal in signals for each in self.watch.signalled(signal, at)]
        slices = Slices(self._clock.monotonic)
        await self._move(judged, at, min((each.at for each in signals if each.active), default=None), slices.breath)

    def heard(self, numbers: Sequence[int]) -> None:
        """These posted signals were taken in: they are forgotten with the next change."""
        self._taken.extend(numbers)

    async def act(self, name: str, alert: str, actor: str, comment: str, until: float | None) -> None:
        """Do what a person wants of the alert with this fingerprint.

        Raises:
            NotActive: it does not fire.
            ValueError: a snooze that has no end, or one in the past.
            LeaseLost: as above.
        """
        at, standing, context = self._now(), self.standing, self.context
        match name:
            case "acknowledge":
                result = acts.acknowledge(standing, alert, at, context, actor=actor, comment=comment)
            case "unacknowledge":
                result = acts.unacknowledge(standing, alert, at, context, actor=actor, comment=comment)
            case "snooze":
                ends = at if until is None else until
                result = acts.snooze(standing, alert, ends, at, context, actor=actor, comment=comment)
            case "resolve":
                result = acts.resolve(standing, alert, at, context, actor=actor, reason=comment)
            case _:
                raise ValueError(f"nobody can {name} an alert")
        await self._take(result)

    def _now(self) -> float:
        moment = self._timekeeper.now()
        if moment.stepped:
            self.standing.shifted(moment.stepped)
        return moment.at

    async def _move(
        self, judged: Sequence[Judged], at: float, since: float | None,
        breath: Callable[[], Awaitable[None]] | None = None, *, complete: bool = False,
    ) -> None:  # fmt: skip
        try:
            result = await self._evaluated(judged, at, breath, complete=complete)
            await self._take(result)
        except BaseException:
            # What was found was not taken in: the next round finds it again.
            self.watch.forget()
            raise
        if since is not None and any(event.kind == NoticeKind.FIRED for event in result.events):
            self.detection.add(self._clock.time() - since)
        for signal in result.signals:
            self._noticed(signal)
        self._log_faults(result)

    def _log_faults(self, result: Result) -> None:
        """The first of a row of faults about one alert, with where it came from."""
        for key, fault in result.faults.items():
            state = result.states.get(key)
            if state is not None and state.errors == 1:
                _log.error("the alert %s of rule %r cannot be evaluated", key, state.rule, exc_info=fault)

    async def _evaluated(
        self, judged: Sequence[Judged], at: float, breath: Callable[[], Awaitable[None]] | None, *, complete: bool
    ) -> Result:
        tick = Tick(self.standing, at, self.context)
        # Of those that were left out, some may have moved since: then they are no longer steady, and judged next time.
        for _ in tick.steps(judged, self._left_out if complete else (), complete=complete):
            if breath is not None:
                await breath()
        return tick.result

    def _noticed(self, signal: Signal) -> None:
        """What the engine noticed of itself; the gauge `rules_failing` says so in the next round."""
        key = f"{signal.event}\0{signal.detail.get('rule')}\0{signal.detail.get('fingerprint')}"
        if signal.active:
            self._failing[key] = signal
        else:
            self._failing.pop(key, None)

    async def _take(self, result: Result) -> None:
        found = result.change()
        rows = self._outlet.leased(rows_of(result.tellings, self._outlet)) if result.tellings else []
        change = Change(
            found.at, found.states, found.episodes, found.events, tuple(rows), tuple(self._taken)
        )  # fmt: skip
        self._taken = []
        try:
            await self.keeper.keep(change)
        except LeaseLost:
            self.keeper.forget()
            raise
        self.standing.take(result)
        if found.states:
            self.on_moved()

    # -- the role ---------------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Go on with what is stored.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        documents = await self._store.states()
        self.standing = Standing(self.context)
        self.keeper.forget()
        self.watch.forget()
        self._failing.clear()
        unread = self.standing.load(documents, self._now())
        if unread:
            _log.error("%d stored alerts cannot be read, and begin anew: %s", len(unread), ", ".join(unread[:5]))


def _unwatched() -> None:
    """Nobody looks."""


def _windows(rule: Rule) -> tuple[float, ...]:
    """The windows that a rule looks at, s."""
    if rule.kind == "burn_rate":
        return tuple(pair.long for pair in PAIRS)
    if rule.kind == "expression":
        try:
            return (rule.window, *(window for _, window in parse(rule.when).reads if window is not None))
        except ExpressionError:
            return (rule.window,)  # its evaluation fails, which is told
    return (rule.window, 2 * rule.window) if rule.kind == "no_traffic" else (rule.window,)
