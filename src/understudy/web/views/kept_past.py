"""The past that rules are tried on, as far as it is kept: for backtests, previews of rules, and charts of incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from understudy.alerts.model import Rule
from understudy.alerts.remembered import Remembered
from understudy.backtesting import Past, Roster, read_past
from understudy.web.http import Problem

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Most buckets that may be judged at once: more take longer than anybody waits.
MOST_BUCKETS = 600_000
#: Longest span, s.
_LONGEST = 366 * 86400.0


async def past_of(
    app: Understudy, api: str, start: float, end: float, rules: Sequence[Rule], remembered: Remembered
) -> Past:
    """What is kept of one API, or of everything, from `start` to `end`, and before that what the rules' windows ask.

    Raises:
        Problem: 404 where nothing is kept or no such API is registered, 422 for more than anybody waits for.
        StoreUnavailable: it cannot be read now.
    """
    if end - start > _LONGEST:
        raise Problem(422, "the span is longer than a year")
    roster = _roster(app, api)
    if api and api not in roster.apis:
        raise Problem(404, "no API of that name is registered")
    keeping = app.keeping
    if keeping is None:
        raise Problem(404, "nothing is kept here")
    series = len(roster.apis) + len(roster.routes)
    tier = 10 if end - start <= 6 * 3600 else 60 if end - start <= 45 * 86400 else 3600
    if series * (end - start) / tier > MOST_BUCKETS:
        raise Problem(422, "that is too much to judge at once: choose one api, or a shorter span")
    lead = min(3 * 86400.0, max((rule.window for rule in rules), default=3600.0))
    try:
        return await read_past(
            keeping.store.rollups,
            roster,
            start,
            end,
            now=app.clock.time(),
            retention=keeping.retention,
            lead=max(3600.0, lead),
            remembered=remembered,
        )
    except ValueError as error:
        raise Problem(422, str(error)) from None


def _roster(app: Understudy, api: str) -> Roster:
    """Who there is now, or one API alone; the past of what is registered no more is not judged."""
    registered = app.fallback.roster.apis
    hubs = {
        name: each.hub.name if each.options.hub or len(each.hub.apis) > 1 else ""
        for name, each in registered.items()
        if not api or name == api
    }
    return Roster(hubs, () if api else tuple(app.fallback.roster.routes))
