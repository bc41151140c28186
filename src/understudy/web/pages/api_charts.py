"""The charts of one API and of several: latency, failures by class, rate, quota, with what happened beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from understudy.core.text import Texts
from understudy.web.forms import path_of
from understudy.web.views.anatomy import Anatomy, Heat
from understudy.web.views.api_past import ApiPast
from understudy.web.views.happened import Mark
from understudy.web.views.quotas import BurnDown

from .api_words import classes, mark

Chart = dict[str, Any]

#: Charts of one API share cursor and zoom.
GROUP: Final = "api"
#: How the classes of failures are painted: dark to light with the dashes of the legend beside it.
_TONES: Final = {
    "timeout": "series-2", "connect": "down", "tls": "text", "limit": "degraded", "refused": "paused",
    "server": "series-1", "invalid": "ok", "other": "unknown",
}  # fmt: skip
#: Of the heat-map: a cell of one request is painted at least this dark, a share of full colour.
_LEAST: Final = 0.15


def quoted(name: str) -> str:
    """A name as the search language has it."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def requests_of(name: str, more: str = "", **span: str) -> str:
    """The page with the requests of an API; `more` are further terms of the search, `span` is `from` and `to`."""
    return path_of("requests", q=f"api:{quoted(name)} {more}".strip(), **span)


def charts(_: Texts, name: str, past: ApiPast) -> list[Chart]:
    """Latency, failures, success and rate over one span, with alerts as bands and changes as marks."""
    found = past.anatomy
    if found is None:
        return []
    notes = {"bands": bands(past), "marks": marks(_, past.marks)}
    shared = {"group": GROUP, "brush": requests_of(name) + "&from={from}&to={to}", "step": found.step, **notes}
    latency = [
        {"label": label, "values": values, "field": label, "kind": "line", "dash": dash}
        for label, values, dash in (("p50", found.p50, False), ("p95", found.p95, False), ("p99", found.p99, True))
    ]
    success = [{"label": _("Success"), "values": found.success_rate, "field": "success_rate", "kind": "line"}]
    rate = [{"label": _("Requests"), "values": found.per_second, "field": "per_second", "kind": "area"}]
    made: tuple[tuple[str, str, str, Sequence[Chart], Chart], ...] = (
        ("latency", _("Latency"), "s", latency, {}),
        ("failures", _("Failures by class"), "", _failures(_, found), {"stack": True}),
        ("success", _("Success"), "%", success, {"min": _floor(found.success_rate)}),
        ("rate", _("Rate"), "/s", rate, {}),
    )
    return [
        {"key": key, "title": title, "unit": unit, "at": found.at, "series": series, "live": None, **shared, **more}
        for key, title, unit, series, more in made
    ]


def _failures(_: Texts, found: Anatomy) -> list[Chart]:
    """A series for each class that occurred; one of nothing when none did."""
    told = [
        {
            "label": label,
            "values": found.failures[each],
            "field": f"failures.{each}",
            "kind": "bar",
            "tone": _TONES[each],
        }
        for each, label in classes(_).items()
        if each in found.failures
    ]
    nothing = [None if count is None else 0.0 for count in found.requests]
    return told or [{"label": _("Failures"), "values": nothing, "field": "failures", "kind": "bar"}]


def _floor(rates: Sequence[float | None]) -> float:
    """Where the scale of success begins: below the lowest, so that small losses are seen too."""
    lowest = min((rate for rate in rates if rate is not None), default=0.0)
    return next((floor for floor in (99.0, 90.0, 50.0) if lowest >= floor + (100.0 - floor) / 10), 0.0)


def bands(past: ApiPast) -> list[dict[str, Any]]:
    """Alerts as stretches of time; one that goes on has no end."""
    return [
        {"from": each.started_at, "to": each.resolved_at, "label": each.rule, "state": each.severity}
        for each in past.episodes
    ]


def marks(_: Texts, found: Sequence[Mark]) -> list[dict[str, Any]]:
    """Changes as moments."""
    return [
        {"at": each.at, "label": mark(_, each.kind, each.route, each.detail or {}), "kind": each.kind} for each in found
    ]


def quota(_: Texts, burn: BurnDown) -> Chart:
    """What is left over time, and what will be at this pace."""
    points = ((burn.spent_at, _("Spent at this pace"), "spent"), (burn.resets_at, _("Reset"), "reset"))
    return {
        "title": _("Quota left"), "unit": "", "at": burn.at, "live": None, "brush": None, "bands": [],
        "marks": [
            {"at": at, "label": label, "kind": kind}
            for at, label, kind in points
            if at is not None and at <= burn.at[-1]
        ],
        "series": [
            {"label": _("Left"), "values": burn.past, "kind": "area"},
            {"label": _("At this pace"), "values": burn.projected, "kind": "line", "dash": True},
        ],
    }  # fmt: skip


def compared(_: Texts, names: Sequence[str], found: Sequence[Anatomy | None]) -> list[Chart]:
    """The same measure of several APIs over each other."""
    known = [(name, each) for name, each in zip(names, found, strict=True) if each is not None]
    if not known:
        return []
    grid = known[0][1].at
    made: list[Chart] = []
    for title, unit, field in (
        (_("p95"), "s", "p95"),
        (_("Success"), "%", "success_rate"),
        (_("Rate"), "/s", "per_second"),
    ):
        series: list[Chart] = [
            {"label": name, "values": _onto(grid, each, field), "kind": "line"} for name, each in known
        ]
        low = _floor([value for each in series for value in each["values"]]) if unit == "%" else 0.0
        made.append({
            "title": title, "unit": unit, "min": low, "at": grid, "series": series, "group": "compare", "live": None,
            "brush": None, "bands": [], "marks": [],
        })  # fmt: skip
    return made


def _onto(grid: Sequence[int], found: Anatomy, field: str) -> list[float | None]:
    """The values of one API at the points of another: both are read over one span, so the grids are the same."""
    values: Mapping[int, float | None] = dict(zip(found.at, getattr(found, field), strict=True))
    return [values.get(at) for at in grid]


def cells(heat: Heat) -> list[dict[str, float]]:
    """The heat-map as cells to be drawn: place, and how dark; the darkest is the fullest of all."""
    most = heat.most
    return [
        {"x": x, "y": len(heat.rows) - 1 - y, "shade": round(_LEAST + (1 - _LEAST) * (count / most) ** 0.5, 3)}
        for y, row in enumerate(heat.rows)
        for x, count in enumerate(row)
        if count
    ]
