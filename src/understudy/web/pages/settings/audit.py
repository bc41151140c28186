"""The audit log: who did what, page by page, filtered; whether its chain holds; and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from understudy.core.audit import AuditEntry, AuditRecord, canonical
from understudy.core.errors import StoreUnavailable
from understudy.core.legible import clean
from understudy.web.auth import acts
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.pages.rendering import language_of

from .frame import settings_page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Acts on one page, acts that are read at a time, and acts that one look for a filter goes through.
_PAGE, _READ, _DEEP = 50, 500, 20_000
#: Acts of one exported file.
MOST = 100_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _wanted(request: Request) -> tuple[str, str, int | None]:
    """Whose acts, which acts, and in front of which number."""
    query = request.query("actor", "action", "before", "verify", "format")
    before = query.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) <= 10):
        raise Problem(400, "before is the number of an act")
    return query.get("actor", "")[:200], query.get("action", "")[:200], int(before) if before else None


def _answers(entry: AuditEntry, actor: str, action: str) -> bool:
    return actor.casefold() in entry.actor.casefold() and action.casefold() in entry.action.casefold()


async def _found(app: Understudy, actor: str, action: str, before: int | None) -> tuple[list[AuditRecord], int | None]:
    """One page of acts that answer to a filter, and the number in front of which the next one begins."""
    keeping = acts.keeping_of(app)
    found: list[AuditRecord] = []
    for _ in range(_DEEP // _READ):
        some = await keeping.audit.read(_READ, before)
        for each in some:
            if _answers(each.entry, actor, action):
                found.append(each)
            if len(found) == _PAGE:
                return found, each.seq if each.seq > 1 else None
        if len(some) < _READ:
            return found, None
        before = some[-1].seq
    return found, before


async def log(app: Understudy, request: Request) -> Answer:
    """The acts, newest first."""
    actor, action, before = _wanted(request)
    _ = language_of(request)
    verify = request.query("actor", "action", "before", "verify", "format").get("verify") == "yes"
    try:
        found, following = await _found(app, actor, action, before)
        chain = await acts.keeping_of(app).audit.verify() if verify else None
    except acts.Refused as error:
        return settings_page(app, request, "audit", _("Audit log"), records=[], following=None, actor="", action="",
                             chain=None, fault=str(error), legible=_legible)  # fmt: skip
    except StoreUnavailable as error:
        raise Problem(503, str(error), {"Retry-After": "5"}) from None
    return settings_page(
        app, request, "audit", _("Audit log"), records=found, following=following, actor=actor, action=action,
        chain=chain, legible=_legible,
    )  # fmt: skip


async def export(app: Understudy, request: Request) -> Answer:
    """The acts that answer to the filter as CSV or JSON lines, newest first; that they were taken is an act, too."""
    actor, action, before = _wanted(request)
    style = request.query("actor", "action", "before", "verify", "format").get("format", "csv")
    if style not in ("csv", "jsonl"):
        raise Problem(400, "format is csv or jsonl")
    try:
        await acts.audit(app, request, request.who.name, "audit.exported", style)
    except acts.Refused as error:
        raise Problem(error.status, str(error)) from None
    kind = "text/csv; charset=utf-8" if style == "csv" else "application/x-ndjson"
    disposition = {"Content-Disposition": f'attachment; filename="understudy-audit.{style}"'}
    return Answer(_pieces(app, style, actor, action, before), 200, kind, disposition)


async def _pieces(app: Understudy, style: str, actor: str, action: str, before: int | None) -> AsyncIterator[bytes]:
    keeping = acts.keeping_of(app)
    if style == "csv":
        yield _line(("seq", "at", "actor", "action", "object", "before", "after", "ip", "prev_hash", "hash"))
    for _ in range(MOST // _READ):
        some = await keeping.audit.read(_READ, before)
        yield b"".join(_written(each, style) for each in some if _answers(each.entry, actor, action))
        if len(some) < _READ:
            return
        before = some[-1].seq


def _written(record: AuditRecord, style: str) -> bytes:
    entry = record.entry
    if style == "csv":
        return _line(
            (record.seq, entry.at, entry.actor, entry.action, entry.object, canonical(entry.before),
             canonical(entry.after), entry.ip, record.prev_hash, record.hash)
        )  # fmt: skip
    told = {name: getattr(entry, name) for name in ("at", "actor", "action", "object", "before", "after", "ip")}
    return dumped({"seq": record.seq, **told, "prev_hash": record.prev_hash, "hash": record.hash}) + b"\n"


def _legible(value: object) -> str:
    """What stood there before or after, for people: no name in it turns the writing around."""
    return clean(canonical(value))


def _line(values: tuple[object, ...]) -> bytes:
    """A line of CSV; a text that a spreadsheet would reckon with stays a text."""
    out = io.StringIO()
    safe = [f"'{each}" if isinstance(each, str) and each.startswith(_FORMULA) else each for each in values]
    csv.writer(out).writerow(safe)
    return out.getvalue().encode("utf-8", "replace")


ROUTES: Table = {
    ("GET", "/settings/audit"): Endpoint(log, Permission.INSPECT),
    ("GET", "/settings/audit/export"): Endpoint(export, Permission.INSPECT),
}
