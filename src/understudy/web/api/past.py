"""Endpoints about the past: history, the request log, reports, the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from understudy.core.audit import AuditEntry
from understudy.core.errors import NotInstalled, StoreUnavailable, UnknownName
from understudy.monitor.history import MAX_POINTS, POINTS, Change, SeriesHistory
from understudy.monitor.rollup import SeriesName
from understudy.reports import KINDS, TARGET
from understudy.reports.render import to_csv_files, to_html, to_json
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives, Param
from understudy.web.endpoint import Handler, Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped, listed
from understudy.web.kinds import Choice, Flag, Number, Text, Whole
from understudy.web.schemas import ANY, NEXT, NUMBER, OBJECT, TEXT, TIME, WHOLE, array, mapping, obj, view

from .lists import CSV, LIMIT, PAGING, listing
from .shapes import HISTORY
from .span import SPANNING, span

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

Asked = Callable[["Understudy", "Keeping", Request], Awaitable[Answer]]

#: A report is a document of its own: its styles stand in it, and nothing else may be loaded or run.
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


def kept(handler: Asked) -> Handler:
    """The handler with what is kept; 404 where nothing is, 503 while it cannot be read."""

    @wraps(handler)
    async def asked(app: Understudy, request: Request) -> Answer:
        if app.keeping is None:
            raise Problem(404, "nothing is kept here: this process was started without a store")
        try:
            return await handler(app, app.keeping, request)
        except StoreUnavailable as error:
            raise Problem(503, str(error), {"Retry-After": "5"}) from None

    return asked


def _answer(content: object) -> Answer:
    return Answer(dumped(content))


_KIND = Param("kind", Choice(("api", "route")), "Whether the names are of APIs or of routes.", default="api")
_NAME = Param("name", Text(500, least=1, name=True), "The API or route.", required=True, example="odds_prime")
_NAMES = Param(
    "names", Text(2000, name=True), "Two to six names between commas.", required=True, example="odds_prime,odds_second"
)
_POINTS = Param("points", Whole(1, MAX_POINTS), "About how many points a series has.", default=POINTS)


def _series(query: Mapping[str, str], *names: str) -> list[SeriesName]:
    """The series that a request names; those that exist no more have a past, too."""
    if not all(names):
        raise Problem(400, "name the API or route, or several")
    return [SeriesName(_KIND.of(query), name) for name in names]


def _series_history(found: SeriesHistory) -> AsyncIterator[bytes]:
    head = replace(found, points=()).as_dict()
    del head["points"]
    return listed(head, "points", found.points)


async def _together(found: Iterable[SeriesHistory]) -> AsyncIterator[bytes]:
    between = b'{"series": ['
    for each in found:
        yield between
        async for piece in _series_history(each):
            yield piece
        between = b", "
    yield b"]}"


@kept
async def history(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """One API or route over a span."""
    query = request.query()
    (name,) = _series(query, _NAME.of(query))
    start, end = span(query, app.clock.time())
    points = _POINTS.of(query)
    return Answer(_series_history(await keeping.history.series(name, start, end, points)))


@kept
async def compared(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """Two to six over the same span."""
    query = request.query()
    names = _series(query, *_NAMES.of(query).split(","))
    start, end = span(query, app.clock.time())
    points = _POINTS.of(query)
    try:
        found = await keeping.history.compare(names, start, end, points)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return Answer(_together(found.values()))


@kept
async def last_week(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """A span beside the same one a week before."""
    query = request.query()
    (name,) = _series(query, _NAME.of(query))
    start, end = span(query, app.clock.time())
    changes = await keeping.history.against_last_week(name, start, end)
    return _answer({"start": start, "end": end, "changes": [each.as_dict() for each in changes]})


@kept
async def overview(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """All APIs or routes over a span, added up, without percentiles."""
    query = request.query()
    start, end = span(query, app.clock.time())
    return _answer({"start": start, "end": end, "series": await keeping.history.overview(_KIND.of(query), start, end)})


_API = Param("api", Text(500, name=True), "Only about this API.", default="")


@kept
async def report(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """A report as JSON, HTML or CSV; what there is without `kind`."""
    query = request.query()
    if "kind" not in query:
        return _answer({"kinds": dict(KINDS), "formats": list(_FORMATS), "languages": list(_LANGUAGES)})
    style, lang = _FORMAT.of(query), _LANG.of(query)
    start, end = span(query, app.clock.time(), 30 * 86400.0)
    try:
        made = await keeping.reports.make(
            query["kind"], start, end, api=_API.of(query), target=_TARGET.of(query), language=lang
        )
    except UnknownName as error:
        raise Problem(404, str(error)) from None
    except ValueError as error:
        raise Problem(400, str(error)) from None
    try:
        if style == "html":
            page = await asyncio.to_thread(to_html, made)  # a thousand APIs are a long page
            return Answer(page.encode(), 200, "text/html; charset=utf-8", {"Content-Security-Policy": _REPORT_POLICY})
        if style == "csv":
            name = f"understudy-{made.kind}.zip"
            disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Answer(await asyncio.to_thread(to_csv_files, made), 200, "application/zip", disposition)
    except NotInstalled as error:
        raise Problem(501, str(error)) from None
    return Answer((await asyncio.to_thread(to_json, made)).encode())


_FORMATS = ("json", "html", "csv")
_LANGUAGES = ("en", "pt-BR")
_REPORT = Param("kind", Choice(tuple(KINDS)), "Which report; without it the answer lists what there is.")
_TARGET = Param("target", Number(0, 100), "The promised success rate, percent.", default=TARGET)
_FORMAT = Param("format", Choice(_FORMATS), "As what; CSV is a ZIP file of one table each.", default="json")
_LANG = Param("lang", Choice(_LANGUAGES), "In which language.", default="en")


@kept
async def audit(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """Administrative acts, newest first; with `verify=yes` also whether the chain of all of them holds."""
    query = request.query()
    if _VERIFY.of(query):
        entries, following = await _acts(keeping, LIMIT.of(query), query.get("before", ""))
        return _answer({"next": following, "entries": entries, "fault": await keeping.audit.verify()})
    return await listing(request, "entries", partial(_acts, keeping), _AUDIT_COLUMNS)


async def _acts(keeping: Keeping, limit: int, before: str) -> tuple[list[dict[str, Any]], str | None]:
    """Entries in front of a number, and the number in front of which the next page is."""
    try:
        number = _BEFORE.parse(before) if before else None
    except ValueError as error:
        raise Problem(400, f"before is {error}") from None
    found = await keeping.audit.read(limit, number)
    entries = [
        {"seq": record.seq, **_entry(record.entry), "prev_hash": record.prev_hash, "hash": record.hash}
        for record in found
    ]
    return entries, str(found[-1].seq) if len(found) == limit and found[-1].seq > 1 else None


def _entry(entry: AuditEntry) -> dict[str, object]:
    return {each.name: getattr(entry, each.name) for each in fields(entry)}


_BEFORE = Whole(1, 2**31)
_VERIFY = Param("verify", Flag(), "Whether the whole chain of hashes is checked; `fault` says what is wrong.", False)
_AUDIT_COLUMNS = ("seq", "at", "actor", "action", "object", "before", "after", "ip", "prev_hash", "hash")

_SPANNED = {"start": TIME, "end": TIME}
_CHANGE = view(Change, change=NUMBER)
_SUMS = obj(
    n=WHOLE, ok=WHOLE, err=WHOLE, success_rate=NUMBER, mean=NUMBER, requests_per_minute=NUMBER, fallback_used=WHOLE,
    retries=WHOLE, cost=NUMBER,
)  # fmt: skip
_ENTRY = obj(
    **{name: {"seq": WHOLE, "at": TIME, "before": ANY, "after": ANY}.get(name, TEXT) for name in _AUDIT_COLUMNS}
)
_REPORTS = (
    Gives(OBJECT, about="The report, or without kind what there is."),
    Gives({"type": "string"}, content_type="text/html"),
    Gives({"type": "string", "format": "binary"}, content_type="application/zip"),
)
_GONE = (404, 503)

ROUTES: Table = {
    ("GET", "/api/history"): endpoint(
        history, Permission.READ, query=(_KIND, _NAME, _POINTS, *SPANNING), gives=Gives(HISTORY), problems=_GONE,
        tag="History",
    ),
    ("GET", "/api/history/compare"): endpoint(
        compared, Permission.READ, query=(_KIND, _NAMES, _POINTS, *SPANNING), gives=Gives(obj(series=array(HISTORY))),
        problems=_GONE, tag="History",
    ),
    ("GET", "/api/history/week"): endpoint(
        last_week, Permission.READ, query=(_KIND, _NAME, *SPANNING),
        gives=Gives(obj(**_SPANNED, changes=array(_CHANGE))), problems=_GONE, tag="History",
    ),
    ("GET", "/api/history/overview"): endpoint(
        overview, Permission.READ, query=(_KIND, *SPANNING), gives=Gives(obj(**_SPANNED, series=mapping(_SUMS))),
        problems=_GONE, tag="History",
    ),
    ("GET", "/api/reports"): endpoint(
        report, Permission.READ, query=(_REPORT, _API, _TARGET, _FORMAT, _LANG, *SPANNING), gives=_REPORTS,
        problems=(*_GONE, 501), tag="Reports",
    ),
    ("GET", "/api/audit"): endpoint(
        audit, Permission.INSPECT, query=(_VERIFY, *PAGING),
        gives=(Gives(obj(("fault",), next=NEXT, entries=array(_ENTRY), fault=TEXT)), CSV), problems=_GONE,
        tag="Administration",
    ),
}  # fmt: skip
