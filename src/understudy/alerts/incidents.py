"""Spans of which people say that something was wrong: did a rule tell of them, and how soon?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from understudy.core.notices import NoticeKind

from .ports import EpisodeRow, EventRow

#: Kinds by which people learn that something is wrong.
_TELL = frozenset((NoticeKind.FIRED.value, NoticeKind.ESCALATED.value, NoticeKind.REMINDER.value,
                   NoticeKind.FLAPPING_STARTED.value, NoticeKind.FLAPPING_ENDED.value))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was wrong from `start` to `end` (epoch seconds), with whatever has these labels."""

    start: float
    end: float
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The incident as JSON-ready values."""
        return {"from": self.start, "to": self.end, "name": self.name, "labels": dict(self.labels)}


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of labelled incidents: those that people were told of, with how long that took, and the others."""

    told: tuple[tuple[Incident, float], ...]
    missed: tuple[Incident, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `after` is how long after its begin people were told, s, negative where they knew before."""
        return {
            "told": [{**each.as_dict(), "after": after} for each, after in self.told],
            "missed": [each.as_dict() for each in self.missed],
        }


def caught(
    incidents: Iterable[Incident], episodes: Sequence[EpisodeRow], events: Iterable[EventRow], slack: float = 0.0
) -> Caught:
    """Which incidents people were told of while they lasted; `slack` is how exactly times are known, s.

    An alert counts that was told before the incident began and still fired then.
    """
    by_episode: dict[str, list[float]] = {}
    for event in events:
        if not event.suppressed_by and event.kind in _TELL:
            by_episode.setdefault(event.episode, []).append(event.at)
    told, missed = [], []
    for incident in incidents:
        times = [
            at
            for episode in episodes
            if _about(incident, episode) and (episode.resolved_at is None or episode.resolved_at >= incident.start)
            for at in by_episode.get(episode.episode, ())
            if at <= incident.end + slack
        ]
        if times:
            told.append((incident, min(times) - incident.start))
        else:
            missed.append(incident)
    return Caught(tuple(told), tuple(missed))


def _about(incident: Incident, episode: EpisodeRow) -> bool:
    return all(episode.labels.get(name) == value for name, value in incident.labels.items())
