"""Routes as pages: who serves each and why, what standbys saved, what another order would have made of an hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import StoreUnavailable
from understudy.core.text import Texts
from understudy.monitor.history import SeriesHistory
from understudy.monitor.rollup import SeriesName
from understudy.resilience.words import gates, terms
from understudy.web.api.fields import answering
from understudy.web.api.span import SPAN
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import path_of
from understudy.web.http import Answer, Request, dumped
from understudy.web.views.happened import marks_of
from understudy.web.views.kept_sums import sums_of
from understudy.web.views.routes import HOUR, RouteHour, RoutesView, RouteView, WhatIf, switches_of

from .api_charts import marks
from .edit_links import edit_href, new_href
from .range import range_of
from .rendering import language_of, page
from .route_acts import LASTING, acts_for, notice
from .route_words import modes, pin_words, sentence, switch_words

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Points of the chart.
_POINTS: Final = 120


@answering
async def routes(app: Understudy, request: Request) -> Answer:
    """The list of routes."""
    request.query()
    view = await RoutesView.of(app)
    _ = language_of(request)
    return page(
        app, request, "routes.html", at="routes", view=view, modes=modes(_), sentence=lambda each: sentence(_, each),
        path_of=path_of, new=new_href(app, request, "route"),
    )  # fmt: skip


@answering
async def route(app: Understudy, request: Request) -> Answer:
    """One route."""
    query = request.lists("place", "done", *SPAN)
    name = request.parts["route"]
    view = RouteView.of(app, name)
    _ = language_of(request)
    pairs = [(key, value) for key, values in query.items() for value in values if key != "done"]
    span = range_of(_, pairs, app.clock.time())
    order, fault = _order(_, view, query.get("place", ()))
    return page(
        app, request, "route.html", at="routes", view=view, range=span, modes=modes(_), gates=gates(_), terms=terms(_),
        sentence=sentence(_, view), pinned=pin_words(_, view), lasting=LASTING,
        notice=notice(_, (query.get("done") or [""])[0]),
        acts=acts_for(_, request), hour=await _hour(app, name), charts=await _charts(_, app, name, span),
        switches=[(each, switch_words(_, each)) for each in switches_of(app, name)],
        what_if=await WhatIf.of(app, name, order) if order else None, order=order, fault=fault,
        act=path_of("routes", name, "act"), path_of=path_of, route_words=_words(_),
        edit=edit_href(app, request, "route", name),
    )  # fmt: skip


@answering
async def now(app: Understudy, request: Request) -> Answer:
    """What has changed on the page of a route, in words: who serves now, the pin, the last switches."""
    request.query()
    view = RouteView.of(app, request.parts["route"])
    _ = language_of(request)
    said = [{"at": each.at, "text": switch_words(_, each)} for each in switches_of(app, view.name)]
    return Answer(dumped({"sentence": sentence(_, view), "pin": pin_words(_, view), "switches": said}))


def _order(_: Texts, view: RouteView, places: Sequence[str]) -> tuple[list[str], str]:
    """The order that is to be tried, and what is wrong with it."""
    chosen = [name for name in places if name]
    known = {each.api for each in view.candidates}
    if not set(chosen) <= known:
        return [], _("This route has no API of that name.")
    if len(set(chosen)) != len(chosen):
        return [], _("Each API may stand at one place only.")
    return chosen, ""


async def _hour(app: Understudy, name: str) -> RouteHour | None:
    sums = await sums_of(app, "route", HOUR) or {}
    return RouteHour.read(sums[name]) if name in sums else None


async def _charts(_: Texts, app: Understudy, name: str, span: Any) -> list[dict[str, Any]]:
    """Calls by how they ended, and what the standbys were worth; empty where nothing can be read."""
    if app.keeping is None:
        return []
    try:
        found = await app.keeping.history.series(SeriesName("route", name), span.start, span.end, _POINTS)
    except StoreUnavailable:
        return []
    happened = await marks_of(app, span.start, span.end, route=name)
    return _drawn(_, found, marks(_, happened)) if found.points else []


def _drawn(_: Texts, found: SeriesHistory, marked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    points = {each.at: each for each in found.points}
    # The whole span, also where nothing was called: whoever asks for a day sees a day.
    some, step = min(points), found.step
    first = some - max(0, some - found.start) // step * step
    grid = list(range(first, max(max(points) + 1, found.end), step))
    at = [points.get(moment) for moment in grid]
    by_lead = [None if p is None else float(p.ok - p.fallback_used) for p in at]
    saved = [None if p is None else float(p.fallback_used) for p in at]
    failed = [None if p is None else float(p.err) for p in at]
    rate = [None if p is None else p.success_rate for p in at]
    without = [None if p is None or not p.ok + p.err else 100.0 * (p.ok - p.fallback_used) / (p.ok + p.err) for p in at]
    shared = {
        "at": grid, "step": found.step, "bands": [], "marks": marked, "live": None, "group": "route",
        "brush": path_of("requests", q=f'route:"{_quoted(found.series.name)}"') + "&from={from}&to={to}",
    }  # fmt: skip
    return [
        {
            **shared, "title": _("Calls by how they ended"), "unit": "", "stack": True,
            "series": [
                {"label": _("Answered by the lead"), "values": by_lead, "kind": "bar", "tone": "series-1"},
                {"label": _("Saved by a standby"), "values": saved, "kind": "bar", "tone": "degraded"},
                {"label": _("Failed"), "values": failed, "kind": "bar", "tone": "down"},
            ],
        },
        {
            **shared, "title": _("Success with and without standbys"), "unit": "%",
            "series": [
                {"label": _("As it was"), "values": rate, "kind": "line"},
                {"label": _("Without standbys"), "values": without, "kind": "line", "dash": True},
            ],
        },
    ]  # fmt: skip


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _words(_: Texts) -> dict[str, str]:
    """What the script of this page says."""
    return {
        **{f"gate.{key}": text for key, text in gates(_).items()},
        "role.lead": _("serves now"), "role.standby": _("stands by"), "role.closed": _("cannot serve"),
        "breaker.closed": _("Closed"), "breaker.open": _("Open"), "breaker.half_open": _("Half-open"),
        "breaker.forced_open": _("Held open"), "breaker.forced_closed": _("Held closed"),
        "breaker.observe": _("Only observed"),
        "state.healthy": _("Healthy"), "state.degraded": _("Degraded"), "state.down": _("Down"),
        "state.unknown": _("Unknown"), "state.paused": _("Paused"),
        "left": _("{seconds} s left"), "held": _("Held: {reason}"), "drained": _("Drained by {actor}: {reason}"),
        "empty": _("It is empty."), "ends": _("It ends"),
    }  # fmt: skip


ROUTES: Table = {
    ("GET", "/routes"): Endpoint(routes, Permission.READ),
    ("GET", "/routes/{route}"): Endpoint(route, Permission.READ),
    ("GET", "/routes/{route}/now"): Endpoint(now, Permission.READ),
}
