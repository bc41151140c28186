"""The first page: how everything does now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Request
from understudy.web.views.status import StatusView

from .rendering import page

if TYPE_CHECKING:
    from understudy.app import Understudy


async def overview(app: Understudy, request: Request) -> Answer:
    """Everything at one glance."""
    request.query()
    view = StatusView.of(app, summary=await app.monitor.performance_summary())
    return page(app, request, "overview.html", at="overview", view=view)


ROUTES: Table = {("GET", "/"): Endpoint(overview, Permission.READ)}
