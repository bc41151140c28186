"""`POST /api/notifications/simulate`: this alert, at this time: which people, which channels, which messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.alerts.imagined import KINDS
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Request, dumped
from understudy.web.kinds import Choice, Moment, Named, Number, Text
from understudy.web.views.telling import simulated

from .alerts import SEVERITIES
from .fields import answering
from .incidents import MOST_LABELS
from .shapes import IMAGINED

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest name of a rule or label, characters; the largest value that is shown.
_NAME, _LARGEST = 200, 1e15


@answering
async def simulate(app: Understudy, request: Request) -> Answer:
    """Who would be told of an alert, how, and what would keep it from being told; sends and changes nothing."""
    content = await request.json_object()
    told = simulated(
        app,
        _RULE.of(content),
        {name[:_NAME]: value for name, value in _LABELS.of(content).items()},
        severity=_SEVERITY.of(content),
        kind=_KIND.of(content),
        at=_AT.of(content),
        value=_VALUE.of(content),
    )
    return Answer(dumped(told))


_RULE = Field("rule", Text(_NAME, least=1), "Which rule would tell.", required=True, example="api_down")
_LABELS = Field("labels", Named(Text(_NAME), MOST_LABELS), "About what.", default={}, example={"api": "odds_prime"})
_SEVERITY = Field("severity", Choice(("", *SEVERITIES)), "How grave; as the rule says by default.", default="")
_KIND = Field("kind", Choice(tuple(KINDS)), "What would be told.", default="fired")
_AT = Field("at", Moment(), "When; now by default.")
_VALUE = Field("value", Number(-_LARGEST, _LARGEST), "The number that the rule is about.")

ROUTES: Table = {
    ("POST", "/api/notifications/simulate"): endpoint(
        simulate, Permission.READ, body=(_RULE, _LABELS, _SEVERITY, _KIND, _AT, _VALUE), gives=Gives(IMAGINED),
        problems=(404, 503), tag="Notifications",
    ),
}  # fmt: skip
