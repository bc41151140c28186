"""Endpoints about alerts: what fires, what fired, one episode with its timeline, and what people do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.alerts.model import LABELS
from understudy.alerts.ports import EpisodeQuery
from understudy.core.notices import Severity
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request, dumped, listed
from understudy.web.views.told import AlertsView, EpisodesView

from .fields import answering, choice, choices, lasting, text, when
from .past import PAGE
from .span import SPAN, span, whole

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
    """What fires now; with `state`, episodes that are kept, newest first."""
    query = request.query("state", "rule", "severity", "fingerprint", "limit", "before", *LABELS, *SPAN)
    state = choice(query, "state", STATES, "active")
    severities = choices(query, "severity", SEVERITIES)
    labels = {name: query[name] for name in LABELS if query.get(name)}
    if state == "active":
        view = AlertsView.of(app, choices(query, "rule"), severities, labels)
        return Answer(dumped(view.as_dict()))
    limit = whole(query, "limit", 100, PAGE)
    start, end = span(query, app.clock.time(), _RECENT)
    wanted = EpisodeQuery(
        rules=choices(query, "rule"),
        fingerprint=query.get("fingerprint", ""),
        labels=labels,
        severities=severities,
        open={"open": True, "resolved": False}.get(state),
        start=start,
        end=end,
        before=query.get("before", ""),
    )
    found = EpisodesView(tuple(await app.alerts.history(wanted, limit)), limit)
    return Answer(listed({"next": found.next}, "episodes", found.rows()))


@answering
async def episode(app: Understudy, request: Request) -> Answer:
    """One episode with its timeline and who was told; an alert's fingerprint means its newest episode."""
    request.query()
    return Answer(dumped((await app.alerts.episode(request.parts["alert"])).as_dict()))


@answering
async def acknowledge(app: Understudy, request: Request) -> Answer:
    """Somebody works on it: no reminders and no escalation until it ends or gets worse."""
    content = await _content(request, "comment")
    await app.alerts.acknowledge(request.parts["alert"], actor=actor(request), comment=_comment(content))
    return _done(request, "acknowledged")


@answering
async def unacknowledge(app: Understudy, request: Request) -> Answer:
    """Nobody works on it any more."""
    content = await _content(request, "comment")
    await app.alerts.unacknowledge(request.parts["alert"], actor=actor(request), comment=_comment(content))
    return _done(request, "unacknowledged")


@answering
async def snooze(app: Understudy, request: Request) -> Answer:
    """As acknowledge, until a time or for a while."""
    content = await _content(request, "until", "for", "comment")
    until = until_of(content, app.clock.time())
    await app.alerts.snooze(request.parts["alert"], until, actor=actor(request), comment=_comment(content))
    return _done(request, "snoozed", until=until)


@answering
async def resolve(app: Understudy, request: Request) -> Answer:
    """End the episode by hand."""
    content = await _content(request, "reason")
    reason = text(content, "reason", MAX_COMMENT)
    await app.alerts.resolve(request.parts["alert"], actor=actor(request), reason=reason)
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
    until = when(content, "until")
    if until is None:
        until = now + (lasting(content, "for") or 0.0)
    if not now < until <= now + MAX_SNOOZE:
        raise Problem(422, f"a snooze ends in the future, at most {MAX_SNOOZE / 86400:g} days from now")
    return until


async def _content(request: Request, *known: str) -> dict[str, Any]:
    request.query()
    return await request.json_object(*known)


def _comment(content: Mapping[str, Any]) -> str:
    return text(content, "comment", MAX_COMMENT)


def _done(request: Request, state: str, **more: object) -> Answer:
    return Answer(dumped({"alert": request.parts["alert"], "state": state, **more}))


ROUTES: Table = {
    ("GET", "/api/alerts"): Endpoint(alerts, Permission.READ),
    ("GET", "/api/alerts/why/{event}"): Endpoint(why, Permission.READ),
    ("GET", "/api/alerts/{alert}"): Endpoint(episode, Permission.READ),
    ("POST", "/api/alerts/{alert}/acknowledge"): Endpoint(acknowledge, Permission.ALERTS_WRITE),
    ("POST", "/api/alerts/{alert}/unacknowledge"): Endpoint(unacknowledge, Permission.ALERTS_WRITE),
    ("POST", "/api/alerts/{alert}/snooze"): Endpoint(snooze, Permission.ALERTS_WRITE),
    ("POST", "/api/alerts/{alert}/resolve"): Endpoint(resolve, Permission.ALERTS_WRITE),
}
