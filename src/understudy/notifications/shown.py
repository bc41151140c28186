"""Channels and deliveries as people see them: the same values feed the page, the REST API and the command line.

None of them holds a secret: a destination is a name, and texts of services are clipped and redacted before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel as it stands. `state` is ok, half_open, open (tried again later) or disabled (it refused us)."""

    name: str
    kind: str
    state: str = "ok"
    destination: str = ""
    pager: bool = False
    min_severity: str = "info"
    language: str = "en"
    fallback: str = ""
    #: Rows that wait, and since when the oldest does, epoch seconds.
    pending: int = 0
    oldest_at: float | None = None
    #: Nothing is sent before, epoch seconds; None when nothing holds it back.
    paused_until: float | None = None
    last_delivered_at: float | None = None
    last_error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The channel as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """What one channel did in a span: rows by where they ended, attempts, seconds from detection to delivery.

    `delivery_rate` is the percentage of delivered among those that were to be delivered and have ended: not
    digested, not suppressed; None without any.
    """

    delivered: int = 0
    digested: int = 0
    suppressed: int = 0
    dead: int = 0
    discarded: int = 0
    pending: int = 0
    attempts: int = 0
    retries: int = 0
    #: Attempts that ended without an answer, so that a repeat may have arrived.
    ambiguous: int = 0
    delivery_rate: float | None = None
    p50: float | None = None
    p95: float | None = None
    suppressed_by: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The numbers as JSON-ready values."""
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "suppressed_by": dict(self.suppressed_by),
        }


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where everything that was to be told has ended; the parts add up to `events`, always."""

    events: int = 0
    delivered: int = 0
    digested: int = 0
    suppressed: int = 0
    dead: int = 0
    discarded: int = 0
    pending: int = 0
    suppressed_by: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The numbers as JSON-ready values."""
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "suppressed_by": dict(self.suppressed_by),
        }


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of a test message. `response` is what the service said: clipped, without secrets."""

    #: pytest would take it for tests.
    __test__ = False

    channel: str
    ok: bool
    seconds: float = 0.0
    status: int | None = None
    error: str = ""
    response: str = ""
    provider_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
