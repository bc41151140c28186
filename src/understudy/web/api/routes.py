"""Routes over JSON: who serves each, what the last hour came to, who led it when, and what another order would have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.resilience.imagined_order import Estimate
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Listed, Text
from understudy.web.schemas import NUMBER, TEXT, WHOLE, array, mapping, maybe, obj, view
from understudy.web.views.routes import Candidate, RouteHour, RoutesView, RouteView, WhatIf, switches_of

from .fields import answering
from .shapes import DIRECTION, DIRECTION_LEFT, EVENT

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Most APIs of an order that is tried.
_MOST = 50


@answering
async def routes(app: Understudy, request: Request) -> Answer:
    """Every route: who serves it now, who could, why the others could not, and its last hour."""
    request.query()
    return Answer(dumped((await RoutesView.of(app)).as_dict()))


@answering
async def route(app: Understudy, request: Request) -> Answer:
    """One route, with the last changes of who serves it, newest first, since the service started."""
    request.query()
    name = request.parts["route"]
    found = RouteView.of(app, name)
    return Answer(dumped({**found.as_dict(), "switches": [each.as_dict() for each in switches_of(app, name)]}))


@answering
async def what_if(app: Understudy, request: Request) -> Answer:
    """What another order of the APIs would have made of the last hour: an estimate, beside what was measured.

    Each API answers the share of calls that it answered in the same minute; where it was not asked, its share of the
    hour stands for it. Limits that more calls would have met are not known. Null: nothing of the hour is kept.
    """
    request.query()
    content = await request.json_object()
    try:
        found = await WhatIf.of(app, request.parts["route"], _ORDER.of(content))
    except ValueError as error:
        raise Problem(422, str(error), field="order") from None
    return Answer(dumped({"what_if": found.as_dict() if found is not None else None}))


_ORDER = Field(
    "order", Listed(Text(200, least=1, name=True), _MOST, least=1, called="names of APIs"),
    "The APIs in the order to be tried.", required=True, example=["odds_second", "odds_prime"],
)  # fmt: skip
_CANDIDATE = view(Candidate, "RouteCandidate", terms=mapping(NUMBER), drain=maybe(DIRECTION))
_ROUTE = view(RouteView, "Route", pin=maybe(DIRECTION_LEFT), candidates=array(_CANDIDATE), switches=array(EVENT))
_LISTED = view(
    RouteView, "RouteInList", pin=maybe(DIRECTION_LEFT), candidates=array(_CANDIDATE), hour=maybe(view(RouteHour))
)
_MEASURED = obj(calls=WHOLE, success_rate=NUMBER, saved=WHOLE, failed=WHOLE, seconds=NUMBER)
_ESTIMATE = view(Estimate, "OrderEstimate", served=mapping(NUMBER))

ROUTES: Table = {
    ("GET", "/api/routes"): endpoint(routes, Permission.READ, gives=Gives(obj(routes=array(_LISTED))), tag="Routes"),
    ("GET", "/api/routes/{route}"): endpoint(
        route, Permission.READ, gives=Gives(_ROUTE), problems=(404,), tag="Routes"
    ),
    ("POST", "/api/routes/{route}/what-if"): endpoint(
        what_if, Permission.READ, body=(_ORDER,),
        gives=Gives(obj(what_if=maybe(obj(measured=_MEASURED, now=_ESTIMATE, tried=maybe(_ESTIMATE), note=TEXT)))),
        problems=(404, 503), tag="Routes",
    ),
}  # fmt: skip
