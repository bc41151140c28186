"""Endpoints of the first page: everything at one glance, and the heat-map of all APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Request, dumped
from understudy.web.kinds import Choice
from understudy.web.schemas import NUMBER, TEXT, array, obj, view
from understudy.web.views.heat import HeatView
from understudy.web.views.kept_watch import SPANS, Reach
from understudy.web.views.now import NowView, Trouble
from understudy.web.views.overview import Figure, Multiple, OverviewView
from understudy.web.views.watch import LIVE

from .fields import answering
from .shapes import EVENT, OPEN_ALERT
from .span import SPANNING, span

if TYPE_CHECKING:
    from understudy.app import Understudy

_WINDOW = Param(
    "window", Choice((*LIVE, *SPANS)), "Over which window; more than the last hour is read from the history.", "1h"
)
#: In place of `window`.
_BETWEEN = tuple(each for each in SPANNING if each.name in ("from", "to"))


def _reach(app: Understudy, query: dict[str, str]) -> Reach:
    """The window, or the span between two times, that a query says."""
    if not {"from", "to"} & query.keys():
        return str(_WINDOW.of(query))
    start, end = span({name: query[name] for name in ("from", "to") if name in query}, app.clock.time())
    return float(int(start)), float(int(end))


@answering
async def overview(app: Understudy, request: Request) -> Answer:
    """What is true now: numbers beside those of a week ago, problems first, the most unusual APIs, what changed."""
    view = await OverviewView.of(app, _reach(app, request.query()))
    return Answer(dumped(view.as_dict()))


@answering
async def heat(app: Understudy, request: Request) -> Answer:
    """Every API over the slices of a span, one sign for each, grouped by hub, the worst first."""
    view = await HeatView.of(app, _reach(app, request.query()))
    return Answer(dumped(view.as_dict()))


_NOW = view(NowView, "Now", alerts=array(OPEN_ALERT), troubles=array(view(Trouble)), events=array(EVENT))
_OVERVIEW = view(
    OverviewView, now=_NOW, figures=array(view(Figure, change=NUMBER)),
    multiples=array(view(Multiple, "SmallChart", score={"type": "number"}, why=TEXT)),
)  # fmt: skip
_HEAT = view(HeatView, groups=array(obj(hub=TEXT, rows=array(array(TEXT)))))

ROUTES: Table = {
    ("GET", "/api/overview"): endpoint(
        overview, Permission.READ, query=(_WINDOW, *_BETWEEN), gives=Gives(_OVERVIEW), problems=(404, 503), tag="Status"
    ),
    ("GET", "/api/overview/heat"): endpoint(
        heat, Permission.READ, query=(_WINDOW, *_BETWEEN), gives=Gives(_HEAT), problems=(404, 503), tag="Status"
    ),
}
