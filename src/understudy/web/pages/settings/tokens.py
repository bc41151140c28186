"""Tokens of programs, and sessions of browsers: one's own; of everybody for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.core.text import Texts
from understudy.web import accounts as told
from understudy.web.api.accounts import check_person
from understudy.web.auth import acts
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import back_to, form
from understudy.web.http import Answer, Request
from understudy.web.pages.rendering import language_of

from .frame import notice, posting, settings_page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: How long a token may last, days; 0: for ever.
LASTING = (30, 90, 365, 0)


def scope_words(_: Texts) -> dict[str, str]:
    """What each permission of a token means."""
    return {
        "read": _("see numbers, alerts, routes, requests and reports"),
        "channels:read": _("see channels and where messages go"),
        "alerts:write": _("acknowledge, silence, edit rules"),
        "routes:write": _("pin, drain, reset, edit routes and APIs"),
        "notify:send": _("send messages, test channels, replay dead letters"),
        "gateway": _("call APIs through the gateway"),
        "inspect": _("see the configuration and the audit log"),
        "admin": _("see accounts; what needs a password stays for people"),
    }


async def tokens(app: Understudy, request: Request) -> Answer:
    """The tokens, and the form that makes one."""
    _ = language_of(request)
    return await _tokens(app, request, notice=notice(request, {"revoked": _("The token is revoked.")}))


async def _tokens(app: Understudy, request: Request, **values: Any) -> Answer:
    _ = language_of(request)
    entered = {"name": "", "scopes": ["read"], "apis": "", "ips": "", "days": "90", "made": "", **values}
    whose = "" if request.who.may(Permission.ADMIN) else request.who.account
    offered = {each: text for each, text in scope_words(_).items() if request.who.may(Permission(each))}
    return settings_page(
        app, request, "tokens", _("API tokens"), tokens=await told.tokens(app, whose), offered=offered, lasting=LASTING,
        known_apis=sorted(app.fallback.roster.apis), **entered,
    )  # fmt: skip


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


async def _tokens_again(app: Understudy, request: Request, why: str, error: acts.Refused) -> Answer:
    if request.path != "/settings/tokens":
        return await _tokens(app, request, fault=why)
    content = await form(request, "name", "apis", "ips", "days", picks="scope:")
    kept: dict[str, Any] = {name: content.get(name, "")[:500] for name in ("name", "apis", "ips", "days")}
    kept["scopes"] = [name.removeprefix("scope:") for name in content if name.startswith("scope:")]
    return await _tokens(app, request, fault=why, field=error.field, **kept)


@posting(_tokens_again)
async def add(app: Understudy, request: Request) -> Answer:
    """Make a token. The answer is the only one that shows it, so it is no redirect."""
    check_person(request)
    acts.check_proved(app, request)
    content = await form(request, "name", "apis", "ips", "days", picks="scope:")
    if content.get("days", "") not in map(str, LASTING):
        raise acts.Refused("lasting", "choose how long it lasts", field="days")
    days = int(content["days"])
    _made, text = await acts.add_token(
        app, request, content.get("name", ""), [each[6:] for each in content if each.startswith("scope:")],
        apis=_listed(content.get("apis", "")), ips=_listed(content.get("ips", "")),
        lasting=days * 86400.0 if days else None,
    )  # fmt: skip
    return await _tokens(app, request, made=text)


@posting(_tokens_again)
async def revoke(app: Understudy, request: Request) -> Answer:
    """Revoke a token."""
    check_person(request)
    await form(request)
    await acts.remove_token(app, request, request.parts["token"])
    return back_to("/settings/tokens?done=revoked")


async def sessions(app: Understudy, request: Request) -> Answer:
    """The browsers that are signed in."""
    _ = language_of(request)
    done = {"ended": _("The session has ended."), "others": _("All your other sessions have ended.")}
    return await _sessions(app, request, notice=notice(request, done))


async def _sessions(app: Understudy, request: Request, **values: Any) -> Answer:
    _ = language_of(request)
    whose = "" if request.who.may(Permission.ADMIN) else request.who.account
    found = await told.sessions(app, request.who, whose)
    return settings_page(app, request, "sessions", _("Sessions"), sessions=found, **values)


async def _sessions_again(app: Understudy, request: Request, why: str, error: acts.Refused) -> Answer:
    return await _sessions(app, request, fault=why)


@posting(_sessions_again)
async def end(app: Understudy, request: Request) -> Answer:
    """End one session."""
    check_person(request)
    await form(request)
    await acts.end_session(app, request, request.parts["session"])
    return back_to("/settings/sessions?done=ended")


@posting(_sessions_again)
async def end_others(app: Understudy, request: Request) -> Answer:
    """End every session of one's own but this one."""
    check_person(request)
    await form(request)
    await acts.end_other_sessions(app, request)
    return back_to("/settings/sessions?done=others")


ROUTES: Table = {
    ("GET", "/settings/tokens"): Endpoint(tokens, Permission.READ),
    ("POST", "/settings/tokens"): Endpoint(add, Permission.READ),
    ("POST", "/settings/tokens/{token}/revoke"): Endpoint(revoke, Permission.READ),
    ("GET", "/settings/sessions"): Endpoint(sessions, Permission.READ),
    ("POST", "/settings/sessions/{session}/end"): Endpoint(end, Permission.READ),
    ("POST", "/settings/sessions"): Endpoint(end_others, Permission.READ),
}
