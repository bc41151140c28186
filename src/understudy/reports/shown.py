"""Values as people read them in a report."""

from __future__ import annotations

from datetime import UTC, datetime

from .model import Kind, Value


def shown(value: Value, kind: Kind) -> str:
    """A value of a column or fact; a dash for what is not known."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    match kind:
        case "count":
            return f"{value:,.0f}"
        case "percent":
            return _percent(value)
        case "seconds":
            return duration(value)
        case "money":
            return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}"
        case "time":
            return moment(value)
    return str(value)


def _percent(value: float) -> str:
    """Never rounded up to 100: one failure in a million is not none."""
    text = f"{value:.3f}"
    if value < 100.0 and text == "100.000":
        text = "99.999"
    return f"{text.rstrip('0').rstrip('.')} %"


def duration(seconds: float) -> str:
    """1.2 ms, 340 ms, 2.5 s, 4 min, 3.2 h, 12 d."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86400:,.0f} d"


def moment(at: float) -> str:
    """2026-11-25 14:03:20 UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
