"""`GET /api/alerts/noise`: what the alerts of a span cost people, rule by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.alerts.backtest import worth_a_proposal
from understudy.alerts.noise import Noise, budget
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Request, dumped
from understudy.web.kinds import Text
from understudy.web.schemas import FLAG, TEXT, TIME, array, obj, view

from .backtests import zone_of
from .fields import answering
from .span import SPANNING, span

if TYPE_CHECKING:
    from understudy.app import Understudy

#: The span when nobody says one, s.
_MONTH = 30 * 86400.0


@answering
async def noise(app: Understudy, request: Request) -> Answer:
    """Pages, nights, and episodes that nobody needed, as they really were; `noisy` rules are worth a proposal."""
    query = request.query()
    start, end = span(query, app.clock.time(), _MONTH)
    zone = zone_of(_ZONE.of(query))
    found = budget(*await app.alerts.past(start, end), start, end, zone)
    rules = [{"rule": rule, "noisy": worth_a_proposal(each), **each.as_dict()} for rule, each in found.items()]
    return Answer(dumped({"start": start, "end": end, "rules": rules}))


_ZONE = Param("zone", Text(100), "Whose nights are counted.", default="UTC", example="America/Sao_Paulo")
_OF_RULE = view(Noise, "NoiseOfRule", rule=TEXT, noisy=FLAG)

ROUTES: Table = {
    ("GET", "/api/alerts/noise"): endpoint(
        noise, Permission.READ, query=(_ZONE, *SPANNING),
        gives=Gives(obj(start=TIME, end=TIME, rules=array(_OF_RULE))), problems=(422, 503),
        tag="Alerts",
    ),
}  # fmt: skip
