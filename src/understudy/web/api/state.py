"""How everything does now, and the two buttons that begin anew: statistics and breakers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.core.audit import AuditEntry
from understudy.core.errors import UnknownName
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.views.status import DecisionsView, FallbackView, HealthView, PerformanceView, StatusView

if TYPE_CHECKING:
    from understudy.app import Understudy

OUTCOMES = ("success", "fallback", "failed", "deadline", "cancelled")
#: Longest text that a caller may give as a reason, characters.
MAX_REASON = 500


def answer(content: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(dumped(content), status)


async def health(app: Understudy, request: Request) -> Answer:
    """Live and ready; 503 with the reasons otherwise. `?check=live` asks for the former only."""
    check = request.query("check").get("check", "ready")
    if check not in ("live", "ready"):
        raise Problem(400, "check is live or ready")
    view = HealthView.of(app)
    good = view.live if check == "live" else view.ready
    return answer(view.as_dict(), 200 if good else 503)


async def status(app: Understudy, request: Request) -> Answer:
    """What serves what now."""
    request.query()
    return answer(StatusView.of(app, summary=await app.monitor.performance_summary()).as_dict())


async def performance(app: Understudy, request: Request) -> Answer:
    """Numbers of each API; `api` for one in detail, `compare` for several against each other."""
    query = request.query("api", "compare", "window")
    compare = tuple(name for name in query.get("compare", "").split(",") if name)
    if len(compare) > 6:
        raise Problem(400, "compare takes at most 6 APIs")
    try:
        summary = await app.monitor.performance_summary()
        view = PerformanceView.of(app, query.get("api", ""), compare, query.get("window", "1h"), summary)
    except UnknownName as error:
        raise Problem(404, str(error)) from None
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return answer(view.as_dict())


async def fallback(app: Understudy, request: Request) -> Answer:
    """Every mechanism's state."""
    request.query()
    return answer(FallbackView.of(app).as_dict())


async def decisions(app: Understudy, request: Request) -> Answer:
    """Decision records, newest first."""
    query = request.query("limit", "route", "outcome", "call")
    if "call" in query:
        found = DecisionsView.of_call(app, query["call"])
        if not found.decisions:
            raise Problem(404, "no record of that call is kept; only failures, fallbacks and a sample of the rest are")
        return answer(found.as_dict())
    limit = query.get("limit", "100")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:5]) <= 1000):
        raise Problem(400, "limit is a number from 1 to 1000")
    outcome = query.get("outcome")
    if outcome is not None and outcome not in OUTCOMES:
        raise Problem(400, f"outcome is one of {', '.join(OUTCOMES)}")
    return answer(DecisionsView.of(app, int(limit), query.get("route"), outcome).as_dict())


async def clear(app: Understudy, request: Request) -> Answer:
    """Begin the statistics anew, of one API or all; the counters of /metrics go on."""
    request.query()
    content = await request.json_object("api")
    api = _text(content, "api", 200)
    names = app.monitor.names()
    if api and api not in names:
        raise Problem(404, "no API of that name has statistics")
    app.monitor.clear(api or None)
    if app.keeping is not None:
        actor = f"http {request.client}"
        await app.keeping.acted(AuditEntry(app.clock.time(), actor, "performance.clear", api or "everything"))
    return answer({"cleared": [api] if api else names})


async def reset(app: Understudy, request: Request) -> Answer:
    """Close breakers and forget holds and quarantines, of one API or all."""
    request.query()
    content = await request.json_object("api", "reason")
    api = _text(content, "api", 200)
    reason = _text(content, "reason", MAX_REASON)
    try:
        names = app.fallback.reset(api or None, actor=f"http {request.client}", reason=reason)
    except UnknownName:
        raise Problem(404, "no API of that name is registered") from None
    if app.keeping is not None:
        await app.keeping.acted()  # the event has told of it: answered only when that is safe
    return answer({"reset": names})


def _text(content: Mapping[str, Any], key: str, longest: int) -> str:
    value = content.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise Problem(422, f"{key} is a printable text of at most {longest} characters")
    return value


ROUTES: Table = {
    ("GET", "/health"): Endpoint(health, Permission.PUBLIC),
    ("GET", "/api/status"): Endpoint(status, Permission.READ),
    ("GET", "/api/performance"): Endpoint(performance, Permission.READ),
    ("GET", "/api/fallback"): Endpoint(fallback, Permission.READ),
    ("GET", "/api/decisions"): Endpoint(decisions, Permission.READ),
    ("POST", "/api/performance/clear"): Endpoint(clear, Permission.ROUTES_WRITE),
    ("POST", "/api/fallback/reset"): Endpoint(reset, Permission.ROUTES_WRITE),
}
