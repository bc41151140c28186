"""What the standbys were worth: calls that succeeded although the lead had failed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import Past, RouteFacts

_ROUTES = (
    Column("route", "Route"),
    Column("calls", "Calls", "count"),
    Column("saved", "Saved by a standby", "count"),
    Column("failed", "Failed", "count"),
    Column("success_rate", "Success", "percent"),
    Column("without", "Without standbys", "percent"),
)
_STANDBYS = (Column("api", "API"), Column("served", "Calls served as a standby", "count"))


def savings(routes: Sequence[RouteFacts], calls: Mapping[str, Past], attempts: Mapping[str, Past]) -> Section:
    """The section; `calls` by route, `attempts` by API."""
    rows: list[tuple[Value, ...]] = []
    total = saved = failed = 0
    for route in routes:
        whole = calls[route.name].whole
        rated = whole.ok + whole.err
        total, saved, failed = total + rated, saved + whole.fallback_used, failed + whole.err
        without = 100.0 * (whole.ok - whole.fallback_used) / rated if rated else None
        rows.append((route.name, whole.n, whole.fallback_used, whole.err, whole.success_rate, without))
    standbys: list[tuple[Value, ...]] = [
        (name, past.whole.fallback_used) for name, past in attempts.items() if past.whole.fallback_used
    ]
    standbys.sort(key=lambda row: -int(row[1] or 0))
    lines = tuple(
        Line(route.name, tuple((float(p.at), float(p.fallback_used)) for p in calls[route.name].points))
        for route in routes
        if calls[route.name].whole.fallback_used
    )[:6]
    return Section(
        "Saved by standbys",
        "Calls that a standby served after the lead could not. Without standbys they would have failed.",
        (
            Fact("Calls saved", saved, "count"),
            Fact("Success", 100.0 * (total - failed) / total if total else None, "percent"),
            Fact("Without standbys", 100.0 * (total - failed - saved) / total if total else None, "percent"),
        ),
        (Chart("Calls saved", "count", lines),) if lines else (),
        (Table("By route", _ROUTES, tuple(rows)), Table("By standby", _STANDBYS, tuple(standbys))),
    )
