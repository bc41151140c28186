"""Routes, APIs and hubs as they stand, as plain values for pages, the REST API and the command line."""

from __future__ import annotations

from typing import Any

from .breaker import BreakerState
from .counters import Counters
from .directions import Direction
from .registry import Api, Route
from .roster import Roster
from .score import Score
from .standing import Gatekeeper

#: Reliability below which an API counts as degraded.
DEGRADED = 0.8


def describe(roster: Roster, gates: Gatekeeper, counters: Counters, now: float) -> dict[str, Any]:
    """Everything that is registered, with its state; JSON-ready."""
    return {
        "routes": {name: describe_route(route, roster, gates, now) for name, route in roster.routes.items()},
        "apis": {name: describe_api(api, now) for name, api in roster.apis.items()},
        "hubs": {name: hub.breaker.view().as_dict() for name, hub in roster.hubs.items() if len(hub.apis) > 1},
        "counters": {
            "fallbacks": [
                {"from": lead, "to": to, "reason": reason, "calls": calls}
                for (lead, to, reason), calls in sorted(counters.fallbacks.items())
            ],
            "exhausted": dict(counters.exhausted),
            "breaker_transitions": [
                {"breaker": name, "to": to, "count": count}
                for (name, to), count in sorted(counters.transitions.items())
            ],
        },
    }


def describe_route(route: Route, roster: Roster, gates: Gatekeeper, now: float) -> dict[str, Any]:
    """One route: who leads it, and who could; JSON-ready."""
    ranked = gates.standings(route, now)
    eligible = [candidate for candidate in ranked if not candidate.gate]
    return {
        "mode": route.options.mode,
        "deadline": route.options.deadline,
        "lead": eligible[0].api if eligible else None,
        "standbys": [
            {
                "api": candidate.api,
                "gate": candidate.gate,
                "detail": candidate.detail,
                "cost": candidate.cost,
                "terms": dict(candidate.terms),
            }
            for candidate in ranked
            if not eligible or candidate.api != eligible[0].api
        ],
        "apis": [api.name for api in route.apis],
        "fallbacks": route.fallbacks,
        "failures": route.failures,
        "pin": _direction(route.pin, roster.wall()),
    }


def _direction(given: Direction | None, wall: float) -> dict[str, Any] | None:
    return None if given is None else {**given.as_dict(), "left": given.left(wall)}


def state_of(api: Api, now: float) -> str:
    """One word for people: `healthy`, `degraded`, `down`, `paused` or `unknown`."""
    if not api.options.enabled or api.drain is not None:
        return "paused"
    states = [binding.breaker.state for binding in api.bindings.values()]
    if BreakerState.FORCED_OPEN in states:
        return "paused"  # by somebody's word, whatever the API could do
    if api.hub.breaker.blocked() or BreakerState.OPEN in states:
        return "down"
    if api.hold_until > now or any(state is BreakerState.HALF_OPEN for state in states):
        return "degraded"
    if api.uses_keys and api.keys.usable(now):
        return "down"
    if api.score.last_success_at is None:
        if api.failed_at == float("-inf"):
            return "unknown" if api.heard is None else _told(api.heard, now)
        return "degraded"
    return _told(api.score, now)


def _told(score: Score, now: float) -> str:
    return "degraded" if score.reliability(now) < DEGRADED else "healthy"


def describe_api(api: Api, now: float) -> dict[str, Any]:
    """One API with the state of each of its mechanisms; JSON-ready."""
    return {
        "priority": api.options.priority,
        "route": api.route,
        "hub": api.hub.name,
        "price": api.options.price,
        "enabled": api.options.enabled,
        "state": state_of(api, now),
        "hold": round(api.hold_until - now, 3) if api.hold_until > now else None,
        "hold_reason": api.hold_reason if api.hold_until > now else "",
        "in_flight": api.in_flight,
        "drain": _direction(api.drain, api.clock.time()),
        "checks_paused": _direction(api.quiet, api.clock.time()),
        "forced": _direction(api.forced, api.clock.time()),
        "reliability": round(api.score.reliability(now), 4),
        "expected_latency": round(api.score.latency(now), 4),
        "breaker": {name or "": binding.breaker.view().as_dict() for name, binding in api.bindings.items()},
        "keys": api.keys.view(),
        "quota": api.keys.quotas(),
        "bulkhead": None
        if api.bulkhead is None
        else {"limit": api.bulkhead.limit, "active": api.bulkhead.active, "waiting": api.bulkhead.waiting},
        "budget": {"left": round(api.budget.left(), 2)},
    }
