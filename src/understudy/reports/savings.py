"""What the standbys were worth: calls that succeeded although the lead had failed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from understudy.core.text import Texts

from .charts import LINES
from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import Past, RouteFacts


def _routes(_: Texts) -> tuple[Column, ...]:
    return (
        Column("route", _("Route")),
        Column("calls", _("Calls"), "count"),
        Column("saved", _("Saved by a standby"), "count"),
        Column("failed", _("Failed calls"), "count"),
        Column("success_rate", _("Success"), "percent"),
        Column("without", _("Without standbys"), "percent"),
    )


def _standbys(_: Texts) -> tuple[Column, ...]:
    return (Column("api", _("API")), Column("served", _("Calls served as a standby"), "count"))


def drawn(calls: Mapping[str, Past]) -> list[str]:
    """The routes of the chart: those of which most calls were saved."""
    saved = sorted(calls, key=lambda name: -calls[name].whole.fallback_used)
    return [name for name in saved if calls[name].whole.fallback_used][:LINES]


def savings(
    _: Texts,
    routes: Sequence[RouteFacts],
    calls: Mapping[str, Past],
    attempts: Mapping[str, Past],
    lines: Mapping[str, Past],
) -> Section:
    """The section; `calls` by route, `attempts` by API, `lines` are the routes of the chart with their points."""
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
    using = sum(past.whole.fallback_used > 0 for past in calls.values())
    title = _("Calls saved") if using <= LINES else _("Calls saved on the {count} routes with most", count=LINES)
    return Section(
        _("Saved by standbys"),
        _("Calls that a standby served after the lead could not. Without standbys they would have failed."),
        (
            Fact(_("Calls saved"), saved, "count"),
            Fact(_("Success"), 100.0 * (total - failed) / total if total else None, "percent"),
            Fact(_("Without standbys"), 100.0 * (total - failed - saved) / total if total else None, "percent"),
        ),
        (Chart(title, "count", tuple(_line(name, past) for name, past in lines.items())),) if lines else (),
        (
            Table("saved-by-route", _("By route"), _routes(_), tuple(rows), most="saved"),
            Table("saved-by-standby", _("By standby"), _standbys(_), tuple(standbys)),
        ),
    )


def _line(name: str, past: Past) -> Line:
    return Line(name, tuple((float(point.at), float(point.fallback_used)) for point in past.points))
