"""Values of alerts in words: metrics with their units, comparisons, durations, moments."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from understudy.core.legible import line
from understudy.core.notices import Severity
from understudy.core.text import Texts

from .findings import found_word

#: What kind of number a metric is: decides how it is written.
Unit = Literal["percent", "seconds", "ratio", "times", "money", "flag", "number"]
#: Longest span that is written in hours rather than days, s.
_TWO_DAYS = 172_800.0


def metric_word(_: Texts, metric: str) -> tuple[str, Unit]:
    """What a metric is called, and what kind of number it is; one that is not known keeps its own name."""
    known: dict[str, tuple[str, Unit]] = {
        "success_rate": (_("success rate"), "percent"),
        "error_rate": (_("error rate"), "percent"),
        "response_time": (_("mean response time"), "seconds"),
        "response_time_p50": (_("median response time"), "seconds"),
        "response_time_p95": (_("95 % of the response times"), "seconds"),
        "response_time_p99": (_("99 % of the response times"), "seconds"),
        "requests_per_minute": (_("requests per minute"), "number"),
        "total_requests": (_("requests"), "number"),
        "successes": (_("successful requests"), "number"),
        "failures": (_("failed requests"), "number"),
        "neutral": (_("requests that say nothing about the API"), "number"),
        "burn_rate": (_("burn of the error budget"), "times"),
        **_gauge_words(_),
    }
    return known.get(metric) or (line(metric).replace("_", " "), "number")


def _gauge_words(_: Texts) -> dict[str, tuple[str, Unit]]:
    """The metrics that are numbers of the present; a flag is a sentence."""
    return {
        "quota_remaining": (_("calls left of the quota"), "number"),
        "quota_remaining_ratio": (_("share of the quota that is left"), "ratio"),
        "quota_exhausted_in": (_("time until the quota is spent"), "seconds"),
        "quota_exhausted": (_("the quota is spent"), "flag"),
        "keys_available": (_("usable keys"), "number"),
        "keys_gone": (_("no key of the API can be used"), "flag"),
        "key_quarantined": (_("the API refuses the key"), "flag"),
        "breaker_open": (_("the circuit breaker is open"), "flag"),
        "hub_open": (_("the hub as a whole is down"), "flag"),
        "standbys": (_("standbys that could serve"), "number"),
        "serving": (_("APIs that could serve the route"), "number"),
        "lead_down": (_("the lead of the route cannot serve"), "flag"),
        "coverage": (_("calls that ended well for the caller"), "percent"),
        "cost_per_hour": (_("cost of the last hour"), "money"),
        "cost_per_day": (_("cost of the last 24 hours"), "money"),
        "network_down": (_("our own network reaches nobody"), "flag"),
        "dead_letters": (_("messages that were given up"), "number"),
        "oldest_critical": (_("wait of the oldest critical message"), "seconds"),
        "rules_failing": (_("rules that cannot be evaluated"), "number"),
        "evaluation_lag": (_("delay of the evaluation"), "seconds"),
    }


def rule_word(_: Texts, name: str) -> str:
    """What a default rule is called; every other keeps the name that people gave it."""
    known = {
        "success_rate": _("Success rate"),
        "response_time": _("Response time"),
        "error_rate": _("Error rate"),
        "api_down": _("API down"),
        "hub_down": _("Hub down"),
        "hub_incident": _("APIs of a hub fail together"),
        "key_quarantined": _("Key refused"),
        "keys_gone": _("No key left"),
        "quota_exhausted": _("Quota spent"),
        "quota_forecast": _("Quota runs out"),
        "lead_down": _("Lead down"),
        "route_down": _("Route down"),
        "network_down": _("Own network down"),
        "rule_evaluation_failing": _("A rule cannot be evaluated"),
        "dead_letters": _("Deliveries given up"),
        "critical_undelivered": _("Critical alert undelivered"),
        "evaluation_late": _("Rules evaluated late"),
        "silence_ends": _("A silence ends soon"),
    }
    return known.get(name, name)


def fact_word(_: Texts, name: str) -> str:
    """What a fact is called that stands beside an alert; one that is not known keeps its own name."""
    known = {
        "condition": _("Condition"),
        "values": _("Values"),
        "apis": _("APIs"),
        "rules": _("Rules"),
        "step": _("Step"),
        "silence": _("Silence"),
        "matchers": _("Matchers"),
        "cause": _("Cause"),
        "standbys": _("Standing in"),
        "covered": _("Calls that end well"),
        "quota_lasts": _("Their quota lasts"),
    }
    return known.get(name, name)


def reason_word(_: Texts, reason: str) -> str:
    """Why something ended, or is told only now, where that is ours to say; people's own words stay as they are."""
    known = {
        "by_hand": _("It was resolved by hand."),
        "no_data": _("Nothing is known about it any more."),
        "reopened": _("It was resolved by hand, and is there again."),
        "rule_changed": _("The rule asks something else by now."),
        "rule_deleted": _("The rule was deleted."),
        "rule_disabled": _("The rule was disabled."),
        "subject_gone": _("What it is about is not there any more."),
        "timeout": _("The acknowledgement has lasted its time."),
        "late": _("This is told late: nothing ran when it was due."),
        "repeated": _("This is told again, for nobody has answered."),
        "firing": _("It fires."),
        "resolved": _("It is resolved."),
        "acknowledged": _("This is told now because the acknowledgement has ended."),
        "snoozed": _("This is told now because the snooze has ended."),
        "flapping": _("This is told now because it does not come and go any more."),
        "cooldown": _("This is told now because the cooldown is over."),
        "silence": _("This is told now because a silence has ended."),
        "maintenance": _("This is told now because a maintenance window has ended."),
        "inhibition": _("This is told now because what it followed from has ended."),
        "mute": _("This is told now because muted hours are over."),
        "silence_ends": _("What it keeps quiet is told when it has ended."),
    }
    kind, colon, name = reason.partition(":")
    kept = colon and name and " " not in reason and kind in ("silence", "maintenance", "inhibition", "mute")
    return known.get(kind if kept else reason) or found_word(_, reason)


def covered(_: Texts, standbys: float) -> str:
    """Who can serve in place of an API that cannot."""
    if standbys < 1:
        return _("No other API can stand in.")
    return _.plural("{count} other API can stand in.", "{count} other APIs can stand in.", round(standbys))


def severity_word(_: Texts, severity: Severity | str) -> str:
    """The severity in the reader's language; what is none of them is shown as it came."""
    return {"info": _("info"), "warning": _("warning"), "critical": _("critical")}.get(
        str(severity), line(str(severity))
    )


def quantity(_: Texts, value: float | None, unit: Unit) -> str:
    """A value with its unit; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    match unit:
        case "percent":
            return f"{_plain(_, value, 1 if abs(value) < 99 else 3)} %"
        case "seconds":
            return duration(_, value)
        case "ratio":
            return f"{_plain(_, 100 * value, 1)} %"
        case "times":
            return f"{_plain(_, value, 1)}×"
        case "money":
            return _.number(value, 2)
    return _plain(_, value, 3)


def _plain(_: Texts, value: float, digits: int) -> str:
    """At most so many decimals, no trailing zeros; never rounded to nothing."""
    if value and abs(value) < 0.5 * 10**-digits:
        return _.written(f"{value:.2g}")
    number = f"{value:,.{digits}f}"
    return _.written(number.rstrip("0").rstrip(".") if digits else number)


def compared(_: Texts, operator: str, threshold: str) -> str:
    """How a value stands to its threshold, as the rule asks: `below 60 %`."""
    match operator:
        case "<":
            return _("below {threshold}", threshold=threshold)
        case "<=":
            return _("at most {threshold}", threshold=threshold)
        case ">":
            return _("above {threshold}", threshold=threshold)
        case ">=":
            return _("at least {threshold}", threshold=threshold)
        case "==":
            return _("exactly {threshold}", threshold=threshold)
    return _("other than {threshold}", threshold=threshold)


def duration(_: Texts, seconds: float) -> str:
    """340 ms, 2.5 s, 45 s, 4 min 10 s, 3 h 20 min, 12 d 4 h: two units at most."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 0:
        return f"-{duration(_, -seconds)}"
    if seconds < 0.9995:
        return f"{_plain(_, seconds * 1000, 0 if seconds >= 0.01 else 2)} ms"
    if seconds < 59.95:
        return f"{_plain(_, seconds, 1 if seconds >= 9.95 else 2)} s"
    whole = round(seconds)
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < _TWO_DAYS:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86400, "d", whole % 86400 // 3600, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def moment(at: float, zone: str = "") -> str:
    """`2026-11-28 14:02:05 UTC (11:02:05 America/Sao_Paulo)`; a zone that is not known is left out."""
    try:
        when = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return "–"
    shown = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    local = _in_zone(when, zone)
    if local is None:
        return shown
    day = "" if local.date() == when.date() else f"{local:%Y-%m-%d} "
    return f"{shown} ({day}{local:%H:%M:%S} {zone})"


def weekday(_: Texts, at: float, zone: str = "") -> str:
    """The day of the week of a time, where its reader lives; empty for a time that no calendar has."""
    try:
        when = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    days = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
    return days[(_in_zone(when, zone) or when).weekday()]


def clock_time(at: float, beside: float, zone: str = "") -> str:
    """The time of day; with its date where `beside` lies on another day."""
    try:
        when, other = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(beside, UTC)
    except (ValueError, OverflowError, OSError):
        return "–"
    name = "UTC"
    local, there = _in_zone(when, zone), _in_zone(other, zone)
    if local is not None and there is not None:
        when, other, name = local, there, zone
    return f"{when:%H:%M} {name}" if when.date() == other.date() else f"{when:%Y-%m-%d %H:%M} {name}"


def _in_zone(when: datetime, zone: str) -> datetime | None:
    if not zone or zone == "UTC":
        return None
    try:
        return when.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError, OverflowError):
        return None
