"""Words that all rooms share: values only, no behaviour beyond showing themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Attribution(StrEnum):
    """Whose fault an outcome is (resilience rule R1)."""

    NONE = "none"
    PROVIDER = "provider"
    HUB = "hub"
    KEY = "key"
    QUOTA = "quota"
    CALLER = "caller"
    LOCAL = "local"
    SELF = "self"


class OutcomeClass(StrEnum):
    """What an attempt ended as. The first ten may be named in an outcome rule (R16)."""

    SUCCESS = "success"
    SEMANTIC = "semantic"
    PROVIDER = "provider"
    HUB = "hub"
    RATE = "rate"
    QUOTA = "quota"
    KEY = "key"
    BILLING = "billing"
    CALLER = "caller"
    LOCAL = "local"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    LOST = "lost"
    BODY = "body"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Verdict(StrEnum):
    """What the breaker and the rates make of an outcome."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class Mode(StrEnum):
    """How far a mechanism may act: not at all, only say what it would do, or do it."""

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try on one API, finished. Durations in seconds; `started_at` is seconds since the call began."""

    api: str
    key: str
    started_at: float
    duration: float
    outcome: OutcomeClass
    attribution: Attribution
    status: int | None = None
    reason: str = ""
    waited: float = 0.0
    budget_left: float | None = None
    quota_left: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One API as selection saw it: a gate that closed (`gate`), or its cost and the terms of it (ms)."""

    api: str
    gate: str = ""
    detail: str = ""
    cost: float | None = None
    terms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision record of one call: what could have served it, what was tried, what came of it.

    `outcome` is `success`, `fallback`, `failed`, `deadline` or `cancelled`; `at` is epoch seconds,
    `duration` seconds; `policy_version` counts reloads of the configuration.
    """

    call_id: str
    route: str
    at: float
    duration: float
    outcome: str
    chosen: str
    runner_up: str
    candidates: tuple[Candidate, ...]
    attempts: tuple[AttemptRecord, ...]
    deadline: float
    policy_version: int
    mode: str = "balanced"
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON-ready values."""
        return {
            "call_id": self.call_id,
            "route": self.route,
            "at": self.at,
            "duration": self.duration,
            "outcome": self.outcome,
            "chosen": self.chosen,
            "runner_up": self.runner_up,
            "mode": self.mode,
            "deadline": self.deadline,
            "policy_version": self.policy_version,
            "candidates": [
                {"api": c.api, "gate": c.gate, "detail": c.detail, "cost": c.cost, "terms": dict(c.terms)}
                for c in self.candidates
            ],
            "attempts": [
                {
                    "api": a.api,
                    "key": a.key,
                    "started_at": a.started_at,
                    "duration": a.duration,
                    "outcome": a.outcome.value,
                    "attribution": a.attribution.value,
                    "status": a.status,
                    "reason": a.reason,
                    "waited": a.waited,
                    "budget_left": a.budget_left,
                    "quota_left": a.quota_left,
                }
                for a in self.attempts
            ],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"{self.route}: {self.outcome} in {self.duration * 1000:.0f} ms, served by {self.chosen or 'nobody'}"]
        for candidate in self.candidates:
            if candidate.gate:
                lines.append(f"  passed over {candidate.api}: {candidate.gate} {candidate.detail}".rstrip())
            elif candidate.cost is not None:
                terms = ", ".join(f"{name} {value:.0f}" for name, value in candidate.terms.items() if value)
                told = f"cost {candidate.cost:.0f} ms ({terms}) {candidate.detail}".rstrip()
                lines.append(f"  eligible {candidate.api}: {told}")
        for number, attempt in enumerate(self.attempts, 1):
            status = f" {attempt.status}" if attempt.status else ""
            key = f" key {attempt.key}" if attempt.key else ""
            lines.append(
                f"  attempt {number} on {attempt.api}{key}: {attempt.outcome}{status} "
                f"({attempt.attribution}) after {attempt.duration * 1000:.0f} ms {attempt.reason}".rstrip()
            )
        lines.extend(f"  note: {note}" for note in self.notes)
        return "\n".join(lines)
