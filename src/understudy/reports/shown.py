"""Values as people read them in a report, in the language of the report."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite

from understudy.core.text import Texts, texts

from .model import Kind, Value

ENGLISH = texts("en")
#: Longest text of a cell on a page, characters; JSON and CSV have all of it.
LONGEST = 300
#: What would turn the direction of the text around it.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def shown(value: Value, kind: Kind, text: Texts = ENGLISH) -> str:
    """A value of a column or fact; a dash for what is not known."""
    if isinstance(value, str):
        return plain(", ".join(word(text, each) for each in value.split(", ")) if kind == "word" else value)
    if value is None or not isfinite(value):
        return "–"
    match kind:
        case "count":
            return text.number(value)
        case "percent":
            return f"{_percent(value, text)} %"
        case "seconds":
            return duration(value, text)
        case "money":
            return text.number(value, 2 if abs(value) >= 1 or value == 0 else 4)
        case "time":
            return moment(value, text)
    return str(value)


def word(_: Texts, name: str) -> str:
    """What a limit counts, how bad an incident is, in what an API is better, in words; other names stay as they are."""
    known = {
        "configured": _("as configured"), "requests": _("requests"), "tokens": _("tokens"), "day": _("day"),
        "month": _("month"),
        "critical": _("Critical"), "warning": _("Warning"), "info": _("Information"),
        "success": _("Success"), "p50": _("Median"), "p95": _("95 % within"), "p99": _("99 % within"),
        "cost": _("Cost"),
    }  # fmt: skip
    return known.get(name, name)


def plain(value: str, longest: int = LONGEST) -> str:
    """Foreign text fit for a page: one line, nothing that turns what stands around it, not endless."""
    cut = value if len(value) <= longest else f"{value[: longest - 1]}…"
    return "".join(" " if sign.isspace() else "·" if sign in _TURNING or _unseen(sign) else sign for sign in cut)


def _unseen(sign: str) -> bool:
    """Control characters, and halves of a character, which no encoding can write."""
    return sign < " " or "\x7f" <= sign < "\xa0" or "\ud800" <= sign <= "\udfff" or sign in "\ufffe\uffff"


def _percent(value: float, text: Texts) -> str:
    """One decimal below 90, up to three above, where a service level is told; never rounded to none or to all."""
    if 0.0 < value < 0.05:
        return f"< {text.number(0.1, 1)}"
    digits = 3 if value >= 90.0 else 1
    number = f"{value:,.{digits}f}"
    if value < 100.0 and number == "100.000":
        number = "99.999"
    number = number.rstrip("0").rstrip(".")
    return text.written("0" if number == "-0" else number)


def duration(seconds: float, text: Texts = ENGLISH) -> str:
    """1.2 ms, 340 ms, 2.5 s, 4 min, 3.2 h, 12 d."""
    if seconds < 0:
        return f"-{duration(-seconds, text)}"
    if seconds < 0.9995:
        return f"{_three(seconds * 1000, text)} ms"
    for limit, size, unit in ((119.5, 1, "s"), (7170, 60, "min"), (172_000, 3600, "h")):
        if seconds < limit:
            return f"{_three(seconds / size, text)} {unit}"
    return f"{text.number(seconds / 86400)} d"


def _three(value: float, text: Texts) -> str:
    """Three significant digits below a thousand, no trailing zeros."""
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    number = f"{value:.{digits}f}"
    return text.written(number.rstrip("0").rstrip(".") if digits else number)


def moment(at: float, text: Texts = ENGLISH) -> str:
    """2026-11-25 14:03:20 UTC, or 25/11/2026 14:03:20 UTC; a dash for what no calendar holds."""
    pattern = "%d/%m/%Y %H:%M:%S" if text.language == "pt_BR" else "%Y-%m-%d %H:%M:%S"
    try:
        return f"{datetime.fromtimestamp(at, UTC):{pattern}} UTC"
    except (ValueError, OverflowError, OSError):
        return "–"


def short_moment(at: float, text: Texts, length: float) -> str:
    """A time under a chart of `length` seconds: the day, or with the hour, or the hour with its seconds."""
    if length < 600:
        pattern = "%H:%M:%S"
    elif length > 60 * 86400:
        pattern = "%d/%m/%Y" if text.language == "pt_BR" else "%Y-%m-%d"
    else:
        pattern = "%d/%m %H:%M" if text.language == "pt_BR" else "%m-%d %H:%M"
    return f"{datetime.fromtimestamp(at, UTC):{pattern}}"
