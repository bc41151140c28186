"""Endpoints about rules: what is evaluated, changing it under a version, checking it, and trying it on the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from understudy.alerts.model import Rule
from understudy.alerts.ports import Document
from understudy.alerts.rules import rule_from, rule_to_doc
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Document as Object
from understudy.web.kinds import Text, Whole
from understudy.web.rule_acts import drop, keep, newest_of
from understudy.web.schemas import MAYBE_OBJECT, OBJECT, TEXT, WHOLE, array, obj, view

from .alerts import MAX_COMMENT, actor
from .fields import answering

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Highest version that a header may name, digits.
_DIGITS = 9
#: The span of a backtest when nobody says one, s.
_MONTH = 30 * 86400.0


@answering
async def rules(app: Understudy, request: Request) -> Answer:
    """Every rule as it is evaluated, with where it comes from."""
    request.query()
    return Answer(dumped({"rules": [_shown(app, rule) for rule in app.alerts.rules.rules()]}))


@answering
async def rule(app: Understudy, request: Request) -> Answer:
    """One rule; the ETag is the number of its newest stored version, 0 for one that was never changed here."""
    request.query()
    found = app.alerts.rules.get(request.parts["rule"])
    return _versioned(app, found, await _version(app, found.name))


@answering
async def put(app: Understudy, request: Request) -> Answer:
    """Make or change a rule; with `If-Match` (or `expected`) only if nobody changed it since."""
    request.query()
    name = request.parts["rule"]
    content = await request.json_object()
    made = _rule(content, name)
    newest = await newest_of(app, name)
    expected = _expected(request, content, newest.version if newest else 0)
    comment = _COMMENT.of(content)
    kept = await keep(app, made, actor(request), comment=comment, expected=expected, before=newest)
    return _versioned(app, kept, kept.version)


@answering
async def delete(app: Understudy, request: Request) -> Answer:
    """Forget what was changed here: the rule of the file or the default counts again, or none."""
    request.query()
    name = request.parts["rule"]
    newest = await newest_of(app, name)
    _expected(request, {}, newest.version if newest else 0)
    below = await drop(app, name, actor(request), before=newest)
    return Answer(dumped({"deleted": name, "rule": rule_to_doc(below) if below is not None else None}))


@answering
async def versions(app: Understudy, request: Request) -> Answer:
    """Every version that was kept, newest first."""
    request.query()
    found = await app.alerts.rules.versions(request.parts["rule"])
    return Answer(dumped({"versions": [_version_shown(each) for each in found]}))


@answering
async def check(app: Understudy, request: Request) -> Answer:
    """Whether a rule could be taken in, and how it reads with its defaults; changes nothing."""
    request.query()
    content = await request.json_object()
    return Answer(dumped({"rule": rule_to_doc(_rule(content, ""))}))


def _rule(content: Mapping[str, Any], name: str) -> Rule:
    """The rule of a body, under `name` where the path says one."""
    doc = RULE.of(content)
    if name and doc.get("name", name) != name:
        raise Problem(422, "the rule's name is not the one in the path; leave it out, or make a new rule")
    return rule_from({**doc, **({"name": name} if name else {})}, "api")  # what is wrong with it is a 422 of its own


def _expected(request: Request, content: Mapping[str, Any], found: int) -> int | None:
    """The version that the request builds on; None when it says nothing.

    Raises:
        Problem: 412 when a header names another version than the newest, 422 when `expected` is no number.
    """
    wanted = request.headers.get("if-match", "").strip()
    if request.headers.get("if-none-match", "").strip() == "*":
        if found:
            raise Problem(412, f"the rule exists already, in version {found}")
        return 0
    if wanted and wanted != "*":
        digits = wanted.removeprefix("W/").strip('"')
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
            raise Problem(400, 'If-Match is the ETag that the rule was read with, such as "3"')
        if int(digits) != found:
            raise Problem(412, f"the rule is version {found} by now, not {int(digits)}: look at it again")
        return found
    if wanted and not found:
        raise Problem(412, "there is no version of the rule yet")
    expected: int | None = _EXPECTED.of(content)
    return found if expected is None and wanted else expected


async def _version(app: Understudy, name: str) -> int:
    newest = await newest_of(app, name)
    return newest.version if newest is not None else 0


def _versioned(app: Understudy, found: Rule, version: int) -> Answer:
    return Answer(dumped(_shown(app, found)), headers={"ETag": f'"{version}"'})


def _shown(app: Understudy, found: Rule) -> dict[str, Any]:
    """A rule as it may be put again, beside what is known of it."""
    return {"rule": rule_to_doc(found), "origin": app.alerts.rules.origin(found.name), "version": found.version}


def _version_shown(document: Document) -> dict[str, Any]:
    values = {each.name: getattr(document, each.name) for each in fields(document) if each.name != "kind"}
    return {**values, "doc": None if document.doc is None else dict(document.doc)}


RULE = Field(
    "rule", Object(about="the rule as it stands in a file"), "The rule.", required=True,
    example={
        "name": "success_rate_low", "metric": "success_rate", "operator": "<", "threshold": 90, "window": 300,
        "severity": "warning",
    },
)  # fmt: skip
_COMMENT = Field("comment", Text(MAX_COMMENT), "Why it is changed, for the history.", default="", example="quieter")
_EXPECTED = Field(
    "expected", Whole(0, 10**_DIGITS - 1), "The version that this builds on, 0 for a rule that is new; or If-Match."
)
_SHOWN = obj(rule=OBJECT, origin=TEXT, version=WHOLE)
_CONFLICT = (404, 409, 412, 503)

ROUTES: Table = {
    ("GET", "/api/alerts/rules"): endpoint(rules, Permission.READ, gives=Gives(obj(rules=array(_SHOWN))), tag="Rules"),
    ("POST", "/api/alerts/rules/check"): endpoint(
        check, Permission.READ, body=(RULE,), gives=Gives(obj(rule=OBJECT)), tag="Rules"
    ),
    ("GET", "/api/alerts/rules/{rule}"): endpoint(
        rule, Permission.READ, gives=Gives(_SHOWN), problems=(404, 503), tag="Rules"
    ),
    ("PUT", "/api/alerts/rules/{rule}"): endpoint(
        put, Permission.ALERTS_WRITE, body=(RULE, _COMMENT, _EXPECTED), gives=Gives(_SHOWN), problems=_CONFLICT,
        tag="Rules",
    ),
    ("DELETE", "/api/alerts/rules/{rule}"): endpoint(
        delete, Permission.ALERTS_WRITE, gives=Gives(obj(deleted=TEXT, rule=MAYBE_OBJECT)), problems=(*_CONFLICT, 422),
        tag="Rules",
    ),
    ("GET", "/api/alerts/rules/{rule}/versions"): endpoint(
        versions, Permission.READ, gives=Gives(obj(versions=array(view(Document, "Version", ("kind",))))),
        problems=(404, 503), tag="Rules",
    ),
}  # fmt: skip
