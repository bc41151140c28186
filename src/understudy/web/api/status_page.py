"""The public status page as JSON: the same view that its page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Request, dumped
from understudy.web.schemas import view
from understudy.web.views.public import FRESH, options_of, view_of
from understudy.web.views.status_page import StatusPageView

if TYPE_CHECKING:
    from understudy.app import Understudy


async def public_status(app: Understudy, request: Request) -> Answer:
    """What the public status page shows, where there is one; anybody may ask."""
    options_of(app)
    request.query()
    found = await view_of(app)
    return Answer(dumped(found.as_dict()), headers={"Cache-Control": f"public, max-age={FRESH:.0f}"})


ROUTES: Table = {
    ("GET", "/api/status-page"): endpoint(
        public_status, Permission.PUBLIC,
        gives=Gives(view(StatusPageView, "StatusPage")),
        problems=(404,), tag="Status page",
    ),
}  # fmt: skip
