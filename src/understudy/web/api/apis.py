"""Endpoints about APIs: all of them in short, one as it stands, what happened to it, and several side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from understudy.core.csvtext import csv_lines
from understudy.reports.render import to_json
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped, listed
from understudy.web.kinds import Choice, Choices, Text, Whole
from understudy.web.schemas import NUMBER, OBJECT, TEXT, TIME, WHOLE, array, mapping, maybe, obj, view
from understudy.web.views.anatomy import POINTS, Anatomy
from understudy.web.views.api_detail import ApiDetail, Role
from understudy.web.views.api_past import ApiPast
from understudy.web.views.apis import SORTS, ApiLine, ApisView, registered
from understudy.web.views.compared import Column, ComparedView, Row
from understudy.web.views.happened import Mark
from understudy.web.views.promises import Budget
from understudy.web.views.quotas import BurnDown, Limit, QuotaView
from understudy.web.views.status import STATES
from understudy.web.views.verdict import Side, Verdict

from .fields import answering
from .lists import CSV, FORMAT
from .shapes import ALERT, ANATOMY, EPISODE, ERROR_GROUP, HEALTH_CHECK, MAYBE_TIME, REQUEST, STANDING
from .span import SPANNING, span

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest text that is looked for in names, characters.
MAX_SEARCH = 200
#: Most points of one history: each has a column of the heat-map.
MOST_POINTS = 500
_DAY = 86400.0
#: Lines of a CSV file that are written before the event loop gets its turn.
_AT_ONCE = 200


@answering
async def apis(app: Understudy, request: Request) -> Answer:
    """All APIs in short, or those that are asked for; the worst first unless `sort` says otherwise (`-` turns it)."""
    query = request.query()
    found = await listing(app, query)
    if FORMAT.of(query) == "csv":
        disposition = {"Content-Disposition": 'attachment; filename="understudy-apis.csv"'}
        return Answer(_lines(found.apis), 200, "text/csv; charset=utf-8", disposition)
    return Answer(listed({"counts": dict(found.counts), "total": found.total}, "apis", found.apis))


async def _lines(apis: Sequence[ApiLine]) -> AsyncIterator[bytes]:
    """The list as CSV, some hundred lines at a time."""
    columns = [*(each.name for each in fields(ApiLine)), "quota_left"]
    yield csv_lines([columns]).encode()
    for begin in range(0, len(apis), _AT_ONCE):
        told = [each.as_dict() for each in apis[begin : begin + _AT_ONCE]]
        yield csv_lines([line[key] for key in columns] for line in told).encode()


async def listing(app: Understudy, query: dict[str, str]) -> ApisView:
    """The list that a query asks for; raises `Problem` 400 for what it cannot ask."""
    sort = _SORT.of(query)
    return await ApisView.of(
        app, q=_Q.of(query).strip(), states=_STATES.of(query), hub=_HUB.of(query),
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
    query = request.query()
    name = registered(app, request.parts["api"]).name
    start, end = span(query, app.clock.time())
    found = await Anatomy.of(app, name, start, end, _POINTS.of(query))
    if found is None:
        raise Problem(404 if app.keeping is None else 503, "nothing is kept here, or the store cannot be read now")
    return Answer(dumped(found.as_dict()))


@answering
async def past(app: Understudy, request: Request) -> Answer:
    """What happened to one API in a span: alerts, switches, errors, slowest requests, and its history."""
    query = request.query()
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
    query = request.query()
    language = _LANG.of(query)
    name = registered(app, request.parts["api"]).name
    if app.keeping is None:
        raise Problem(404, "nothing is kept here: this process was started without a store")
    start, end = span(query, app.clock.time(), _DAY)
    made = await app.keeping.reports.make("incident", start, end, api=name, language=language)
    return Answer(to_json(made).encode("utf-8", "replace"))


@answering
async def compared(app: Understudy, request: Request) -> Answer:
    """Two to six APIs over the same span, with the winner of each measure: `api=a&api=b`."""
    query = request.lists()
    start, end = span({name: values[0] for name, values in query.items() if name != "api"}, app.clock.time())
    try:
        found = await ComparedView.of(app, query.get("api", []), start, end)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return Answer(dumped(found.as_dict()))


_NAME = Text(500, name=True)
_Q = Param(
    "q", Text(MAX_SEARCH, name=True), "Part of the name, hub, tag or route; `tag:eu` asks for a tag.", default=""
)
_STATES = Param("state", Choices(STATES), "Only in these states, between commas.", default=())
_HUB = Param("hub", _NAME, "Only of this hub.", default="")
_SORT = Param(
    "sort", Choice((*SORTS, *(f"-{each}" for each in SORTS), "")), "By what; with - the other way round.", default=""
)
_POINTS = Param("points", Whole(1, MOST_POINTS), "About how many points it has.", default=POINTS)
_LANG = Param("lang", Choice(("en", "pt-BR")), "In which language.", default="en")
_SIDES = Param(
    "api", _NAME, "An API; two to six of them.", required=True, many=True, example=["odds_prime", "odds_second"]
)
_LINE = view(ApiLine, quota_left=NUMBER)
_BUDGET = view(Budget, "ErrorBudget", burn=mapping(NUMBER))
_VERDICT = view(Verdict, sides=array(view(Side, success_rate=NUMBER)))
_DETAIL = view(
    ApiLine, "Api", quota_left=NUMBER, since_at=MAYBE_TIME, why=TEXT, because=TEXT, actor=TEXT,
    roles=array(view(Role)), verdict=_VERDICT, budget=maybe(_BUDGET), alerts=array(ALERT), standing=STANDING,
    health_check=maybe(HEALTH_CHECK),
)  # fmt: skip
_PAST = obj(
    start=TIME, end=TIME, history=maybe(ANATOMY), episodes=array(EPISODE), marks=array(view(Mark, detail=OBJECT)),
    errors=array(ERROR_GROUP), slowest=array(REQUEST),
)  # fmt: skip
_COMPARED = obj(
    start=TIME, end=TIME, apis=array(view(Column, "ComparedApi")), rows=array(view(Row, "ComparedMeasure")), best=TEXT,
    history=array(maybe(ANATOMY)),
)  # fmt: skip
_QUOTA = obj(api=TEXT, limits=array(view(Limit, left=NUMBER)), burn_down=maybe(view(BurnDown)))
_GONE = (404, 503)

ROUTES: Table = {
    ("GET", "/api/apis"): endpoint(
        apis, Permission.READ, query=(_Q, _STATES, _HUB, _SORT, FORMAT),
        gives=(Gives(obj(counts=mapping(WHOLE), total=WHOLE, apis=array(_LINE))), CSV), problems=(503,), tag="APIs",
    ),
    ("GET", "/api/compare"): endpoint(
        compared, Permission.READ, query=(_SIDES, *SPANNING), gives=Gives(_COMPARED), problems=_GONE, tag="APIs"
    ),
    ("GET", "/api/apis/{api}"): endpoint(
        api, Permission.READ, gives=Gives(_DETAIL), problems=_GONE, tag="APIs",
    ),
    ("GET", "/api/apis/{api}/history"): endpoint(
        history, Permission.READ, query=(_POINTS, *SPANNING), gives=Gives(ANATOMY),
        problems=_GONE, tag="APIs",
    ),
    ("GET", "/api/apis/{api}/past"): endpoint(
        past, Permission.READ, query=SPANNING,
        gives=Gives(_PAST), problems=_GONE, tag="APIs",
    ),
    ("GET", "/api/apis/{api}/quota"): endpoint(
        quota, Permission.READ, gives=Gives(_QUOTA), problems=_GONE, tag="APIs"
    ),
    ("GET", "/api/apis/{api}/report"): endpoint(
        report, Permission.READ, query=(_LANG, *SPANNING), gives=Gives(OBJECT), problems=(*_GONE, 501), tag="APIs"
    ),
}  # fmt: skip
