"""The line of a rule as `<u-chart>` draws it: the number, a dashed line for each threshold, bands where it fired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from understudy.notifications.wording import metric_word
from understudy.web.views.breach import Breach

from .alert_words import Words

#: The chart's unit of each kind of number, and what values are multiplied by to be in it.
_UNITS: Final = {"percent": ("%", 1.0), "ratio": ("%", 100.0), "seconds": ("s", 1.0)}
_TONES: Final = {"critical": "down", "warning": "degraded", "info": "unknown"}


def breach_chart(w: Words, line: Breach, *, brush: str | None = None) -> dict[str, Any]:
    """The line as the chart contract has it. Values beyond what is drawn keep their place: nothing is cut."""
    word, kind = metric_word(w._, line.metric)
    unit, times = _UNITS.get(kind, ("", 1.0))

    def scaled(value: float | None) -> float | None:
        return None if value is None else value * times

    series: list[dict[str, Any]] = [
        {"label": word, "values": [scaled(each) for each in line.values], "kind": "line", "dash": False}
    ]
    for severity, value in line.thresholds:
        label = (
            f"{w.severity(severity)}: {w.compared(line.metric, line.operator, value) or w.value(line.metric, value)}"
        )
        series.append(
            {"label": label, "values": [scaled(value)] * len(line.at), "kind": "line", "dash": True,
             "tone": _TONES.get(severity, "unknown")}
        )  # fmt: skip  # one line for each
    bands = [
        {"from": begin, "to": end, "label": w.severity(severity), "state": severity}
        for begin, end, severity, _episode in line.spans
    ]
    title = w._("{measured} of {about}", measured=word, about=w.about(line.labels))
    return {
        "title": title, "unit": unit, "at": list(line.at), "series": series, "bands": bands, "marks": [],
        "live": None, "brush": brush,
    }  # fmt: skip  # as the contract lists them


def fallback_rows(line: Breach, shown: Callable[[float | None], str], most: int = 24) -> list[tuple[float, str]]:
    """A few points of the line for people without scripts: (epoch seconds, value in words)."""
    step = max(1, len(line.at) // most)
    return [(at, shown(value)) for at, value in list(zip(line.at, line.values, strict=True))[::step]]
