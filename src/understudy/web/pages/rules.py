"""Rules: what is evaluated, the editor with its preview on the past, and every version that ever was."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.model import Rule
from understudy.alerts.rules import rule_from, rule_to_doc
from understudy.core.errors import StoreUnavailable, UnknownName, VersionConflict
from understudy.core.text import Texts
from understudy.notifications.wording import metric_word
from understudy.web.api.alerts import MAX_COMMENT
from understudy.web.api.fields import answering, text
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, path_of, see
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.rule_acts import drop, keep, newest_of
from understudy.web.turns import in_turn
from understudy.web.views.breach import RulePreview, preview
from understudy.web.views.rules import RulesView, compared

from . import rule_form
from .alert_charts import breach_chart
from .alert_words import Words
from .rendering import language_of, page
from .rule_form import RuleForm

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Spans that a preview looks at, s.
SPANS: Final[Mapping[str, float]] = {"24h": 86400.0, "7d": 7 * 86400.0, "30d": 30 * 86400.0}
_ACTIONS: Final = ("keep", "preview")


def notices(_: Texts) -> dict[str, tuple[str, str]]:
    """What a redirect may tell."""
    return {
        "kept": ("ok", _("The rule was kept, and is in force.")),
        "reverted": ("ok", _("That version is in force again, as a new one.")),
        "deleted": ("ok", _("What was changed here is forgotten.")),
        "off": ("ok", _("The rule is switched off: it is not evaluated any more.")),
        "on": ("ok", _("The rule is switched on.")),
    }


@answering
async def listed(app: Understudy, request: Request) -> Answer:
    """Every rule that is evaluated."""
    query = request.query("done")
    _ = language_of(request)
    return page(
        app, request, "rules.html", at="alerts", w=Words(_), view=await RulesView.of(app), path_of=path_of,
        notice=notices(_).get(query.get("done", "")),
    )  # fmt: skip  # one line of values


@answering
async def new(app: Understudy, request: Request) -> Answer:
    """The empty form of a kind."""
    query = request.query("kind")
    kind = query.get("kind", "threshold")
    if kind not in rule_form.KINDS:
        raise Problem(400, f"kind is one of {', '.join(rule_form.KINDS)}")
    return await _editor(app, request, RuleForm(rule_form.blank(kind)), None, 0)


@answering
async def one(app: Understudy, request: Request) -> Answer:
    """One rule in its form."""
    query = request.query("done")
    rule = app.alerts.rules.get(request.parts["rule"])
    newest = await newest_of(app, rule.name)
    shown = RuleForm(rule_form.filled(rule), rule)
    done = notices(language_of(request)).get(query.get("done", ""))
    return await _editor(app, request, shown, rule, newest.version if newest else 0, notice=done)


@answering
async def posted(app: Understudy, request: Request) -> Answer:
    """Keep what the form means, or show what it would have done; every fault stands beside its field."""
    request.query()
    w = Words(language_of(request))
    rule = _existing(app, request)
    content = await form(request, *rule_form.FIELDS, "comment", "expected", "action", "span")
    action = content.get("action", "keep")
    if action not in _ACTIONS:
        raise Problem(422, f"action is one of {', '.join(_ACTIONS)}")
    if rule is not None:
        content["name"] = rule.name
    read = rule_form.read(content, w, rule)
    expected = _expected(content)
    name = read.values["name"].strip()
    if rule is None and read.rule is not None and _known(app, name):
        read.faults["name"], read.rule = w._("There is a rule of that name already."), None
    tried: RulePreview | None = None
    untold = ""
    if read.rule is not None and action == "preview":
        tried, untold = await _tried(app, request, w, read.rule, content.get("span", "7d"))
    elif read.rule is not None:
        try:
            await _keep(app, request, read.rule, content, expected)
        except VersionConflict:
            return await _conflict(app, request, read, read.rule, rule)
        return see("alerts", "rules", read.rule.name, done="kept")
    return await _editor(
        app, request, read, rule, expected, tried=tried, untold=untold, comment=content.get("comment", ""),
        span=content.get("span", "7d"), status=422 if read.faults else 200,
    )  # fmt: skip  # one line of values


async def _keep(app: Understudy, request: Request, rule: Rule, content: Mapping[str, str], expected: int) -> None:
    comment = text(content, "comment", MAX_COMMENT)
    newest = await newest_of(app, rule.name)
    await keep(app, rule, request.who.name, comment=comment, expected=expected, before=newest)


async def _conflict(app: Understudy, request: Request, read: RuleForm, mine: Rule, rule: Rule | None) -> Answer:
    """Somebody else kept another version meanwhile: both are shown, and the form builds on the newest from now on."""
    newest = await newest_of(app, mine.name)
    theirs = newest.doc if newest is not None else None
    lines = list(compared(rule_form.written(theirs), rule_form.written(rule_to_doc(mine))))
    version = newest.version if newest is not None else 0
    return await _editor(app, request, read, rule, version, conflict=newest, difference=lines, status=409)


async def _tried(app: Understudy, request: Request, w: Words, rule: Rule, span: str) -> tuple[RulePreview | None, str]:
    """The preview, or why there is none."""
    if span not in SPANS:
        raise Problem(422, f"span is one of {', '.join(SPANS)}")
    now = app.clock.time()
    try:
        return await in_turn(app, request, lambda: preview(app, rule, now - SPANS[span], now)), ""
    except Problem as problem:
        if problem.status == 404:
            return None, w._("Nothing is kept here, so there is no past to try the rule on.")
        if problem.status == 429:
            return None, w._("Too many previews wait already. Ask again in a few seconds.")
        return None, problem.detail
    except StoreUnavailable as error:
        return None, str(error)


@answering
async def live_preview(app: Understudy, request: Request) -> Answer:
    """The preview as JSON, while people write: what is wrong by field, or what the rule would have done."""
    request.query()
    w = Words(language_of(request))
    content = await form(request, *rule_form.FIELDS, "comment", "expected", "action", "span", "base")
    base = next((each for each in app.alerts.rules.rules() if each.name == content.get("base", "")), None)
    if base is not None:
        content["name"] = base.name
    read = rule_form.read(content, w, base)
    # Nobody has to find a name before the numbers can be looked at.
    if set(read.faults) == {"name"}:
        read = rule_form.read({**content, "name": "preview"}, w, base)
    if read.rule is None:
        return Answer(dumped({"faults": read.faults}))
    tried, untold = await _tried(app, request, w, read.rule, content.get("span", "7d"))
    shown = _shown(w, tried, untold)
    return Answer(dumped({"faults": {}, "sentence": shown["sentence"], "note": shown["note"], "chart": shown["chart"]}))


def _shown(w: Words, tried: RulePreview | None, untold: str) -> dict[str, Any]:
    """A preview in words, with its chart."""
    _ = w._
    if tried is None:
        return {"sentence": untold, "note": "", "chart": None, "episodes": ()}
    span = w.duration(round((tried.end - tried.start) / 3600) * 3600.0 or tried.end - tried.start)
    if tried.blind:
        sentence = _("The past tells nothing of what this rule is about, so nothing can be said of {span}.", span=span)
    else:
        sentence = _.plural(
            "It would have fired {count} time in {span}.", "It would have fired {count} times in {span}.", tried.fired,
            span=span,
        )  # fmt: skip  # one sentence
    note = _(
        "Judged by itself over buckets of {length}: each event lies within one bucket of the live one.",
        length=w.duration(tried.resolution),
    )
    chart = breach_chart(w, tried.line) if tried.line is not None else None
    return {"sentence": sentence, "note": note, "chart": chart, "episodes": tried.found.episodes[-50:]}


async def _editor(
    app: Understudy, request: Request, shown: RuleForm, rule: Rule | None, expected: int, *,
    tried: RulePreview | None = None, untold: str = "", status: int = 200, **more: Any,
) -> Answer:  # fmt: skip
    w = Words(language_of(request))
    try:
        versions = await app.alerts.rules.versions(rule.name) if rule is not None else []
    except StoreUnavailable:
        versions = []
    asked = tried is not None or bool(untold)
    values: dict[str, Any] = {
        "notice": None, "comment": "", "span": "7d", "conflict": None, "difference": (), **more,
        "w": w, "form": shown.values, "faults": shown.faults, "rule": rule, "expected": expected,
        "versions": versions[:20], "origin": app.alerts.rules.origin(rule.name) if rule is not None else "",
        "preview": _shown(w, tried, untold) if asked else None, "spans": tuple(SPANS), "path_of": path_of,
        "choices": _choices(app, w), "levels": range(rule_form.LEVELS),
        "active": [each for each in app.alerts.active() if rule is not None and each.rule == rule.name],
    }  # fmt: skip  # a table of values
    return page(app, request, "rule_edit.html", at="alerts", status=status, **values)


def _choices(app: Understudy, w: Words) -> dict[str, Any]:
    """What the menus of the form offer: (value, words)."""
    _ = w._
    metrics = [(name, f"{w.metric(name)} ({name})", metric_word(_, name)[1]) for name in rule_form.METRIC_NAMES]
    no_data = {
        "keep_last": _("it goes on firing"), "resolve": _("it resolves"), "alert": _("that is a reason to fire"),
        "ok_after": _("it resolves after a while"),
    }  # fmt: skip  # one line for each
    subjects = {
        "api": _("each API"), "route": _("each route"), "hub": _("each hub"), "key": _("each key"),
        "all": _("everything together"),
    }  # fmt: skip  # one line for each
    return {
        "kinds": [(kind, w.kind(kind)) for kind in rule_form.KINDS],
        "metrics": metrics,
        "operators": rule_form.OPERATORS,
        "events": [(name, w.rule(name)) for name in rule_form.EVENT_NAMES],
        "subjects": [(name, subjects.get(name, name)) for name in rule_form.SUBJECTS],
        "no_data": [(name, no_data.get(name, name)) for name in rule_form.NO_DATA],
        "severities": [(name, w.severity(name)) for name in ("info", "warning", "critical")],
        "escalations": sorted(app.alerts.options.escalations),
    }


@answering
async def versions(app: Understudy, request: Request) -> Answer:
    """Every version, and what changed between two of them."""
    query = request.query("from", "to")
    _ = language_of(request)
    name = request.parts["rule"]
    found = await app.alerts.rules.versions(name)
    by_number = {each.version: each for each in found}
    newest = found[0].version if found else 0
    after = by_number.get(_number(query.get("to"), newest))
    before = by_number.get(_number(query.get("from"), (after.version if after else 1) - 1))
    lines: list[tuple[str, str]] = []
    if after is not None:
        was = rule_form.written(before.doc) if before is not None else []
        lines = list(compared(was, rule_form.written(after.doc)))
    return page(
        app, request, "rule_versions.html", at="alerts", w=Words(_), name=name, versions=found, before=before,
        after=after, lines=lines, path_of=path_of, in_force=newest,
    )  # fmt: skip  # one line of values


@answering
async def revert(app: Understudy, request: Request) -> Answer:
    """Put an old version in force again, as a new one."""
    request.query()
    name = request.parts["rule"]
    content = await form(request, "version", "expected")
    found = await app.alerts.rules.versions(name)
    wanted = next((each for each in found if str(each.version) == content.get("version", "")), None)
    if wanted is None or wanted.doc is None:
        raise Problem(404, "there is no such version of the rule, or it is one that deleted it")
    rule = rule_from({**wanted.doc, "name": name}, "api")
    comment = f"as version {wanted.version}"
    await keep(app, rule, request.who.name, comment=comment, expected=_expected(content), before=found[0])
    return see("alerts", "rules", name, done="reverted")


@answering
async def delete(app: Understudy, request: Request) -> Answer:
    """Forget what was changed here; what the file or the program says is in force again."""
    request.query()
    name = request.parts["rule"]
    await form(request)
    below = await drop(app, name, request.who.name, before=await newest_of(app, name))
    return see("alerts", "rules", *([name] if below is not None else []), done="deleted")


@answering
async def switch(app: Understudy, request: Request) -> Answer:
    """Switch a rule off or on, as a new version."""
    request.query()
    rule = app.alerts.rules.get(request.parts["rule"])
    content = await form(request, "enabled", "expected")
    enabled = content.get("enabled") == "yes"
    newest = await newest_of(app, rule.name)
    changed = dataclasses.replace(rule, enabled=enabled)
    await keep(
        app, changed, request.who.name, comment="switched on" if enabled else "switched off",
        expected=_expected(content), before=newest,
    )  # fmt: skip  # one act
    return see("alerts", "rules", rule.name, done="on" if enabled else "off")


def _existing(app: Understudy, request: Request) -> Rule | None:
    name = request.parts.get("rule")
    return None if name is None else app.alerts.rules.get(name)


def _known(app: Understudy, name: str) -> bool:
    try:
        app.alerts.rules.get(name)
    except UnknownName:
        return False
    return True


def _expected(content: Mapping[str, str]) -> int:
    return _number(content.get("expected"), 0)


def _number(written: str | None, default: int) -> int:
    if not written:
        return default
    if not (written.isascii() and written.isdigit() and len(written) <= 9):
        raise Problem(400, "a version is a whole number")
    return int(written)


ROUTES: Table = {
    ("GET", "/alerts/rules"): Endpoint(listed, Permission.READ),
    ("GET", "/alerts/new-rule"): Endpoint(new, Permission.ALERTS_WRITE),
    ("POST", "/alerts/new-rule"): Endpoint(posted, Permission.ALERTS_WRITE),
    ("POST", "/alerts/rule-preview"): Endpoint(live_preview, Permission.READ),
    ("GET", "/alerts/rules/{rule}"): Endpoint(one, Permission.READ),
    ("POST", "/alerts/rules/{rule}"): Endpoint(posted, Permission.ALERTS_WRITE),
    ("GET", "/alerts/rules/{rule}/versions"): Endpoint(versions, Permission.READ),
    ("POST", "/alerts/rules/{rule}/versions"): Endpoint(revert, Permission.ALERTS_WRITE),
    ("POST", "/alerts/rules/{rule}/delete"): Endpoint(delete, Permission.ALERTS_WRITE),
    ("POST", "/alerts/rules/{rule}/switch"): Endpoint(switch, Permission.ALERTS_WRITE),
}
