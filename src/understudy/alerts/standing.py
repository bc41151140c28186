"""How all alerts stand: their states, and which of them inhibit others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, Final

from .context import INCIDENT, Context
from .correlation import tells_of_failing
from .inhibition import Sources
from .machine import restored, shift
from .state import AlertState
from .tick import Result

#: So many evaluations in a row that end with an error are told.
FAILING: Final = 3

#: After its hold, an alert that was resolved by hand comes again with one of the next rounds, s.
COMES_AGAIN: Final = 5.0

#: Groups whose times are remembered.
MOST_GROUPS: Final = 10_000


class Standing:
    """The states of all alerts between two evaluations. Only `take` and the two methods after it change it."""

    __slots__ = (
        "context", "due_at", "erring", "failing", "groups", "incidents", "reminded", "seen", "sources", "states",
        "steady",
    )  # fmt: skip

    def __init__(self, context: Context) -> None:
        self.context = context
        self.states: dict[str, AlertState] = {}
        self.sources = Sources(context.inhibitors)
        #: The soonest moment at which time alone may change something.
        self.due_at = -inf
        #: Alerts that say that an API of a hub fails, hubs with an incident by its fingerprint, and the rules of
        #: alerts that cannot be evaluated.
        self.failing: dict[str, AlertState] = {}
        self.incidents: dict[str, str] = {}
        self.erring: dict[str, str] = {}
        #: Alerts that fire as they did at the last evaluation, see `Result.steady`.
        self.steady: set[str] = set()
        #: Silences of whose end people were reminded.
        self.reminded: set[str] = set()
        #: When the messages of each group were, or will be, told last.
        self.groups: dict[str, float] = {}
        #: The version of the context that all states were looked at with.
        self.seen = -1

    def take(self, result: Result) -> None:
        """Take over what an evaluation came to."""
        for fingerprint, state in result.states.items():
            self.steady.discard(fingerprint)
            if state is None:
                self.states.pop(fingerprint, None)
                self.sources.drop(fingerprint)
                for index in (self.failing, self.incidents, self.erring):
                    index.pop(fingerprint, None)
            else:
                before = self.states.get(fingerprint)
                self.states[fingerprint] = state
                self._place(state, result.at, before)
        self.steady |= result.steady
        self._group(result)
        self.reminded.update(result.reminded)
        if result.version is not None:
            self.seen = result.version
            self.due_at = min((state.due_at for state in self.states.values()), default=inf)
        else:
            self.due_at = min(self.due_at, *(state.due_at for state in result.states.values() if state), inf)

    def load(self, documents: Mapping[str, Mapping[str, Any]], now: float) -> list[str]:
        """Go on with what was kept when this process, or another one, evaluated last; names what cannot be read."""
        unread = []
        for fingerprint, document in documents.items():
            try:
                state = AlertState.from_dict(document)
            except (ValueError, TypeError, KeyError, AttributeError):
                unread.append(fingerprint)
                continue
            if state.fingerprint != fingerprint:
                unread.append(fingerprint)
                continue
            restored(state, now, self.context.rules.get(state.rule))
            state.due_at = -inf
            self.states[fingerprint] = state
        self.reindex(now)
        return unread

    def shifted(self, seconds: float) -> None:
        """The wall clock was set by so much: no timer ends sooner or later for it."""
        for fingerprint, state in list(self.states.items()):
            moved = state.copy()
            shift(moved, seconds)
            self.states[fingerprint] = moved
        self.groups = {name: until + seconds for name, until in self.groups.items()}
        self.due_at = -inf
        self.reindex(-inf)

    def reindex(self, now: float) -> None:
        """Inhibitions or rules are others than before."""
        self.sources = Sources(self.context.inhibitors)
        self.failing, self.incidents, self.erring = {}, {}, {}
        self.steady.clear()
        for state in self.states.values():
            self._place(state, now)

    def firing(self) -> Iterable[AlertState]:
        """The alerts that have an open episode."""
        return [state for state in self.states.values() if state.firing]

    def labels(self, state: AlertState) -> dict[str, str]:
        """All labels of an alert that matchers may ask for."""
        rule = self.context.rules.get(state.rule)
        if rule is None:
            return {**state.labels, "rule": state.rule, "severity": state.severity.value}
        return rule.labels(state.labels, state.severity)

    def _group(self, result: Result) -> None:
        self.groups.update(result.groups)
        if len(self.groups) > MOST_GROUPS:
            # Those that were told long ago wait for nothing any more.
            newest = sorted(self.groups.items(), key=lambda pair: pair[1])[-MOST_GROUPS // 2 :]
            self.groups = dict(newest)

    def _place(self, state: AlertState, now: float, before: AlertState | None = None) -> None:
        """Keep at hand what the alert is to others."""
        key, rule = state.fingerprint, self.context.rules.get(state.rule)
        if before is None or before.phase is not state.phase or before.severity is not state.severity:
            place(self.sources, state, self.labels(state), now)
        if rule is not None and tells_of_failing(state, rule):
            self.failing[key] = state
        else:
            self.failing.pop(key, None)
        if state.rule == INCIDENT.name and state.watched:
            self.incidents[key] = state.labels.get("hub", "")
        else:
            self.incidents.pop(key, None)
        if state.errors >= FAILING:
            self.erring[key] = state.rule
        else:
            self.erring.pop(key, None)


def place(sources: Sources, state: AlertState, labels: Mapping[str, str], now: float) -> bool:
    """Note whether an alert inhibits others; whether it did or does."""
    if state.firing:
        return sources.put(state.fingerprint, labels, None, now)
    # One that was resolved by hand while its condition held goes on to speak for others, until it may come again.
    ended_at = max(state.resolved_at, state.held_until + COMES_AGAIN) if state.held_until else state.resolved_at
    return sources.put(state.fingerprint, labels, ended_at, now) if state.number else False
