"""What fires now, what people do about it from the list, and what fired before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.model import LABELS
from understudy.alerts.ports import EpisodeQuery, EpisodeRow
from understudy.alerts.records import measured
from understudy.alerts.silences import Silence
from understudy.core.errors import NotActive, StoreUnavailable, UnknownName
from understudy.core.matchers import Matcher
from understudy.core.text import Texts
from understudy.web.api.alerts import MAX_COMMENT, SEVERITIES, until_of
from understudy.web.api.fields import answering, choice, choices, text
from understudy.web.api.lists import PAGE
from understudy.web.api.span import SPAN, span, whole
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, path_of, see
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.views.alerts import OpenAlert, OpenAlertsView
from understudy.web.views.told import EpisodesView

from .alert_words import Words
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: How long a snooze or a silence of the list may last, as its menu has it.
LASTING: Final = ("30m", "1h", "4h", "1d", "7d")
#: What can be done with alerts that were picked.
ACTS: Final = ("acknowledge", "unacknowledge", "snooze", "silence")
#: The span of past episodes when nobody says one, s.
_MONTH: Final = 30 * 86400.0
_STATES: Final = ("all", "open", "resolved")


def notices(_: Texts) -> dict[str, tuple[str, str]]:
    """What a redirect may tell: code to (state, sentence)."""
    return {
        "acknowledge": ("ok", _("Acknowledged: no reminders and no escalation until it ends or gets worse.")),
        "unacknowledge": ("ok", _("Not acknowledged any more: reminders and escalation go on.")),
        "snooze": ("ok", _("Snoozed: what still fires then is told once more.")),
        "silence": ("ok", _("Silenced. The silence stands under Silences, where it can be ended.")),
        "resolve": ("ok", _("Resolved by hand.")),
        "note": ("ok", _("The note was kept.")),
        "none": ("warning", _("Nothing was picked: tick the alerts that you mean.")),
        "reason": ("warning", _("A silence needs a reason: whoever finds it must know why nothing is told.")),
        "over": ("warning", _("At least one of them did not fire any more; nothing was done with it.")),
    }


@answering
async def opened(app: Understudy, request: Request) -> Answer:
    """Everything that fires, grouped by severity."""
    query = request.query("done")
    _ = language_of(request)
    view = OpenAlertsView.of(app)
    groups = [(name, group_word(_, name), [row(app, _, each) for each in alerts]) for name, alerts in view.groups]
    return page(
        app, request, "alerts.html", at="alerts", tab="open", groups=groups, total=len(view.alerts),
        notice=notices(_).get(query.get("done", "")), lasting=LASTING, problems=app.alerts.problems(),
    )  # fmt: skip  # one line of values


@answering
async def rows(app: Understudy, request: Request) -> Answer:
    """The rows of the list, in the reader's words: what makes the page live."""
    request.query()
    _ = language_of(request)
    view = OpenAlertsView.of(app)
    return Answer(dumped({"rows": [row(app, _, each) for each in view.alerts]}))


@answering
async def act(app: Understudy, request: Request) -> Answer:
    """Do one thing with the alerts that were picked, or with the one whose button was pressed."""
    request.query()
    content = await form(request, "action", "for", "comment", *(f"{name}_one" for name in ACTS), picks="pick.")
    single = next(((name, content[f"{name}_one"]) for name in ACTS if content.get(f"{name}_one")), None)
    action = single[0] if single else content.get("action", "")
    if action not in ACTS:
        raise Problem(422, f"action is one of {', '.join(ACTS)}")
    picked = [single[1]] if single else [name[5:] for name in content if name.startswith("pick.")]
    if not picked:
        return see("alerts", done="none")
    comment = text(content, "comment", MAX_COMMENT)
    if action == "silence" and not comment.strip():
        return see("alerts", done="reason")
    over = False
    for alert in picked:
        try:
            await do(app, action, alert, request.who.name, comment, content)
        except (UnknownName, NotActive):
            over = True
    return see("alerts", done="over" if over else action)


async def do(app: Understudy, action: str, alert: str, who: str, comment: str, content: Mapping[str, str]) -> None:
    """One act of a person on one alert.

    Raises:
        UnknownName, NotActive: it does not fire (any more).
        StoreUnavailable: it could not be kept.
    """
    if action == "acknowledge":
        await app.alerts.acknowledge(alert, actor=who, comment=comment)
    elif action == "unacknowledge":
        await app.alerts.unacknowledge(alert, actor=who, comment=comment)
    elif action == "resolve":
        await app.alerts.resolve(alert, actor=who, reason=comment)
    else:
        until = until_of({"for": content.get("for") or "1h"}, app.clock.time())
        if action == "snooze":
            await app.alerts.snooze(alert, until, actor=who, comment=comment)
        else:
            await _silence(app, alert, until, who, comment)


async def _silence(app: Understudy, alert: str, until: float, who: str, reason: str) -> None:
    """Keep one alert quiet: a silence of exactly its rule and its labels."""
    found = next((each for each in app.alerts.active() if alert in (each.fingerprint, each.episode)), None)
    if found is None:
        raise UnknownName("alert", alert)
    about = {"rule": found.rule, **found.labels}
    matchers = tuple(Matcher(name, "=", value) for name, value in about.items())
    silence = Silence(matchers, app.clock.time(), until, reason=reason, author=who)
    await app.alerts.silence(silence, actor=who)


def group_word(_: Texts, name: str) -> str:
    """The heading of a group."""
    return {
        "critical": _("Critical"), "warning": _("Warning"), "info": _("Information"), "pending": _("Pending"),
    }.get(name, name)  # fmt: skip  # one line for each group


def row(app: Understudy, _: Texts, each: OpenAlert) -> dict[str, Any]:
    """One alert as the list shows it: texts only, so that page and script write the same."""
    w, alert = Words(_), each.alert
    compared = w.compared(alert.metric, alert.operator, alert.threshold)
    since = alert.started_at if alert.started_at is not None else alert.active_at
    return {
        "fingerprint": alert.fingerprint,
        "href": path_of("alerts", alert.episode or alert.fingerprint) if alert.episode else "",
        "group": each.group,
        "state": "pending" if alert.phase == "pending" else alert.severity,
        "word": group_word(_, each.group) if alert.phase != "recovering" else _("Recovering"),
        "rule": w.rule(alert.rule),
        "about": w.about(alert.labels),
        "value": w.value(alert.metric, alert.value) if alert.metric else "",
        "compared": compared or (w.metric(alert.metric) if alert.metric else ""),
        "touched": w.touched(each.touched),
        "since": since,
        "age": "–" if since is None else w.duration(max(1.0, round(app.clock.time() - since))),
        "handled": w.handled(alert),
        "acknowledged": bool(alert.acknowledged_by or alert.snoozed_until is not None),
        "firing": alert.phase != "pending",
        "silence": path_of("alerts", "silences", alert=alert.fingerprint),
        "comment": alert.comment,
    }


@answering
async def history(app: Understudy, request: Request) -> Answer:
    """Past and open episodes, newest first, page by page."""
    query = request.query("state", "rule", "severity", "api", "route", "limit", "before", *SPAN)
    _ = language_of(request)
    state = choice(query, "state", ("", *_STATES), "") or "all"
    severities = choices(query, "severity", SEVERITIES)
    limit = whole(query, "limit", 50, PAGE)
    labels = {name: query[name] for name in LABELS if query.get(name)}
    start, end = span({name: query[name] for name in SPAN if query.get(name)}, app.clock.time(), _MONTH)
    wanted = EpisodeQuery(
        rules=tuple(each for each in (query.get("rule", ""),) if each), labels=labels, severities=severities,
        open={"open": True, "resolved": False}.get(state), start=start, end=end, before=query.get("before", ""),
    )  # fmt: skip  # one line of conditions
    problem = ""
    try:
        found = EpisodesView(tuple(await app.alerts.history(wanted, limit)), limit)
    except StoreUnavailable as error:
        found, problem = EpisodesView((), limit), str(error)
    kept = {name: value for name, value in query.items() if value and name != "before"}
    return page(
        app, request, "alerts_history.html", at="alerts", tab="history", w=Words(_), view=found, query=query,
        state=state, start=start, end=end, problem=problem, names=_names(app), severities=SEVERITIES, states=_STATES,
        following=path_of("alerts", "history", **kept, before=found.next) if found.next else "",
        worst=lambda each: _worst(app, Words(_), each),
        export=path_of("api", "alerts", **{**kept, "state": state}), path_of=path_of,
    )  # fmt: skip  # one line of values


def _worst(app: Understudy, w: Words, row: EpisodeRow) -> str:
    """The worst value of an episode, in the unit of its rule's metric where the rule is still there."""
    rule = next((each for each in app.alerts.rules.rules() if each.name == row.rule), None)
    return w.value(measured(rule) if rule is not None else "", row.value)


def _names(app: Understudy) -> Sequence[str]:
    return sorted(rule.name for rule in app.alerts.rules.rules())


ROUTES: Table = {
    ("GET", "/alerts"): Endpoint(opened, Permission.READ),
    ("GET", "/alerts/rows"): Endpoint(rows, Permission.READ),
    ("POST", "/alerts/act"): Endpoint(act, Permission.ALERTS_WRITE),
    ("GET", "/alerts/history"): Endpoint(history, Permission.READ),
}
