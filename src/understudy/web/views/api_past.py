"""What happened to one API over a span: alerts and changes beside its numbers, its errors, its slowest requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.ports import EpisodeQuery, EpisodeRow
from understudy.alerts.shown import episode_as_dict
from understudy.core.events import Event
from understudy.monitor.requests import Comparison, ErrorGroup, RequestEntry, RequestQuery

from .anatomy import Anatomy

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Error groups and slowest requests that are shown, and kept requests that are looked through for the slowest.
GROUPS: Final = 12
SLOWEST: Final = 10
_LOOKED: Final = 500
#: Events that mark a moment of an API's life on its charts; those of everybody stand on all charts.
_MARKS: Final = frozenset(
    (
        "breaker.opened", "breaker.closed", "breaker.half_opened", "breaker.forced_open", "breaker.forced_closed",
        "breaker.observe", "selection.changed", "fallback.reset", "probe.failed", "probe.succeeded",
        "key.quarantined", "quota.spent", "api.drained", "api.undrained", "route.pinned", "route.unpinned",
    )
)  # fmt: skip
_OF_ALL: Final = frozenset(("config.reloaded", "config.refused", "service.started"))
#: Audit entries that are looked through for starts and reloads that happened before this process began.
_ENTRIES: Final = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """One moment: `kind` is that of an event, `detail` what it told."""

    at: float
    kind: str
    route: str = ""
    detail: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The mark as JSON-ready values."""
        return {"at": self.at, "kind": self.kind, "route": self.route, "detail": dict(self.detail or {})}


@dataclass(frozen=True, slots=True)
class ApiPast:
    """One API over a span; `anatomy` is None where nothing is kept or the store cannot be read."""

    start: float
    end: float
    anatomy: Anatomy | None
    episodes: tuple[EpisodeRow, ...] = ()
    marks: tuple[Mark, ...] = ()
    groups: tuple[ErrorGroup, ...] = ()
    slowest: tuple[RequestEntry, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values; the requests are in the form of `GET /api/requests`."""
        return {
            "start": self.start,
            "end": self.end,
            "history": None if self.anatomy is None else self.anatomy.as_dict(),
            "episodes": [episode_as_dict(each) for each in self.episodes],
            "marks": [each.as_dict() for each in self.marks],
            "errors": [each.as_dict() for each in self.groups],
            "slowest": [each.as_dict() for each in self.slowest],
        }

    @classmethod
    async def of(cls, app: Understudy, name: str, start: float, end: float) -> ApiPast:
        """The span; raises StoreUnavailable when alerts or requests cannot be read now."""
        anatomy = await Anatomy.of(app, name, start, end)
        if app.keeping is None:
            return cls(start, end, anatomy, marks=_events(app, name, start, end))
        wanted = EpisodeQuery(labels={"api": name}, start=start, end=end)
        episodes = tuple(await app.alerts.history(wanted, 50))
        groups = tuple(await app.keeping.requests.groups(start, end, name, GROUPS))
        slowest = await _slowest(app, name, start, end, anatomy)
        return cls(start, end, anatomy, episodes, await _marks(app, name, start, end), groups, slowest)


async def _slowest(
    app: Understudy, name: str, start: float, end: float, anatomy: Anatomy | None
) -> tuple[RequestEntry, ...]:
    """The slowest of the newest requests that are kept and slower than usual."""
    if app.keeping is None:
        return ()
    usual = anatomy.whole[0] if anatomy is not None else None
    above = (Comparison(">=", usual),) if usual is not None else ()
    query = RequestQuery(apis=(name,), latency=above, start=start, end=end)
    found = await app.keeping.requests.search(query, _LOOKED)
    return tuple(sorted(found, key=lambda entry: -entry.latency)[:SLOWEST])


async def _marks(app: Understudy, name: str, start: float, end: float) -> tuple[Mark, ...]:
    """Events that this process saw, and before that the starts and reloads of the audit log."""
    seen = list(_events(app, name, start, end))
    told = {(mark.kind, round(mark.at, 3)) for mark in seen}
    for record in await app.keeping.audit.read(_ENTRIES) if app.keeping is not None else ():
        entry = record.entry
        ours = entry.action in _OF_ALL or (entry.action in _MARKS and entry.object == name)
        if ours and start <= entry.at < end and (entry.action, round(entry.at, 3)) not in told:
            seen.append(Mark(entry.at, entry.action, detail={"actor": entry.actor}))
    return tuple(sorted(seen, key=lambda mark: mark.at))


def _events(app: Understudy, name: str, start: float, end: float) -> tuple[Mark, ...]:
    return tuple(
        Mark(event.at, event.kind, event.route, event.detail)
        for event in reversed(app.events.recent(1000))
        if start <= event.at < end and _concerns(event, name)
    )


def _concerns(event: Event, name: str) -> bool:
    if event.kind in _OF_ALL:
        return True
    return event.kind in _MARKS and (event.api == name or event.detail.get("previous") == name)
