"""Endpoints about the past: history, the request log, reports, the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Literal

from understudy.core.audit import AuditEntry
from understudy.core.errors import NotInstalled, StoreUnavailable, UnknownName
from understudy.monitor.history import MAX_POINTS, POINTS, SeriesHistory
from understudy.monitor.requests import Cursor
from understudy.monitor.rollup import SeriesName
from understudy.monitor.search import SearchError, parse
from understudy.reports import KINDS, TARGET
from understudy.reports.render import to_csv_files, to_html, to_json
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Handler, Table
from understudy.web.http import Answer, Problem, Request, dumped, listed

from .span import SPAN, span, whole

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

Asked = Callable[["Understudy", "Keeping", Request], Awaitable[Answer]]

#: Most entries on one page of the request log.
PAGE = 500
#: Longest number in the text that says where a page begins; more does not fit into a database.
_DIGITS = 18
#: A report is a document of its own: its styles stand in it, and nothing else may be loaded or run.
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


def _kept(handler: Asked) -> Handler:
    """The handler with what is kept; 404 where nothing is, 503 while it cannot be read."""

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


def _series(app: Understudy, query: Mapping[str, str], *names: str) -> list[SeriesName]:
    """The series that a request names; those that exist no more have a past, too."""
    kind: Literal["api", "route"]
    match query.get("kind", "api"):
        case "api":
            kind = "api"
        case "route":
            kind = "route"
        case _:
            raise Problem(400, "kind is api or route")
    if not names or not all(names):
        raise Problem(400, "name the API or route, or several")
    return [SeriesName(kind, name) for name in names]


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


@_kept
async def history(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """One API or route over a span."""
    query = request.query("kind", "name", "points", *SPAN)
    (name,) = _series(app, query, query.get("name", ""))
    start, end = span(query, app.clock.time())
    points = whole(query, "points", POINTS, MAX_POINTS)
    return Answer(_series_history(await keeping.history.series(name, start, end, points)))


@_kept
async def compared(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """Two to six over the same span."""
    query = request.query("kind", "names", "points", *SPAN)
    names = _series(app, query, *query.get("names", "").split(","))
    start, end = span(query, app.clock.time())
    points = whole(query, "points", POINTS, MAX_POINTS)
    try:
        found = await keeping.history.compare(names, start, end, points)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return Answer(_together(found.values()))


@_kept
async def last_week(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """A span beside the same one a week before."""
    query = request.query("kind", "name", *SPAN)
    (name,) = _series(app, query, query.get("name", ""))
    start, end = span(query, app.clock.time())
    changes = await keeping.history.against_last_week(name, start, end)
    return _answer({"start": start, "end": end, "changes": [each.as_dict() for each in changes]})


@_kept
async def overview(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """All APIs or routes over a span, added up, without percentiles."""
    query = request.query("kind", *SPAN)
    kind = _series(app, query, "all")[0].kind
    start, end = span(query, app.clock.time())
    return _answer({"start": start, "end": end, "series": await keeping.history.overview(kind, start, end)})


@_kept
async def requests(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """The request log, searched; `before` is the `next` of the page before."""
    query = request.query("q", "limit", "before")
    limit = whole(query, "limit", 100, PAGE)
    try:
        wanted = parse(query.get("q", ""), app.clock.time())
    except SearchError as error:
        raise Problem(400, f"q: {error}", position=error.position) from None
    entries = await keeping.requests.search(wanted, limit, _cursor(query.get("before", "")))
    last = entries[-1].cursor if len(entries) == limit else None
    following = None if last is None else f"{last.ts_ms}-{last.id}"
    return Answer(listed({"next": following}, "requests", entries))


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    at, _, number = text.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= _DIGITS for part in (at, number)):
        raise Problem(400, "before is the text that the page before gave as next")
    return Cursor(int(at), int(number))


@_kept
async def errors(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """Kinds of errors, most frequent first."""
    query = request.query("api", "limit", *SPAN)
    start, end = span(query, app.clock.time(), 86400.0)
    found = await keeping.requests.groups(start, end, query.get("api", ""), whole(query, "limit", 100, PAGE))
    return _answer({"start": start, "end": end, "groups": [group.as_dict() for group in found]})


@_kept
async def report(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """A report as JSON, HTML or CSV; what there is without `kind`."""
    query = request.query("kind", "api", "target", "format", "lang", *SPAN)
    if "kind" not in query:
        return _answer({"kinds": dict(KINDS), "formats": list(_FORMATS), "languages": list(_LANGUAGES)})
    style = query.get("format", "json")
    if style not in _FORMATS:
        raise Problem(400, f"format is one of {', '.join(_FORMATS)}")
    lang = query.get("lang", "en")
    if lang not in _LANGUAGES:
        raise Problem(400, f"lang is one of {', '.join(_LANGUAGES)}")
    start, end = span(query, app.clock.time(), 30 * 86400.0)
    try:
        target = float(query.get("target", TARGET))
        made = await keeping.reports.make(
            query["kind"], start, end, api=query.get("api", ""), target=target, language=lang
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
_LANGUAGES = ("en", "pt", "pt-BR", "pt_BR")


@_kept
async def audit(app: Understudy, keeping: Keeping, request: Request) -> Answer:
    """Administrative acts, newest first; with `verify=yes` also whether the chain of all of them holds."""
    query = request.query("before", "limit", "verify")
    before = whole(query, "before", 1, 2**31) if "before" in query else None
    if query.get("verify", "no") not in ("yes", "no"):
        raise Problem(400, "verify is yes or no")
    found: dict[str, object] = {
        "entries": [
            {"seq": record.seq, **_entry(record.entry), "prev_hash": record.prev_hash, "hash": record.hash}
            for record in await keeping.audit.read(whole(query, "limit", 100, PAGE), before)
        ]
    }
    if query.get("verify") == "yes":
        found["fault"] = await keeping.audit.verify()
    return _answer(found)


def _entry(entry: AuditEntry) -> dict[str, object]:
    return {each.name: getattr(entry, each.name) for each in fields(entry)}


ROUTES: Table = {
    ("GET", "/api/history"): Endpoint(history, Permission.READ),
    ("GET", "/api/history/compare"): Endpoint(compared, Permission.READ),
    ("GET", "/api/history/week"): Endpoint(last_week, Permission.READ),
    ("GET", "/api/history/overview"): Endpoint(overview, Permission.READ),
    ("GET", "/api/requests"): Endpoint(requests, Permission.READ),
    ("GET", "/api/errors"): Endpoint(errors, Permission.READ),
    ("GET", "/api/reports"): Endpoint(report, Permission.READ),
    ("GET", "/api/audit"): Endpoint(audit, Permission.INSPECT),
}
