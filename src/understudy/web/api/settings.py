"""Editing APIs, routes and channels while the service runs: each with its versions, checked before anything changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Final

from understudy.config.managed import SECTIONS
from understudy.connectivity import CheckResult
from understudy.managing import Entry, Managing, Refused, SecretRefused, Version
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Endpoint, Handler, Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice, Text, Whole
from understudy.web.kinds import Document as Object
from understudy.web.schemas import FLAG, MAYBE_OBJECT, OBJECT, TEXT, TIME, WHOLE, array, maybe, obj, view

from .alerts import MAX_COMMENT
from .fields import answering

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest name of an entry, characters; highest version that may be named.
_NAME, _HIGHEST = 200, 10**9 - 1
#: What it takes to see entries of a kind, and to edit them.
SEES: Final = {"api": Permission.READ, "route": Permission.READ, "channel": Permission.CHANNELS}
EDITS: Final = {"api": Permission.ROUTES_WRITE, "route": Permission.ROUTES_WRITE, "channel": Permission.ADMIN}

_Act = Callable[["Understudy", Managing, Request, str], Awaitable[Answer]]


def managing_of(app: Understudy) -> Managing:
    """What keeps edited settings.

    Raises:
        Problem: 409 where nothing is kept.
    """
    if app.managing is None:
        raise Problem(
            409, "settings are edited in the service that `understudy run` starts; this process has only read"
        )
    return app.managing


def about(kind: str, act: _Act) -> Handler:
    """A handler about one kind of entries."""

    @wraps(act)
    async def handler(app: Understudy, request: Request) -> Answer:
        request.query()
        try:
            return await act(app, managing_of(app), request, kind)
        except Refused as refused:
            raise Problem(422, str(refused)[:2000], faults=refused.as_dicts()) from None
        except SecretRefused as refused:
            raise Problem(403, str(refused)) from None

    return answering(handler)


async def listed(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """Every entry that is in force: its values as a file would say them, secrets as marks, and where it comes from."""
    return Answer(dumped({"entries": [each.as_dict() for each in managing.entries(kind)]}))


async def one(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """One entry; the ETag is its version, 0 for one that was never edited here."""
    return _versioned(managing.entry(kind, request.parts["name"]))


async def put(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """Make or replace an entry, in force at once; with `If-Match` (or `expected`) only if nobody edited it since.

    A secret is given as it is, or as the mark that it was shown as, where it stays. A mark is only taken while the
    entry leads where it did. An entry of the configuration's files is overridden until this one is deleted.
    """
    content = await request.json_object()
    made = await managing.put(
        kind, request.parts["name"], _VALUES.of(content), actor=request.who.name, comment=_COMMENT.of(content),
        expected=_expected(request, _EXPECTED.of(content)), secrets=request.who.may(Permission.ADMIN),
    )  # fmt: skip
    return _versioned(made)


async def delete(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """Take an edited entry away; the one of the configuration's files is in force again, and answered."""
    content = await request.json_object()
    name = request.parts["name"]
    below = await managing.remove(
        kind, name, actor=request.who.name, comment=_COMMENT.of(content),
        expected=_expected(request, _EXPECTED.of(content)),
    )  # fmt: skip
    return Answer(dumped({"deleted": name, "entry": below.as_dict() if below is not None else None}))


async def versions(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """Every version that was stored, newest first, with what differs from the one before."""
    found = await managing.versions(kind, request.parts["name"])
    return Answer(dumped({"versions": [each.as_dict() for each in found]}))


async def revert(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """Put an earlier version in force again, as a new one."""
    content = await request.json_object()
    name = request.parts["name"]
    made = await managing.revert(
        kind, name, _VERSION.of(content), actor=request.who.name, comment=_COMMENT.of(content),
        expected=_expected(request, _EXPECTED.of(content)),
    )  # fmt: skip
    return Answer(dumped({"name": name, "entry": made.as_dict() if made is not None and made.origin else None}))


async def check(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """Everything that is wrong with an entry; changes nothing. An empty list: it would be taken."""
    content = await request.json_object()
    faults = await managing.check(_KIND.of(content), _ENTRY.of(content), _VALUES.of(content))
    return Answer(dumped({"good": not faults, "faults": faults}))


async def test(app: Understudy, managing: Managing, request: Request, kind: str) -> Answer:
    """Ask the API one harmless question now: as it is, or as it would be with `values`. Changes nothing."""
    content = await request.json_object()
    found = await managing.test(request.parts["name"], _TRIED.of(content))
    return Answer(dumped(found.as_dict()))


def _expected(request: Request, said: int | None) -> int | None:
    wanted = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    if not wanted or wanted == "*":
        return said
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= len(str(_HIGHEST))):
        raise Problem(400, 'If-Match is the ETag that the entry was read with, such as "3"')
    return int(wanted)


def _versioned(entry: Entry) -> Answer:
    return Answer(dumped(entry.as_dict()), headers={"ETag": f'"{entry.version}"'})


_VALUES = Field(
    "values", Object(about="the entry as it stands in a file"), "The entry.", required=True,
    example={"base_url": "https://api.example.com/v1", "timeout": 3},
)  # fmt: skip
_TRIED = replace(_VALUES, required=False, about="The entry as it would be; without it as it is.")
_COMMENT = Field("comment", Text(MAX_COMMENT), "Why it is changed, for the history.", default="", example="new plan")
_EXPECTED = Field("expected", Whole(0, _HIGHEST), "The version that this builds on, 0 for a new entry; or If-Match.")
_VERSION = Field("version", Whole(1, _HIGHEST), "The version that is to be in force again.", required=True, example=1)
_KIND = Field("kind", Choice(tuple(SECTIONS)), "What it is.", required=True, example="api")
_ENTRY = Field("name", Text(_NAME, least=1), "Its name.", required=True, example="odds_prime")
_SHOWN = view(Entry, "SettingsEntry", values=OBJECT)
_FAULT = obj(path=TEXT, expected=TEXT, found=TEXT, hint=TEXT)
_CHANGED = obj(path=TEXT, before={}, after={})
_OF_VERSION = view(Version, "SettingsVersion", values=MAYBE_OBJECT, changes=array(_CHANGED), at=TIME, version=WHOLE)
_TAG = "Settings"
_CONFLICT = (400, 403, 404, 409, 422, 503)


def _of_kind(kind: str, section: str) -> dict[tuple[str, str], Endpoint]:
    place, sees, edits = f"/api/settings/{section}", SEES[kind], EDITS[kind]
    below = obj(deleted=TEXT, entry=maybe(_SHOWN))
    return {
        ("GET", place): endpoint(
            about(kind, listed), sees, gives=Gives(obj(entries=array(_SHOWN))), problems=(409,), tag=_TAG
        ),
        ("GET", f"{place}/{{name}}"): endpoint(
            about(kind, one), sees, gives=Gives(_SHOWN), problems=(404, 409), tag=_TAG
        ),
        ("PUT", f"{place}/{{name}}"): endpoint(
            about(kind, put), edits, body=(_VALUES, _COMMENT, _EXPECTED), gives=Gives(_SHOWN), problems=_CONFLICT,
            tag=_TAG,
        ),
        ("DELETE", f"{place}/{{name}}"): endpoint(
            about(kind, delete), edits, body=(_COMMENT, _EXPECTED), gives=Gives(below), problems=_CONFLICT, tag=_TAG
        ),
        ("GET", f"{place}/{{name}}/versions"): endpoint(
            about(kind, versions), sees, gives=Gives(obj(versions=array(_OF_VERSION))), problems=(404, 409, 503),
            tag=_TAG,
        ),
        ("POST", f"{place}/{{name}}/revert"): endpoint(
            about(kind, revert), edits, body=(_VERSION, _COMMENT, _EXPECTED),
            gives=Gives(obj(name=TEXT, entry=maybe(_SHOWN))), problems=_CONFLICT, tag=_TAG,
        ),
    }  # fmt: skip


ROUTES: Table = {
    **_of_kind("api", "apis"),
    **_of_kind("route", "routes"),
    **_of_kind("channel", "channels"),
    ("POST", "/api/settings/check"): endpoint(
        about("", check), Permission.ROUTES_WRITE, body=(_KIND, _ENTRY, _VALUES),
        gives=Gives(obj(good=FLAG, faults=array(_FAULT))), problems=(404, 409), tag=_TAG,
    ),
    ("POST", "/api/settings/apis/{name}/test"): endpoint(
        about("api", test), Permission.ROUTES_WRITE, body=(_TRIED,), gives=Gives(view(CheckResult, "ConnectionTest")),
        problems=(404, 409), tag=_TAG,
    ),
}  # fmt: skip
