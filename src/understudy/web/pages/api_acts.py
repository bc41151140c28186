"""What can be done with one API from its page: each act says what it does, asks once more, and takes a reason."""

from __future__ import annotations

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
from understudy.web.http import Answer, Denied, Problem, Request
from understudy.web.views.api_detail import ApiDetail
from understudy.web.views.apis import line_of, registered

from .act_notices import Notice, notices
from .apis import LASTING, silenced
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy


@dataclass(frozen=True, slots=True)
class Act:
    """One act: what it is called, what will happen, its icon, whether it hurts, and what the form asks for."""

    key: str
    title: str
    what: str
    icon: str
    hurts: bool = False
    #: `must`, `may` or empty: whether a reason is asked for.
    reason: str = "may"
    #: Whether it can end by itself.
    lasts: bool = False


#: Acts that need no page of their own: one press is enough, as they take nothing away.
AT_ONCE: Final = ("check",)


def every(_: Texts) -> dict[str, Act]:
    """All acts by key."""
    found = (
        Act("check", _("Run a health check"), _("One probe is sent now."), "activity", reason=""),
        Act("drain", _("Drain"), _("No new calls go to it; those that run end as they would have. Standbys take over."),
            "log-out", hurts=True, reason="must", lasts=True),
        Act("undrain", _("End the drain"), _("Calls may go to it again at once."), "play"),
        Act("forced_open", _("Hold the breaker open"), _("No calls go to it in any route until this ends."),
            "circle-pause", hurts=True, reason="must", lasts=True),
        Act("forced_closed", _("Hold the breaker closed"),
            _("Every call goes through, whatever comes of it: nothing protects callers from its failures."),
            "zap", hurts=True, reason="must", lasts=True),
        Act("unforce", _("Let the breaker judge again"), _("It opens and closes by what its calls come to."), "play"),
        Act("reset", _("Reset breaker and holds"),
            _("Its breakers close, its holds end, its keys are tried again: calls go to it at once."),
            "rotate-ccw", hurts=True),
        Act("pause_checks", _("Pause health checks"), _("No planned health check is sent."), "pause", reason="must",
            lasts=True),
        Act("resume_checks", _("Resume health checks"), _("Planned health checks go on."), "play"),
        Act("silence", _("Silence its alerts"), _("Nobody is told of alerts about it; they are still kept."),
            "bell-off", reason="must", lasts=True),
        Act("clear", _("Clear its statistics"),
            _("Its counts and rates begin anew. What is kept in the history stays."), "trash-2", hurts=True),
    )  # fmt: skip
    return {act.key: act for act in found}


#: What each act needs; all others need `routes:write`.
_NEEDS: Final = {"silence": Permission.ALERTS_WRITE}


def needs(key: str) -> Permission:
    """The permission of an act."""
    return _NEEDS.get(key, Permission.ROUTES_WRITE)


def acts_for(request: Request, view: ApiDetail) -> list[Act]:
    """The acts that make sense now and that the reader may do, in their order."""
    standing, held = view.standing, view.why in ("forced_open", "forced_closed", "observe")
    drained, quiet = standing["drain"] is not None, standing["checks_paused"] is not None
    checked = view.health_check is not None
    sensible = {
        "drain": not drained, "undrain": drained, "unforce": held, "forced_open": not held, "forced_closed": not held,
        "pause_checks": checked and not quiet, "resume_checks": quiet,
    }  # fmt: skip
    known = every(language_of(request))
    return [act for key, act in known.items() if sensible.get(key, True) and request.who.may(needs(key))]


@answering
async def ask(app: Understudy, request: Request) -> Answer:
    """The page that says what will happen, and asks once more."""
    request.query()
    act = _act(request)
    name = registered(app, request.parts["api"]).name
    return _asked(app, request, act, await line_of(app, name), "", 200)


@answering
async def do(app: Understudy, request: Request) -> Answer:
    """Do it, and go back to the page of the API."""
    request.query()
    act = _act(request)
    name = registered(app, request.parts["api"]).name
    content = await form(request, "reason", "for")
    if act.reason == "must" and not content.get("reason", "").strip():
        _ = language_of(request)
        return _asked(app, request, act, await line_of(app, name), _("Say why: whoever finds it later must know."), 422)
    reason = text(content, "reason", MAX_REASON)
    seconds = lasting({"for": content["for"]}, "for") if content.get("for") and act.lasts else None
    try:
        done = await _do(app, request.who.name, act.key, name, reason, seconds)
    except NotActive:
        return see("apis", name, done="over")
    except ValueError as error:
        raise Problem(422, str(error)) from None
    if act.key == "check":
        return see("apis", name, tab="checks", done="check_ok" if done.get("ok") else "check_failed")
    return see("apis", name, done=act.key)


async def _do(app: Understudy, who: str, key: str, name: str, reason: str, seconds: float | None) -> dict[str, Any]:
    match key:
        case "drain" | "pause_checks":
            return await getattr(acts, key)(app, who, name, reason, seconds)  # type: ignore[no-any-return]  # one of two
        case "forced_open" | "forced_closed":
            return await acts.force(app, who, name, key, reason, seconds)
        case "silence":
            await silenced(app, who, name, reason, seconds or 3600.0)
            return {}
        case "check":
            return await acts.check(app, who, name)
        case "undrain":
            return await acts.undrain(app, who, name, reason)
        case "unforce":
            return await acts.unforce(app, who, name, reason)
        case "resume_checks":
            return await acts.resume_checks(app, who, name, reason)
        case "reset":
            return await acts.reset(app, who, name, reason)
        case _:
            return await acts.clear(app, who, name, reason)


def _act(request: Request) -> Act:
    """The act of the path, when it may be done."""
    key = request.parts["act"]
    act = every(language_of(request)).get(key)
    if act is None:
        raise Problem(404, "nothing of that name can be done with an API")
    if not request.who.may(needs(key)):
        raise Denied(needs(key))
    return act


def _asked(app: Understudy, request: Request, act: Act, line: Any, fault: str, status: int) -> Answer:
    return page(
        app, request, "api_act.html", at="apis", status=status, act=act, line=line, fault=fault, lasting=LASTING,
        back=path_of("apis", line.name), action=path_of("apis", line.name, "act", act.key),
    )  # fmt: skip


def notice(_: Texts, code: str) -> Notice | None:
    """What a redirect may tell; None for codes that are none."""
    told = notices(
        _,
        check_ok=("ok", _("The health check succeeded.")),
        check_failed=("fault", _("The health check failed: see below what it said.")),
        forced_closed=("ok", _("Its breaker is held closed.")),
        pause_checks=("ok", _("Its health checks are paused.")),
        resume_checks=("ok", _("Its health checks go on.")),
        silence=("ok", _("Its alerts are silenced. The silence stands under Alerts, Silences.")),
        clear=("ok", _("Its statistics begin anew.")),
        over=("warning", _("There was nothing to do: it was over already, or there is nothing to ask.")),
    )
    return told.get(code)


ROUTES: Table = {
    ("GET", "/apis/{api}/act/{act}"): Endpoint(ask, Permission.ROUTES_WRITE),
    ("POST", "/apis/{api}/act/{act}"): Endpoint(do, Permission.ROUTES_WRITE),
}
