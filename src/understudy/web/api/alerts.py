"""Endpoints about alerts: what fires, what fired, one episode with its timeline, and what people do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.model import LABELS
from understudy.alerts.ports import EpisodeQuery
from understudy.core.notices import Severity
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice, Choices, Lasting, Moment, Text
from understudy.web.schemas import NEXT, TEXT, TIME, WHOLE, array, mapping, maybe, obj
from understudy.web.views.alerts import IncidentView
from understudy.web.views.told import AlertsView, EpisodesView

from .fields import answering
from .lists import CSV, PAGING, listing
from .shapes import ALERT, DELIVERY, EPISODE, HAPPENED, NOTE, ROUTING, TOUCHED
from .span import SPANNING, span

if TYPE_CHECKING:
    from understudy.app import Understudy

SEVERITIES = tuple(each.value for each in Severity)
#: What `state` may ask for: what fires now, or stored episodes.
STATES = ("active", "open", "resolved", "all")
#: Longest comment or reason, characters; longest snooze, s.
MAX_COMMENT, MAX_SNOOZE = 500, 90 * 86400.0
#: The span of past episodes when nobody says one, s.
_RECENT = 30 * 86400.0


@answering
async def alerts(app: Understudy, request: Request) -> Answer:
    """What fires now; with `state`, episodes that are kept, newest first.

    What fires comes in one piece under `alerts`; episodes come in pages under `episodes`, or as CSV.
    """
    query = request.query()
    labels = {each.name: query[each.name] for each in _LABELS if query.get(each.name)}
    rules, severities, state = _RULES.of(query), _SEVERITIES.of(query), _STATE.of(query)
    if state == "active":
        chosen = AlertsView.of(app, rules, severities, labels)
        return Answer(dumped(chosen.as_dict()))
    start, end = span(query, app.clock.time(), _RECENT)
    wanted = EpisodeQuery(
        rules=rules,
        fingerprint=_FINGERPRINT.of(query),
        labels=labels,
        severities=severities,
        open={"open": True, "resolved": False}.get(state),
        start=start,
        end=end,
    )
    return await listing(request, "episodes", partial(_episodes, app, wanted), _EPISODE_COLUMNS)


async def _episodes(
    app: Understudy, wanted: EpisodeQuery, limit: int, before: str
) -> tuple[Sequence[dict[str, Any]], str | None]:
    found = EpisodesView(tuple(await app.alerts.history(replace(wanted, before=before), limit)), limit)
    return list(found.rows()), found.next


@answering
async def episode(app: Understudy, request: Request) -> Answer:
    """One incident: timeline, who was told, what it touches, notes; an alert's fingerprint means its newest one."""
    request.query()
    return Answer(dumped((await IncidentView.of(app, request.parts["alert"])).as_dict()))


@answering
async def acknowledge(app: Understudy, request: Request) -> Answer:
    """Somebody works on it: no reminders and no escalation until it ends or gets worse."""
    content = await request.json_object()
    await app.alerts.acknowledge(request.parts["alert"], actor=actor(request), comment=_COMMENT.of(content))
    return _done(request, "acknowledged")


@answering
async def unacknowledge(app: Understudy, request: Request) -> Answer:
    """Nobody works on it any more."""
    content = await request.json_object()
    await app.alerts.unacknowledge(request.parts["alert"], actor=actor(request), comment=_COMMENT.of(content))
    return _done(request, "unacknowledged")


@answering
async def snooze(app: Understudy, request: Request) -> Answer:
    """As acknowledge, until a time or for a while."""
    content = await request.json_object()
    until = until_of(content, app.clock.time())
    await app.alerts.snooze(request.parts["alert"], until, actor=actor(request), comment=_COMMENT.of(content))
    return _done(request, "snoozed", until=until)


@answering
async def resolve(app: Understudy, request: Request) -> Answer:
    """End the episode by hand."""
    content = await request.json_object()
    await app.alerts.resolve(request.parts["alert"], actor=actor(request), reason=_REASON.of(content))
    return _done(request, "resolved")


@answering
async def why(app: Understudy, request: Request) -> Answer:
    """Why somebody was, or was not, told of an event: from the samples to each attempt."""
    request.query()
    return Answer(dumped(await app.alerts.why(request.parts["event"])))


def actor(request: Request) -> str:
    """Who did it, as the audit log has it."""
    return request.who.name


def until_of(content: Mapping[str, Any], now: float) -> float:
    """The end of a snooze: `until`, or `for` from now on.

    Raises:
        Problem: 422 when it is neither, in the past or too far away.
    """
    if ("until" in content) == ("for" in content):
        raise Problem(422, "say until when: either until, a time, or for, a duration such as 2h")
    until: float | None = _UNTIL.of(content)
    if until is None:
        until = now + (_FOR.of(content) or 0.0)
    if not now < until <= now + MAX_SNOOZE:
        raise Problem(422, f"a snooze ends in the future, at most {MAX_SNOOZE / 86400:g} days from now")
    return until


def _done(request: Request, state: str, **more: object) -> Answer:
    return Answer(dumped({"alert": request.parts["alert"], "state": state, **more}))


_STATE: Final = Param("state", Choice(STATES), "What fires now, or episodes that are kept.", default="active")
_RULES: Final = Param("rule", Choices(), "Only of these rules, between commas.", default=())
_SEVERITIES: Final = Param("severity", Choices(SEVERITIES), "Only of these, between commas.", default=())
_FINGERPRINT: Final = Param("fingerprint", Text(200, name=True), "Only of this alert.", default="")
_LABELS: Final = tuple(Param(name, Text(500, name=True), f"Only about this {name}.") for name in LABELS)
_COMMENT: Final = Field("comment", Text(MAX_COMMENT), "A word for the others.", default="", example="called them")
_REASON: Final = Field("reason", Text(MAX_COMMENT), "Why it is over.", default="", example="the plan was changed")
_UNTIL: Final = Field("until", Moment(), "Until when; or say `for`.")
_FOR: Final = Field("for", Lasting(), "For how long; or say `until`.", example="2h")
_EPISODE_COLUMNS: Final = (
    "episode", "number", "rule", "severity", "peak", "labels", "started_at", "resolved_at", "lasted", "value", "reason",
    "fingerprint",
)  # fmt: skip
_ALERTS: Final = obj(
    ("counts", "alerts", "next", "episodes"), counts=mapping(WHOLE), alerts=array(ALERT), next=NEXT,
    episodes=array(EPISODE),
)  # fmt: skip
_INCIDENT: Final = obj(
    episode=EPISODE, alert=maybe(ALERT), events=array(HAPPENED), deliveries=array(DELIVERY), touched=array(TOUCHED),
    window=obj(**{"from": TIME, "to": TIME}), requests=TEXT, notes=array(NOTE), before=TEXT, after=TEXT,
)  # fmt: skip
_WHY: Final = obj(event=maybe(HAPPENED), routing=maybe(ROUTING), deliveries=array(DELIVERY))
_DONE: Final = Gives(obj(("until",), alert=TEXT, state=TEXT, until=TIME))
_ACT: Final = (404, 409, 503)

ROUTES: Table = {
    ("GET", "/api/alerts"): endpoint(
        alerts, Permission.READ, query=(_STATE, _RULES, _SEVERITIES, _FINGERPRINT, *_LABELS, *PAGING, *SPANNING),
        gives=(Gives(_ALERTS), CSV), problems=(503,), tag="Alerts",
    ),
    ("GET", "/api/alerts/why/{event}"): endpoint(
        why, Permission.READ, gives=Gives(_WHY), problems=(404, 503), tag="Alerts"
    ),
    ("GET", "/api/alerts/{alert}"): endpoint(
        episode, Permission.READ, gives=Gives(_INCIDENT), problems=(404, 503), tag="Alerts"
    ),
    ("POST", "/api/alerts/{alert}/acknowledge"): endpoint(
        acknowledge, Permission.ALERTS_WRITE, body=(_COMMENT,), gives=_DONE, problems=_ACT, tag="Alerts"
    ),
    ("POST", "/api/alerts/{alert}/unacknowledge"): endpoint(
        unacknowledge, Permission.ALERTS_WRITE, body=(_COMMENT,), gives=_DONE, problems=_ACT, tag="Alerts"
    ),
    ("POST", "/api/alerts/{alert}/snooze"): endpoint(
        snooze, Permission.ALERTS_WRITE, body=(_UNTIL, _FOR, _COMMENT), gives=_DONE, problems=_ACT, tag="Alerts"
    ),
    ("POST", "/api/alerts/{alert}/resolve"): endpoint(
        resolve, Permission.ALERTS_WRITE, body=(_REASON,), gives=_DONE, problems=_ACT, tag="Alerts"
    ),
}  # fmt: skip
