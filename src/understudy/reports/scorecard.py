"""Which of the APIs that stand in for one another is better in what: a scorecard for each route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from understudy.core.text import Texts

from .charts import LINES
from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import ApiFacts, Past, RouteFacts

#: Below this many attempts a value is shown, but neither wins nor loses.
ENOUGH: Final = 30
#: A value wins only if it is better than the next by this share: less is no difference for anybody.
_CLEAR: Final = 0.02
#: What is held against one another, and whether more of it is better.
_MEASURES: Final = {"success": True, "p50": False, "p95": False, "p99": False, "cost": False}


class _Measured(NamedTuple):
    """One API; rates in percent, seconds, the cost of 1,000 good answers."""

    api: ApiFacts
    attempts: int
    success: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    cost: float | None
    quota: float | None


def _columns(_: Texts) -> tuple[Column, ...]:
    return (
        Column("route", _("Route")),
        Column("api", _("API")),
        Column("hub", _("Hub")),
        Column("attempts", _("Attempts"), "count"),
        Column("success_rate", _("Success"), "percent"),
        Column("p50", _("Median"), "seconds"),
        Column("p95", _("95 % within"), "seconds"),
        Column("p99", _("99 % within"), "seconds"),
        Column("per_good", _("Per 1,000 good answers"), "money"),
        Column("quota_left", _("Quota left"), "percent"),
        Column("wins", _("Clearly best in"), "word"),
    )


def drawn(pasts: Mapping[str, Past]) -> list[str]:
    """The APIs of the chart: those that were asked most."""
    return [name for name in sorted(pasts, key=lambda name: -pasts[name].whole.n) if pasts[name].whole.n][:LINES]


def scorecard(
    _: Texts,
    routes: Sequence[RouteFacts],
    apis: Sequence[ApiFacts],
    pasts: Mapping[str, Past],
    lines: Mapping[str, Past],
) -> Section:
    """The section: a row for each API of each route, then for those of none."""
    measured = {api.name: _measured(api, pasts[api.name]) for api in apis if api.name in pasts}
    groups = [(route.name, [measured[name] for name in route.apis if name in measured]) for route in routes]
    routed = {each.api.name for _route, group in groups for each in group}
    alone = [each for name, each in measured.items() if name not in routed]
    rows: list[tuple[Value, ...]] = []
    best: dict[str, int] = {}
    for route, group in groups:
        wins = _wins(group)
        for each in group:
            won = wins.get(each.api.name, [])
            best[each.api.name] = best.get(each.api.name, 0) + len(won)
            rows.append(_row(route, each, ", ".join(won)))
    rows += [_row("", each, "") for each in alone]
    leader = max(best, key=lambda name: best[name], default="")
    return Section(
        _("Comparison of APIs"),
        _(
            "APIs of one route are held against one another. Best is who is better than the next by more than "
            "{share} %, of those with at least {enough} attempts.",
            share=f"{100 * _CLEAR:g}", enough=ENOUGH,
        ),
        (
            Fact(_("APIs compared"), len(routed), "count"),
            Fact(_("Best most often"), leader if best.get(leader) else None),
        ),
        (Chart(_("95 % within"), "seconds", tuple(_line(name, past) for name, past in lines.items())),)
        if lines
        else (),
        (Table("scorecard", _("Side by side"), _columns(_), tuple(rows), most="attempts"),),
    )  # fmt: skip


def _measured(api: ApiFacts, past: Past) -> _Measured:
    whole = past.whole
    left = [100.0 * each.remaining / each.limit for each in api.quotas if each.limit and each.remaining is not None]
    cost = 1000.0 * whole.cost / whole.ok if whole.ok and (whole.cost or api.price) else None
    return _Measured(api, whole.n, whole.success_rate, whole.p50, whole.p95, whole.p99, cost, min(left, default=None))


def _wins(group: Sequence[_Measured]) -> dict[str, list[str]]:
    """In what each API is clearly better than the others of its route."""
    found: dict[str, list[str]] = {}
    for name, higher in _MEASURES.items():
        values = [(getattr(each, name), each.api.name) for each in group if each.attempts >= ENOUGH]
        known = sorted((value, api) for value, api in values if value is not None)
        if higher:
            known.reverse()
        if len(known) < 2:
            continue
        (first, winner), (second, _next) = known[:2]
        if abs(first - second) > _CLEAR * max(abs(first), abs(second)):
            found.setdefault(winner, []).append(name)
    return found


def _row(route: str, each: _Measured, wins: str) -> tuple[Value, ...]:
    return (
        route, each.api.name, each.api.hub, each.attempts, each.success, each.p50, each.p95, each.p99, each.cost,
        each.quota, wins,
    )  # fmt: skip


def _line(name: str, past: Past) -> Line:
    return Line(name, tuple((float(point.at), point.p95) for point in past.points))
