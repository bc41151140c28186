"""Alerts as people see them: the same values feed the page, the REST API and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from .ports import EpisodeRow, EventRow


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert that is not inactive. Times are epoch seconds; `value` and `threshold` in the metric's own unit.

    `phase` is pending, firing or recovering; `number` counts the episodes of the fingerprint. `told` says
    whether anybody was told of the episode; where nobody was, `suppressed_by` says what holds it back.
    """

    fingerprint: str
    rule: str
    phase: str
    severity: str
    labels: Mapping[str, str] = field(default_factory=dict)
    episode: str = ""
    number: int = 0
    started_at: float | None = None
    #: When the condition first held, before its `for` had passed.
    active_at: float | None = None
    value: float | None = None
    threshold: float | None = None
    metric: str = ""
    operator: str = ""
    #: What the last evaluation found, in words.
    reason: str = ""
    description: str = ""
    runbook: str = ""
    told: bool = False
    notified_at: float | None = None
    suppressed_by: str = ""
    acknowledged_by: str = ""
    acknowledged_at: float | None = None
    comment: str = ""
    snoozed_until: float | None = None
    flapping: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The alert as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "labels": dict(self.labels)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The alert that `as_dict` gave; what a later version added is left out."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True, slots=True)
class EpisodeView:
    """One episode with its timeline, the oldest event first, and what was sent for it, JSON-ready."""

    row: EpisodeRow
    events: Sequence[EventRow] = ()
    deliveries: Sequence[Mapping[str, Any]] = ()
    #: The alert as it stands, while the episode is open.
    alert: AlertView | None = None

    def as_dict(self) -> dict[str, Any]:
        """The episode as JSON-ready values."""
        return {
            "episode": episode_as_dict(self.row),
            "alert": self.alert.as_dict() if self.alert is not None else None,
            "events": [event_as_dict(each) for each in self.events],
            "deliveries": [dict(each) for each in self.deliveries],
        }


def episode_as_dict(row: EpisodeRow) -> dict[str, Any]:
    """A stored episode as JSON-ready values, with how long it lasted, s."""
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    lasted = None if row.resolved_at is None else row.resolved_at - row.started_at
    return {**values, "labels": dict(row.labels), "doc": dict(row.doc), "lasted": lasted}


def event_as_dict(event: EventRow) -> dict[str, Any]:
    """A stored event as JSON-ready values."""
    values = {each.name: getattr(event, each.name) for each in fields(event)}
    return {**values, "notice": dict(event.notice), "trace": dict(event.trace)}
