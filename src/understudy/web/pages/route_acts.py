"""What can be done with a route from its page: who leads it, who rests, which breakers are held; with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import NotActive
from understudy.core.text import Texts
from understudy.web import acts
from understudy.web.api.fields import answering, lasting, text
from understudy.web.api.state import MAX_REASON
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, path_of, see
from understudy.web.http import Answer, Problem, Request
from understudy.web.views.routes import RouteView

from .act_notices import Notice, notices
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: How long a direction may hold, as the menus have it; empty: until somebody ends it.
LASTING: Final = ("30m", "1h", "4h", "1d", "7d", "")
#: Longest name of an API, characters.
_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its title, what will happen, whether a reason must be given, whether it can end by itself."""

    key: str
    title: str
    what: str
    icon: str
    reason: bool = False
    lasts: bool = False
    hurts: bool = False
    #: Whether it is about one API of the route.
    of_api: bool = True


def every(_: Texts) -> dict[str, Act]:
    """All acts by key."""
    found = (
        Act("pin", _("Pin as lead"), _("It is asked first, whatever it costs. The others stand in when it fails."),
            "pin", reason=True, lasts=True),
        Act("unpin", _("End the pin"), _("The route chooses its lead again."), "undo-2", of_api=False),
        Act("drain", _("Drain"), _("No new calls go to it, in any route; those that run end as they would have."),
            "log-out", reason=True, lasts=True, hurts=True),
        Act("undrain", _("End the drain"), _("Calls may go to it again at once."), "play"),
        Act("forced_open", _("Hold its breaker open"), _("No calls go to it, in any route, until this ends."),
            "circle-pause", reason=True, lasts=True, hurts=True),
        Act("unforce", _("Let its breaker judge again"), _("It opens and closes by what calls come to."), "play"),
        Act("reset", _("Reset its breaker"), _("Its breakers close and its holds end: calls go to it at once."),
            "rotate-ccw", hurts=True),
        Act("reset_all", _("Reset the whole route"),
            _("The breakers of all its APIs close and their holds end: calls go to them at once."), "rotate-ccw",
            hurts=True, of_api=False),
    )  # fmt: skip
    return {act.key: act for act in found}


def acts_for(_: Texts, request: Request) -> Mapping[str, Act]:
    """The acts that the reader may do; none for whoever may only look."""
    return every(_) if request.who.may(Permission.ROUTES_WRITE) else {}


@answering
async def ask(app: Understudy, request: Request) -> Answer:
    """The page that says what will happen, and asks once more."""
    query = request.query("api")
    view = RouteView.of(app, request.parts["route"])
    return _asked(app, request, _act(request), view, query.get("api", ""), {}, "", 200)


@answering
async def do(app: Understudy, request: Request) -> Answer:
    """Do it, and go back to the page of the route."""
    request.query()
    act, name = _act(request), request.parts["route"]
    view = RouteView.of(app, name)
    content = await form(request, "api", "reason", "for", "only")
    api = text(content, "api", _NAME)
    if act.of_api and api not in {each.api for each in view.candidates}:
        raise Problem(422, f"{api!r:.80} does not serve this route")
    reason = text(content, "reason", MAX_REASON)
    if act.reason and not reason.strip():
        _ = language_of(request)
        said = _("Say why: whoever finds it later must know.")
        return _asked(app, request, act, view, api, content, said, 422)
    seconds = lasting({"for": content["for"]}, "for") if content.get("for") and act.lasts else None
    try:
        await _do(app, request.who.name, act.key, name, api, reason, seconds, bool(content.get("only")))
    except NotActive:
        return see("routes", name, done="over")
    except ValueError as error:
        raise Problem(422, str(error)) from None
    return see("routes", name, done=act.key)


async def _do(
    app: Understudy, who: str, key: str, route: str, api: str, reason: str, seconds: float | None, only: bool
) -> dict[str, Any]:
    match key:
        case "pin":
            return await acts.pin(app, who, route, api, reason, seconds, only)
        case "unpin":
            return await acts.unpin(app, who, route, reason)
        case "drain":
            return await acts.drain(app, who, api, reason, seconds)
        case "undrain":
            return await acts.undrain(app, who, api, reason)
        case "forced_open":
            return await acts.force(app, who, api, "forced_open", reason, seconds)
        case "unforce":
            return await acts.unforce(app, who, api, reason)
        case "reset":
            return await acts.reset(app, who, api, reason)
        case _:
            return await acts.reset_route(app, who, route, reason)


def _act(request: Request) -> Act:
    act = every(language_of(request)).get(request.parts["act"])
    if act is None:
        raise Problem(404, "nothing of that name can be done with a route")
    return act


def _asked(
    app: Understudy, request: Request, act: Act, view: RouteView, api: str, content: Mapping[str, str], fault: str,
    status: int,
) -> Answer:  # fmt: skip
    if act.of_api and api not in {each.api for each in view.candidates}:
        raise Problem(404, f"{api!r:.80} does not serve this route")
    others = [each.api for each in view.candidates if not each.gate and each.api != api]
    return page(
        app, request, "route_act.html", at="routes", status=status, act=act, view=view, api=api, fault=fault,
        content=content, others=others, lasting=LASTING, back=path_of("routes", view.name),
        action=path_of("routes", view.name, "act", act.key),
    )  # fmt: skip


def notice(_: Texts, code: str) -> Notice | None:
    """What a redirect may tell; None for codes that are none."""
    told = notices(
        _,
        pin=("ok", _("Pinned. It holds for the next call already.")),
        unpin=("ok", _("The pin has ended: the route chooses its lead again.")),
        reset_all=("ok", _("Breakers closed, holds ended.")),
        over=("warning", _("There was nothing to do: it was over already.")),
    )
    return told.get(code)


ROUTES: Table = {
    ("GET", "/routes/{route}/act/{act}"): Endpoint(ask, Permission.ROUTES_WRITE),
    ("POST", "/routes/{route}/act/{act}"): Endpoint(do, Permission.ROUTES_WRITE),
}
