"""Charts as inline SVG: no script, no font of its own, readable in print and by a screen reader.

Lines differ by colour and by dash, so that they can be told apart without colour. A gap in the data is
a gap in the line.
"""

from __future__ import annotations

from html import escape
from math import ceil, floor, isfinite, log10

from understudy.core.text import Texts

from .model import Chart, Kind, Line
from .shown import ENGLISH, moment, plain, short_moment, shown

WIDTH, HEIGHT = 860, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 14, 12, 30
#: Okabe and Ito's colours, which people with any colour vision can tell apart.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4")
#: Most lines of one chart: more could not be told apart.
LINES = len(_COLOURS)
#: Longest name beside a chart, characters.
_LABEL = 60
#: Most points that are drawn for one line; more would lie on one another.
_DRAWN = 400


def svg(chart: Chart, text: Texts = ENGLISH) -> str:
    """The chart as an `<svg>` element; empty text when there is nothing to draw."""
    lines = [_known(line) for line in chart.lines]
    times = [at for line in lines for at, _value in line.points]
    values = [value for line in lines for _at, value in line.points if value is not None]
    if not values:
        return ""
    first, last = min(times), max(times)
    ticks = _ticks(min(values) if chart.low is None else min(chart.low, *values), max(values), chart.kind)
    frame = _Frame(first, last if last > first else first + 1, ticks[0], ticks[-1])
    said = escape(_said(chart, values, text))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">']
    parts += [_grid(frame, tick, _label(tick, chart.kind, ticks, text)) for tick in ticks]
    parts += [_date(frame, at, text, last - first) for at in _dates(first, last)]
    parts += [_line(frame, line, number, _step(line)) for number, line in enumerate(lines)]
    return "".join((*parts, "</svg>"))


def legend(chart: Chart) -> list[tuple[str, str, str]]:
    """(label, colour, dash) of each line."""
    return [
        (plain(line.label, _LABEL), _COLOURS[number % LINES], _DASHES[number % len(_DASHES)])
        for number, line in enumerate(chart.lines)
    ]


def _known(line: Line) -> Line:
    """The line with a gap where its value is no number."""
    return Line(line.label, tuple((at, None if v is None or not isfinite(v) else v) for at, v in line.points))


class _Frame:
    """Turns times and values into places."""

    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self._first, self._low = first, low
        self._per_second = (WIDTH - _LEFT - _RIGHT) / (last - first)
        self._per_unit = (HEIGHT - _TOP - _BOTTOM) / (high - low)

    def x(self, at: float) -> float:
        return round(_LEFT + (at - self._first) * self._per_second, 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - (value - self._low) * self._per_unit, 1)


def _said(chart: Chart, values: list[float], _: Texts) -> str:
    low, high = shown(min(values), chart.kind, _), shown(max(values), chart.kind, _)
    names = ", ".join(plain(line.label, _LABEL) for line in chart.lines)
    title = plain(chart.title, _LABEL)
    return _("{title}: {names}; from {low} to {high}", title=title, names=names, low=low, high=high)


def _ticks(low: float, high: float, kind: Kind) -> list[float]:
    """Three to seven round numbers that enclose the values."""
    most = 100.0 if kind == "percent" and high <= 100.0 else None
    if high - low <= max(1e-12, 1e-9 * max(abs(low), abs(high))):
        # A flat line lies at the top of its scale, a share of all of it too.
        low, high = (high - 1.0, high) if most is not None and high >= 1.0 else (low, low + max(abs(low), 1.0))
    rough = (high - low) / 4
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    if kind == "count":
        step = max(1.0, step)
    numbers = range(floor(low / step), max(ceil(high / step), floor(low / step) + 1) + 1)
    ticks = [step * number for number in numbers]
    return [tick for tick in ticks if most is None or tick <= most + step / 100]


def _label(tick: float, kind: Kind, ticks: list[float], text: Texts) -> str:
    """The tick with as many decimals as the ticks need to differ."""
    if kind not in ("percent", "money"):
        return shown(tick, kind, text)
    number = text.number(tick, max(0, -floor(log10(ticks[1] - ticks[0]) + 1e-9)))
    return f"{number} %" if kind == "percent" else number


def _grid(frame: _Frame, value: float, label: str) -> str:
    y = frame.y(value)
    return (
        f'<line x1="{_LEFT}" y1="{y}" x2="{WIDTH - _RIGHT}" y2="{y}" class="grid"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(label)}</text>'
    )


def _dates(first: float, last: float) -> list[float]:
    return [first + (last - first) * part / 4 for part in range(5)] if last > first else [first]


def _date(frame: _Frame, at: float, text: Texts, length: float) -> str:
    x = frame.x(at)
    anchor = "start" if x <= _LEFT + 1 else "end" if x >= WIDTH - _RIGHT - 1 else "middle"
    label = short_moment(at, text, length)
    return f'<text x="{x}" y="{HEIGHT - 10}" text-anchor="{anchor}"><title>{moment(at, text)}</title>{label}</text>'


def _step(line: Line) -> float:
    """The usual distance of two points; a longer one is a gap."""
    gaps = sorted(after[0] - before[0] for before, after in zip(line.points, line.points[1:], strict=False))
    return gaps[len(gaps) // 2] if gaps else 0.0


def _line(frame: _Frame, line: Line, number: int, step: float) -> str:
    colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
    stretches: list[list[str]] = []
    before: float | None = None
    for at, value in _thinned(line):
        if value is None:
            before = None
            continue
        if before is None or at - before > 2.5 * step * _every(line):
            stretches.append([])
        stretches[-1].append(f"{frame.x(at)},{frame.y(value)}")
        before = at
    style = f'fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{dash}"'
    drawn = []
    for stretch in stretches:
        if len(stretch) == 1:  # a line of one point would not be seen
            x, y = stretch[0].split(",")
            drawn.append(f'<circle cx="{x}" cy="{y}" r="2" fill="{colour}"/>')
        else:
            drawn.append(f'<polyline points="{" ".join(stretch)}" {style}/>')
    return f"<g><title>{escape(plain(line.label, _LABEL))}</title>{''.join(drawn)}</g>"


def _every(line: Line) -> int:
    return max(1, ceil(len(line.points) / _DRAWN))


def _thinned(line: Line) -> list[tuple[float, float | None]]:
    """At most `_DRAWN` points: of each group the one that lies furthest from its neighbours' mean stays."""
    every = _every(line)
    if every == 1:
        return list(line.points)
    kept: list[tuple[float, float | None]] = []
    for begin in range(0, len(line.points), every):
        group = line.points[begin : begin + every]
        known = [(at, value) for at, value in group if value is not None]
        if not known:
            kept.append(group[0])
            continue
        mean = sum(value for _, value in known) / len(known)
        kept.append(max(known, key=lambda point: abs(point[1] - mean)))
    return kept
