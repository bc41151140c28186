"""How numbers and times are written on pages, in the reader's language. What was not measured is a dash."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from typing import Any, Final

from markupsafe import Markup

from understudy.config.editing import toml_value
from understudy.core.text import Texts
from understudy.reports.shown import word

#: Stands where nothing was measured.
NOTHING: Final = "–"
_ESCAPED: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029'"}


class Shown:
    """Writes values in one language; each method is a filter of templates."""

    def __init__(self, _: Texts) -> None:
        self._texts = _

    def number(self, value: float | None, digits: int = 0) -> str:
        """12345.6 -> 12,346"""
        return NOTHING if value is None or _missing(value) else self._texts.number(value, digits)

    def percent(self, value: float | None, digits: int = 1) -> str:
        """99.95 -> 99.9 %; never 100 while something failed."""
        if value is None or _missing(value):
            return NOTHING
        if value < 100 and round(value, digits) == 100:
            value = 100 - 10**-digits
        return self._texts.number(value, digits) + " %"

    def setting(self, value: Any) -> str:
        """A value of the configuration as a file writes it, but texts without their quotes."""
        return NOTHING if value is None else value if isinstance(value, str) else toml_value(value)

    def latency(self, value: float | None) -> str:
        """0.0123 (seconds) -> 12 ms"""
        if value is None or _missing(value):
            return NOTHING
        number = self._texts.number
        if 0 < value < 0.001:
            return number(value * 1e6) + " µs"
        if value < 0.9995:
            return number(value * 1e3, 1 if 0 < value < 0.01 else 0) + " ms"
        return number(value, 2 if value < 10 else 1) + " s"

    def lasting(self, value: float | None) -> str:
        """3725 (seconds) -> 1 h 2 min"""
        if value is None or _missing(value):
            return NOTHING
        seconds = max(0, round(value))
        parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
        told = [f"{count} {unit}" for count, unit in parts if count]
        return " ".join(told[:2]) or "0 s"

    def when(self, value: float | None) -> Markup | str:
        """Epoch seconds as a time that scripts rewrite for the reader's zone; UTC without them."""
        if value is None or _missing(value):
            return NOTHING
        at = datetime.fromtimestamp(value, UTC)
        form = "%d/%m/%Y %H:%M:%S" if self._texts.language == "pt_BR" else "%Y-%m-%d %H:%M:%S"
        return Markup('<time datetime="{}" data-at="{}">{} UTC</time>').format(
            at.isoformat(timespec="milliseconds"), value, at.strftime(form)
        )

    def measure(self, value: float | None, unit: str = "") -> str:
        """A value in the unit of a chart: "s", "%", "/s", or another that is written behind the number."""
        if value is None or _missing(value):
            return NOTHING
        if unit == "s":
            return self.latency(value)
        if unit == "%":
            return self.percent(value)
        digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
        return f"{self._texts.number(value, digits)} {unit}".rstrip()


def filters(_: Texts) -> dict[str, Callable[..., Any]]:
    """The filters of templates by name."""
    shown = Shown(_)
    ours = ("number", "percent", "latency", "lasting", "when", "measure", "setting")
    return {**{name: getattr(shown, name) for name in ours}, "data": data, "spark": spark,
            "limit": partial(word, _)}  # fmt: skip


def spark(values: Sequence[float | None], height: float = 24.0) -> str:
    """The path of a small line from zero to the highest value, 100 wide; what is missing is a gap."""
    known = [value for value in values if value is not None and isfinite(value)]
    top = max(known, default=0.0) or 1.0
    step = 100.0 / max(1, len(values) - 1)
    path: list[str] = []
    drawing = False
    for place, value in enumerate(values):
        if value is None or not isfinite(value):
            drawing = False
            continue
        y = (height - 2) * (1 - max(0.0, value) / top) + 1
        path.append(f"{'L' if drawing else 'M'}{place * step:.4g} {y:.4g}")
        # A point between two gaps is seen as a short stroke.
        if not drawing and (place + 1 == len(values) or values[place + 1] is None):
            path.append("h.5")
        drawing = True
    return "".join(path)


def data(value: Any) -> Markup:
    """A value as JSON that may stand in an attribute or a script element of type application/json."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float, allow_nan=False)
    return Markup(text.translate(_ESCAPED))  # noqa: S704 - nothing that HTML reads is left in it


def _missing(value: float | None) -> bool:
    return value is None or not isfinite(value)
