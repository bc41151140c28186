"""One frozen view for each endpoint: the same object feeds the REST API and the command line.

Each has `of(app)`, which reads a running application, and `as_dict()`, JSON-ready; those that the
command line shows have `from_dict()` too. Durations are seconds, rates percentages, NaN means nothing
was measured (null in JSON).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from understudy.core.errors import UnknownName
from understudy.core.status import ApiRow, RouteRow, Status, explanation_of
from understudy.core.types import Explanation
from understudy.monitor.trends import METRICS
from understudy.monitor.window import window_of

from .happened import recent_events
from .told import told_of

if TYPE_CHECKING:
    from understudy.app import Understudy

#: The states of an API, worst first.
STATES = ("down", "degraded", "unknown", "paused", "healthy")


@dataclass(frozen=True, slots=True)
class StatusView(Status):
    """What serves what right now, and what is wrong; `GET /api/status`."""

    @classmethod
    def of(
        cls, app: Understudy, described: Mapping[str, Any] | None = None, summary: Mapping[str, Any] | None = None
    ) -> Self:
        """The application as it stands; from a summary of the monitor that was made before, if one is given."""
        described = described or app.fallback.describe()
        summary = (summary or app.monitor.get_performance_summary())["apis"]
        routes = tuple(_route_row(name, route) for name, route in described["routes"].items())
        rows = tuple(
            _api_row(name, api, summary.get(name, {}), routes, described) for name, api in described["apis"].items()
        )
        counts = {state: sum(row.state == state for row in rows) for state in STATES}
        return cls(
            version=app.version,
            at=app.clock.time(),
            uptime=app.clock.time() - app.started_at,
            environment=getattr(app.settings, "environment", ""),
            reasons=tuple(app.readiness()),
            counts=counts,
            apis=rows,
            routes=routes,
            system=app.system.read().as_dict(),
            events=tuple(event.as_dict() for event in recent_events(app, 20)),
            keeping=app.keeping.as_dict() if app.keeping is not None else None,
            alerts=told_of(app) if app.keeping is not None else None,
        )


@dataclass(frozen=True, slots=True)
class PerformanceView:
    """How every API is doing; `GET /api/performance`. With `api`, also that one's windows, trends and history."""

    summary: Mapping[str, Any]
    detail: Mapping[str, Any] | None
    comparison: Mapping[str, Any] | None

    @classmethod
    def of(
        cls,
        app: Understudy,
        api: str = "",
        compare: tuple[str, ...] = (),
        window: str = "1h",
        summary: Mapping[str, Any] | None = None,
    ) -> Self:
        """Raises `UnknownName` for an unknown API, ValueError for an unknown window."""
        window_of(window)
        monitor = app.monitor
        known = monitor.names()
        for name in (*([api] if api else []), *compare):
            if name not in known:
                raise UnknownName("API", name)
        detail = None
        if api:
            detail = {
                "api": api,
                "windows": {each: monitor.snapshot(api, each).as_dict() for each in ("1m", "5m", "1h")},
                "trends": {metric: monitor.trend(api, metric, window).as_dict() for metric in METRICS},
                "history": [point.as_dict() for point in monitor.history(api, window)],
            }
        compared = monitor.compare(compare, window).as_dict() if compare else None
        return cls(summary or monitor.get_performance_summary(), detail, compared)

    def as_dict(self) -> dict[str, Any]:
        """The summary's own keys, and `detail` and `comparison` where they were asked for."""
        found = dict(self.summary)
        if self.detail is not None:
            found["detail"] = self.detail
        if self.comparison is not None:
            found["comparison"] = self.comparison
        return found


@dataclass(frozen=True, slots=True)
class FallbackView:
    """Routes, APIs and hubs with every mechanism's state; `GET /api/fallback`."""

    described: Mapping[str, Any]
    health_checks: Mapping[str, Any]

    @classmethod
    def of(cls, app: Understudy) -> Self:
        """The application as it stands."""
        return cls(app.fallback.describe(), app.health_checks())

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {**self.described, "health_checks": dict(self.health_checks)}


@dataclass(frozen=True, slots=True)
class DecisionsView:
    """Decision records, newest first; `GET /api/decisions`."""

    decisions: tuple[Explanation, ...]

    @classmethod
    def of(cls, app: Understudy, limit: int = 100, route: str | None = None, outcome: str | None = None) -> Self:
        """The records that are kept: all failures and fallbacks, and a sample of the rest."""
        return cls(tuple(app.fallback.decisions(limit, route, outcome)))

    @classmethod
    def of_call(cls, app: Understudy, call_id: str) -> Self:
        """The record of one call; none when it is not kept."""
        found = app.fallback.decision(call_id)
        return cls((found,) if found is not None else ())

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {"decisions": [record.as_dict() for record in self.decisions]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The view that `as_dict` gave."""
        return cls(tuple(explanation_of(each) for each in values["decisions"]))


@dataclass(frozen=True, slots=True)
class HealthView:
    """Whether the process works, and whether it should be sent calls; `GET /health`."""

    live: bool
    ready: bool
    reasons: tuple[str, ...]
    version: str
    #: What is wrong although calls go on, such as a store that cannot be written.
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, app: Understudy) -> Self:
        """The application as it stands."""
        reasons = tuple(app.readiness())
        return cls(not app.live(), not reasons, reasons, app.version, tuple(app.problems()))

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            "status": "unavailable" if not self.ready else "degraded" if self.problems else "ok",
            "live": self.live,
            "ready": self.ready,
            "reasons": list(self.reasons),
            "problems": list(self.problems),
            "version": self.version,
        }

    def public(self) -> dict[str, Any]:
        """What everybody may know, who has not signed in, too: no reasons and no version."""
        return {"status": self.as_dict()["status"], "live": self.live, "ready": self.ready}


def _route_row(name: str, route: Mapping[str, Any]) -> RouteRow:
    others = route["standbys"]
    return RouteRow(
        name=name,
        mode=route["mode"],
        lead=route["lead"] or "",
        standbys=tuple(each["api"] for each in others if not each["gate"]),
        closed={each["api"]: f"{each['gate']} {each['detail']}".strip() for each in others if each["gate"]},
        fallbacks=route["fallbacks"],
        failures=route["failures"],
    )


def _api_row(
    name: str,
    api: Mapping[str, Any],
    numbers: Mapping[str, Any],
    routes: tuple[RouteRow, ...],
    described: Mapping[str, Any],
) -> ApiRow:
    breakers = [each for each in api["breaker"].values() if each["state"] != "closed"]
    worst = breakers[0] if breakers else None
    keys = api["keys"]
    quota: Mapping[str, Any] = min(
        (each for each in api["quota"] if each["remaining"] is not None), key=lambda each: each["remaining"], default={}
    )
    error = numbers.get("last_error") or {}
    return ApiRow(
        name=name,
        state=api["state"],
        routes=tuple(route.name for route in routes if name in described["routes"][route.name]["apis"]),
        priority=api["priority"],
        hub=api["hub"],
        requests=numbers.get("total_requests", 0),
        success_rate=_known(numbers.get("success_rate")),
        requests_per_minute=numbers.get("requests_per_minute", 0.0),
        p50=_known(numbers.get("p50")),
        p95=_known(numbers.get("p95")),
        in_flight=api["in_flight"],
        breaker=worst["state"] if worst else "closed",
        retry_after=worst["retry_after"] if worst else api.get("hold"),
        keys=len(keys),
        keys_usable=sum(each["state"] == "usable" for each in keys),
        quota_remaining=quota.get("remaining"),
        quota_limit=None if quota.get("limit") is None else int(quota["limit"]),
        last_error=error.get("message") or error.get("outcome", ""),
    )


def _known(value: float | None) -> float | None:
    """None for what was not measured, which the monitor says as NaN."""
    return None if value is None or value != value else value  # noqa: PLR0124 - only NaN differs from itself
