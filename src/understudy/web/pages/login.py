"""Signing in and out, and the one page on which the first administrator is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.web.auth import acts
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import back_to, form, safe_path
from understudy.web.http import Answer, Problem, Request

from .refusals import refusal
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy


async def ask(app: Understudy, request: Request) -> Answer:
    """The page that asks for name and password; whoever is signed in goes on at once."""
    query = request.query("next", "done")
    if request.who.via == "session":
        return back_to(query.get("next", "/"))
    if not await request.gate.has_accounts():
        return back_to("/setup" if await request.gate.guarded() else "/")
    return _login(app, request, query.get("next", "/"), done=query.get("done", ""))


async def sign_in(app: Understudy, request: Request) -> Answer:
    """Begin a session."""
    request.query()
    content = await form(request, "name", "password", "next")
    name = content.get("name", "")
    try:
        session = await acts.sign_in(app, request, name, content.get("password", ""))
    except acts.Refused as error:
        told = refusal(language_of(request), error)
        made = _login(app, request, content.get("next", "/"), name=name[: acts.NAME], fault=told, status=error.status)
        if error.wait:
            made.headers["Retry-After"] = str(error.wait)
        return made
    return back_to(content.get("next", "/"), cookies=[acts.session_cookie(request, session)])


async def sign_out(app: Understudy, request: Request) -> Answer:
    """End the session."""
    request.query()
    await form(request)
    await acts.sign_out(app, request)
    return back_to("/login?done=signed-out", cookies=[acts.session_cookie(request, "")])


def _login(
    app: Understudy,
    request: Request,
    wanted: str,
    *,
    name: str = "",
    fault: str = "",
    done: str = "",
    status: int = 200,
) -> Answer:
    _ = language_of(request)
    notice = _("You are signed out.") if done == "signed-out" else ""
    return page(
        app, request, "login.html", status=status, name=name, fault=fault, notice=notice, wanted=safe_path(wanted),
        environment="",
    )  # fmt: skip


async def ask_first(app: Understudy, request: Request) -> Answer:
    """The page on which the first administrator is made. It is gone as soon as there is an account."""
    wanted = request.query("next").get("next", "")
    await _check_first(request)
    return _setup(app, request, {"next": wanted})


async def make_first(app: Understudy, request: Request) -> Answer:
    """Make the first administrator, and sign in."""
    request.query()
    await _check_first(request)
    content = await form(request, "token", "name", "password", "again", "next")
    _ = language_of(request)
    try:
        if content.get("password", "") != content.get("again", ""):
            raise acts.Refused("again", "the two passwords differ", field="again")
        session = await acts.set_up(
            app, request, content.get("token", ""), content.get("name", ""), content.get("password", "")
        )
    except acts.Refused as error:
        return _setup(app, request, content, refusal(_, error), error.field, status=error.status)
    return back_to(safe_path(content.get("next") or "/?done=set-up"), cookies=[acts.session_cookie(request, session)])


async def _check_first(request: Request) -> None:
    if await request.gate.has_accounts():
        raise Problem(404, "there is nothing at this path any more: an account is there, sign in with it")


def _setup(
    app: Understudy, request: Request, content: dict[str, str], fault: str = "", field: str = "", status: int = 200
) -> Answer:
    shown = {name: content.get(name, "")[:200] for name in ("token", "name")}
    return page(
        app, request, "setup.html", status=status, fault=fault, field=field, environment="",
        wanted=safe_path(content.get("next", "")) if content.get("next") else "",
        **shown,
    )  # fmt: skip


ROUTES: Table = {
    ("GET", "/login"): Endpoint(ask, Permission.PUBLIC),
    ("POST", "/login"): Endpoint(sign_in, Permission.PUBLIC),
    ("POST", "/logout"): Endpoint(sign_out, Permission.PUBLIC),
    ("GET", "/setup"): Endpoint(ask_first, Permission.PUBLIC),
    ("POST", "/setup"): Endpoint(make_first, Permission.PUBLIC),
}
