"""The first run in the browser: paste, look, try, keep; who stands in; who is told; how programs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from understudy.config.editing import set_key, set_table, toml_value
from understudy.config.pasted import PasteError, propose
from understudy.config.sentences import said
from understudy.core.errors import StoreUnavailable, VersionConflict
from understudy.core.secrets import Secret
from understudy.core.text import Texts
from understudy.managing import Refused, SecretRefused
from understudy.web.api.settings import managing_of
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import back_to, form, see
from understudy.web.http import Answer, Problem, Request

from .first_drafts import Draft, drafts_of
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest key, address and name that a form takes, characters.
_KEY: Final = 4096
_ADDRESS: Final = 2000
_NAME: Final = 100


async def start(app: Understudy, request: Request) -> Answer:
    """Where it begins: a place to paste into, and demo data for whoever only wants to look."""
    query = request.query("done")
    return _start(app, request, done=query.get("done", ""))


async def read(app: Understudy, request: Request) -> Answer:
    """Read what was pasted; what was understood is shown on the next page."""
    request.query()
    content = await form(request, "pasted")
    try:
        proposal = propose(content.get("pasted", ""))
    except PasteError as error:
        return _start(app, request, fault=error.said.shown(language_of(request)), status=422)
    return see("setup", "start", drafts_of(app).begin(app, request, proposal).id)


async def look(app: Understudy, request: Request) -> Answer:
    """What was understood, to be changed and tried."""
    request.query()
    return _draft(app, request, drafts_of(app).find(app, request, request.parts["draft"]))


async def keep(app: Understudy, request: Request) -> Answer:
    """Try the draft or keep it, as it has been changed; without JavaScript, one form with two buttons."""
    request.query()
    draft = drafts_of(app).find(app, request, request.parts["draft"])
    content = await form(request, "name", "base_url", "path", "free", "key", "do")
    before, asked = draft.values(), draft.path
    draft.name = content.get("name", "").strip()[: _NAME + 1]
    draft.base_url = content.get("base_url", "").strip()[:_ADDRESS]
    draft.path = content.get("path", "").strip()[:_ADDRESS]
    draft.free = content.get("free") == "yes"
    if content.get("key", "").strip():
        draft.key = Secret(content["key"].strip()[:_KEY], "entered")
    if draft.values() | {"health_check": {}} != before | {"health_check": {}} or draft.path != asked:
        draft.tried = None  # what was tried is another now
    _ = language_of(request)
    draft.faults = _missing(draft, app, _)
    if draft.faults:
        return _draft(app, request, draft, status=422)
    try:
        if content.get("do") == "try":
            draft.tried = await managing_of(app).test(draft.name, draft.values())
            return see("setup", "start", draft.id)
        await managing_of(app).put(
            "api", draft.name, draft.values(), actor=request.who.name, comment="first run", expected=0,
            secrets=request.who.may(Permission.ADMIN),
        )  # fmt: skip
    except (Refused, SecretRefused, VersionConflict, StoreUnavailable) as error:
        draft.faults = faults_of(_, error)
        return _draft(app, request, draft, status=422)
    tried = draft.tried
    if tried is not None and tried.ok is not None:
        app.fallback.roster.api(draft.name).hear(int(tried.ok), int(not tried.ok))  # it need not be asked again
    drafts_of(app).end(draft.id)
    return see("setup", "route", api=draft.name)


async def route(app: Understudy, request: Request) -> Answer:
    """Which other APIs can stand in for the new one."""
    query = request.query("api")
    return _route(app, request, _known(app, query.get("api", "")))


async def keep_route(app: Understudy, request: Request) -> Answer:
    """Keep the route: the lead first, then the others in the order of their numbers."""
    request.query()
    content = await form(request, "api", "name", picks="place:")
    api, _ = _known(app, content.get("api", "")), language_of(request)
    name = content.get("name", "").strip()[: _NAME + 1]
    places = {
        each.removeprefix("place:"): int(place)
        for each, place in content.items()
        if each.startswith("place:") and place.isascii() and place.isdigit() and len(place) < 4
    }
    chosen = sorted((each for each in places if each in app.fallback.roster.apis), key=lambda each: places[each])
    try:
        await managing_of(app).put(
            "route", name, {"apis": chosen or [api], "mode": "priority"}, actor=request.who.name, comment="first run"
        )
    except (Refused, VersionConflict, StoreUnavailable) as error:
        return _route(app, request, api, name=name, faults=faults_of(_, error), status=422)
    return see("setup", "channel", api=api, route=name)


async def done(app: Understudy, request: Request) -> Answer:
    """What programs write to use it."""
    query = request.query("api", "route")
    api, wanted = _known(app, query.get("api", "")), query.get("route", "")
    route = wanted if wanted in app.fallback.roster.routes else api
    address, path = _address(request), app.fallback.roster.api(api).options.health_check.path or "/"
    return page(
        app, request, "first_done.html", at="apis", api=api, route=toml_value(route), asked=toml_value(path),
        address=address, signed=request.who.via == "session",
        document=_document(app, address, route, _served(app, route) or [api]),
    )  # fmt: skip


def _document(app: Understudy, address: str, route: str, apis: list[str]) -> str:
    """The file of a program that calls the route: its APIs, their keys by the names of variables, where to report."""
    text = set_key("", ["report_to"], address)
    for name in apis:
        options = app.fallback.roster.api(name).options
        entry: dict[str, object] = {"base_url": options.base_url}
        auth = options.auth
        if auth.keys and auth.kind != "none":
            given = {"kind": auth.kind, "name": auth.name, "prefix": auth.prefix, "username": auth.username}
            keys = [f"env:{_variable(name, auth.kind)}"]
            entry["auth"] = {**{key: value for key, value in given.items() if value}, "keys": keys}
        text = set_table(text, ["apis", name], entry)
    return set_table(text, ["routes", route], {"apis": apis, "mode": "priority"})


async def demo(app: Understudy, request: Request) -> Answer:
    """Put demo data in, or take it away."""
    request.query()
    content = await form(request, "do")
    offered = request.gate.process.demo
    if offered is None:
        raise Problem(409, "this service has no demo data to offer")
    if content.get("do") == "stop":
        await offered.stop()
        return back_to("/setup/start?done=removed")
    await offered.start(app, app.clock)
    return back_to("/")


def _start(app: Understudy, request: Request, *, fault: str = "", done: str = "", status: int = 200) -> Answer:
    offered = request.gate.process.demo
    return page(
        app, request, "first_start.html", at="apis", status=status, fault=fault, removed=done == "removed",
        demo=offered, running=offered is not None and offered.running, empty=not app.fallback.roster.apis,
    )  # fmt: skip


def _draft(app: Understudy, request: Request, draft: Draft, *, status: int = 200) -> Answer:
    _ = language_of(request)
    return page(
        app, request, "first_api.html", at="apis", status=status, draft=draft, proposal=draft.proposal,
        notes=[each.shown(_) for each in draft.proposal.notes], advice=_advice(_, draft),
        outcome=said(draft.tried.message, _) if draft.tried is not None else "", has_key=draft.key is not None,
    )  # fmt: skip


def _route(
    app: Understudy, request: Request, api: str, *, name: str = "", faults: list[str] | None = None, status: int = 200
) -> Answer:
    roster = app.fallback.roster
    others = [each for each in roster.apis if each != api]
    return page(
        app, request, "first_route.html", at="routes", status=status, api=api, name=name or api, faults=faults or [],
        others=others[:200], routes=list(roster.routes), order=list(range(1, min(len(others), 8) + 2)),
    )  # fmt: skip


def faults_of(_: Texts, error: Exception) -> list[str]:
    """What is wrong with an entry, sentence by sentence."""
    if isinstance(error, Refused):
        return [_fault(_, error, index) for index in range(len(error.faults))]
    if isinstance(error, SecretRefused):
        return [_("Only an administrator may enter keys.")]
    if isinstance(error, VersionConflict):
        return [_("Somebody has added one of that name meanwhile; choose another.")]
    return [_("The store cannot be written now; try again in a moment.")]


def _fault(_: Texts, error: Refused, index: int) -> str:
    fault, place = error.faults[index], error.as_dicts()[index]["path"]
    found = _(", found {found}", found=said(fault.found, _)) if fault.found else ""
    hint = f"; {said(fault.hint, _)}" if fault.hint else ""
    return f"{place}: {said(fault.expected, _)}{found}{hint}"


def _missing(draft: Draft, app: Understudy, _: Texts) -> list[str]:
    """What the form lacks, before anything is tried."""
    found = []
    if not draft.name or len(draft.name) > _NAME or not draft.name.isprintable():
        found.append(_("The name is printable, not empty, and at most {most} characters long.", most=_NAME))
    elif draft.name in app.fallback.roster.apis:
        found.append(_("There is an API of that name already; choose another."))
    if draft.path and not draft.path.startswith("/"):
        found.append(_("The path begins with /."))
    if draft.proposal.auth != "none" and draft.key is None and not draft.proposal.keyless:
        found.append(_("The API wants a key; enter it."))
    return found


def _advice(_: Texts, draft: Draft) -> str:
    """What to do about a failed try, in the reader's language."""
    tried = draft.tried
    if tried is None or not tried.advice:
        return ""
    place = f"[apis.{tried.api}."
    if place in tried.advice:
        return _(tried.advice.replace(place, "[apis.{api}."), api=tried.api)
    return _(tried.advice)


def _known(app: Understudy, name: str) -> str:
    """Raises `Problem` 404 for an API that is not there."""
    if name not in app.fallback.roster.apis:
        raise Problem(404, "there is no such API; begin at /setup/start")
    return name


def _served(app: Understudy, name: str) -> list[str]:
    found: list[str] = app.fallback.describe()["routes"].get(name, {}).get("apis", [])
    return found


def _address(request: Request) -> str:
    return f"{request.scheme}://{request.headers.get('host', '')}"


def _variable(api: str, kind: str) -> str:
    """A variable for a program's own key."""
    if kind == "rapidapi":
        return "RAPIDAPI_KEY"
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in api).upper().strip("_")
    return f"{plain or 'API'}_KEY" if not plain[:1].isdigit() else f"API_{plain}_KEY"


ROUTES: Table = {
    ("GET", "/setup/start"): Endpoint(start, Permission.READ),
    ("POST", "/setup/start"): Endpoint(read, Permission.ROUTES_WRITE),
    ("GET", "/setup/start/{draft}"): Endpoint(look, Permission.ROUTES_WRITE),
    ("POST", "/setup/start/{draft}"): Endpoint(keep, Permission.ROUTES_WRITE),
    ("GET", "/setup/route"): Endpoint(route, Permission.ROUTES_WRITE),
    ("POST", "/setup/route"): Endpoint(keep_route, Permission.ROUTES_WRITE),
    ("GET", "/setup/done"): Endpoint(done, Permission.READ),
    ("POST", "/setup/demo"): Endpoint(demo, Permission.ROUTES_WRITE),
}
