"""The text of Prometheus: names, escaping, and blocks of lines that are formatted in one step.

A block holds the lines of one metric family for one API. Its template is made once, with a `%` place
for each number, so that a change costs one formatting for all of its lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import Literal

from understudy.core.durations import Durations

Format = Literal["text", "openmetrics"]
Labels = Sequence[tuple[str, str]]

CONTENT_TYPES: Mapping[Format, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without `_total`, its kind, and what it means."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str

    def head(self, style: Format) -> bytes:
        """The HELP and TYPE lines."""
        name = f"{self.name}_total" if self.kind == "counter" and style == "text" else self.name
        told = self.help.replace("\\", r"\\").replace("\n", r"\n")
        if style == "openmetrics":
            told = told.replace('"', r"\"")
        return f"# HELP {name} {told}\n# TYPE {name} {self.kind}\n".encode()


def escaped(value: str) -> str:
    """A label value between its quotes: what is hostile in it cannot end the line or the quotes."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def labelled(labels: Labels) -> str:
    """`{api="x",outcome="success"}`, or nothing."""
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels) + "}" if labels else ""


def number(value: float) -> str:
    """A number as the formats want it."""
    if isinstance(value, int):
        return str(int(value))
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def counter_template(family: Family, rows: Iterable[Labels], style: Format, created_at: float) -> str:
    """Lines of a counter with a place for each value, in the order of `rows`."""
    lines = []
    for labels in rows:
        shown = labelled(labels).replace("%", "%%")
        lines.append(f"{family.name}_total{shown} %s\n")
        if style == "openmetrics":
            lines.append(f"{family.name}_created{shown} {created_at:.3f}\n")
    return "".join(lines)


def gauge_template(family: Family, rows: Iterable[Labels]) -> str:
    """Lines of a gauge with a place for each value, in the order of `rows`."""
    return "".join(f"{family.name}{labelled(labels)}".replace("%", "%%") + " %s\n" for labels in rows)


def histogram_template(
    family: Family, labels: Labels, bounds: Sequence[float], style: Format, created_at: float
) -> str:
    """Lines of a histogram: a place for each cumulative bucket and `+Inf`, then sum, then count."""
    lines = []
    for bound in (*map(repr, bounds), "+Inf"):
        shown = labelled((*labels, ("le", bound)))
        lines.append(f"{family.name}_bucket{shown}".replace("%", "%%") + " %d\n")
    shown = labelled(labels).replace("%", "%%")
    lines += [f"{family.name}_sum{shown} %r\n", f"{family.name}_count{shown} %d\n"]
    if style == "openmetrics":
        lines.append(f"{family.name}_created{shown} {created_at:.3f}\n")
    return "".join(lines)


def samples(
    family: Family, rows: Iterable[tuple[Labels, float | Durations]], style: Format, created_at: float
) -> bytes:
    """All lines of a small family, formatted at once. The rows of a histogram hold durations."""
    lines: list[str] = []
    values: list[str] = []
    for labels, value in rows:
        if isinstance(value, Durations):
            template = histogram_template(family, labels, value.bounds, style, created_at)
            lines.append(template % (*value.cumulative(), value.seconds, value.count))
            continue
        if family.kind == "counter":
            lines.append(counter_template(family, (labels,), style, created_at))
        else:
            lines.append(gauge_template(family, (labels,)))
        values.append(number(value))
    text = "".join(lines)
    return (text % tuple(values) if values else text).encode("utf-8", "replace")


def accepted(header: str) -> Format:
    """The format that an `Accept` header prefers; the older text where it has no preference."""
    weights: dict[Format, float] = {"text": 0.0, "openmetrics": 0.0}
    for part in header[:2000].split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        version = ""
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name == "q":
                weight = _weight(value)
            elif name == "version":
                version = value
        if kind == "application/openmetrics-text" and version in ("", "1.0.0", "0.0.1"):
            weights["openmetrics"] = max(weights["openmetrics"], weight)
        elif kind in ("text/plain", "text/*", "*/*") and version in ("", "0.0.4"):
            weights["text"] = max(weights["text"], weight)
    return "openmetrics" if weights["openmetrics"] > weights["text"] else "text"


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
