"""How everything does now, and the two buttons that begin anew: statistics and breakers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from understudy.core.audit import AuditEntry
from understudy.core.errors import UnknownName
from understudy.monitor.comparison import Comparison, Difference
from understudy.monitor.summary import Point, Snapshot
from understudy.monitor.trends import Trend
from understudy.monitor.window import WINDOWS
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice, Listed, Text, Whole
from understudy.web.manners import tag_of
from understudy.web.schemas import FLAG, NUMBER, TEXT, TEXTS, WHOLE, array, mapping, maybe, obj, view
from understudy.web.views.status import DecisionsView, FallbackView, HealthView, PerformanceView, StatusView

from .shapes import BREAKER, COUNTERS, DECISION, HEALTH_CHECK, LAST_ERROR, ROUTE_STANDING, STANDING, STATUS

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
    shown = HealthView.of(app)
    good = shown.live if _CHECK.of(request.query()) == "live" else shown.ready
    told = shown.as_dict() if request.who.may(Permission.READ) else shown.public()
    return answer(told, 200 if good else 503)


async def status(app: Understudy, request: Request) -> Answer:
    """What serves what now."""
    values = StatusView.of(app, summary=await app.monitor.performance_summary()).as_dict()
    return _told(values, ("at", "uptime", "system"))


async def performance(app: Understudy, request: Request) -> Answer:
    """Numbers of each API; `api` for one in detail, `compare` for several against each other."""
    query = request.query()
    try:
        summary = await app.monitor.performance_summary()
        shown = PerformanceView.of(app, query.get("api", ""), _COMPARE.of(query), _WINDOW.of(query), summary)
    except UnknownName as error:
        raise Problem(404, str(error)) from None
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return _told(shown.as_dict(), ("uptime",))


def _told(values: dict[str, Any], passing: tuple[str, ...]) -> Answer:
    """The values, with a tag that does not change by what changes each second although nothing happens."""
    lasting = dumped({name: value for name, value in values.items() if name not in passing})
    head = dumped({name: values[name] for name in passing if name in values})
    body = lasting if head == b"{}" else head[:-1] + (b", " if lasting != b"{}" else b"") + lasting[1:]
    return Answer(body, headers={"ETag": tag_of(lasting)})


async def fallback(app: Understudy, request: Request) -> Answer:
    """Every mechanism's state."""
    return answer(FallbackView.of(app).as_dict())


async def decisions(app: Understudy, request: Request) -> Answer:
    """Decision records, newest first."""
    query = request.query()
    if "call" in query:
        found = DecisionsView.of_call(app, query["call"])
        if not found.decisions:
            raise Problem(404, "no record of that call is kept; only failures, fallbacks and a sample of the rest are")
        return answer(found.as_dict())
    return answer(DecisionsView.of(app, _LIMIT.of(query), query.get("route"), _OUTCOME.of(query)).as_dict())


async def clear(app: Understudy, request: Request) -> Answer:
    """Begin the statistics anew, of one API or all; the counters of /metrics go on."""
    content = await request.json_object()
    api = _API.of(content)
    names = app.monitor.names()
    if api and api not in names:
        raise Problem(404, "no API of that name has statistics")
    app.monitor.clear(api or None)
    if app.keeping is not None:
        await app.keeping.acted(
            AuditEntry(app.clock.time(), request.who.name, "performance.clear", api or "everything")
        )
    return answer({"cleared": [api] if api else names})


async def reset(app: Understudy, request: Request) -> Answer:
    """Close breakers and forget holds and quarantines, of one API or all."""
    content = await request.json_object()
    api = _API.of(content)
    try:
        names = app.fallback.reset(api or None, actor=request.who.name, reason=_REASON.of(content))
    except UnknownName:
        raise Problem(404, "no API of that name is registered") from None
    if app.keeping is not None:
        await app.keeping.acted()  # the event has told of it: answered only when that is safe
    return answer({"reset": names})


_CHECK: Final = Param("check", Choice(("live", "ready")), "Ask only whether it works at all.", default="ready")
_API_NAME: Final = Text(500, name=True)
_DETAIL: Final = Param("api", _API_NAME, "This API in detail: windows, trends, history.", example="odds_prime")
_COMPARE: Final = Param(
    "compare", Listed(_API_NAME, 6, called="APIs"), "Up to six APIs against each other.", default=()
)
_WINDOW: Final = Param("window", Choice(tuple(WINDOWS)), "Over which window.", default="1h")
_LIMIT: Final = Param("limit", Whole(1, 1000), "How many at most.", default=100)
_ROUTE: Final = Param("route", _API_NAME, "Only of this route.")
_OUTCOME: Final = Param("outcome", Choice(OUTCOMES), "Only those that ended so.")
_CALL: Final = Param("call", Text(200, name=True), "Only of this call.")
_API: Final = Field("api", _API_NAME, "Only this API; all of them without it.", default="", example="odds_prime")
_REASON: Final = Field(
    "reason", Text(MAX_REASON), "Why, for the audit log.", default="", example="the plan was changed"
)
#: Whoever has not signed in is not told why, nor the version.
_HEALTH: Final = obj(
    ("reasons", "problems", "version"), status=TEXT, live=FLAG, ready=FLAG, reasons=TEXTS, problems=TEXTS, version=TEXT
)
#: Numbers of one API since the start or the last clearing; percentiles of five minutes.
_NUMBERS: Final = obj(
    total_requests=WHOLE, successful_requests=WHOLE, failed_requests=WHOLE, neutral_requests=WHOLE,
    success_rate=NUMBER, error_rate=NUMBER, avg_response_time=NUMBER, p50=NUMBER, p95=NUMBER, p99=NUMBER,
    requests_per_minute=NUMBER, errors_by_class=mapping(WHOLE), errors_by_attribution=mapping(WHOLE),
    neutral_by_class=mapping(WHOLE), last_error=maybe(LAST_ERROR), in_flight=WHOLE,
)  # fmt: skip
_IN_DETAIL: Final = obj(
    api=TEXT, windows=mapping(view(Snapshot)), trends=mapping(view(Trend)), history=array(view(Point)),
)  # fmt: skip
_COMPARISON: Final = view(Comparison, differences=array(view(Difference, "MeasuredDifference", significant=FLAG)))
_PERFORMANCE: Final = obj(
    ("detail", "comparison"), overall_success_rate=NUMBER, overall_error_rate=NUMBER, total_requests=WHOLE,
    successful_requests=WHOLE, failed_requests=WHOLE, avg_response_time=NUMBER, requests_per_minute=NUMBER,
    uptime=NUMBER, apis=mapping(_NUMBERS), detail=_IN_DETAIL, comparison=_COMPARISON,
)  # fmt: skip
_FALLBACK: Final = obj(
    routes=mapping(ROUTE_STANDING), apis=mapping(STANDING), hubs=mapping(BREAKER), counters=COUNTERS,
    health_checks=mapping(HEALTH_CHECK),
)  # fmt: skip

ROUTES: Table = {
    ("GET", "/health"): endpoint(
        health, Permission.PUBLIC, query=(_CHECK,), gives=(Gives(_HEALTH), Gives(_HEALTH, 503, "It is not.")),
        tag="Status",
    ),
    ("GET", "/api/status"): endpoint(status, Permission.READ, gives=Gives(STATUS), tag="Status"),
    ("GET", "/api/performance"): endpoint(
        performance, Permission.READ, query=(_DETAIL, _COMPARE, _WINDOW), gives=Gives(_PERFORMANCE), problems=(404,),
        tag="Status",
    ),
    ("GET", "/api/fallback"): endpoint(fallback, Permission.READ, gives=Gives(_FALLBACK), tag="Status"),
    ("GET", "/api/decisions"): endpoint(
        decisions, Permission.READ, query=(_LIMIT, _ROUTE, _OUTCOME, _CALL),
        gives=Gives(obj(decisions=array(DECISION))), problems=(404,), tag="Status",
    ),
    ("POST", "/api/performance/clear"): endpoint(
        clear, Permission.ROUTES_WRITE, body=(_API,), gives=Gives(obj(cleared=TEXTS)), problems=(404, 503),
        tag="Controls",
    ),
    ("POST", "/api/fallback/reset"): endpoint(
        reset, Permission.ROUTES_WRITE, body=(_API, _REASON), gives=Gives(obj(reset=TEXTS)), problems=(404, 503),
        tag="Controls",
    ),
}  # fmt: skip
