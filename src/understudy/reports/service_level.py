"""How well each API and hub kept its promise, month by month, and what is left of the error budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import ApiFacts, Past, Point

#: Month, API, its numbers.
Monthly = Sequence[tuple[str, ApiFacts, Point]]

_MONTHLY = (
    Column("month", "Month"),
    Column("api", "API"),
    Column("hub", "Hub"),
    Column("attempts", "Attempts", "count"),
    Column("failures", "Failures", "count"),
    Column("success_rate", "Success", "percent"),
    Column("p50", "Median", "seconds"),
    Column("p95", "95 %", "seconds"),
    Column("p99", "99 %", "seconds"),
    Column("budget_left", "Budget left", "percent"),
)
_HUBS = (
    Column("hub", "Hub"),
    Column("apis", "APIs", "count"),
    Column("attempts", "Attempts", "count"),
    Column("failures", "Failures", "count"),
    Column("success_rate", "Success", "percent"),
    Column("budget_left", "Budget left", "percent"),
)


def budget_left(ok: int, err: int, target: float) -> float | None:
    """Share of the error budget that is left, percent; negative when it is overdrawn, None without attempts.

    The budget is request-based: of all rated attempts, `100 - target` percent may fail.
    """
    rated = ok + err
    if not rated:
        return None
    allowed = rated * (100.0 - target) / 100.0
    if allowed <= 0:
        return 100.0 if not err else None
    return 100.0 * (1.0 - err / allowed)


def service_level(monthly: Monthly, pasts: Mapping[str, Past], target: float) -> Section:
    """The section; `pasts` are the same APIs over the whole span, for the chart."""
    rows: list[tuple[Value, ...]] = [
        (
            month, api.name, api.hub, point.n, point.err, point.success_rate, point.p50, point.p95, point.p99,
            budget_left(point.ok, point.err, target),
        )
        for month, api, point in monthly
    ]  # fmt: skip
    ok = sum(point.ok for _, _, point in monthly)
    err = sum(point.err for _, _, point in monthly)
    rated = ok + err
    worst = sorted(pasts.items(), key=lambda entry: entry[1].whole.success_rate or 100.0)[:6]
    chart = Chart(
        "Success rate",
        "percent",
        tuple(Line(name, tuple((float(p.at), p.success_rate) for p in past.points)) for name, past in worst),
        low=None,
    )
    return Section(
        "Service level",
        f"Promise: {target:g} % of attempts succeed. The budget is the number of attempts that may fail.",
        (
            Fact("Attempts", sum(point.n for _, _, point in monthly), "count"),
            Fact("Success", 100.0 * ok / rated if rated else None, "percent"),
            Fact("Budget left", budget_left(ok, err, target), "percent"),
        ),
        (chart,) if worst else (),
        (Table("By month and API", _MONTHLY, tuple(rows)), Table("By hub", _HUBS, _hubs(monthly, target))),
    )


def _hubs(monthly: Monthly, target: float) -> tuple[tuple[Value, ...], ...]:
    found: dict[str, tuple[set[str], list[Point]]] = {}
    for _, api, point in monthly:
        names, points = found.setdefault(api.hub, (set(), []))
        names.add(api.name)
        points.append(point)
    rows: list[tuple[Value, ...]] = []
    for hub, (names, points) in sorted(found.items()):
        ok, err = sum(point.ok for point in points), sum(point.err for point in points)
        rate = 100.0 * ok / (ok + err) if ok + err else None
        rows.append((hub, len(names), sum(p.n for p in points), err, rate, budget_left(ok, err, target)))
    return tuple(rows)
