"""What notifications need of others: channels, the outbox, a breaker. Adapters satisfy these by shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from understudy.core.outbox import OutboxRow, RowState

from .message import Message, Outcome, Receipt


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: tokens a second, how many at once; and a second bound by the minute where there is one."""

    per_second: float
    burst: int = 1
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """What a channel is like. `destination` names what shares its rate limit; no secret is in it.

    `living`: whether an episode is one message that is edited, one thread, or a message each time.
    `resolves`: it is told of the end. `min_severity`, `language`, `fallback` as configured. `always_page`: a
    pager that is told also of what began and ended before it could be reached. `revision` differs when the
    configuration does (a fingerprint, no secret): what was switched off is tried again then. `template` is
    the user's own wording, see `notifications.template`. `digests`: in a flood it gets one message for many;
    programs that want each event get them all.
    """

    kind: str
    destination: str
    rate: Rate
    pager: bool = False
    living: Literal["none", "edit", "thread"] = "none"
    timeout: float = 10.0
    concurrency: int = 1
    recipients: tuple[str, ...] = ()
    language: str = "en"
    #: Times are shown in this zone besides UTC; for `render.card(zone=…)`.
    time_zone: str = ""
    min_severity: str = "info"
    fallback: str = ""
    resolves: bool = True
    always_page: bool = False
    revision: str = ""
    template: str = ""
    digests: bool = True


class Channel(Protocol):
    """One way to reach people. It sends once; whoever calls decides whether to try again."""

    @property
    def traits(self) -> Traits:
        """What it is like; does not change."""

    async def send(self, message: Message) -> Outcome:
        """Hand the message to the service, once, within the trait's time-out; never raises for a refusal.

        Whatever goes wrong on the wire is an `Outcome` too. Texts in it hold no secret.
        """

    async def close(self) -> None:
        """Give connections back."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one row, for the delivery log. `result`: delivered, retry, degrade, rejected, suppressed, ….

    `seconds` is how long the service took; `since_detected` from the notice's own time to the answer.
    """

    row: str
    channel: str
    number: int
    at: float
    result: str
    seconds: float = 0.0
    status: int | None = None
    error: str = ""
    response: str = ""
    provider_id: str = ""
    sent_bytes: int = 0
    since_detected: float | None = None
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a row becomes: `row` as it shall be kept from now on, under the token it was claimed with.

    `receipt` is kept for the channel and episode. `added` are rows that come into being with this (a digest,
    a failover), in the same transaction.
    """

    row: OutboxRow
    attempts: tuple[Attempt, ...] = ()
    receipt: Receipt | None = None
    added: tuple[OutboxRow, ...] = ()


@dataclass(frozen=True, slots=True)
class OutboxQuery:
    """What to look for; empty fields ask for nothing. `before` is the id that pages on."""

    states: tuple[RowState, ...] = ()
    channels: tuple[str, ...] = ()
    event_id: str = ""
    episode: str = ""
    start: float | None = None
    end: float | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """What one channel was asked and did in a span: rows by state (suppressed also by reason), and attempts."""

    states: Mapping[str, int] = field(default_factory=dict)
    suppressed: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 0
    retries: int = 0
    ambiguous: int = 0
    #: Seconds from detection to delivery, of up to the newest 1,000 delivered rows.
    delays: tuple[float, ...] = ()
    last_delivered_at: float | None = None
    last_error: str = ""


class OutboxStore(Protocol):
    """Keeps what must be sent. Each method is one transaction, safe from a loss of power."""

    async def add(self, rows: Sequence[OutboxRow]) -> list[str]:
        """Keep rows; one whose (event, channel) is known already is left out. Answers the ids that are new.

        Raises:
            StoreUnavailable: nothing was kept.
        """

    async def pending(self, limit: int, after: str = "") -> list[OutboxRow]:
        """Unfinished rows in the order of their ids, those behind `after` when it is given."""

    async def claim(self, ids: Collection[str], owner: str, seconds: float) -> dict[str, int]:
        """Lease those of the rows that are pending and free (or this owner's); answers their new tokens.

        Time is the store's own. No two owners hold one row at the same time. Each claim has a new token, also
        that of the same owner. `OutboxRow.owner` stays until the row is settled: one whose lease is over has
        an owner that ended in the middle, and may have been sent.

        Raises:
            StoreUnavailable: nothing was leased, or the store went away meanwhile: claiming again is harmless.
        """

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Keep how rows went, with their attempts, receipts and added rows; the lease ends.

        Answers the ids that were refused because the row was claimed since, or is gone: of those nothing was
        kept but their attempts, and an added row that another one, which was accepted, is told in. What a
        row is stays (its event, channel, notice, times); what may change are state, attempts, plain,
        ambiguous, reason, told_in, group, instead_of, recipients, priority, destination, not_before_at and
        deadline_at. A row that was not claimed, as one that is dead, is settled under the token it was read
        with.

        Raises:
            StoreUnavailable: nothing was kept, or the store went away meanwhile: settling again is harmless.
        """

    async def receipt(self, channel: str, episode: str) -> Receipt | None:
        """The newest receipt of an episode on a channel."""

    async def rows(self, query: OutboxQuery, limit: int) -> list[OutboxRow]:
        """Rows of any state, newest first."""

    async def attempts(
        self, limit: int, *, row: str = "", channel: str = "", before: tuple[float, int] | None = None
    ) -> list[tuple[int, Attempt]]:
        """The delivery log, newest first, each with its number; `before` is (at, number) of the last one seen."""

    async def counts(self, start: float, end: float) -> dict[str, ChannelCounts]:
        """By channel, of the rows that were created, and the attempts that were made, in the span.

        `retries` are the attempts with that result; `ambiguous` the rows that may have been sent twice.
        """

    async def forget(self, before: float, limit: int) -> int:
        """Delete finished rows (never pending or dead ones) and attempts older than that; answers how many."""


class StateStore(Protocol):
    """Keeps small JSON-ready facts: breakers, holds, learnt addresses; see `resilience.ports.StateStore`."""

    async def load(self, prefix: str = "") -> dict[str, Any]:
        """Every value whose key begins with `prefix`."""

    async def save(self, values: Mapping[str, Any]) -> None:
        """Keep all of these or none; None forgets a key."""


class Recorder(Protocol):
    """Takes note of how the services behind the channels do; a monitor is one."""

    def record(self, channel: str, seconds: float, ok: bool, reason: str) -> None:
        """A send came back after so many seconds; cheap, and never raises."""
