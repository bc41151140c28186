"""The request log: searched, counted, one call in full; and kinds of errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from understudy.monitor.facets import COUNTED, MOST, Facets
from understudy.monitor.requests import RequestEntry, RequestQuery
from understudy.monitor.search import SearchError, parse
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Text
from understudy.web.schemas import FLAG, OBJECT, TEXT, TIME, WHOLE, array, mapping, obj, paged, view
from understudy.web.views.requests import AlertBeside, CallView, Step, cursor, place, within

from .fields import answering
from .lists import CSV, LIMIT, PAGING, listing
from .past import kept
from .shapes import ERROR_GROUP, REQUEST
from .span import SPANNING, span

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

Q = Param("q", Text(2000, name=True), "Terms of the search.", default="", example="outcome:failed last:1h")
_SPANS = frozenset(each.name for each in SPANNING)


def asked(query: dict[str, str], now: float) -> RequestQuery:
    """What `q` and the span of a request ask for.

    Raises:
        Problem: 400 with the place of the fault.
    """
    try:
        wanted = parse(Q.of(query), now)
    except SearchError as error:
        raise Problem(400, f"q: {error}", position=error.position) from None
    return within(wanted, *span(query, now)) if _SPANS & query.keys() else wanted


@kept
async def requests(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """The request log, searched: every failure and fallback, and a sample of the rest.

    `q` is a list of terms, all of which must hold: `api:odds status:>=500 lat:>2s route:checkout err:"timeout"`.
    """
    wanted = asked(request.query(), app.clock.time())

    async def fetch(limit: int, before: str) -> tuple[Sequence[RequestEntry], str | None]:
        try:
            beginning = cursor(before)
        except ValueError as error:
            raise Problem(400, str(error)) from None
        entries = await keeping.requests.search(wanted, limit, beginning)
        return entries, place(entries, limit) or None

    return await listing(request, "requests", fetch, _COLUMNS)


_COLUMNS = (
    "at", "call_id", "route", "api", "outcome", "latency", "attempts", "status", "endpoint", "error_class", "error",
    "fingerprint", "instance",
)  # fmt: skip


@kept
async def errors(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """Kinds of errors, most frequent first."""
    query = request.query()
    start, end = span(query, app.clock.time(), 86400.0)
    found = await keeping.requests.groups(start, end, _API.of(query), LIMIT.of(query))
    return Answer(dumped({"start": start, "end": end, "groups": [group.as_dict() for group in found]}))


_API = Param("api", Text(500, name=True), "Only about this API.", default="")


@kept
async def facets(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """How the requests that answer a search spread, by API, route, outcome, class of status, kind of error, and time.

    Takes the terms of `GET /api/requests`.
    """
    found = await keeping.requests.facets(asked(request.query(), app.clock.time()))
    return Answer(dumped(found.as_dict()))


@answering
async def call(app: Understudy, request: Request) -> Answer:
    """One call in full: its decision record, attempts and waits, masked headers, and alerts that fired meanwhile."""
    return Answer(dumped((await CallView.of(app, request.parts["call"])).as_dict()))


_ABOUT = f"The newest {COUNTED:,} entries are counted; of each facet the {MOST} most frequent values are told."

_PAIRS = array({"type": "array", "prefixItems": [TEXT, WHOLE], "minItems": 2, "maxItems": 2})
_FACETS = view(
    Facets, apis=_PAIRS, routes=_PAIRS, outcomes=_PAIRS, statuses=_PAIRS,
    over_time=array(obj(at=TIME, good=WHOLE, bad=WHOLE)),
)  # fmt: skip
_CALL = view(
    RequestEntry, "Call", record=OBJECT, responses=mapping(OBJECT), steps=array(view(Step, "CallStep")),
    commands=mapping(TEXT), alerts=array(view(AlertBeside)), kept=FLAG,
)  # fmt: skip
_GONE = (404, 503)

ROUTES: Table = {
    ("GET", "/api/requests"): endpoint(
        requests, Permission.READ, query=(Q, *PAGING, *SPANNING),
        gives=(Gives(paged("requests", REQUEST)), CSV), problems=_GONE, tag="Requests",
    ),
    ("GET", "/api/errors"): endpoint(
        errors, Permission.READ, query=(_API, LIMIT, *SPANNING),
        gives=Gives(obj(start=TIME, end=TIME, groups=array(ERROR_GROUP))), problems=_GONE, tag="Requests",
    ),
    ("GET", "/api/requests/facets"): endpoint(
        facets, Permission.READ, query=(Q, *SPANNING), gives=Gives(_FACETS, about=_ABOUT), problems=_GONE,
        tag="Requests",
    ),
    ("GET", "/api/requests/{call}"): endpoint(
        call, Permission.READ, gives=Gives(_CALL), problems=_GONE, tag="Requests",
    ),
}  # fmt: skip
