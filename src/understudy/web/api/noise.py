"""`GET /api/alerts/noise`: what the alerts of a span cost people, rule by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.alerts.backtest import worth_a_proposal
from understudy.alerts.noise import budget
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Request, dumped

from .backtests import zone_of
from .fields import answering
from .span import SPAN, span

if TYPE_CHECKING:
    from understudy.app import Understudy

#: The span when nobody says one, s.
_MONTH = 30 * 86400.0


@answering
async def noise(app: Understudy, request: Request) -> Answer:
    """Pages, nights, and episodes that nobody needed, as they really were; `noisy` rules are worth a proposal."""
    query = request.query("zone", *SPAN)
    start, end = span(query, app.clock.time(), _MONTH)
    zone = zone_of(query.get("zone", "UTC"))
    found = budget(*await app.alerts.past(start, end), start, end, zone)
    rules = [{"rule": rule, "noisy": worth_a_proposal(each), **each.as_dict()} for rule, each in found.items()]
    return Answer(dumped({"start": start, "end": end, "rules": rules}))


ROUTES: Table = {("GET", "/api/alerts/noise"): Endpoint(noise, Permission.READ)}
