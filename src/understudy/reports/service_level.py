"""How well each API and hub kept its promise, month by month, and what is left of the error budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from understudy.core.text import Texts

from .charts import LINES
from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import ApiFacts, Past, Point

#: Month, API, its numbers.
Monthly = Sequence[tuple[str, ApiFacts, Point]]


def _monthly(_: Texts) -> tuple[Column, ...]:
    return (
        Column("month", _("Month")),
        Column("api", _("API")),
        Column("hub", _("Hub")),
        Column("attempts", _("Attempts"), "count"),
        Column("failures", _("Failures"), "count"),
        Column("success_rate", _("Success"), "percent"),
        Column("p50", _("Median"), "seconds"),
        Column("p95", _("95 % within"), "seconds"),
        Column("p99", _("99 % within"), "seconds"),
        Column("budget_left", _("Budget left"), "percent"),
    )


def _by_hub(_: Texts) -> tuple[Column, ...]:
    return (
        Column("hub", _("Hub")),
        Column("apis", _("APIs"), "count"),
        Column("attempts", _("Attempts"), "count"),
        Column("failures", _("Failures"), "count"),
        Column("success_rate", _("Success"), "percent"),
        Column("budget_left", _("Budget left"), "percent"),
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


def drawn(pasts: Mapping[str, Past]) -> list[str]:
    """The APIs of the chart: those with the lowest success rate."""
    used = [name for name, past in pasts.items() if past.whole.success_rate is not None]
    return sorted(used, key=lambda name: pasts[name].whole.success_rate or 0.0)[:LINES]


def service_level(_: Texts, monthly: Monthly, lines: Mapping[str, Past], target: float) -> Section:
    """The section; `lines` are the APIs of the chart with their points."""
    rows: list[tuple[Value, ...]] = [
        (
            month, api.name, api.hub, point.n, point.err, point.success_rate, point.p50, point.p95, point.p99,
            budget_left(point.ok, point.err, target),
        )
        for month, api, point in monthly
    ]  # fmt: skip
    ok = sum(point.ok for _month, _api, point in monthly)
    err = sum(point.err for _month, _api, point in monthly)
    rated = ok + err
    used = len({api.name for _month, api, point in monthly if point.success_rate is not None})
    title = _("Success rate") if used <= LINES else _("Success rate of the {count} lowest", count=LINES)
    chart = Chart(title, "percent", tuple(_line(name, past) for name, past in lines.items()), low=None)
    return Section(
        _("Service level"),
        _(
            "Promise: {target} % of attempts succeed. The budget is the number of attempts that may fail.",
            target=_.written(f"{target:g}"),
        ),
        (
            Fact(_("Attempts"), sum(point.n for _month, _api, point in monthly), "count"),
            Fact(_("Success"), 100.0 * ok / rated if rated else None, "percent"),
            Fact(_("Budget left"), budget_left(ok, err, target), "percent"),
        ),
        (chart,) if lines else (),
        (
            Table("service-level-by-month", _("By month and API"), _monthly(_), tuple(rows), most="failures"),
            Table("service-level-by-hub", _("By hub"), _by_hub(_), _hubs(monthly, target), most="failures"),
        ),
    )


def _line(name: str, past: Past) -> Line:
    return Line(name, tuple((float(point.at), point.success_rate) for point in past.points))


def _hubs(monthly: Monthly, target: float) -> tuple[tuple[Value, ...], ...]:
    found: dict[str, tuple[set[str], list[Point]]] = {}
    for _month, api, point in monthly:
        names, points = found.setdefault(api.hub, (set(), []))
        names.add(api.name)
        points.append(point)
    rows: list[tuple[Value, ...]] = []
    for hub, (names, points) in sorted(found.items()):
        ok, err = sum(point.ok for point in points), sum(point.err for point in points)
        rate = 100.0 * ok / (ok + err) if ok + err else None
        rows.append((hub, len(names), sum(p.n for p in points), err, rate, budget_left(ok, err, target)))
    return tuple(rows)
