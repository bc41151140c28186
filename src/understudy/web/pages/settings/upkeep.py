"""A copy of the store, and the restart: both for administrators who have just given their password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.web.api.administration import REASON, back_up, start_anew
from understudy.web.auth import acts
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form
from understudy.web.http import Answer, Request
from understudy.web.pages.rendering import language_of, page

from .frame import posting, settings_page

if TYPE_CHECKING:
    from understudy.app import Understudy


async def upkeep(app: Understudy, request: Request) -> Answer:
    """What can be done to the service as a whole."""
    request.query()
    return await _upkeep(app, request)


async def _upkeep(app: Understudy, request: Request, **values: Any) -> Answer:
    _ = language_of(request)
    process = request.gate.process
    health = app.keeping.store.health() if app.keeping is not None else None
    return settings_page(
        app, request, "upkeep", _("Backup and restart"), health=health, supervisor=process.supervisor,
        can_restart=process.restart is not None, in_flight=app.in_flight, longest=REASON, **values,
    )  # fmt: skip


async def _again(app: Understudy, request: Request, why: str, error: acts.Refused) -> Answer:
    return await _upkeep(app, request, fault=why, field=error.field)


@posting(_again)
async def copy(app: Understudy, request: Request) -> Answer:
    """The copy itself."""
    await form(request)
    return await back_up(app, request)


@posting(_again)
async def restart(app: Understudy, request: Request) -> Answer:
    """End the service; the page that says so asks the new one when it is there."""
    content = await form(request, "reason")
    await start_anew(app, request, content.get("reason", "")[:REASON])
    _ = language_of(request)
    return page(
        app, request, "settings_restarting.html", at="settings", supervisor=request.gate.process.supervisor, status=202
    )


ROUTES: Table = {
    ("GET", "/settings/upkeep"): Endpoint(upkeep, Permission.ADMIN),
    ("POST", "/settings/upkeep/backup"): Endpoint(copy, Permission.ADMIN),
    ("POST", "/settings/upkeep/restart"): Endpoint(restart, Permission.ADMIN),
}
