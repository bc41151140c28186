"""What goes into one evaluation of the engine, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.core.notices import Notice

from .model import Labels, Rule, Verdict
from .ports import Change, EpisodeRow, EventRow, Signal
from .state import AlertState


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule found for one label set. `facts` are told with the notice, in order: name to text."""

    rule: Rule
    labels: Labels
    verdict: Verdict
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Telling:
    """One notice that is to be told.

    `labels` are all labels that policies may match. `targets` are channels in place of those that the policies
    name; `also` are channels besides them (those that an escalation has told before). `hold_until` and `group`
    are for channels that are no pagers: the rows of a group that are due together become one message.
    `pagers_only`: nobody else is told of it.
    """

    notice: Notice
    labels: Mapping[str, str]
    targets: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    hold_until: float = 0.0
    group: str = ""
    pagers_only: bool = False


@dataclass(slots=True)
class Result:
    """What one evaluation came to. Nothing has happened yet: keep it, then take it over into the `Standing`.

    `states` holds every state that is different, None for one that is forgotten; `documents` those that must be
    kept (most quiet evaluations of a firing alert need not be). `signals` begin and end what the engine
    noticed of itself: `rule_evaluation_failing`, for each alert, with `rule`, `fingerprint` and `reason` as detail.
    """

    at: float
    states: dict[str, AlertState | None] = field(default_factory=dict)
    documents: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    episodes: list[EpisodeRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    #: When groups are told next, and the version of the context that all states were looked at with.
    groups: dict[str, float] = field(default_factory=dict)
    version: int | None = None
    #: Alerts that fire as before and that no timer waits for: unless something else is found of them, nothing changes.
    steady: set[str] = field(default_factory=set)
    #: Silences of whose end people are reminded with this.
    reminded: set[str] = field(default_factory=set)
    #: Alerts that could not be evaluated because of a fault of ours, and the fault: nothing of them has changed.
    faults: dict[str, Exception] = field(default_factory=dict)

    def mark(self) -> tuple[int, int, int]:
        """How far the lists have come; for `back_to`."""
        return len(self.episodes), len(self.events), len(self.tellings)

    def back_to(self, mark: tuple[int, int, int], fingerprint: str) -> None:
        """Take back everything that was added about one alert since `mark`."""
        episodes, events, tellings = mark
        del self.episodes[episodes:], self.events[events:], self.tellings[tellings:]
        self.states.pop(fingerprint, None)
        self.documents.pop(fingerprint, None)

    def change(self) -> Change:
        """What must be kept in one transaction, but for the rows that the tellings become."""
        return Change(self.at, self.documents, tuple(self.episodes), tuple(self.events))
