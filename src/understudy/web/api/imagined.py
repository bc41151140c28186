"""`POST /api/notifications/simulate`: this alert, at this time: which people, which channels, which messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.alerts.imagined import KINDS
from understudy.core.notices import NoticeKind, Severity
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request, dumped

from .alerts import SEVERITIES
from .fields import answering, number, text, when
from .incidents import MOST_LABELS

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest name of a rule or label, characters; the largest value that is shown.
_NAME, _LARGEST = 200, 1e15


@answering
async def simulate(app: Understudy, request: Request) -> Answer:
    """Who would be told of an alert, how, and what would keep it from being told; sends and changes nothing."""
    request.query()
    content = await request.json_object("rule", "labels", "severity", "kind", "at", "value")
    severity = text(content, "severity", 20)
    if severity and severity not in SEVERITIES:
        raise Problem(422, f"severity is one of {', '.join(SEVERITIES)}")
    kind = text(content, "kind", 20, default="fired")
    if kind not in KINDS:
        raise Problem(422, f"kind is one of {', '.join(KINDS)}")
    labels = {} if content.get("labels") is None else content["labels"]
    if not isinstance(labels, dict) or len(labels) > MOST_LABELS:
        raise Problem(422, f"labels are at most {MOST_LABELS} texts, such as api")
    found = app.alerts.imagine(
        text(content, "rule", _NAME, least=1),
        {str(name)[:_NAME]: text({"labels": value}, "labels", _NAME) for name, value in labels.items()},
        severity=Severity(severity) if severity else None,
        kind=NoticeKind(kind),
        at=when(content, "at"),
        value=number(content, "value", -_LARGEST, _LARGEST),
    )
    told = app.notifications.imagined(found.notice, found.labels)
    # The alert's own steps, not what the first policy would say where the rule itself says otherwise.
    return Answer(dumped({**told, **found.as_dict()}))


ROUTES: Table = {("POST", "/api/notifications/simulate"): Endpoint(simulate, Permission.READ)}
