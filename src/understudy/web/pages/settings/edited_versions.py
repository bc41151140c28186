"""The versions of an edited entry, what differs between them, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.config.managed import SECTIONS
from understudy.core.errors import NotActive, VersionConflict
from understudy.managing import Entry, Refused
from understudy.web.api.settings import EDITS, SEES, managing_of
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form
from understudy.web.http import Answer, Request
from understudy.web.pages.rendering import language_of
from understudy.web.views.rules import compared

from .edited import about
from .edited_frame import comment, edited_page, number, rows, to
from .edited_text import lines_of

if TYPE_CHECKING:
    from understudy.app import Understudy


async def versions(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """The versions of an entry, and what differs between two of them."""
    query = request.query("name", "from", "to")
    return await _versions(app, request, kind, query.get("name", ""), query.get("from", ""), query.get("to", ""))


async def _versions(
    app: Understudy, request: Request, kind: str, name: str, wanted: str = "", until: str = "", **told: Any
) -> Answer:
    found = await managing_of(app).versions(kind, name)
    numbered = {str(each.version): each for each in found}
    after = numbered.get(until) or (found[0] if found else None)
    earlier = next((each for each in found if after is not None and each.version < after.version), None)
    before = numbered.get(wanted) or earlier
    lines = compared(lines_of(kind, before.values if before else None), lines_of(kind, after.values if after else None))
    return edited_page(
        app, request, kind, "settings_edited_versions.html", title=name, name=name, versions=found, before=before,
        after=after, lines=list(lines) if after else [], newest=found[0] if found else None, **{"faults": [], **told},
    )  # fmt: skip


async def reverted(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """Put an earlier version in force again, as a new one."""
    name, managing, _ = request.query("name").get("name", ""), managing_of(app), language_of(request)
    content = await form(request, "version", "expected")
    try:
        made = await managing.revert(
            kind, name, number(content, "version"), actor=request.who.name, expected=number(content, "expected")
        )
    except VersionConflict:
        said = _("Somebody else has saved another version meanwhile. Look at it first.")
        return await _versions(app, request, kind, name, status=409, fault=said)
    except Refused as error:
        said = _("That version cannot be used any more; nothing has changed.")
        faults = rows(_, kind, name, error.faults)
        return await _versions(app, request, kind, name, status=422, fault=said, faults=faults)
    if made is None or not made.origin:
        return to(kind, done="removed")
    return to(kind, "entry", name=name, done="reverted")


async def removing(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """Ask before an edited entry is taken away."""
    return _removing(app, request, kind, managing_of(app).entry(kind, request.query("name").get("name", "")))


def _removing(app: Understudy, request: Request, kind: str, entry: Entry, **told: Any) -> Answer:
    if entry.origin == "file" and not entry.problem:
        raise NotActive(f"the {kind} {entry.name} stands in the configuration, and is taken away there")
    below = entry.overrides or bool(entry.problem and entry.values)
    return edited_page(
        app, request, kind, "settings_edited_delete.html", title=entry.name, entry=entry, below=below,
        **{"faults": [], **told},
    )  # fmt: skip


async def removed(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """Take an edited entry away; the one of the configuration is in force again."""
    managing, _ = managing_of(app), language_of(request)
    entry = managing.entry(kind, request.query("name").get("name", ""))
    content = await form(request, "expected", "comment")
    try:
        below = await managing.remove(
            kind, entry.name, actor=request.who.name, comment=comment(content), expected=number(content, "expected")
        )
    except VersionConflict:
        said = _("Somebody else has saved another version meanwhile. Look at it first.")
        return _removing(app, request, kind, managing.entry(kind, entry.name), status=409, fault=said)
    except Refused as error:
        said = _("Something else needs it; nothing has changed.")
        faults = rows(_, kind, entry.name, error.faults)
        return _removing(app, request, kind, entry, status=422, fault=said, faults=faults)
    return to(kind, done="removed") if below is None else to(kind, "entry", name=entry.name, done="restored")


def _of_kind(kind: str) -> Table:
    place, sees, edits = f"/settings/{SECTIONS[kind]}", SEES[kind], EDITS[kind]
    return {
        ("GET", f"{place}/versions"): Endpoint(about(versions, kind), sees),
        ("POST", f"{place}/versions"): Endpoint(about(reverted, kind), edits),
        ("GET", f"{place}/delete"): Endpoint(about(removing, kind), edits),
        ("POST", f"{place}/delete"): Endpoint(about(removed, kind), edits),
    }


ROUTES: Table = {**_of_kind("api"), **_of_kind("route"), **_of_kind("channel")}
