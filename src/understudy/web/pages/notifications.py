"""Notifications: how each channel does, what was delivered, what was given up, and who would be told of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.imagined import KINDS
from understudy.alerts.model import LABELS
from understudy.core.errors import NotInstalled, UnknownName
from understudy.core.text import Texts
from understudy.notifications.shown import attempt_as_dict
from understudy.web.api.alerts import SEVERITIES
from understudy.web.api.fields import answering, choice, number, text, when
from understudy.web.api.lists import PAGE
from understudy.web.api.notifications import place_of
from understudy.web.api.span import span, whole
from understudy.web.api.state import MAX_REASON
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, path_of, see
from understudy.web.http import Answer, Problem, Request
from understudy.web.letters import Decision, decided, decided_all, tried
from understudy.web.views.telling import ChannelPreview, TellingView, simulated
from understudy.web.views.told import NotificationsView, outbox_row

from .alert_words import Words
from .edit_links import edit_href, new_href
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

_DAY: Final = 86400.0
_SPANS: Final = ("1h", "24h", "7d", "30d")
#: Longest name; the largest value that can be imagined.
_NAME, _LARGEST = 200, 1e15


def notices(_: Texts) -> dict[str, tuple[str, str]]:
    """What a redirect may tell."""
    return {
        "replay": ("ok", _("Sent again: what becomes of it stands in the delivery log.")),
        "discard": ("ok", _("Discarded.")),
        "replay_all": ("ok", _("All of them are sent again: what becomes of them stands in the delivery log.")),
        "discard_all": ("ok", _("All of them were discarded.")),
        "none": ("warning", _("Nothing was picked: tick the messages that you mean.")),
        "gone": ("warning", _("At least one of them was not there any more.")),
    }


@answering
async def channels(app: Understudy, request: Request) -> Answer:
    """Every channel with its health, and where everything ended."""
    query = request.query("last")
    last = choice(query, "last", ("", *_SPANS), "") or "24h"
    start, end = span({"last": last}, app.clock.time(), _DAY)
    view = await NotificationsView.of(app, start, end)
    new = new_href(app, request, "channel")
    return _page(app, request, "notifications.html", tab="channels", view=view, last=last, spans=_SPANS, new=new)


@answering
async def channel(app: Understudy, request: Request) -> Answer:
    """One channel: health, what its messages look like, a test, and its last deliveries."""
    query = request.query("language", "case", "form", "tested")
    name = request.parts["channel"]
    now = app.clock.time()
    view = await NotificationsView.of(app, now - 7 * _DAY, now)
    if name not in view.channels:
        raise UnknownName("channel", name)
    language = choice(query, "language", ("", "en", "pt-BR"), "")
    shown, problem = await _preview(app, name, language)
    cases = list(dict.fromkeys(each.case for each in shown.messages)) if shown is not None else []
    case = query.get("case", "") if query.get("case") in cases else (cases[0] if cases else "")
    plain = query.get("form") == "plain"
    message = None
    if shown is not None:
        message = next((each for each in shown.messages if each.case == case and each.plain == plain), None)
    tested = await _tested(app, query.get("tested", ""))
    attempts = [attempt_as_dict(*each) for each in await app.notifications.log(20, channel=name)]
    return _page(
        app, request, "notifications_channel.html", tab="channels", name=name, channel=view.channels[name],
        preview=shown, problem=problem, message=message, cases=cases, case=case, plain=plain, tested=tested,
        attempts=attempts, language_asked=language, edit=edit_href(app, request, "channel", name),
    )  # fmt: skip  # one line of values


async def _preview(app: Understudy, name: str, language: str) -> tuple[ChannelPreview | None, str]:
    """What its messages look like, or why that cannot be shown."""
    try:
        return await ChannelPreview.of(app, name, language), ""
    except NotInstalled as error:
        return None, str(error)
    except UnknownName:  # one that was taken out of the configuration still has a past
        return None, ""


async def _tested(app: Understudy, row: str) -> dict[str, Any] | None:
    """What became of a test, from the delivery log."""
    if not row:
        return None
    rows = (await app.notifications.why(row[:64])).get("rows", ())
    return dict(rows[0]) if rows else None


@answering
async def test(app: Understudy, request: Request) -> Answer:
    """Send a test through one channel; what came of it stands on the channel's page."""
    request.query()
    await form(request)
    name = request.parts["channel"]
    result = await tried(app, request.who.name, name)
    return see("notifications", "channels", name, tested=result.row)


@answering
async def log(app: Understudy, request: Request) -> Answer:
    """Every attempt to deliver, newest first."""
    query = request.query("channel", "row", "limit", "before")
    limit = whole({name: value for name, value in query.items() if value}, "limit", 50, PAGE)
    found = await app.notifications.log(
        limit, row=query.get("row", ""), channel=query.get("channel", ""), before=place_of(query.get("before", ""))
    )
    last = found[-1] if len(found) == limit else None
    kept = {name: value for name, value in query.items() if value and name != "before"}
    following = "" if last is None else path_of("notifications", "log", **kept, before=f"{last[1].at:.6f}-{last[0]}")
    return _page(
        app, request, "notifications_log.html", tab="log", attempts=[attempt_as_dict(*each) for each in found],
        query=query, following=following, names=list(app.notifications.channels()),
        export=path_of("api", "notifications", "log", **kept),
    )  # fmt: skip  # one line of values


@answering
async def dead(app: Understudy, request: Request) -> Answer:
    """What was given up and waits for a person."""
    query = request.query("channel", "limit", "before", "done", "all")
    limit = whole({name: value for name, value in query.items() if value}, "limit", 50, PAGE)
    rows = await app.notifications.dead_letters(limit, channel=query.get("channel", ""), before=query.get("before", ""))
    kept = {name: query[name] for name in ("channel", "limit") if query.get(name)}
    following = path_of("notifications", "dead", **kept, before=rows[-1].id) if len(rows) == limit else ""
    asked_for = query.get("channel", "")
    names = sorted({*app.notifications.channels(), *(each.channel for each in rows), asked_for} - {""})
    done = notices(language_of(request)).get(query.get("done", ""))
    return _page(
        app, request, "notifications_dead.html", tab="dead", rows=[outbox_row(each) for each in rows],
        following=following, notice=done, names=names, channel=asked_for, asked=query.get("all", ""),
    )  # fmt: skip  # one line of values


@answering
async def dead_act(app: Understudy, request: Request) -> Answer:
    """Send dead letters again, or throw them away: the picked ones, the one whose button was pressed, or all."""
    request.query()
    content = await form(request, "action", "replay_one", "discard_one", "channel", "reason", picks="pick.")
    channel, reason = text(content, "channel", _NAME), text(content, "reason", MAX_REASON)
    kept = {"channel": channel} if channel else {}
    single = next(((act, content[f"{act}_one"]) for act in ("replay", "discard") if content.get(f"{act}_one")), None)
    action = single[0] if single else content.get("action", "")
    decision: Decision = "replay" if action.startswith("replay") else "discard"
    if action in ("replay_all", "discard_all"):
        await decided_all(app, request.who.name, decision, channel, reason)
        return see("notifications", "dead", **kept, done=action)
    if action not in ("replay", "discard"):
        raise Problem(422, "action is one of replay, discard, replay_all, discard_all")
    picked = [single[1]] if single else [name[5:] for name in content if name.startswith("pick.")]
    if not picked:
        return see("notifications", "dead", **kept, done="none")
    gone = False
    for row in picked:
        try:
            await decided(app, request.who.name, decision, row, reason)
        except UnknownName:
            gone = True
    return see("notifications", "dead", **kept, done="gone" if gone else action)


@answering
async def policies(app: Understudy, request: Request) -> Answer:
    """Which alerts go where, and who is told next while nobody answers."""
    request.query()
    return _page(app, request, "notifications_policies.html", tab="policies", view=TellingView.of(app))


@answering
async def simulate(app: Understudy, request: Request) -> Answer:
    """Who would be told of an alert, in the address alone: nothing is sent."""
    query = request.query("rule", "severity", "kind", "at", "value", *LABELS)
    told, fault = None, ""
    if query.get("rule"):
        try:
            told = _simulated(app, query)
        except Problem as problem:
            fault = problem.detail
        except UnknownName as error:
            fault = str(error)
    rules = sorted(rule.name for rule in app.alerts.rules.rules())
    return _page(
        app, request, "notifications_simulate.html", tab="simulate", told=told, fault=fault, query=query, rules=rules,
        severities=SEVERITIES, kinds=[each.value for each in KINDS], apis=sorted(app.fallback.roster.apis),
        routes=sorted(app.fallback.roster.routes), status=422 if fault else 200,
    )  # fmt: skip  # one line of values


def _simulated(app: Understudy, query: dict[str, str]) -> dict[str, Any]:
    written: dict[str, Any] = {name: value for name, value in query.items() if value}
    severity = choice(written, "severity", ("", *SEVERITIES), "")
    kind = choice(written, "kind", tuple(each.value for each in KINDS), "fired")
    labels = {name: text(written, name, _NAME) for name in LABELS if written.get(name)}
    value = None
    if written.get("value"):
        try:
            value = number({"value": float(written["value"].replace(",", "."))}, "value", -_LARGEST, _LARGEST)
        except ValueError:
            raise Problem(422, "value is a number") from None
    rule = text(written, "rule", _NAME, least=1)
    return simulated(app, rule, labels, severity=severity, kind=kind, at=when(written, "at"), value=value)


def _page(app: Understudy, request: Request, template: str, *, tab: str, status: int = 200, **values: Any) -> Answer:
    w = Words(language_of(request))
    common: dict[str, Any] = {"notice": None, "w": w, "tab": tab, "path_of": path_of, **values}
    return page(
        app, request, template, at="notifications", status=status, dead_letters=app.notifications.dead, **common
    )


ROUTES: Table = {
    ("GET", "/notifications"): Endpoint(channels, Permission.CHANNELS),
    ("GET", "/notifications/channels/{channel}"): Endpoint(channel, Permission.CHANNELS),
    ("POST", "/notifications/channels/{channel}/test"): Endpoint(test, Permission.NOTIFY_SEND),
    ("GET", "/notifications/log"): Endpoint(log, Permission.CHANNELS),
    ("GET", "/notifications/dead"): Endpoint(dead, Permission.CHANNELS),
    ("POST", "/notifications/dead"): Endpoint(dead_act, Permission.NOTIFY_SEND),
    ("GET", "/notifications/policies"): Endpoint(policies, Permission.CHANNELS),
    ("GET", "/notifications/simulate"): Endpoint(simulate, Permission.CHANNELS),
}
