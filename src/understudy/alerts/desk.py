"""What people see of alerts, and what they do about them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from understudy.core.audit import AuditEntry
from understudy.core.clock import Clock
from understudy.core.errors import LeaseLost, NotActive, UnknownName
from understudy.core.matchers import Matcher, matches
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.turn import LoopLock

from .imagined import Imagined, imagine
from .machine import resolve
from .model import Phase
from .ports import AlertStore, EpisodeQuery, EpisodeRow, EventRow, Outlet, Signal
from .rounds import Rounds
from .shelf import SilenceShelf
from .shown import AlertView, EpisodeView, event_as_dict
from .silences import Silence
from .state import Ack, AlertState
from .viewing import view

_log = logging.getLogger("understudy.alerts")

#: Most events of one episode that are shown.
_MOST_EVENTS: Final = 1000
#: Most episodes of the past that are looked at, and how many are read at a time.
_MOST_PAST: Final = 10_000
_PAGE: Final = 500
#: The event by which an instance that does not evaluate passes on what a person did there.
ACT: Final = "act"
#: For how long such an act is shown as done before it is, s: the instance that evaluates looks each second.
PASSED_FOR: Final = 5.0


@dataclass(frozen=True, slots=True)
class Passed:
    """What a person did on an instance that does not evaluate, `at` when; shown as done for as long as `ends` says."""

    act: str
    actor: str
    comment: str
    until: float | None
    at: float
    ends: float

    def apply(self, state: AlertState) -> None:
        """Show it in a copy of the alert that only people look at."""
        if self.act == "resolve":
            resolve(state, self.at)
        elif self.act == "unacknowledge":
            state.ack = None
        else:
            until = inf if self.until is None else self.until
            state.ack = Ack(self.actor, self.at, until, self.comment, snooze=self.act == "snooze")


class AlertDesk:
    """The half of `AlertManager` that people use. `ready` tells whether this instance is the one that evaluates."""

    def __init__(
        self, clock: Clock, store: AlertStore, outlet: Outlet, rounds: Rounds, shelf: SilenceShelf, instance: str
    ) -> None:
        self._clock = clock
        self._store = store
        self._outlet = outlet
        self._rounds = rounds
        self._shelf = shelf
        self._instance = instance
        self._taken_up = False
        #: The alerts as the instance that evaluates has left them in the store, where this one does not.
        self._followed: dict[str, AlertState] = {}
        #: What people did here and the instance that evaluates has not had the time to do, by fingerprint.
        self._passed_on: dict[str, Passed] = {}
        self._lock = LoopLock()
        #: Enters what people did into the audit log.
        self.acted: Callable[[AuditEntry], Awaitable[None]] = _unaudited
        #: Called before something is awaited here, so that the application runs on this loop.
        self.on_use: Callable[[], None] = _nothing
        #: Called when the store refused what this instance wrote, as another evaluates by now.
        self.on_lease_lost: Callable[[], None] = _nothing

    async def ready(self) -> bool:
        """Whether this instance is the one that evaluates."""
        raise NotImplementedError

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except LeaseLost:
            self._taken_up = False
            self.on_lease_lost()
            raise

    def _turn(self) -> asyncio.Lock:
        """One round, or one person's act, at a time; on whatever loop runs now."""
        return self._lock.here()

    # -- what people see --------------------------------------------------------------------------

    def follow(self, moved: Callable[[], None]) -> Callable[[], None]:
        """Call `moved` whenever alerts have moved, from now on; returns what ends that. One follower at a time."""
        self._rounds.on_moved = moved

        def end() -> None:
            if self._rounds.on_moved is moved:
                self._rounds.on_moved = _nothing

        return end

    def _states(self) -> Mapping[str, AlertState]:
        return self._rounds.standing.states if self._taken_up or not self._followed else self._followed

    def active(self) -> list[AlertView]:
        """Every alert that is pending, fires or recovers."""
        rules = self._rounds.context.rules
        shown = [view(state, rules.get(state.rule)) for state in self._states().values()]
        return [each for each in shown if each.phase != Phase.INACTIVE]

    def imagine(
        self, rule: str, labels: Mapping[str, str], *, severity: Severity | None = None,
        kind: NoticeKind = NoticeKind.FIRED, at: float | None = None, value: float | None = None,
    ) -> Imagined:  # fmt: skip
        """What an alert of a rule would lead to, now or at another time; nothing happens.

        Raises:
            UnknownName: there is no such rule.
        """
        context, sources = self._rounds.context, self._rounds.standing.sources
        if (found := context.rules.get(rule)) is None:
            raise UnknownName("rule", rule)
        now = self._clock.time()
        return imagine(
            found, labels, severity, kind, now if at is None else at, value, context,
            lambda key, seen: sources.inhibiting(key, seen, now, (), sources),
        )  # fmt: skip

    async def past(self, start: float, end: float) -> tuple[list[EpisodeRow], list[EventRow]]:
        """Episodes that were firing at some time of a span, the newest 10,000 of them, and all that happened to them.

        Both are in order of time. Events of an episode are those up to the span's end.

        Raises:
            StoreUnavailable: they cannot be read now.
        """
        episodes: list[EpisodeRow] = []
        page: list[EpisodeRow] = []
        while len(episodes) < _MOST_PAST:
            before = page[-1].episode if page else ""
            page = await self._store.episodes(EpisodeQuery(start=start, end=end, before=before), _PAGE)
            episodes += page
            if len(page) < _PAGE:
                break
        episodes.sort(key=lambda each: (each.started_at, each.episode))
        if not episodes:
            return [], []
        names = {each.episode for each in episodes}
        first = min(start, episodes[0].started_at)
        events = await self._store.events(start=first, end=end, limit=_MOST_PAST * 10)
        return episodes, [each for each in events if each.episode in names]

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
        return {
            "event": None if event is None else event_as_dict(event),
            "routing": self._routing(event),
            "deliveries": list(told.get("rows", ())),
        }

    def _routing(self, event: EventRow | None) -> dict[str, Any] | None:
        """Whom the policies name for an event; an escalation's step has its own targets, which its trace holds."""
        if event is None or not event.notice or event.kind == NoticeKind.STEP:
            return None
        notice = Notice.from_dict(event.notice)
        rule = self._rounds.context.rules.get(notice.rule)
        labels = dict(notice.labels) if rule is None else rule.labels(notice.labels, notice.severity)
        return self._outlet.explain(notice, labels)

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
            ends = self._clock.monotonic() + PASSED_FOR
            self._passed_on[state.fingerprint] = Passed(name, actor, comment, until, self._clock.time(), ends)
            self._followed = self._with_passed(self._followed)
        after = {"comment": comment, **({} if until is None else {"until": until})}
        about = f"{state.rule} {' '.join(f'{key}={value}' for key, value in state.labels.items())}".strip()
        await self.acted(AuditEntry(self._clock.time(), actor, f"alert.{name}", about, None, after))

    def _with_passed(self, followed: dict[str, AlertState]) -> dict[str, AlertState]:
        """Alerts as they will be when what people did here is done: whoever did it sees it at once."""
        now = self._clock.monotonic()
        for fingerprint, passed in tuple(self._passed_on.items()):
            state = followed.get(fingerprint)
            if state is None or not state.firing or now >= passed.ends:
                del self._passed_on[fingerprint]
            else:
                passed.apply(state)
        return followed

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
        if self._rounds.failing:
            found.append(f"rules that cannot be evaluated: {', '.join(self._rounds.failing)}")
        return found


async def _unaudited(entry: AuditEntry) -> None:
    _log.info("audit: %s %s %s", entry.actor, entry.action, entry.object)


def _nothing() -> None:
    """Nothing has to run first."""
