"""What must still be sent: one row for each notice and channel. Values only; `storage` keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .notices import Notice, NoticeKind, Severity


class RowState(StrEnum):
    """Where a row ended. Every row is in exactly one of these, so they add up to what was accepted."""

    PENDING = "pending"
    DELIVERED = "delivered"
    #: Told within another message, which `told_in` names: a digest, a merged pair, a failover.
    DIGESTED = "digested"
    #: Not told on purpose; `reason` says by what.
    SUPPRESSED = "suppressed"
    #: Given up; `reason` says why. It can be replayed or discarded.
    DEAD = "dead"
    #: A dead row that somebody threw away.
    DISCARDED = "discarded"


class Priority:
    """Lanes, the most urgent first."""

    CRITICAL = 0
    RESOLVED_CRITICAL = 1
    WARNING = 2
    INFO = 3
    HOUSEKEEPING = 4


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One notice for one channel. Times are epoch seconds.

    `id` is the idempotency key of everything that is sent for it: a ULID, without dots. `destination`
    names what shares one rate limit, without a secret in it. Rows of one channel and `fingerprint` go out
    in the order of their ids; an empty fingerprint waits for nobody.
    """

    id: str
    event_id: str
    channel: str
    destination: str
    kind: NoticeKind
    severity: Severity
    priority: int
    #: When it was put here, and when the thing itself was noticed.
    created_at: float
    detected_at: float
    #: Dead when it was not delivered until then.
    deadline_at: float
    notice: Notice
    fingerprint: str = ""
    episode: str = ""
    #: A pager: never in a digest or group, and both of an undelivered pair are dropped.
    pager: bool = False
    not_before_at: float = 0.0
    #: Who is still to be reached, where a channel has several recipients; empty: all.
    recipients: tuple[str, ...] = ()
    state: RowState = RowState.PENDING
    attempts: int = 0
    #: It was refused in its rich form, and goes on as plain text.
    plain: bool = False
    #: An attempt ended without an answer: what is sent now may be a repeat.
    ambiguous: bool = False
    reason: str = ""
    told_in: str = ""
    #: Rows of one channel and group that are due together are told as one message; empty: by itself.
    group: str = ""
    #: The channel that this row stands in for.
    instead_of: str = ""
    #: Leased by whom, and until when; the token fences off a holder whose lease has ended.
    owner: str = ""
    token: int = 0
    leased_until: float = 0.0
