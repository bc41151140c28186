"""Endpoints about one incident, and about a rule before it is put: their numbers over time, and people's notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from understudy.alerts.incident_notes import LONGEST
from understudy.alerts.rules import rule_from
from understudy.core.audit import AuditEntry
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Text
from understudy.web.schemas import FLAG, NUMBER, TEXT, TIME, WHOLE, array, mapping, maybe, obj, view
from understudy.web.turns import in_turn
from understudy.web.views.alerts import IncidentView, OpenAlertsView
from understudy.web.views.breach import Breach, incident_line, preview

from .fields import answering, text
from .rules import RULE
from .shapes import MAYBE_TIME, NOISE, NOTE, OPEN_ALERT
from .span import SPAN, SPANNING_BODY, span

if TYPE_CHECKING:
    from understudy.alerts.incident_notes import IncidentNote
    from understudy.app import Understudy

#: The span of a preview when nobody says one, s.
WEEK: Final = 7 * 86400.0


@answering
async def opened(app: Understudy, request: Request) -> Answer:
    """What is pending, fires or recovers, with the routes that each alert touches."""
    request.query()
    return Answer(dumped(OpenAlertsView.of(app).as_dict()))


@answering
async def breach(app: Understudy, request: Request) -> Answer:
    """The number that an incident is about, over its window and some time around, with the rule's thresholds."""
    request.query()
    view = await IncidentView.of(app, request.parts["alert"])
    start, end = around(view.start, view.end, app.clock.time())
    line = await incident_line(app, view.found.row, start, end)
    return Answer(dumped({"line": line.as_dict() if line is not None else None}))


@answering
async def previewed(app: Understudy, request: Request) -> Answer:
    """How often a rule would have fired in the past that is kept, with the line of the worst subject; keeps nothing."""
    request.query()
    content = await request.json_object()
    doc = RULE.of(content)
    said = {name: text(content, name, 100) for name in SPAN if content.get(name) is not None}
    start, end = span(said, app.clock.time(), WEEK)
    rule = rule_from(doc, "api")
    return Answer(dumped((await in_turn(app, request, lambda: preview(app, rule, start, end))).as_dict()))


@answering
async def note(app: Understudy, request: Request) -> Answer:
    """Write something down about an incident, also after it is over."""
    content = await request.json_object()
    kept = await add_note(app, request, request.parts["alert"], _TEXT.of(content))
    return Answer(dumped(kept.as_dict()), 201)


async def add_note(app: Understudy, request: Request, alert: str, written: str) -> IncidentNote:
    """Keep a note about an episode, or about the newest one of an alert.

    Raises:
        UnknownName: there is none.
        StoreUnavailable: it was not kept.
    """
    if not written.strip():
        raise Problem(422, "a note says something")
    row = (await app.alerts.episode(alert)).row
    kept = await app.alerts.notes.add(row.episode, written, actor=request.who.name)
    await app.alerts.acted(AuditEntry(kept.at, kept.actor, "incident.note", row.episode, None, {"text": kept.text}))
    return kept


def around(start: float, end: float, now: float) -> tuple[float, float]:
    """An incident's window with half as much before and after, ten minutes at least, as far as it is past."""
    more = max(600.0, (end - start) / 2)
    return start - more, min(now, end + more)


_TEXT = Field("text", Text(LONGEST, least=1, lines=True), "What is to be kept.", required=True, example="It was DNS.")
_LINE = view(
    Breach, thresholds=array(obj(severity=TEXT, value={"type": "number"})),
    spans=array(obj(**{"from": TIME, "to": MAYBE_TIME, "severity": TEXT, "episode": TEXT})),
)  # fmt: skip
_PREVIEW = obj(
    start=TIME, end=TIME, resolution={"type": "number"}, blind=FLAG, fired=WHOLE, noise=NOISE, line=maybe(_LINE),
    episodes=array(obj(labels=mapping(TEXT), severity=TEXT, started_at=TIME, resolved_at=MAYBE_TIME, value=NUMBER)),
)  # fmt: skip

ROUTES: Table = {
    ("GET", "/api/alerts/open"): endpoint(
        opened, Permission.READ, gives=Gives(obj(alerts=array(OPEN_ALERT))), problems=(503,), tag="Alerts"
    ),
    ("GET", "/api/alerts/{alert}/breach"): endpoint(
        breach, Permission.READ, gives=Gives(obj(line=maybe(_LINE))), problems=(404, 503), tag="Alerts"
    ),
    ("POST", "/api/alerts/{alert}/notes"): endpoint(
        note, Permission.ALERTS_WRITE, body=(_TEXT,), gives=Gives(NOTE, 201),
        problems=(404, 503), tag="Alerts",
    ),
    ("POST", "/api/alerts/rules/preview"): endpoint(
        previewed, Permission.READ, body=(RULE, *SPANNING_BODY), gives=Gives(_PREVIEW),
        problems=(400, 404, 503), tag="Rules",
    ),
}  # fmt: skip
