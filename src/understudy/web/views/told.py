"""Views of alerts and notifications: each feeds an endpoint and the command line alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from understudy.alerts.ports import EpisodeRow
from understudy.alerts.shown import AlertView, episode_as_dict
from understudy.notifications.shown import masked

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.core.outbox import OutboxRow

#: Alerts that the status shows.
SHOWN = 10
#: What comes first in a list of alerts.
_PHASES = {"firing": 0, "recovering": 1, "pending": 2}
_SEVERITIES = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class AlertsView:
    """What fires now, the worst and newest first; `GET /api/alerts`."""

    alerts: tuple[AlertView, ...]

    @classmethod
    def of(
        cls,
        app: Understudy,
        rules: Collection[str] = (),
        severities: Collection[str] = (),
        labels: Mapping[str, str] | None = None,
    ) -> Self:
        """Those that are pending, firing or recovering; only of these rules, severities and labels, where given."""
        found = [
            each
            for each in app.alerts.active()
            if (not rules or each.rule in rules)
            and (not severities or each.severity in severities)
            and all(each.labels.get(name) == value for name, value in (labels or {}).items())
        ]
        found.sort(key=_urgency)
        return cls(tuple(found))

    @property
    def counts(self) -> dict[str, int]:
        """How many fire or recover, by severity; pending ones by themselves."""
        counted = Counter("pending" if each.phase == "pending" else each.severity for each in self.alerts)
        return {name: counted[name] for name in (*_SEVERITIES, "pending")}

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {"counts": self.counts, "alerts": [each.as_dict() for each in self.alerts]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The view that `as_dict` gave."""
        return cls(tuple(AlertView.from_dict(each) for each in values["alerts"]))


def _urgency(alert: AlertView) -> tuple[int, int, float, str]:
    severity = _SEVERITIES.get(alert.severity, len(_SEVERITIES))
    return _PHASES.get(alert.phase, len(_PHASES)), severity, -(alert.started_at or 0.0), alert.rule


def told_of(app: Understudy) -> dict[str, Any]:
    """Alerts and notifications in short, for the status: the worst ten that fire, and what is wrong with telling."""
    view = AlertsView.of(app)
    channels = app.notifications.channels()
    return {
        "counts": view.counts,
        "firing": [each.as_dict() for each in view.alerts if each.phase != "pending"][:SHOWN],
        "channels": len(channels),
        "waiting": sum(each.waiting for each in channels.values()),
        "problems": [masked(each) for each in app.alerting.problems()],
    }


@dataclass(frozen=True, slots=True)
class EpisodesView:
    """A page of stored episodes, newest first; `GET /api/alerts?state=all`."""

    episodes: tuple[EpisodeRow, ...]
    limit: int

    @property
    def next(self) -> str | None:
        """What `before` is for the next page; None on the last one."""
        return self.episodes[-1].episode if self.episodes and len(self.episodes) == self.limit else None

    def rows(self) -> Iterator[dict[str, Any]]:
        """The episodes as JSON-ready values."""
        return map(episode_as_dict, self.episodes)


@dataclass(frozen=True, slots=True)
class NotificationsView:
    """Channels with their numbers over a span, the account of everything, and problems; `GET /api/notifications`."""

    start: float
    end: float
    channels: Mapping[str, Mapping[str, Any]]
    accounting: Mapping[str, Any]
    problems: tuple[str, ...]
    #: The schedule of drills, and what the last one found.
    drill: Mapping[str, Any]

    @classmethod
    async def of(cls, app: Understudy, start: float, end: float) -> Self:
        """The channels as they stand, and what they did between two times."""
        manager = app.notifications
        numbers = await manager.statistics(start, end)
        account = await manager.accounting(start, end)
        standing = {name: each.as_dict() for name, each in manager.channels().items()}
        # A channel that was taken out of the configuration still has a past.
        gone = {name: {"name": name, "kind": "", "state": "removed"} for name in numbers if name not in standing}
        channels = {
            name: _masked(
                {**each, **(numbers[name].as_dict() if name in numbers else {}), "sending": _sending(app, name)}
            )
            for name, each in {**standing, **gone}.items()
        }
        drills = app.alerting.drills
        problems = tuple(map(masked, (*manager.problems(), *drills.problems())))
        return cls(start, end, channels, account.as_dict(), problems, drills.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            "start": self.start,
            "end": self.end,
            "channels": {name: dict(each) for name, each in self.channels.items()},
            "accounting": dict(self.accounting),
            "problems": list(self.problems),
            "drill": dict(self.drill),
        }


def _sending(app: Understudy, channel: str) -> dict[str, Any]:
    """How the service behind a channel did in the last hour, s and percent."""
    seen = app.alerting.sending.snapshot(channel, "1h")
    return {"total": seen.total, "success_rate": seen.success_rate, "p50": seen.p50, "p95": seen.p95}


def _masked(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: masked(value) if isinstance(value, str) else value for name, value in values.items()}


def outbox_row(row: OutboxRow) -> dict[str, Any]:
    """A row of the outbox for people: what it tells, and where it stands. Not whom: recipients are addresses."""
    return {
        "id": row.id,
        "event_id": row.event_id,
        "channel": row.channel,
        "kind": row.kind.value,
        "severity": row.severity.value,
        "state": row.state.value,
        "created_at": row.created_at,
        "detected_at": row.detected_at,
        "deadline_at": row.deadline_at,
        "not_before_at": row.not_before_at,
        "attempts": row.attempts,
        "reason": masked(row.reason),
        "told_in": row.told_in,
        "instead_of": row.instead_of,
        "ambiguous": row.ambiguous,
        "title": row.notice.title,
        "rule": row.notice.rule,
        "fingerprint": row.fingerprint,
        "episode": row.episode,
        "recipients_left": len(row.recipients),
    }
