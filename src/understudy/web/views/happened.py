"""What changed: for the list of the first page, the live stream, and the moments that charts mark.

Single calls are not told here; the request log tells of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from understudy.core.audit import AuditEntry
from understudy.core.errors import StoreUnavailable
from understudy.core.events import OF_CALLS
from understudy.resilience.directions import DIRECTION_EVENTS, PIN_EVENTS

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.core.events import Event

#: Whoever may read how everything does need not know who has an account.
_HIDDEN: Final = "accounts."
#: What every breaker of an API says when they are held: `api.forced` tells of it once, with who and why.
_SAID_ONCE: Final = ("breaker.forced_", "breaker.observe")
#: Events that are kept by the application, at most.
KEPT: Final = 1000
#: Events that mark a moment of an API on its charts.
_MARKS: Final = frozenset(
    (
        "breaker.opened", "breaker.closed", "breaker.half_opened", "breaker.would_open", "selection.changed",
        "fallback.reset", "probe.failed", "probe.succeeded", "key.quarantined", "key.all_refused", "key.billing",
        "key.released", "quota.exhausted", "network.local", *DIRECTION_EVENTS,
    )
)  # fmt: skip
#: Of these a route tells, and every API that belongs to it.
_OF_ROUTES: Final = PIN_EVENTS | {"selection.changed"}
#: These stand on all charts.
_OF_ALL: Final = frozenset(("config.reloaded", "config.refused", "service.started", "service.stopped", "network.local"))
#: Audit entries that are looked through for what happened before this process began.
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
class _About:
    """Whose charts are marked: an API (or none) with the breaker of its hub, and routes."""

    api: str
    hub: str
    routes: Collection[str]

    def told(self, event: Event) -> bool:
        """Whether an event belongs on the charts."""
        if event.kind in _OF_ALL or (event.kind in _OF_ROUTES and event.route in self.routes):
            return True
        if event.kind == "fallback.reset" and not event.api:
            return True  # everything was reset
        if not self.api or event.kind not in _MARKS:
            return False
        return event.api == self.api or (not event.api and event.detail.get("breaker") == self.hub)

    def entered(self, entry: AuditEntry) -> bool:
        """The same of an entry of the audit log, which has one name only."""
        if entry.action in _OF_ALL:
            return True
        if entry.action in PIN_EVENTS:
            return entry.object in self.routes
        everything = entry.action == "fallback.reset" and not entry.object
        return everything or (bool(self.api) and entry.action in _MARKS and entry.object == self.api)


def worth_telling(event: Event) -> bool:
    """Whether it is told to whoever may read."""
    return not event.kind.startswith((*OF_CALLS, *_SAID_ONCE, _HIDDEN))


def recent_events(app: Understudy, limit: int) -> tuple[Event, ...]:
    """The last changes, newest first."""
    return tuple(each for each in app.events.changes(KEPT) if worth_telling(each))[:limit]


async def marks_of(app: Understudy, start: float, end: float, *, api: str = "", route: str = "") -> tuple[Mark, ...]:
    """What marks the charts of an API, or of a route, in a span: events, and of before this process the audit log."""
    about = _about(app, api, route)
    found = [
        Mark(each.at, each.kind, each.route, {**each.detail, "api": each.api})
        for each in app.events.changes(KEPT)
        if start <= each.at < end and about.told(each)
    ]
    known = {(mark.kind, round(mark.at, 3)) for mark in found}
    for entry in await _acts(app):
        if start <= entry.at < end and (entry.action, round(entry.at, 3)) not in known and about.entered(entry):
            found.append(Mark(entry.at, entry.action, entry.object if entry.action in PIN_EVENTS else "", _said(entry)))
    # An API in several routes has a breaker for each; what happens to all of them at once is one moment.
    once = {(mark.kind, round(mark.at, 1)): mark for mark in sorted(found, key=lambda mark: mark.at)}
    return tuple(once.values())


def _about(app: Understudy, api: str, route: str) -> _About:
    roster = app.fallback.roster
    if route:
        return _About("", "", (route,))
    member = roster.apis.get(api)
    routes = [each.name for each in roster.routes.values() if member is not None and member in each.apis]
    return _About(api, member.hub.breaker.name if member is not None else "", frozenset(routes))


async def _acts(app: Understudy) -> list[AuditEntry]:
    if app.keeping is None:
        return []
    try:
        return [record.entry for record in await app.keeping.audit.read(_ENTRIES)]
    except StoreUnavailable:
        return []  # charts say that the store is away; what this process saw is still marked


def _said(entry: AuditEntry) -> dict[str, Any]:
    """Who did it and why, and for a pin which API leads, as the event told when it happened."""
    after = entry.after if isinstance(entry.after, Mapping) else {}
    said = {"actor": entry.actor, "reason": str(after.get("reason") or "")}
    return {**said, "after": dict(after)} if entry.action in DIRECTION_EVENTS else said
