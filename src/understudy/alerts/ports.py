"""What the alert room needs of others; the monitor, the store and the notifications satisfy these by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from understudy.core.lease import Lease
from understudy.core.notices import Notice
from understudy.core.outbox import OutboxRow

from .model import Labels, Subject


@dataclass(slots=True)
class Sample:
    """One subject over one window. Durations in seconds, those of successes only; None without any.

    `quantile` reads the histogram, which takes a while: ask only when `slowest` leaves it open.
    """

    at: float
    window: float
    #: The part of the window in which the subject existed, s.
    covered: float
    total: int = 0
    successes: int = 0
    failures: int = 0
    neutral: int = 0
    seconds: float = 0.0
    fastest: float | None = None
    slowest: float | None = None
    quantile: Callable[[float], float | None] = field(default=lambda share: None)


class MetricSource(Protocol):
    """The numbers that rules are about: live ones, or those of the past for a backtest.

    Everything here is asked on the loop that owns it, at one moment, `at` (epoch seconds).
    """

    def subjects(self, subject: Subject) -> Iterable[Labels]:
        """The label sets of a kind that exist now. `all` is one, without labels."""

    def sample(self, subject: Subject, labels: Labels, window: float) -> Sample | None:
        """The window that ends now; None for a subject that is unknown."""

    def last_calls(self, subject: Subject, labels: Labels, count: int) -> Sample | None:
        """The last `count` calls of at most one hour, where a window holds too few."""

    def gauge(self, metric: str, subject: Subject, labels: Labels) -> float | None:
        """A number of the present that is no rate: `quota_remaining_ratio`, `breaker_open`, …; None: unknown."""

    def moved(self, subject: Subject, labels: Labels) -> int:
        """Differs when anything about the subject did, but for the passing of time. Cheap."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened, for rules of kind `event`: `active` begins it, not `active` ends it."""

    event: str
    labels: Labels
    active: bool
    at: float
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One continuous firing. `number` counts the episodes of the fingerprint; `doc` is JSON-ready, for people."""

    episode: str
    fingerprint: str
    number: int
    rule: str
    rule_version: int
    labels: Mapping[str, str]
    severity: str
    peak: str
    started_at: float
    resolved_at: float | None = None
    reason: str = ""
    value: float | None = None
    doc: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One thing that happened to an alert: a line of its timeline.

    `suppressed_by` is empty for what was handed to notifications. `trace` says why it came about and who
    was told, or was not, from samples to channels; JSON-ready.
    """

    event_id: str
    episode: str
    fingerprint: str
    rule: str
    kind: str
    at: float
    severity: str
    actor: str = ""
    suppressed_by: str = ""
    notice: Mapping[str, Any] = field(default_factory=dict)
    trace: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that one evaluation changes, kept in one transaction: states and their events and rows, or nothing.

    `states` holds each alert's state as a JSON-ready document by fingerprint; None forgets it.
    """

    at: float
    states: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    episodes: Sequence[EpisodeRow] = ()
    events: Sequence[EventRow] = ()
    rows: Sequence[OutboxRow] = ()
    #: Signals of other instances that were taken in, by number: forgotten with this.
    signals: Sequence[int] = ()

    def __bool__(self) -> bool:
        return bool(self.states or self.episodes or self.events or self.rows or self.signals)


@dataclass(frozen=True, slots=True)
class EpisodeQuery:
    """Which episodes; empty fields ask for nothing. `before` is the episode that pages on.

    `severities` are those of the peak. `start` and `end` ask for what was firing at any time between them.
    """

    rules: tuple[str, ...] = ()
    fingerprint: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    severities: tuple[str, ...] = ()
    open: bool | None = None
    start: float | None = None
    end: float | None = None
    before: str = ""


class AlertStore(Protocol):
    """Keeps alerts. Every write is one transaction, safe from a loss of power."""

    async def states(self) -> dict[str, dict[str, Any]]:
        """The document of every alert that is not forgotten, by fingerprint.

        Raises:
            StoreUnavailable: it cannot be read now.
        """

    async def commit(self, change: Change, lease: Lease | None = None) -> list[OutboxRow]:
        """Keep a change. Events and rows that are known already are left out; answers the rows that are new.

        An episode that is open takes the place of another open one of its alert, which ends as "superseded":
        that one is of a store that lost the alert's state. What is in the change must not be altered afterwards.

        Raises:
            StoreUnavailable: nothing was kept, or the store went away meanwhile: committing again is harmless.
            LeaseLost: another instance has taken the role over; nothing was kept.
        """

    async def episodes(self, query: EpisodeQuery, limit: int) -> list[EpisodeRow]:
        """Episodes, the newest first."""

    async def events(self, *, episode: str = "", event_id: str = "", start: float | None = None,
                     end: float | None = None, limit: int = 1000) -> list[EventRow]:  # fmt: skip
        """Events, the oldest first."""

    async def post(self, signals: Sequence[Signal], instance: str) -> None:
        """Leave signals for the instance that evaluates; of more than 10,000 the oldest are left out."""

    async def posted(self, limit: int) -> list[tuple[int, str, Signal]]:
        """Signals that wait, in order: number, instance, signal."""

    async def forget(self, before: float, limit: int) -> int:
        """Delete resolved episodes that old, with their events; answers how many."""


@dataclass(frozen=True, slots=True)
class Document:
    """One version of something that people edit: a rule, a silence, a mute timing. `doc` is JSON-ready."""

    kind: str
    name: str
    version: int
    at: float
    actor: str
    doc: Mapping[str, Any] | None  # None: deleted with this version
    comment: str = ""


class DocumentStore(Protocol):
    """Keeps what people edit, with every version."""

    async def put(
        self, kind: str, name: str, doc: Mapping[str, Any] | None, *, actor: str, comment: str = "",
        expected: int | None = None,
    ) -> Document:  # fmt: skip
        """Keep a new version; None deletes. With `expected`, only if that is the newest (0: there is none now).

        Raises:
            VersionConflict: it is not; nothing was kept.
            StoreUnavailable: nothing was kept.
        """

    async def newest(self, kind: str) -> list[Document]:
        """The newest version of each that is not deleted, by name."""

    async def versions(self, kind: str, name: str) -> list[Document]:
        """Every version, newest first."""


class Planner(Protocol):
    """Says who is told of a notice; the notifications are one."""

    def plan(
        self, notice: Notice, *, targets: Sequence[str] = (), labels: Mapping[str, str] | None = None
    ) -> list[OutboxRow]:
        """The rows that a notice becomes; `targets` names channels in place of the policies' own.

        `labels` are all labels to match policies with, also those that are not part of the identity.
        """


class Outlet(Planner, Protocol):
    """Delivers what alerts have to tell; the notifications are one."""

    def accept(self, rows: Sequence[OutboxRow], *, kept: bool = True) -> None:
        """Deliver rows at once. `kept`: the store has them; else it will be told of them later."""

    def leased(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Rows that are to be kept and accepted next; those that go out at once may be leased by being kept."""

    def add_callback(self, function: Callable[[Notice], Any], name: str | None = None) -> str:
        """Call a function, plain or async, with the notice of every alert; answers the channel's name."""

    def explain(self, notice: Notice, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Who would be told of a notice, on which channels, and why; JSON-ready."""

    async def why(self, name: str) -> dict[str, Any]:
        """What became of an event, under `rows`: every row with its attempts; JSON-ready."""
