"""Routes: who serves each now, who could and why the others could not; `GET /api/routes` and its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import StoreUnavailable
from understudy.core.events import Event
from understudy.core.types import Candidate as Ranked
from understudy.monitor.history import SeriesHistory
from understudy.monitor.rollup import SeriesName
from understudy.resilience.describe import state_of
from understudy.resilience.imagined_order import Did, Estimate, Minute, replay
from understudy.resilience.registry import Route

from .kept_sums import sums_of

if TYPE_CHECKING:
    from understudy.app import Understudy

#: The span that other orders are tried on, s, and its points: a minute each.
HOUR: Final = 3600.0
_POINTS: Final = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """An API that may serve a route, at its place. Durations are seconds, `share` percent of the route's attempts now.

    `role` is lead, standby or closed; `gate` says why it is closed, `detail` a word on it. `cost` is the expected cost
    of a call in ms, by its `terms`. `left` is how long its breaker stays as it is, `held` who holds it and why;
    `forced` is that word of a person as it was given.
    """

    place: int
    api: str
    role: str
    gate: str
    detail: str
    cost: float | None
    terms: Mapping[str, float]
    state: str
    breaker: str
    left: float | None
    held: str
    share: float | None
    per_second: float
    reliability: float
    latency: float
    price: float
    priority: int
    in_flight: int
    drain: Mapping[str, Any] | None
    forced: Mapping[str, Any] | None
    pinned: bool

    def as_dict(self) -> dict[str, Any]:
        """The candidate as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "terms": dict(self.terms)}


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route as it stands. `pin` is what a person has said of its lead; counts are since the service started."""

    name: str
    mode: str
    deadline: float
    max_apis: int
    lead: str
    pin: Mapping[str, Any] | None
    per_second: float
    fallbacks: int
    failures: int
    candidates: tuple[Candidate, ...]

    def as_dict(self) -> dict[str, Any]:
        """The route as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "candidates": [each.as_dict() for each in self.candidates]}

    @classmethod
    def of(cls, app: Understudy, name: str) -> RouteView:
        """The route of that name.

        Raises:
            UnknownName: there is none.
        """
        fallback = app.fallback
        route = fallback.roster.named_route(name)
        now = app.clock.monotonic()
        ranked = fallback.gates.standings(route, now)
        lead = next((each.api for each in ranked if not each.gate), "")
        pin = route.pin
        rates = {api.name: _rate(route, api.name, now) for api in route.apis}
        total = sum(rates.values())
        return cls(
            name=name, mode=route.options.mode, deadline=route.options.deadline, max_apis=route.options.max_apis,
            lead=lead, pin=None if pin is None else {**pin.as_dict(), "left": pin.left(app.clock.time())},
            per_second=round(total, 3), fallbacks=route.fallbacks, failures=route.failures,
            candidates=tuple(
                _candidate(app, route, place, each, rates, total, lead) for place, each in enumerate(ranked, 1)
            ),
        )  # fmt: skip


def _rate(route: Route, api: str, now: float) -> float:
    """Attempts a second of an API in the service of a route, lately."""
    binding = next(each for each in route.apis if each.name == api).bindings.get(route.operation)
    return binding.rate(now) if binding is not None else 0.0


def _candidate(
    app: Understudy, route: Route, place: int, ranked: Ranked, rates: Mapping[str, float], total: float, lead: str
) -> Candidate:
    api = app.fallback.roster.api(ranked.api)
    now = app.clock.monotonic()
    breaker = app.fallback.roster.binding(api, route).breaker.view()
    held = f"{breaker.reason} ({breaker.actor})" if breaker.reason else ""
    rate, pin = rates.get(api.name, 0.0), route.pinned()
    return Candidate(
        place=place, api=api.name,
        role="lead" if api.name == lead else "closed" if ranked.gate else "standby",
        gate=ranked.gate, detail=ranked.detail, cost=ranked.cost, terms=dict(ranked.terms),
        state=state_of(api, now), breaker=breaker.state.value,
        left=breaker.retry_after if breaker.state.value not in ("closed", "half_open") else None, held=held,
        share=100.0 * rate / total if total > 0.01 else None, per_second=round(rate, 3),
        reliability=api.score.reliability(now), latency=api.score.latency(now), price=api.price,
        priority=api.options.priority, in_flight=api.in_flight,
        drain=api.drain.as_dict() if api.drain is not None else None,
        forced=api.forced.as_dict() if api.forced is not None else None,
        pinned=pin is not None and pin.api == api.name,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RouteHour:
    """The calls of a route in the last hour: all, those that a standby saved, those that failed; rates are percent."""

    calls: int
    saved: int
    failed: int
    success_rate: float | None
    without: float | None

    @classmethod
    def read(cls, sums: Mapping[str, Any]) -> RouteHour:
        """From what the history adds up."""
        ok, err, saved = int(sums.get("ok", 0)), int(sums.get("err", 0)), int(sums.get("fallback_used", 0))
        rated = ok + err
        return cls(
            int(sums.get("n", rated)), saved, err, 100.0 * ok / rated if rated else None,
            100.0 * (ok - saved) / rated if rated else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoutesView:
    """Every route, and the last hour of those of which something is kept."""

    routes: tuple[RouteView, ...]
    hours: Mapping[str, RouteHour]

    @classmethod
    async def of(cls, app: Understudy) -> RoutesView:
        """All routes, by name."""
        sums = await sums_of(app, "route", HOUR) or {}
        routes = tuple(RouteView.of(app, name) for name in sorted(app.fallback.roster.routes))
        return cls(routes, {each.name: RouteHour.read(sums[each.name]) for each in routes if each.name in sums})

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {"routes": [{**each.as_dict(), "hour": self.hour(each.name)} for each in self.routes]}

    def hour(self, name: str) -> dict[str, Any] | None:
        """The last hour of one route, JSON-ready."""
        found = self.hours.get(name)
        return None if found is None else {each.name: getattr(found, each.name) for each in fields(found)}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Orders tried on what happened in the last hour: what was measured, and estimates for the order now and others."""

    measured: Mapping[str, Any]
    now: Estimate
    tried: Estimate | None

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            "measured": dict(self.measured), "now": self.now.as_dict(),
            "tried": self.tried.as_dict() if self.tried is not None else None,
            "note": "an estimate: each API answers the share of calls that it answered in the same minute",
        }  # fmt: skip

    @classmethod
    async def of(cls, app: Understudy, name: str, order: Sequence[str]) -> WhatIf | None:
        """The order that is asked for, beside the one that holds now; None where nothing of the hour is kept.

        Raises:
            UnknownName: there is no such route.
            ValueError: the order names APIs that the route has not, or one twice.
        """
        route = app.fallback.roster.named_route(name)
        members = [api.name for api in route.apis]
        if order and (len(set(order)) != len(order) or not set(order) <= set(members)):
            raise ValueError(f"order: expected names of APIs of the route, each once: {', '.join(members)}")
        past = await _hour(app, name, members)
        if past is None or not past[SeriesName("route", name)].points:
            return None
        calls = past[SeriesName("route", name)]
        minutes, whole = _minutes(calls, {api: past[SeriesName("api", api)] for api in members})
        prices = {api.name: api.price for api in route.apis}
        most = route.options.max_apis
        current = [each.api for each in app.fallback.gates.standings(route, app.clock.monotonic())]
        measured = {
            "calls": calls.whole.n, "success_rate": calls.whole.success_rate, "saved": calls.whole.fallback_used,
            "failed": calls.whole.err, "seconds": calls.whole.mean,
        }  # fmt: skip
        tried = replay(order, minutes, whole, prices, most) if order else None
        return cls(measured, replay(current, minutes, whole, prices, most), tried)


async def _hour(app: Understudy, route: str, members: Sequence[str]) -> dict[SeriesName, SeriesHistory] | None:
    """The last hour of a route and its APIs, minute by minute; None where it cannot be read."""
    if app.keeping is None:
        return None
    end = app.clock.time()
    found: dict[SeriesName, SeriesHistory] = {}
    try:
        for name in (SeriesName("route", route), *(SeriesName("api", api) for api in members)):
            found[name] = await app.keeping.history.series(name, end - HOUR, end, _POINTS)
    except StoreUnavailable:
        return None
    return found


def _minutes(calls: SeriesHistory, apis: Mapping[str, SeriesHistory]) -> tuple[list[Minute], dict[str, Did]]:
    points = {name: {each.at: each for each in past.points} for name, past in apis.items()}
    minutes = []
    for each in calls.points:
        there = {name: mine[each.at] for name, mine in points.items() if each.at in mine}
        done = {name: Did(point.ok, point.err, point.mean) for name, point in there.items()}
        minutes.append(Minute(each.ok + each.err, done))
    whole = {name: Did(past.whole.ok, past.whole.err, past.whole.mean) for name, past in apis.items()}
    return minutes, whole


def switches_of(app: Understudy, route: str, limit: int = 50) -> list[Event]:
    """The last changes of who serves a route since the service started, newest first."""
    return app.fallback.switches.of(route)[:limit]
