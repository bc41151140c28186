"""APIs, routes and channels as people edit them: the list, and one entry as fields and as a document."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from understudy.channels import KINDS as CHANNELS
from understudy.config.faults import Fault, Origin
from understudy.config.managed import SECTIONS, UNKNOWN_MARK
from understudy.config.sentences import said
from understudy.connectivity import CheckResult
from understudy.core.errors import StoreUnavailable, UnknownName, VersionConflict
from understudy.core.text import Texts
from understudy.managing import Entry, Managing, Refused, SecretRefused, Version
from understudy.web.api.fields import answering
from understudy.web.api.settings import EDITS, SEES, managing_of
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Handler, Table
from understudy.web.forms import form
from understudy.web.http import Answer, Problem, Request
from understudy.web.pages.rendering import language_of
from understudy.web.views.rules import compared

from . import edited_fields as plain
from .edited_frame import address, comment, count_of, edited_page, number, rows, titles, to
from .edited_reference import known_keys
from .edited_secrets import Held, filled, hidden, waiting_of
from .edited_text import Unreadable, lines_of, stray_mark, text_of, values_of, without_secrets

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest name that a form takes, characters: beyond what an entry may have, so that the check can say so.
_NAME: Final = 201
#: What a new entry begins with.
_BEGUN: Final[dict[str, dict[str, Any]]] = {"api": {"base_url": ""}, "route": {"apis": []}, "channel": {}}
#: What a document may look like, for whoever writes the first.
_EXAMPLES: Final = {
    "api": 'base_url = "https://api.example.com/v1"\ntimeout = 3\nprice = 0.5\n'
    'quota = { limit = 10000, window = "month" }\n\n'
    '[auth]\nkind = "header"\nname = "X-Api-Key"\nkeys = ["…"]\n\n[health_check]\npath = "/status"\n',
    "route": 'apis = ["first", "second"]\nmode = "priority"\ndeadline = 10\n',
    "channel": 'kind = "email"\nhost = "smtp.example.com"\nusername = "ana"\npassword = "…"\n'
    'from_email = "ana@example.com"\nto_emails = ["team@example.com"]\nmin_severity = "warning"\n',
}  # fmt: skip
_ENTERED: Final = Origin("database", "what was entered")


class Act(Protocol):
    """What answers a request about one kind of entries."""

    async def __call__(self, app: Understudy, request: Request, /, *, kind: str) -> Answer:
        """Answer it."""
        ...


@dataclass(slots=True)
class Draft:
    """What somebody has written about an entry, and what came of it. `entry` is None for a new one.

    `values` are those of the document with marks for secrets; None where it cannot be read.
    """

    kind: str
    name: str
    entry: Entry | None
    text: str
    values: dict[str, Any] | None
    expected: int
    comment: str = ""
    #: Whether it came from the fields; those of a document that was changed would lose what they do not hold.
    by_fields: bool = True
    held: str = ""
    lost: bool = False
    faults: list[dict[str, Any]] = field(default_factory=list)
    fault: str = ""
    notice: str = ""
    tested: CheckResult | None = None
    theirs: Version | None = None
    difference: tuple[tuple[str, str], ...] = ()
    status: int = 200


async def listed(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """Every entry: where it comes from, whether it is in force, and the way to edit it."""
    _ = language_of(request)
    done = request.query("done").get("done", "")
    notice = {"removed": _("It is deleted.")}.get(done, "")
    entries = app.managing.entries(kind) if app.managing is not None else None
    return edited_page(app, request, kind, "settings_edited.html", entries=entries, notice=notice)


async def shown(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """One entry."""
    _ = language_of(request)
    query = request.query("name", "done")
    entry = managing_of(app).entry(kind, query.get("name", ""))
    values = dict(entry.values)
    draft = Draft(kind, entry.name, entry, text_of(kind, values), values, entry.version)
    draft.notice = {
        "saved": _("It is saved and in force."),
        "reverted": _("The earlier version is in force again."),
        "restored": _("What the configuration says is in force again."),
    }.get(query.get("done", ""), "")
    return _editor(app, request, draft)


async def fresh(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """A new entry; of a channel, its kind is chosen first."""
    of = request.query("kind").get("kind", "")
    managing_of(app)
    values = dict(_BEGUN[kind])
    if kind == "channel" and of in CHANNELS:
        values["kind"] = of
        values |= {
            each.path[0]: [] if each.kind == "lines" else ""
            for each in plain.fields(language_of(request), kind, values) if each.kind != "choice"
        }  # fmt: skip
    return _editor(app, request, Draft(kind, "", None, text_of(kind, values), values, 0))


def _editor(app: Understudy, request: Request, draft: Draft) -> Answer:
    _ = language_of(request)
    words, values = titles(_, draft.kind), draft.values
    fields = plain.fields(_, draft.kind, values) if values is not None and draft.by_fields else []
    kinds = list(CHANNELS) if draft.kind == "channel" and draft.entry is None else []
    return edited_page(
        app, request, draft.kind, "settings_edited_entry.html", title=draft.name or words["new"], draft=draft,
        entry=draft.entry, fault=draft.fault, notice=draft.notice, status=draft.status, kinds=kinds,
        fields=plain.shown(fields, values) if values is not None and draft.theirs is None else [],
        of=str((values or {}).get("kind", "")), known=known_keys(draft.kind, values or {}),
        example=_EXAMPLES[draft.kind], to=_to(draft),
    )  # fmt: skip


def _to(draft: Draft) -> str:
    return address(draft.kind, "entry", name=draft.entry.name) if draft.entry else address(draft.kind, "new")


async def posted(app: Understudy, request: Request, /, *, kind: str) -> Answer:
    """Check, try or save what was written; what cannot be taken is shown again, without the secrets in it."""
    query, managing, _ = request.query("name"), managing_of(app), language_of(request)
    content = await form(
        request, "name", "text", "by", "kind", "comment", "expected", "action", "held", picks=plain.FIELD
    )
    entry = _standing(managing, kind, query.get("name"))
    name = query.get("name") or content.get("name", "").strip()
    draft = Draft(kind, name[:_NAME], entry, "", None, number(content, "expected"), comment(content))
    held = waiting_of(app).find(app, request, content.get("held", ""), (kind, query.get("name", "")))
    try:
        values = filled(_read(_, draft, content, held), held)
    except Unreadable as error:
        draft.faults = [{"line": 0, "where": "", "what": said(str(error), _), "found": "", "hint": ""}]
        draft.status, draft.fault = 422, count_of(_, draft.faults)
        return _editor(app, request, draft)
    draft.held = waiting_of(app).keep(app, content.get("held", ""), held)
    try:
        made = await _act(request, managing, draft, values, content.get("action", "save"))
    except (Refused, SecretRefused, VersionConflict, StoreUnavailable) as error:
        await _refused(_, managing, draft, error)
        made = None
    if made is None:
        return _editor(app, request, draft)
    waiting_of(app).end(draft.held)
    return to(kind, "entry", name=made.name, done="saved")


def _standing(managing: Managing, kind: str, name: str | None) -> Entry | None:
    """The entry that is edited; None for a new one, and for one that somebody has deleted meanwhile."""
    try:
        return managing.entry(kind, name) if name else None
    except UnknownName:
        return None


def _read(_: Texts, draft: Draft, content: dict[str, str], held: Held) -> dict[str, Any]:
    """What was written, on the draft, and its values; secrets that were typed wait in `held`.

    Raises:
        Unreadable: it is no TOML; the draft has what can be shown of it.
    """
    draft.by_fields = content.get("by") == "fields"
    if draft.by_fields:
        begun = {"kind": content["kind"]} if "kind" in content and draft.kind == "channel" else {}
        base = dict(draft.entry.values) if draft.entry is not None else begun
        written = plain.changed(plain.fields(_, draft.kind, base), base, content)
        draft.values = hidden(draft.kind, draft.name, written, held)
        draft.text = text_of(draft.kind, draft.values)
        return draft.values
    text = content.get("text", "")
    try:
        written = values_of(text)
    except Unreadable:
        draft.text = without_secrets(draft.kind, text)
        draft.lost = draft.text != text
        raise
    draft.values = hidden(draft.kind, draft.name, written, held)
    # What holds no secret is shown as it was written, comments and all.
    draft.text = text if draft.values == written else text_of(draft.kind, draft.values)
    return draft.values


async def _act(
    request: Request, managing: Managing, draft: Draft, values: dict[str, Any], action: str
) -> Entry | None:  # fmt: skip
    """Do what the button says; the entry that was saved, None where nothing was."""
    _ = language_of(request)
    stray = stray_mark(draft.kind, draft.name, values)
    if stray is not None:
        raise Refused((Fault((SECTIONS[draft.kind], draft.name, *stray), _ENTERED, UNKNOWN_MARK),))
    if action == "check":
        await managing.must_fit(draft.kind, draft.name, values, secrets=request.who.may(Permission.ADMIN))
        draft.notice = _("Nothing is wrong with it; it could be saved.")
        return None
    if action == "test" and draft.kind == "api":
        draft.tested = await managing.test(draft.name, values)
        return None
    if action != "save":
        raise Problem(422, "action is one of save, check, test")
    return await managing.put(
        draft.kind, draft.name, values, actor=request.who.name, comment=draft.comment, expected=draft.expected,
        secrets=request.who.may(Permission.ADMIN),
    )  # fmt: skip


async def _refused(_: Texts, managing: Managing, draft: Draft, error: Exception) -> None:
    """What is wrong, on the draft; of a conflict, what the other has saved and how it differs."""
    if isinstance(error, Refused):
        draft.faults = rows(_, draft.kind, draft.name, error.faults, draft.text)
        draft.status, draft.fault = 422, count_of(_, draft.faults)
    elif isinstance(error, SecretRefused):
        draft.status = 403
        draft.fault = _("Only an administrator may enter secrets; leave those that are there as they are.")
    elif isinstance(error, StoreUnavailable):
        draft.status, draft.fault = 503, _("It cannot be kept now, and nothing has changed. Try it again in a minute.")
    elif isinstance(error, VersionConflict):
        draft.status = 409
        draft.fault = _("Somebody else has saved another version meanwhile; nothing of yours is lost.")
        found = await managing.versions(draft.kind, draft.name) if draft.name else []
        draft.theirs = found[0] if found else None
        gone = draft.theirs is None or draft.theirs.values is None
        draft.expected = 0 if draft.theirs is None or gone else draft.theirs.version
        theirs = draft.theirs.values if draft.theirs is not None else None
        draft.difference = tuple(compared(lines_of(draft.kind, theirs), lines_of(draft.kind, draft.values)))
        draft.entry = _standing(managing, draft.kind, draft.name)


def about(act: Act, kind: str) -> Handler:
    """A handler about one kind."""
    return answering(partial(act, kind=kind))


def _of_kind(kind: str) -> Table:
    place, sees, edits = f"/settings/{SECTIONS[kind]}", SEES[kind], EDITS[kind]
    return {
        ("GET", place): Endpoint(about(listed, kind), sees),
        ("GET", f"{place}/new"): Endpoint(about(fresh, kind), edits),
        ("POST", f"{place}/new"): Endpoint(about(posted, kind), edits),
        ("GET", f"{place}/entry"): Endpoint(about(shown, kind), sees),
        ("POST", f"{place}/entry"): Endpoint(about(posted, kind), edits),
    }


ROUTES: Table = {**_of_kind("api"), **_of_kind("route"), **_of_kind("channel")}
