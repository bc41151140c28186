"""Endpoints about silences: what is kept quiet, by whom, until when, and which alerts that is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.alerts.shown import AlertView
from understudy.alerts.silences import Silence
from understudy.core.matchers import MatcherError, parse
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Lasting, Listed, Moment, Text
from understudy.web.schemas import FLAG, NUMBER, TEXT, TEXTS, TIME, WHOLE, array, mapping, obj, view
from understudy.web.views.told import AlertsView

from .alerts import MAX_COMMENT, actor
from .fields import answering

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.core.matchers import Matcher

#: Most matchers of a silence, and the longest of them, characters.
MOST_MATCHERS, MAX_MATCHER = 20, 500
#: Longest recurrence, characters.
MAX_RRULE = 500


@answering
async def silences(app: Understudy, request: Request) -> Answer:
    """Silences that hold now or later."""
    request.query()
    now = app.clock.time()
    return Answer(dumped({"silences": [shown(each, now) for each in app.alerts.silences()]}))


@answering
async def make(app: Understudy, request: Request) -> Answer:
    """Keep matching alerts quiet; the answer tells which that is now."""
    request.query()
    content = await request.json_object()
    wanted = silence_of(content, app.clock.time(), actor(request))
    kept = await app.alerts.silence(wanted, actor=actor(request))
    matching = [each.fingerprint for each in app.alerts.matching(kept.matchers)]
    return Answer(dumped({**shown(kept, app.clock.time()), "matching": matching}), 201)


@answering
async def expire(app: Understudy, request: Request) -> Answer:
    """End a silence now."""
    request.query()
    await app.alerts.expire_silence(request.parts["silence"], actor=actor(request))
    return Answer(dumped({"expired": request.parts["silence"]}))


@answering
async def preview(app: Understudy, request: Request) -> Answer:
    """Which alerts a silence would keep quiet now; changes nothing."""
    request.query()
    content = await request.json_object()
    view = AlertsView(tuple(app.alerts.matching(matchers_of(content))))
    return Answer(dumped(view.as_dict()))


def matchers_of(content: Mapping[str, Any]) -> tuple[Matcher, ...]:
    """The conditions of a silence.

    Raises:
        Problem: 422 when there is none, or one cannot be read.
    """
    written = _MATCHERS.of(content)
    if not written:
        raise Problem(422, 'matchers is a list of at least one condition, such as api="odds_prime" or rule=~"api_.*"')
    try:
        return tuple(parse(each) for each in written)
    except MatcherError as error:
        raise Problem(422, f"matchers: {error}") from None


def silence_of(content: Mapping[str, Any], now: float, who: str) -> Silence:
    """The silence of a body: once, from `starts_at` to `ends_at` (or for a while), or by a recurrence."""
    matchers = matchers_of(content)
    starts, ends, span, duration, rrule = (each.of(content) for each in (_STARTS, _ENDS, _FOR, _DURATION, _RRULE))
    if ends is not None and span is not None:
        raise Problem(422, "say the end as ends_at or as for, not both")
    if not rrule and (ends is None) == (span is None):
        raise Problem(422, "say until when: ends_at, a time, or for, a duration such as 2h")
    if bool(rrule) != (duration is not None):
        raise Problem(422, "rrule and duration belong together: how often, and for how long each time")
    starts = now if starts is None else starts
    if span is not None:
        ends = starts + span
    reason = _REASON.of(content)
    author = _AUTHOR.of(content) or who
    try:
        return Silence(
            matchers=matchers,
            starts_at=starts,
            ends_at=ends,
            rrule=rrule,
            duration=duration or 0.0,
            time_zone=_ZONE.of(content),
            reason=reason,
            author=author,
        )
    except ValueError as error:
        raise Problem(422, str(error)) from None


def shown(silence: Silence, now: float) -> dict[str, Any]:
    """A silence as JSON-ready values, and whether it holds now."""
    return {
        "id": silence.id,
        "matchers": [str(each) for each in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "rrule": silence.rrule,
        "duration": silence.duration,
        "time_zone": silence.time_zone,
        "reason": silence.reason,
        "author": silence.author,
        "active": silence.active(now),
    }


_MATCHERS = Field(
    "matchers", Listed(Text(MAX_MATCHER, least=1), MOST_MATCHERS, called="texts"), "Conditions; all must hold.",
    required=True, example=['api="odds_prime"'],
)  # fmt: skip
_REASON = Field("reason", Text(MAX_COMMENT, least=1), "Why.", required=True, example="planned maintenance")
_AUTHOR = Field("author", Text(200), "Who wants it; by default whoever asks.", default="")
_STARTS = Field("starts_at", Moment(), "When it begins; now by default.")
_ENDS = Field("ends_at", Moment(), "When it ends; or say `for`.")
_FOR = Field("for", Lasting(), "How long it lasts; or say `ends_at`.", example="2h")
_RRULE = Field("rrule", Text(MAX_RRULE), "How often it comes again (RFC 5545), with `duration`.", default="")
_DURATION = Field("duration", Lasting(), "How long each time, with `rrule`.")
_ZONE = Field("time_zone", Text(100), "In which the recurrence counts.", default="UTC")
_BODY = (_MATCHERS, _REASON, _AUTHOR, _STARTS, _ENDS, _FOR, _RRULE, _DURATION, _ZONE)
_FIELDS = {
    "id": TEXT, "matchers": TEXTS, "starts_at": TIME, "ends_at": NUMBER, "rrule": TEXT, "duration": NUMBER,
    "time_zone": TEXT, "reason": TEXT, "author": TEXT, "active": FLAG,
}  # fmt: skip

ROUTES: Table = {
    ("GET", "/api/alerts/silences"): endpoint(
        silences, Permission.READ, gives=Gives(obj(silences=array(obj(**_FIELDS)))), tag="Silences"
    ),
    ("POST", "/api/alerts/silences"): endpoint(
        make, Permission.ALERTS_WRITE, body=_BODY, gives=Gives(obj(**_FIELDS, matching=TEXTS), 201), problems=(503,),
        tag="Silences",
    ),
    ("POST", "/api/alerts/silences/preview"): endpoint(
        preview, Permission.READ, body=(_MATCHERS,),
        gives=Gives(obj(counts=mapping(WHOLE), alerts=array(view(AlertView)))), tag="Silences",
    ),
    ("DELETE", "/api/alerts/silences/{silence}"): endpoint(
        expire, Permission.ALERTS_WRITE, gives=Gives(obj(expired=TEXT)), problems=(404, 503), tag="Silences"
    ),
}  # fmt: skip
