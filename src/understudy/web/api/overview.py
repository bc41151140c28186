"""Endpoints of the first page: everything at one glance, and the heat-map of all APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Request, dumped
from understudy.web.views.heat import HeatView
from understudy.web.views.overview import OverviewView

from .fields import choice

if TYPE_CHECKING:
    from understudy.app import Understudy

_WINDOWS = ("5m", "1h")


async def overview(app: Understudy, request: Request) -> Answer:
    """What is true now: numbers beside those of a week ago, problems first, the most unusual APIs, what changed."""
    query = request.query("window")
    view = await OverviewView.of(app, choice(query, "window", _WINDOWS, "1h"))
    return Answer(dumped(view.as_dict()))


async def heat(app: Understudy, request: Request) -> Answer:
    """Every API over the last 60 slices of a window, one sign for each, grouped by hub, the worst first."""
    query = request.query("window")
    view = await HeatView.of(app, choice(query, "window", _WINDOWS, "1h"))
    return Answer(dumped(view.as_dict()))


ROUTES: Table = {
    ("GET", "/api/overview"): Endpoint(overview, Permission.READ),
    ("GET", "/api/overview/heat"): Endpoint(heat, Permission.READ),
}
