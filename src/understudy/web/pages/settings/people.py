"""Accounts: who there is, new ones, and what can be done with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.core.text import Texts
from understudy.web import accounts as told
from understudy.web.auth import acts
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import back_to, form
from understudy.web.http import Answer, Problem, Request
from understudy.web.pages.rendering import language_of

from .frame import notice, posting, settings_page

if TYPE_CHECKING:
    from understudy.app import Understudy


def role_words(_: Texts) -> dict[str, tuple[str, str]]:
    """Each role: its name, and what it may do."""
    return {
        "viewer": (_("Viewer"), _("sees how everything does; no addresses of channels, no secrets")),
        "operator": (_("Operator"), _("also acknowledges, silences, edits rules, switches and tests")),
        "admin": (_("Administrator"), _("also makes accounts, sees the audit log, copies the store and restarts")),
    }


async def people(app: Understudy, request: Request) -> Answer:
    """Everybody who may sign in."""
    _ = language_of(request)
    done = {"added": _("The account is made."), "removed": _("The account is removed.")}
    return await _people(app, request, notice=notice(request, done))


async def _people(app: Understudy, request: Request, **values: Any) -> Answer:
    _ = language_of(request)
    entered = {"name": "", "role": "viewer", **values}
    return settings_page(
        app, request, "users", _("Users"), accounts=await told.accounts(app), roles=role_words(_), **entered
    )


async def _people_again(app: Understudy, request: Request, why: str, error: acts.Refused) -> Answer:
    content = await form(request, "name", "role", "password", "again")
    kept = {name: content.get(name, "")[: acts.NAME] for name in ("name", "role")}
    return await _people(app, request, fault=why, field=error.field, **kept)


@posting(_people_again)
async def add(app: Understudy, request: Request) -> Answer:
    """Make an account."""
    acts.check_proved(app, request)
    content = await form(request, "name", "role", "password", "again")
    if content.get("password", "") != content.get("again", ""):
        raise acts.Refused("again", "the two passwords differ", field="again")
    await acts.add(app, request, content.get("name", ""), content.get("role", ""), content.get("password", ""))
    return back_to("/settings/users?done=added")


async def person(app: Understudy, request: Request) -> Answer:
    """One account, and what can be done with it."""
    _ = language_of(request)
    done = {"changed": _("It is changed, and its sessions have ended."), "ended": _("The session has ended.")}
    return await _person(app, request, notice=notice(request, done))


async def _person(app: Understudy, request: Request, **values: Any) -> Answer:
    _ = language_of(request)
    account = request.parts["account"]
    found = next((each for each in await told.accounts(app) if each.id == account), None)
    if found is None:
        raise Problem(404, "there is no such account; it may have been removed")
    return settings_page(
        app, request, "users", found.name, template="settings_user.html", account=found, roles=role_words(_),
        sessions=await told.sessions(app, request.who, found.id), tokens=await told.tokens(app, found.id), **values,
    )  # fmt: skip


async def _person_again(app: Understudy, request: Request, why: str, error: acts.Refused) -> Answer:
    return await _person(app, request, fault=why, field=error.field)


@posting(_person_again)
async def change(app: Understudy, request: Request) -> Answer:
    """Change a role or password, shut an account out or let it in again: each is a form of its own."""
    acts.check_proved(app, request)
    content = await form(request, "role", "password", "again", "reason", "enable")
    account = request.parts["account"]
    if "role" in content:
        await acts.change(app, request, account, role=content["role"])
    elif "password" in content:
        if content["password"] != content.get("again", ""):
            raise acts.Refused("again", "the two passwords differ", field="again")
        await acts.change(app, request, account, password=content["password"])
    elif "enable" in content:
        await acts.change(app, request, account, disabled="")
    else:
        reason = content.get("reason", "").strip()
        if not reason or len(reason) > 500 or not reason.isprintable():
            raise acts.Refused("reason", "say why", field="reason")
        await acts.change(app, request, account, disabled=reason)
    if account == request.who.account:
        return back_to("/login")
    return back_to(f"/settings/users/{account}?done=changed")


@posting(_person_again)
async def remove(app: Understudy, request: Request) -> Answer:
    """Remove an account; its name must be typed, so that nobody does it by a slip."""
    acts.check_proved(app, request)
    content = await form(request, "name")
    found = await acts.by_id(acts.keeping_of(app), request.parts["account"])
    if content.get("name", "").strip() != found.name:
        raise acts.Refused("typed", language_of(request)("Type the name of the account to remove it."), field="name")
    await acts.remove(app, request, found.id)
    return back_to("/settings/users?done=removed")


ROUTES: Table = {
    ("GET", "/settings/users"): Endpoint(people, Permission.ADMIN),
    ("POST", "/settings/users"): Endpoint(add, Permission.ADMIN),
    ("GET", "/settings/users/{account}"): Endpoint(person, Permission.ADMIN),
    ("POST", "/settings/users/{account}"): Endpoint(change, Permission.ADMIN),
    ("POST", "/settings/users/{account}/remove"): Endpoint(remove, Permission.ADMIN),
}
