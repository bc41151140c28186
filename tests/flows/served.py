"""An application whose one route is served by scripted HTTP APIs, for tests of whole calls."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

from understudy.app import Understudy
from understudy.core.secrets import Secret
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.testing import FakeClock, ScriptedHttp

ROUTE = "r"


def keys(*values: str, kind: str = "bearer") -> AuthOptions:
    """Sign in with these keys."""
    return AuthOptions(kind=kind, keys=tuple(KeyOptions(Secret(value)) for value in values))


@asynccontextmanager
async def served(script: Any, apis: dict[str, dict[str, Any]], clock: FakeClock | None = None, **route: Any):
    """The application, its HTTP script and its clock; `apis` are in order of priority, named like their hosts."""
    clock = clock or FakeClock()
    http = ScriptedHttp(script, clock=clock)
    app = Understudy.build(clock=clock, http=http, seed=1)
    for number, (name, given) in enumerate(apis.items(), 1):
        settings = {"priority": number, "base_url": f"http://{name}", **given}
        app.fallback.register_api(name, route=ROUTE, **settings)
    app.fallback.register_route(ROUTE, **route)
    async with app:
        yield app, http, clock


def breaker(app: Understudy, api: str) -> Any:
    """The breaker of an API in the service of the route."""
    return app.fallback.roster.api(api).bindings[ROUTE].breaker


def outcomes(record: Any) -> list[tuple[str, str]]:
    """Each attempt of a decision record: who was asked, and what it ended as."""
    return [(attempt.api, attempt.outcome.value) for attempt in record.attempts]


def gates(record: Any) -> dict[str, str]:
    """Each API that was passed over, with its reason code."""
    return {candidate.api: candidate.gate for candidate in record.candidates if candidate.gate}
