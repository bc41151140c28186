"""How numbers and times are written on pages, in the reader's language. What was not measured is a dash."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

from markupsafe import Markup

from understudy.core.text import Texts

#: Stands where nothing was measured.
NOTHING: Final = "–"
_ESCAPED: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029'"}


def filters(_: Texts) -> dict[str, Callable[..., Any]]:
    """The filters of templates by name."""

    def number(value: float | None, digits: int = 0) -> str:
        """12345.6 -> 12,346"""
        return NOTHING if _missing(value) else _.number(value or 0.0, digits)

    def percent(value: float | None, digits: int = 1) -> str:
        """99.95 -> 100.0 %; never 100 while something failed."""
        if value is None or _missing(value):
            return NOTHING
        if value < 100 and round(value, digits) == 100:
            return _.number(100 - 10**-digits, digits) + " %"
        return _.number(value, digits) + " %"

    def latency(value: float | None) -> str:
        """0.0123 (seconds) -> 12 ms"""
        if value is None or _missing(value):
            return NOTHING
        if value < 0.001:
            return _.number(value * 1e6) + " µs"
        if value < 0.9995:
            return _.number(value * 1e3, 1 if value < 0.01 else 0) + " ms"
        return _.number(value, 2 if value < 10 else 1) + " s"

    def lasting(value: float | None) -> str:
        """3725 (seconds) -> 1 h 2 min"""
        if value is None or _missing(value):
            return NOTHING
        seconds = max(0, round(value))
        parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
        told = [f"{count} {unit}" for count, unit in parts if count]
        return " ".join(told[:2]) or "0 s"

    def when(value: float | None) -> Markup | str:
        """Epoch seconds as a time that scripts rewrite for the reader's zone; UTC without them."""
        if value is None or _missing(value):
            return NOTHING
        at = datetime.fromtimestamp(value, UTC)
        form = "%d/%m/%Y %H:%M:%S" if _.language == "pt_BR" else "%Y-%m-%d %H:%M:%S"
        return Markup('<time datetime="{}" data-at="{}">{} UTC</time>').format(
            at.isoformat(timespec="milliseconds"), value, at.strftime(form)
        )

    return {"number": number, "percent": percent, "latency": latency, "lasting": lasting, "when": when, "data": data}


def data(value: Any) -> Markup:
    """A value as JSON that may stand in an attribute or a script element of type application/json."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float, allow_nan=False)
    return Markup(text.translate(_ESCAPED))  # noqa: S704 - nothing that HTML reads is left in it


def _missing(value: float | None) -> bool:
    return value is None or not isfinite(value)
