"""The configuration in force, the security self-check, and the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Request
from understudy.web.pages.origins import origin_words
from understudy.web.pages.rendering import language_of
from understudy.web.views.administration import ConfigView, MachineView
from understudy.web.views.safety import SafetyView

from .frame import settings_page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Most values that one page shows; the filter finds the others.
_MOST = 1000


async def configuration(app: Understudy, request: Request) -> Answer:
    """Every value in force, and where it came from."""
    wanted = request.query("q", "all")
    _, view = language_of(request), ConfigView.of(app, request.gate.process)
    if wanted.get("q"):
        view = view.under(wanted["q"])
    found = [
        each for each in view.values if wanted.get("all") == "yes" or wanted.get("q") or each["origin"] != "default"
    ]  # fmt: skip
    return settings_page(
        app, request, "configuration", _("Configuration"), view=view, values=found[:_MOST], total=len(found),
        everything=wanted.get("all") == "yes", q=wanted.get("q", "")[:200], origin_words=origin_words,
    )  # fmt: skip


async def security(app: Understudy, request: Request) -> Answer:
    """The security self-check."""
    request.query()
    _ = language_of(request)
    view = await SafetyView.of(app, request.gate.process, _)
    return settings_page(app, request, "security", _("Security"), view=view)


async def system(app: Understudy, request: Request) -> Answer:
    """The machine."""
    request.query()
    _ = language_of(request)
    return settings_page(app, request, "system", _("System"), view=MachineView.of(app), logged=app.system.errors.total)


ROUTES: Table = {
    ("GET", "/settings/configuration"): Endpoint(configuration, Permission.INSPECT),
    ("GET", "/settings/security"): Endpoint(security, Permission.INSPECT),
    ("GET", "/settings/system"): Endpoint(system, Permission.INSPECT),
}
