"""Silences: what is kept quiet, by whom, until when; a new one is looked at before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import available_timezones

from understudy.alerts.shown import AlertView
from understudy.alerts.silences import Silence
from understudy.alerts.zoned import first, zone_named
from understudy.core.text import Texts
from understudy.web.api.fields import answering
from understudy.web.api.silences import MOST_MATCHERS, silence_of
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, path_of, see
from understudy.web.http import Answer, Problem, Request

from .alert_words import Words
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

FIELDS: Final = ("matchers", "reason", "starts", "until", "for", "ends", "rrule", "duration", "time_zone")
#: How long a silence lasts, as the menu has it; the last two are asked for by further fields.
LASTING: Final = ("30m", "1h", "2h", "4h", "8h", "1d", "7d")
#: Recurrences that are offered in words; any other can be written.
RECURRENCES: Final = (
    "FREQ=DAILY;BYHOUR=2;BYMINUTE=0", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=0",
    "FREQ=WEEKLY;BYDAY=SA,SU;BYHOUR=0;BYMINUTE=0", "FREQ=MONTHLY;BYMONTHDAY=1;BYHOUR=3;BYMINUTE=0",
)  # fmt: skip  # a list of rules


def notices(_: Texts) -> dict[str, tuple[str, str]]:
    """What a redirect may tell."""
    return {
        "made": ("ok", _("The silence holds.")),
        "later": ("ok", _("The silence is planned, and holds from its beginning on.")),
        "expired": ("ok", _("The silence has ended; what still fires is told now.")),
    }


@answering
async def listed(app: Understudy, request: Request) -> Answer:
    """All silences, and the form of a new one; `alert` fills it with what an alert is about."""
    query = request.query("done", "alert", "match")
    _ = language_of(request)
    values = dict.fromkeys(FIELDS, "") | {"for": "2h", "time_zone": "UTC", "until": "for"}
    if query.get("alert"):
        values["matchers"] = _matchers_of(app, query["alert"])
    elif query.get("match"):
        values["matchers"] = query["match"][:2000]
    return _shown(app, request, values, notice=notices(_).get(query.get("done", "")))


@answering
async def posted(app: Understudy, request: Request) -> Answer:
    """Show what a silence would keep quiet, or make it."""
    request.query()
    values = dict.fromkeys(FIELDS, "") | await form(request, *FIELDS, "action")
    action = values.pop("action", "preview")
    now = app.clock.time()
    try:
        silence = silence_of(_content(values), now, request.who.name)
    except Problem as problem:
        return _shown(app, request, values, fault=problem.detail, status=422)
    if action != "make":
        return _shown(app, request, values, silence=silence, matching=app.alerts.matching(silence.matchers))
    kept = await app.alerts.silence(silence, actor=request.who.name)
    return see("alerts", "silences", done="made" if kept.active(now) else "later")


@answering
async def expire(app: Understudy, request: Request) -> Answer:
    """End a silence now."""
    request.query()
    await form(request)
    await app.alerts.expire_silence(request.parts["silence"], actor=request.who.name)
    return see("alerts", "silences", done="expired")


def _shown(
    app: Understudy, request: Request, values: Mapping[str, str], *, notice: tuple[str, str] | None = None,
    fault: str = "", silence: Silence | None = None, matching: list[AlertView] | None = None, status: int = 200,
) -> Answer:  # fmt: skip
    _ = language_of(request)
    now = app.clock.time()
    groups: dict[str, list[dict[str, Any]]] = {"active": [], "scheduled": [], "over": []}
    for each in app.alerts.silences():
        groups[_group(each, now)].append(_line(app, each, now))
    return page(
        app, request, "silences.html", at="alerts", status=status, w=Words(_), groups=groups, values=values,
        notice=notice, fault=Words(_).fault(fault) if fault else "", silence=silence, matching=matching,
        path_of=path_of, lasting=LASTING, recurrences=RECURRENCES, zones=_zones(), most=MOST_MATCHERS,
        next_at=silence.next_start(now) if silence is not None and not silence.active(now) else None,
    )  # fmt: skip  # one line of values


@cache
def _zones() -> tuple[str, ...]:
    """The names of all time zones: some hundred files are looked at, so once."""
    return tuple(sorted(available_timezones()))


def _group(silence: Silence, now: float) -> str:
    if silence.over(now):
        return "over"
    return "active" if silence.active(now) else "scheduled"


def _line(app: Understudy, silence: Silence, now: float) -> dict[str, Any]:
    window = silence.window(now)
    return {
        "silence": silence,
        "until": window[1] if window is not None else silence.ends_at,
        "next": silence.next_start(now),
        "matching": len(app.alerts.matching(silence.matchers)),
        "ours": not silence.id.startswith("file:"),
    }


def _matchers_of(app: Understudy, alert: str) -> str:
    """The conditions that mean exactly one alert, one a line."""
    found = next((each for each in app.alerts.active() if alert in (each.fingerprint, each.episode)), None)
    if found is None:
        return ""
    pairs = {"rule": found.rule, **found.labels}
    return "\n".join(f"{name}={_quoted(value)}" for name, value in pairs.items())


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _content(values: Mapping[str, str]) -> dict[str, Any]:
    """The body that the REST API would take for this form."""
    found: dict[str, Any] = {
        "matchers": [line.strip() for line in values["matchers"].splitlines() if line.strip()],
        "reason": values["reason"].strip(),
    }
    zone = values["time_zone"].strip()
    if values["starts"]:
        found["starts_at"] = _moment(values["starts"], zone)
    if values["until"] == "recur":
        found["rrule"], found["duration"] = values["rrule"].strip(), values["duration"].strip() or None
        found["time_zone"] = zone or "UTC"
        if values["ends"]:
            found["ends_at"] = _moment(values["ends"], zone)
    elif values["until"] == "ends":
        found["ends_at"] = _moment(values["ends"], zone) if values["ends"] else None
    else:
        found["for"] = values["for"]
    return found


def _moment(written: str, zone: str) -> str | float:
    """Local time of a field, in the zone of the form, as epoch seconds; as it was written where it cannot be read."""
    try:
        shown = datetime.fromisoformat(written)
        if shown.tzinfo is not None:
            return shown.astimezone(UTC).timestamp()
        return first(shown, zone_named(zone or "UTC"))
    except (ValueError, OverflowError):
        return written


ROUTES: Table = {
    ("GET", "/alerts/silences"): Endpoint(listed, Permission.READ),
    ("POST", "/alerts/silences"): Endpoint(posted, Permission.ALERTS_WRITE),
    ("POST", "/alerts/silences/{silence}/expire"): Endpoint(expire, Permission.ALERTS_WRITE),
}
