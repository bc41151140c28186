"""Oneself: password, language and look; and giving the password once more before what hurts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.web.api.accounts import check_person
from understudy.web.auth import acts
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import back_to, form, safe_path
from understudy.web.http import Answer, Request
from understudy.web.pages.refusals import refusal
from understudy.web.pages.rendering import language_of

from .frame import notice, posting, settings_page

if TYPE_CHECKING:
    from understudy.app import Understudy


async def index(app: Understudy, request: Request) -> Answer:
    """The first page of the settings."""
    request.query()
    return back_to("/settings/profile")


async def profile(app: Understudy, request: Request) -> Answer:
    """Who one is here, and what one may do."""
    _ = language_of(request)
    done = {"password": _("The password is changed. Your other sessions have ended.")}
    return await _profile(app, request, notice=notice(request, done))


async def _profile(app: Understudy, request: Request, **values: Any) -> Answer:
    _ = language_of(request)
    return settings_page(
        app, request, "profile", _("Profile"), has_accounts=await request.gate.has_accounts(), **values
    )


async def _again(app: Understudy, request: Request, told: str, error: acts.Refused) -> Answer:
    return await _profile(app, request, fault=told, field=error.field)


@posting(_again)
async def change_password(app: Understudy, request: Request) -> Answer:
    """Change one's own password."""
    check_person(request)
    content = await form(request, "old", "password", "again")
    if content.get("password", "") != content.get("again", ""):
        raise acts.Refused("again", "the two passwords differ", field="again")
    session = await acts.change_own_password(app, request, content.get("old", ""), content.get("password", ""))
    return back_to("/settings/profile?done=password", cookies=[acts.session_cookie(request, session)])


async def confirm(app: Understudy, request: Request) -> Answer:
    """The page that asks for the password once more."""
    return _confirm(app, request, request.query("next").get("next", "/settings/profile"))


def _confirm(app: Understudy, request: Request, wanted: str, fault: str = "", status: int = 200) -> Answer:
    _ = language_of(request)
    return settings_page(
        app, request, "confirm", _("Confirm that it is you"), wanted=safe_path(wanted), fault=fault, status=status
    )


async def confirmed(app: Understudy, request: Request) -> Answer:
    """Take the password, and go back."""
    request.query()
    content = await form(request, "password", "next")
    wanted = content.get("next", "/settings/profile")
    try:
        check_person(request)
        await acts.prove(app, request, content.get("password", ""))
    except acts.Refused as error:
        return _confirm(app, request, wanted, refusal(language_of(request), error), error.status)
    return back_to(wanted)


ROUTES: Table = {
    ("GET", "/settings"): Endpoint(index, Permission.READ),
    ("GET", "/settings/profile"): Endpoint(profile, Permission.READ),
    ("POST", "/settings/profile/password"): Endpoint(change_password, Permission.READ),
    ("GET", "/settings/confirm"): Endpoint(confirm, Permission.READ),
    ("POST", "/settings/confirm"): Endpoint(confirmed, Permission.READ),
}
