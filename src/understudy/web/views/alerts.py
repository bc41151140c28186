"""Views of alerts for people who act on them: what fires with the routes it touches, and one incident as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.incident_notes import IncidentNote
from understudy.alerts.ports import EpisodeQuery
from understudy.alerts.shown import AlertView, EpisodeView

from .told import AlertsView

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Groups of the list, the worst first; what is pending stands last, whatever its severity.
GROUPS: Final = ("critical", "warning", "info", "pending")
#: Episodes that are looked through for the one before and the one after.
_NEIGHBOURS: Final = 200
#: A month: neighbours of an incident are looked for so far around it, s.
_AROUND: Final = 30 * 86400.0
#: Requests of an incident are asked for from so long before its beginning, s.
LEAD_IN: Final = 60.0


@dataclass(frozen=True, slots=True)
class Touched:
    """A route that an alert's subject serves: as its lead (by priority, or just now) or a standby, and how many others
    belong to it."""

    route: str
    leads: bool
    others: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"route": self.route, "leads": self.leads, "others": self.others}


def touched(app: Understudy, labels: Mapping[str, str]) -> tuple[Touched, ...]:
    """The routes that what these labels name has a part in: the blast radius of an alert about it."""
    roster = app.fallback.roster
    if name := labels.get("route"):
        route = roster.routes.get(name)
        return (Touched(name, True, max(0, len(route.apis) - 1)),) if route is not None else ()
    api, hub = labels.get("api", ""), labels.get("hub", "")
    found = []
    for name, route in roster.routes.items():
        mine = [each for each in route.apis if each.name == api or (not api and hub and each.hub.name == hub)]
        if mine and not route.implicit:
            first = (route.apis[0].name, route.incumbent)
            found.append(Touched(name, any(each.name in first for each in mine), len(route.apis) - len(mine)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One alert that is pending, fires or recovers, with the routes it touches."""

    alert: AlertView
    touched: tuple[Touched, ...]

    @property
    def group(self) -> str:
        """Where it stands in the list."""
        return "pending" if self.alert.phase == "pending" else self.alert.severity

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the alert's own values, and `touched`."""
        return {**self.alert.as_dict(), "touched": [each.as_dict() for each in self.touched]}


@dataclass(frozen=True, slots=True)
class OpenAlertsView:
    """Everything that fires now, grouped by severity, the worst group first; within one the newest first."""

    alerts: tuple[OpenAlert, ...]

    @classmethod
    def of(cls, app: Understudy) -> OpenAlertsView:
        """The alerts as they stand."""
        found = AlertsView.of(app).alerts
        return cls(tuple(OpenAlert(each, touched(app, each.labels)) for each in found))

    @property
    def groups(self) -> list[tuple[str, list[OpenAlert]]]:
        """(group, its alerts); groups without any are left out."""
        made: dict[str, list[OpenAlert]] = {name: [] for name in GROUPS}
        for each in self.alerts:
            made.setdefault(each.group, []).append(each)
        return [(name, alerts) for name, alerts in made.items() if alerts]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"alerts": [each.as_dict() for each in self.alerts]}


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One episode as a whole: what happened, who was told, what it touches, and its neighbours in time."""

    found: EpisodeView
    touched: tuple[Touched, ...]
    #: From when to when requests and numbers are of interest, epoch s.
    start: float
    end: float
    notes: tuple[IncidentNote, ...] = ()
    before: str = ""
    after: str = ""

    @classmethod
    async def of(cls, app: Understudy, name: str) -> IncidentView:
        """The episode of that name, or the newest of the alert with that fingerprint.

        Raises:
            UnknownName: there is none.
            StoreUnavailable: it cannot be read now.
        """
        found = await app.alerts.episode(name)
        row, now = found.row, app.clock.time()
        before, after = await _neighbours(app, row.episode, row.started_at)
        since = min([each.trace.get("breach_since") or row.started_at for each in found.events] or [row.started_at])
        end = row.resolved_at if row.resolved_at is not None else now
        notes = tuple(await app.alerts.notes.of(row.episode))
        return cls(found, touched(app, row.labels), since - LEAD_IN, end, notes, before, after)

    @property
    def api(self) -> str:
        """The API that it is about; empty for a route, a hub or everything."""
        return self.found.row.labels.get("api", "")

    @property
    def requests(self) -> str:
        """The search for what failed in the breach window: calls tried on the API that were not simply served."""
        labels = self.found.row.labels
        about = next((f"{kind}:{_quoted(labels[kind])} " for kind in ("api", "route") if labels.get(kind)), "")
        return f"{about}-outcome:success"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the episode with its timeline and deliveries, and the rest beside it."""
        return {
            **self.found.as_dict(),
            "touched": [each.as_dict() for each in self.touched],
            "window": {"from": self.start, "to": self.end},
            "requests": self.requests,
            "notes": [each.as_dict() for each in self.notes],
            "before": self.before,
            "after": self.after,
        }


def _quoted(name: str) -> str:
    """A name as a search has it."""
    plain = name.replace("_", "").replace("-", "").replace(".", "").isalnum()
    return name if plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def _neighbours(app: Understudy, episode: str, started_at: float) -> tuple[str, str]:
    """The episodes that began before and after this one."""
    around = EpisodeQuery(start=started_at - _AROUND, end=started_at + _AROUND)
    rows: Sequence[Any] = await app.alerts.history(around, _NEIGHBOURS)
    names = [each.episode for each in sorted(rows, key=lambda each: (each.started_at, each.episode))]
    if episode not in names:
        return "", ""
    place = names.index(episode)
    return names[place - 1] if place else "", names[place + 1] if place + 1 < len(names) else ""
