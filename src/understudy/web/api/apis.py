"""Endpoints about APIs: all of them in short, one as it stands, what happened to it, and several side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.reports.render import to_json
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request, dumped, listed
from understudy.web.views.anatomy import POINTS, Anatomy
from understudy.web.views.api_detail import ApiDetail
from understudy.web.views.api_past import ApiPast
from understudy.web.views.apis import SORTS, ApisView, registered
from understudy.web.views.compared import ComparedView
from understudy.web.views.quotas import QuotaView
from understudy.web.views.status import STATES

from .fields import answering, choice, choices
from .span import SPAN, span, whole

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest text that is looked for in names, characters.
MAX_SEARCH = 200
#: Most points of one history: each has a column of the heat-map.
MOST_POINTS = 500
_DAY = 86400.0


@answering
async def apis(app: Understudy, request: Request) -> Answer:
    """All APIs in short, or those that are asked for; the worst first unless `sort` says otherwise (`-` turns it)."""
    view = await listing(app, request.query("q", "state", "hub", "sort"))
    return Answer(listed({"counts": dict(view.counts), "total": view.total}, "apis", view.apis))


async def listing(app: Understudy, query: dict[str, str]) -> ApisView:
    """The list that a query asks for; raises `Problem` 400 for what it cannot ask."""
    sort = query.get("sort", "")
    if sort.removeprefix("-") not in (*SORTS, ""):
        raise Problem(400, f"sort is one of {', '.join(SORTS)}, with - before it for the other way round")
    if len(query.get("q", "")) > MAX_SEARCH:
        raise Problem(400, f"q is at most {MAX_SEARCH} characters long")
    return await ApisView.of(
        app, q=query.get("q", "").strip(), states=choices(query, "state", STATES), hub=query.get("hub", ""),
        sort=sort.removeprefix("-"), down=sort.startswith("-"),
    )  # fmt: skip


@answering
async def api(app: Understudy, request: Request) -> Answer:
    """One API as it stands, with the verdict on its failures, its budget and what fires."""
    request.query()
    return Answer(dumped((await ApiDetail.of(app, request.parts["api"])).as_dict()))


@answering
async def history(app: Understudy, request: Request) -> Answer:
    """One API over a span: percentiles, failures by class, the heat-map of latencies."""
    query = request.query("points", *SPAN)
    name = registered(app, request.parts["api"]).name
    start, end = span(query, app.clock.time())
    found = await Anatomy.of(app, name, start, end, whole(query, "points", POINTS, MOST_POINTS))
    if found is None:
        raise Problem(404 if app.keeping is None else 503, "nothing is kept here, or the store cannot be read now")
    return Answer(dumped(found.as_dict()))


@answering
async def past(app: Understudy, request: Request) -> Answer:
    """What happened to one API in a span: alerts, switches, errors, slowest requests, and its history."""
    query = request.query(*SPAN)
    name = registered(app, request.parts["api"]).name
    start, end = span(query, app.clock.time())
    return Answer(dumped((await ApiPast.of(app, name, start, end)).as_dict()))


@answering
async def quota(app: Understudy, request: Request) -> Answer:
    """What is left of each limit, and when it is spent at this pace."""
    request.query()
    return Answer(dumped((await QuotaView.of(app, request.parts["api"])).as_dict()))


@answering
async def report(app: Understudy, request: Request) -> Answer:
    """What can be handed to the vendor: times, rates and samples of its failures, nothing of ours."""
    query = request.query("lang", *SPAN)
    language = choice(query, "lang", ("en", "pt-BR"), "en")
    name = registered(app, request.parts["api"]).name
    if app.keeping is None:
        raise Problem(404, "nothing is kept here: this process was started without a store")
    start, end = span(query, app.clock.time(), _DAY)
    made = await app.keeping.reports.make("incident", start, end, api=name, language=language)
    return Answer(to_json(made).encode("utf-8", "replace"))


@answering
async def compared(app: Understudy, request: Request) -> Answer:
    """Two to six APIs over the same span, with the winner of each measure: `api=a&api=b`."""
    query = request.lists("api", *SPAN)
    start, end = span({name: values[0] for name, values in query.items() if name != "api"}, app.clock.time())
    try:
        view = await ComparedView.of(app, query.get("api", []), start, end)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return Answer(dumped(view.as_dict()))


ROUTES: Table = {
    ("GET", "/api/apis"): Endpoint(apis, Permission.READ),
    ("GET", "/api/compare"): Endpoint(compared, Permission.READ),
    ("GET", "/api/apis/{api}"): Endpoint(api, Permission.READ),
    ("GET", "/api/apis/{api}/history"): Endpoint(history, Permission.READ),
    ("GET", "/api/apis/{api}/past"): Endpoint(past, Permission.READ),
    ("GET", "/api/apis/{api}/quota"): Endpoint(quota, Permission.READ),
    ("GET", "/api/apis/{api}/report"): Endpoint(report, Permission.READ),
}
