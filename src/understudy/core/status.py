"""What a service says of itself and of its calls, as values that travel: its views make them, its clients read them.

Durations are seconds, rates percentages; None means that nothing was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from .types import AttemptRecord, Attribution, Candidate, Explanation, OutcomeClass


@dataclass(frozen=True, slots=True)
class ApiRow:
    """One API in short."""

    name: str
    state: str
    routes: tuple[str, ...]
    priority: int
    hub: str
    requests: int
    success_rate: float | None
    requests_per_minute: float
    p50: float | None
    p95: float | None
    in_flight: int
    breaker: str
    retry_after: float | None
    keys: int
    keys_usable: int
    quota_remaining: int | None
    quota_limit: int | None
    last_error: str

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The row that `as_dict` gave."""
        return cls(**{**{each.name: values[each.name] for each in fields(cls)}, "routes": tuple(values["routes"])})


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One route in short: who serves it now, and who could."""

    name: str
    mode: str
    lead: str
    standbys: tuple[str, ...]
    closed: Mapping[str, str]
    fallbacks: int
    failures: int

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The row that `as_dict` gave."""
        known = {each.name: values[each.name] for each in fields(cls)}
        return cls(**{**known, "standbys": tuple(values["standbys"]), "closed": dict(values["closed"])})


@dataclass(frozen=True, slots=True)
class Status:
    """What serves what right now, and what is wrong; `GET /api/status`."""

    version: str
    at: float
    uptime: float
    environment: str
    reasons: tuple[str, ...]
    counts: Mapping[str, int]
    apis: tuple[ApiRow, ...]
    routes: tuple[RouteRow, ...]
    system: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    #: Store, roles and the processes that report here; None where nothing is kept.
    keeping: Mapping[str, Any] | None = None
    #: What fires, and whether people can be told; None where nothing is kept.
    alerts: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The view that `as_dict` gave."""
        return cls(
            **{
                **{each.name: values[each.name] for each in fields(cls) if each.name in values},
                "reasons": tuple(values["reasons"]),
                "apis": tuple(ApiRow.from_dict(each) for each in values["apis"]),
                "routes": tuple(RouteRow.from_dict(each) for each in values["routes"]),
                "events": tuple(values["events"]),
            }
        )


def explanation_of(values: Mapping[str, Any]) -> Explanation:
    """The decision record that `Explanation.as_dict` gave."""
    attempts = tuple(
        AttemptRecord(
            **{
                **each,
                "outcome": OutcomeClass(each["outcome"]),
                "attribution": Attribution(each["attribution"]),
            }
        )
        for each in values["attempts"]
    )
    candidates = tuple(Candidate(**each) for each in values["candidates"])
    rest = {name: values[name] for name in values if name not in ("attempts", "candidates", "notes")}
    return Explanation(**rest, attempts=attempts, candidates=candidates, notes=tuple(values["notes"]))


def _plain(value: Any) -> Any:
    if isinstance(value, ApiRow | RouteRow):
        return value.as_dict()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
