"""Channels, their numbers and the account of everything, as people see them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from understudy.core.outbox import OutboxRow, RowState

from .message import Card
from .ports import Attempt, ChannelCounts


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel as it stands. `state` is its breaker's: closed, open, half_open, disabled. Times: epoch seconds."""

    name: str
    kind: str
    state: str
    destination: str = ""
    pager: bool = False
    min_severity: str = "info"
    language: str = "en"
    fallback: str = ""
    #: Why its breaker is not closed, since when, and when it is tried again.
    reason: str = ""
    since: float | None = None
    next_probe_at: float | None = None
    failures: int = 0
    #: Messages that wait, those on their way among them; and when its destination takes one again.
    waiting: int = 0
    in_flight: int = 0
    paused_until: float | None = None
    flooded: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The channel as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """What a channel was asked in a span, and did. `success_rate` in percent of what came to an end; None without any.

    `p50` and `p95` are seconds from detection to delivery; `repeats` messages that may have come twice.
    """

    delivered: int = 0
    dead: int = 0
    discarded: int = 0
    digested: int = 0
    pending: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 0
    retries: int = 0
    repeats: int = 0
    success_rate: float | None = None
    p50: float | None = None
    p95: float | None = None
    last_delivered_at: float | None = None
    last_error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The numbers as JSON-ready values."""
        return {**asdict(self), "suppressed": dict(self.suppressed)}


def statistics(counts: ChannelCounts) -> ChannelStatistics:
    """The numbers for people, from what the store has counted."""
    states = counts.states
    delivered, dead = states.get(RowState.DELIVERED, 0), states.get(RowState.DEAD, 0)
    discarded = states.get(RowState.DISCARDED, 0)
    ended = delivered + dead + discarded
    delays = sorted(counts.delays)
    return ChannelStatistics(
        delivered=delivered,
        dead=dead,
        discarded=discarded,
        digested=states.get(RowState.DIGESTED, 0),
        pending=states.get(RowState.PENDING, 0),
        suppressed=dict(counts.suppressed),
        attempts=counts.attempts,
        retries=counts.retries,
        repeats=counts.ambiguous,
        success_rate=100.0 * delivered / ended if ended else None,
        p50=quantile(delays, 0.5),
        p95=quantile(delays, 0.95),
        last_delivered_at=counts.last_delivered_at,
        last_error=counts.last_error,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value below or at which that share of them lies; None without any."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where everything ended that was to be told in a span: each row of the outbox is in exactly one place.

    `rows` is what was accepted; it equals the sum of the others, or something was lost, which `missing` tells.
    """

    rows: int = 0
    delivered: int = 0
    digested: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    dead: int = 0
    discarded: int = 0
    pending: int = 0

    @property
    def missing(self) -> int:
        """Rows that are nowhere: zero, always."""
        known = self.delivered + self.digested + self.dead + self.discarded + self.pending
        return self.rows - known - sum(self.suppressed.values())

    def as_dict(self) -> dict[str, Any]:
        """The account as JSON-ready values."""
        return {**asdict(self), "suppressed": dict(self.suppressed), "missing": self.missing}


def account(counts: Mapping[str, ChannelCounts]) -> Accounting:
    """The account of all channels together."""
    states: Counter[str] = Counter()
    suppressed: Counter[str] = Counter()
    for each in counts.values():
        states.update(each.states)
        suppressed.update(each.suppressed)
    return Accounting(
        rows=sum(states.values()),
        delivered=states[RowState.DELIVERED],
        digested=states[RowState.DIGESTED],
        suppressed=dict(sorted(suppressed.items())),
        dead=states[RowState.DEAD],
        discarded=states[RowState.DISCARDED],
        pending=states[RowState.PENDING],
    )


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of a test. `response` is the service's own answer, clipped and without secrets."""

    __test__ = False  # pytest takes classes of this name for tests

    channel: str
    success: bool
    state: str
    reason: str = ""
    status: int | None = None
    response: str = ""
    seconds: float = 0.0
    row: str = ""
    #: Of a pager: whether the incident that the test opened was closed again.
    resolved: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return asdict(self)


def row_as_dict(row: OutboxRow, attempts: Sequence[tuple[int, Attempt]] = ()) -> dict[str, Any]:
    """A row with its attempts, the oldest first, as JSON-ready values. Not whom: recipients are addresses."""
    return {
        "id": row.id, "event_id": row.event_id, "channel": row.channel, "kind": str(row.kind),
        "severity": str(row.severity), "state": str(row.state), "created_at": row.created_at,
        "detected_at": row.detected_at, "deadline_at": row.deadline_at, "not_before_at": row.not_before_at,
        "attempts": row.attempts, "plain": row.plain, "ambiguous": row.ambiguous, "reason": masked(row.reason),
        "told_in": row.told_in, "instead_of": row.instead_of, "title": row.notice.title,
        "log": [attempt_as_dict(number, each) for number, each in reversed(attempts)],
    }  # fmt: skip


def card_as_dict(card: Card) -> dict[str, Any]:
    """What a message says, as JSON-ready values."""
    values = asdict(card)
    return {**values, "severity": card.severity.value, "kind": card.kind.value}


def attempt_as_dict(number: int, attempt: Attempt) -> dict[str, Any]:
    """A line of the delivery log as JSON-ready values; `n` is its number."""
    hidden = {name: masked(getattr(attempt, name)) for name in ("recipient", "error", "response")}
    return {**asdict(attempt), **hidden, "n": number}


_ADDRESS = re.compile(r"([^\s@;:,<>\"'])[^\s@;:,<>\"']*@(?=[\w.-])")


def masked(text: str) -> str:
    """A text with addresses that their owners recognise and nobody else: `a…@example.org`."""
    return _ADDRESS.sub(r"\1…@", text)
