"""One incident: what happened, how it looked, who was told or was not, and what people did and wrote about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.incident_notes import LONGEST
from understudy.core.errors import NotActive, StoreUnavailable, UnknownName
from understudy.core.text import Texts
from understudy.web.api.alerts import MAX_COMMENT
from understudy.web.api.fields import answering, text
from understudy.web.api.incident_details import add_note, around
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, path_of, see
from understudy.web.http import Answer, Problem, Request
from understudy.web.views.alerts import IncidentView
from understudy.web.views.breach import Breach, incident_line

from .alert_charts import breach_chart, fallback_rows
from .alert_words import Words
from .alerts import LASTING, do, notices
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

ACTS: Final = ("acknowledge", "unacknowledge", "snooze", "silence", "resolve", "note")


@answering
async def incident(app: Understudy, request: Request) -> Answer:
    """One incident with its chart, timeline, notes and deliveries."""
    query = request.query("done", "why")
    _ = language_of(request)
    view = await IncidentView.of(app, request.parts["alert"])
    why = await _why(app, query.get("why", ""), {each.event_id for each in view.found.events})
    values = await _values(app, request, _, view)
    return page(
        app, request, "alerts_incident.html", at="alerts", why=why, asked=query.get("why", ""),
        notice=notices(_).get(query.get("done", "")), lasting=LASTING, **values,
    )  # fmt: skip  # one line of values


@answering
async def report(app: Understudy, request: Request) -> Answer:
    """The draft of a post-mortem: everything that is known of the incident, to be printed and completed by people."""
    request.query()
    _ = language_of(request)
    view = await IncidentView.of(app, request.parts["alert"])
    groups: Sequence[Any] = ()
    if app.keeping is not None:
        groups = await app.keeping.requests.groups(view.start, view.end, view.api, 10)
    values = await _values(app, request, _, view)
    return page(app, request, "alerts_report.html", at="alerts", errors=groups, **values)


async def _values(app: Understudy, request: Request, _: Texts, view: IncidentView) -> dict[str, Any]:
    """What page and draft both show."""
    w, row = Words(_), view.found.row
    line, untold = await _line(app, _, view)
    chart = None
    if line is not None:
        brush = path_of("requests", q=view.requests) + "&from={from}&to={to}"
        chart = breach_chart(w, line, brush=brush)
    rule = next((each for each in app.alerts.rules.rules() if each.name == row.rule), None)
    lasted = (row.resolved_at if row.resolved_at is not None else app.clock.time()) - row.started_at
    requests = path_of("requests", q=view.requests, **{"from": f"{view.start:.0f}", "to": f"{view.end + 1:.0f}"})
    return {
        "w": w, "view": view, "row": row, "alert": view.found.alert, "rule": rule, "lasted": lasted, "line": line,
        "chart": chart, "untold": untold, "requests": requests, "path_of": path_of,
        "sampled": fallback_rows(line, lambda value: w.value(line.metric, value)) if line is not None else [],
    }  # fmt: skip  # one line for each group


async def _line(app: Understudy, _: Texts, view: IncidentView) -> tuple[Breach | None, str]:
    """The chart's line, or why there is none."""
    start, end = around(view.start, view.end, app.clock.time())
    try:
        line = await incident_line(app, view.found.row, start, end)
    except UnknownName:
        return None, _("The rule is gone, so nothing says which number to draw.")
    except (Problem, StoreUnavailable) as error:
        return None, error.detail if isinstance(error, Problem) else str(error)
    if line is None or not any(value is not None for value in line.values):
        return None, _("No number of that time is kept yet: the first ones are a minute old.")
    return line, ""


async def _why(app: Understudy, event: str, known: set[str]) -> dict[str, Any] | None:
    """Why somebody was or was not told of one event of this incident."""
    if not event:
        return None
    if event not in known:
        raise UnknownName("event", event)
    return await app.alerts.why(event)


@answering
async def act(app: Understudy, request: Request) -> Answer:
    """What people do about one incident."""
    request.query()
    alert = request.parts["alert"]
    content = await form(request, "action", "for", "comment", "note", "sure")
    action = content.get("action", "")
    if action == "note":
        await add_note(app, request, alert, text(content, "note", LONGEST, least=1, lines=True))
        return see("alerts", alert, done="note")
    if action not in ACTS:
        raise Problem(422, f"action is one of {', '.join(ACTS)}")
    comment = text(content, "comment", MAX_COMMENT)
    if action in ("silence", "resolve") and not comment.strip():
        return see("alerts", alert, done="reason")
    try:
        await do(app, action, alert, request.who.name, comment, content)
    except (UnknownName, NotActive):
        return see("alerts", alert, done="over")
    return see("alerts", alert, done=action)


ROUTES: Table = {
    ("GET", "/alerts/{alert}"): Endpoint(incident, Permission.READ),
    ("POST", "/alerts/{alert}"): Endpoint(act, Permission.ALERTS_WRITE),
    ("GET", "/alerts/{alert}/report"): Endpoint(report, Permission.READ),
}
