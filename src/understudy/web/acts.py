"""What people do to routes and APIs, for the REST API and the forms of pages alike: done, kept, entered into the log.

Each answers JSON-ready values that say how the thing stands afterwards. `kept` is false where the store is away: then
what was said holds in this process only, and is saved as soon as the store is back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.core.audit import AuditEntry
from understudy.core.errors import NotActive, StoreUnavailable
from understudy.resilience.describe import state_of
from understudy.resilience.directions import FORCED

if TYPE_CHECKING:
    from understudy.app import Understudy


async def pin(
    app: Understudy, who: str, route: str, api: str, reason: str, expires_in: float | None, only: bool = False
) -> dict[str, Any]:
    """Let an API lead a route.

    Raises:
        UnknownName: no such route or API.
        ValueError: the API does not serve that route, or no reason, or an expiry out of range.
    """
    app.fallback.pin(route, api, reason=reason, actor=who, expires_in=expires_in, only=only)
    return await _route(app, route)


async def unpin(app: Understudy, who: str, route: str, reason: str = "") -> dict[str, Any]:
    """Let selection choose again.

    Raises:
        UnknownName: no such route.
        NotActive: nothing is pinned there.
    """
    if app.fallback.unpin(route, actor=who, reason=reason) is None:
        raise NotActive(f"no API is pinned to the route {route}")
    return await _route(app, route)


async def reset_route(app: Understudy, who: str, route: str, reason: str = "") -> dict[str, Any]:
    """Close the breakers, and end the holds and quarantines, of all APIs of a route.

    Raises:
        UnknownName: no such route.
    """
    for api in app.fallback.roster.named_route(route).apis:
        app.fallback.reset(api.name, actor=who, reason=reason)
    return await _route(app, route)


async def drain(app: Understudy, who: str, api: str, reason: str, expires_in: float | None) -> dict[str, Any]:
    """Send no new calls to an API.

    Raises:
        UnknownName: no such API.
        ValueError: no reason, or an expiry out of range.
    """
    app.fallback.drain(api, reason=reason, actor=who, expires_in=expires_in)
    return await _api(app, api)


async def undrain(app: Understudy, who: str, api: str, reason: str = "") -> dict[str, Any]:
    """Let calls go to an API again.

    Raises:
        UnknownName: no such API.
        NotActive: it is not drained.
    """
    if app.fallback.undrain(api, actor=who, reason=reason) is None:
        raise NotActive(f"{api} is not drained")
    return await _api(app, api)


async def pause_checks(app: Understudy, who: str, api: str, reason: str, expires_in: float | None) -> dict[str, Any]:
    """Start no planned health check of an API.

    Raises:
        UnknownName: no such API.
        NotActive: it declares none.
        ValueError: no reason, or an expiry out of range.
    """
    _checked(app, api)
    app.fallback.pause_checks(api, reason=reason, actor=who, expires_in=expires_in)
    return await _api(app, api)


async def resume_checks(app: Understudy, who: str, api: str, reason: str = "") -> dict[str, Any]:
    """Go on with the planned health checks of an API.

    Raises:
        UnknownName: no such API.
        NotActive: they are not paused.
    """
    if app.fallback.resume_checks(api, actor=who, reason=reason) is None:
        raise NotActive(f"the health checks of {api} are not paused")
    return await _api(app, api)


async def check(app: Understudy, who: str, api: str) -> dict[str, Any]:
    """Probe an API now; what the probe finds counts as one that was planned does.

    Raises:
        UnknownName: no such API.
        NotActive: there is nothing that could be asked: it wraps an operation, and declares no probe.
    """
    entry = app.fallback.roster.api(api)
    if not entry.is_http and entry.probe is None:
        raise NotActive(f"{api} wraps an operation and was registered without a probe: there is nothing to ask")
    found = await app.prober.check(api)
    await _note(app, who, "health_check.run", api, {"ok": found.ok, "status": found.status})
    return found.as_dict()


async def force(
    app: Understudy, who: str, api: str, state: str, reason: str, expires_in: float | None
) -> dict[str, Any]:
    """Hold the breakers of an API in one of the states of `FORCED`, in every route.

    Raises:
        UnknownName: no such API.
        ValueError: no such state, no reason, or an expiry out of range.
    """
    app.fallback.force(api, state, reason=reason, actor=who, expires_in=expires_in)
    return await _api(app, api)


async def unforce(app: Understudy, who: str, api: str, reason: str = "") -> dict[str, Any]:
    """Let the breakers of an API judge again.

    Raises:
        UnknownName: no such API.
        NotActive: none of them is held.
    """
    if app.fallback.roster.api(api).forced is None:
        raise NotActive(f"no breaker of {api} is held in a state")
    app.fallback.unforce(api, actor=who, reason=reason)
    return await _api(app, api)


async def reset(app: Understudy, who: str, api: str, reason: str = "") -> dict[str, Any]:
    """Close the breakers of an API, and end its holds and quarantines.

    Raises:
        UnknownName: no such API.
    """
    app.fallback.reset(api, actor=who, reason=reason)
    return await _api(app, api)


async def clear(app: Understudy, who: str, api: str, reason: str = "") -> dict[str, Any]:
    """Begin the statistics of an API anew; history and the counters of `/metrics` go on.

    Raises:
        UnknownName: no such API.
    """
    app.fallback.roster.api(api)
    app.monitor.clear(api)
    await _note(app, who, "performance.clear", api, {"reason": reason} if reason else None)
    return {"api": api, "cleared": True}


def _checked(app: Understudy, api: str) -> None:
    """Raise unless the API has health checks that are planned."""
    entry = app.fallback.roster.api(api)
    if not entry.options.health_check.path and entry.probe is None:
        raise NotActive(f"{api} declares no health check: give it health_check.path")


async def _note(app: Understudy, who: str, action: str, about: str, after: Any = None, before: Any = None) -> None:
    if app.keeping is not None:
        await app.keeping.acted(AuditEntry(app.clock.time(), who, action, about, before, after))


async def _settled(app: Understudy) -> bool:
    """Whether what was said is on disk, and entered into the audit log, by now."""
    if app.keeping is None:
        return False
    try:
        await app.keeping.directions.settle()
    except StoreUnavailable:
        return False
    await app.keeping.acted()  # the events have told of it
    return True


async def _route(app: Understudy, name: str) -> dict[str, Any]:
    kept = await _settled(app)
    pinned = app.fallback.roster.named_route(name).pin
    return {"route": name, "pin": pinned.as_dict() if pinned is not None else None, "kept": kept}


async def _api(app: Understudy, name: str) -> dict[str, Any]:
    kept = await _settled(app)
    api = app.fallback.roster.api(name)
    held = {
        binding.breaker.name: binding.breaker.view().as_dict()
        for binding in api.bindings.values()
        if binding.breaker.state.value in FORCED
    }
    return {
        "api": name,
        "state": state_of(api, app.clock.monotonic()),
        "drain": api.drain.as_dict() if api.drain is not None else None,
        "checks_paused": api.quiet.as_dict() if api.quiet is not None else None,
        "forced": api.forced.as_dict() if api.forced is not None else None,
        "held": held,
        "in_flight": api.in_flight,
        "kept": kept,
    }
