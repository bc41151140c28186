"""Reports on a page: chosen by kind and span in the address, drawn with our charts, printed by the browser."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import StoreUnavailable, UnknownName
from understudy.core.text import Texts
from understudy.reports.model import Chart, Report
from understudy.reports.render import left_out
from understudy.reports.reports import KINDS, TARGET, title_of
from understudy.reports.shown import plain
from understudy.reports.shown import shown as written
from understudy.web.api.fields import answering
from understudy.web.api.span import SPAN, span
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import path_of
from understudy.web.http import Answer, Problem, Request

from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Spans that can be chosen without a calendar; months are offered beside them.
SPANS: Final = ("24h", "7d", "30d", "90d", "365d")
#: How many months the menu offers.
_MONTHS: Final = 13
_MONTH: Final = 30 * 86400.0
_UNITS: Final = {"percent": "%", "seconds": "s"}
#: Points of a chart in its table for people without scripts.
_SAMPLED: Final = 24


@answering
async def reports(app: Understudy, request: Request) -> Answer:
    """One report, and the form that chooses it."""
    query = request.query("kind", "api", "target", "when", *SPAN)
    _ = language_of(request)
    now = app.clock.time()
    kind = query.get("kind") or "summary"
    if kind not in KINDS:
        raise Problem(400, f"kind is one of {', '.join(KINDS)}")
    chosen = _chosen(query)
    target, fault = _target(query, _)
    made: Report | None = None
    start, end, wrong = 0.0, now, 422
    try:
        start, end = span(chosen, now, _MONTH)
        if not fault:
            made = await _made(app, kind, start, end, query.get("api", ""), target, _)
    except Problem as problem:
        fault = problem.detail
    except (UnknownName, ValueError) as error:
        fault = str(error)
    except StoreUnavailable as error:
        fault, wrong = str(error), 503
    said = {"kind": kind, "api": query.get("api", ""), "target": query.get("target", ""), **chosen}
    downloads = {name: value for name, value in said.items() if value} | {"lang": _.tag}
    return page(
        app, request, "reports.html", at="reports", report=made, fault=fault, kind=kind, start=start, end=end,
        kinds=[(each, title_of(_, each)) for each in KINDS], apis=sorted(app.fallback.roster.apis),
        api=query.get("api", ""), target=query.get("target") or f"{TARGET:g}", chosen=_shown(chosen), spans=SPANS,
        months=_months(now), given=chosen, charts=lambda section: [_chart(each) for each in section.charts],
        written=lambda value, kind: written(value, kind, _), plain=plain, left_out=lambda table: left_out(table, _),
        downloads={each: path_of("api", "reports", **downloads, format=each) for each in _FORMATS},
        schedules=_schedules(app), problems=_problems(app), status=wrong if fault else 200,
    )  # fmt: skip  # one line of values


_FORMATS: Final = ("html", "csv", "json")


async def _made(
    app: Understudy, kind: str, start: float, end: float, api: str, target: float, _: Texts
) -> Report | None:
    if app.keeping is None:
        return None
    return await app.keeping.reports.make(kind, start, end, api=api, target=target, language=_.language)


def _chosen(query: Mapping[str, str]) -> dict[str, str]:
    """The span of the form's menu (`when`), which says a month or how far back, or the parameters of the address."""
    when = query.get("when", "")
    if when in SPANS:
        return {"last": when}
    if when and when != "dates":
        return {"month": when}
    given = {name: query[name] for name in SPAN if query.get(name)}
    if when == "dates":
        given = {name: value for name, value in given.items() if name in ("from", "to")}
    return given


def _shown(chosen: Mapping[str, str]) -> str:
    """What the menu of spans shows as chosen."""
    if "from" in chosen:
        return "dates"
    return chosen.get("month") or chosen.get("last") or "30d"


def _target(query: Mapping[str, str], _: Texts) -> tuple[float, str]:
    try:
        target = float((query.get("target") or f"{TARGET:g}").replace(",", "."))
    except ValueError:
        target = 0.0
    if 0.0 < target <= 100.0:
        return target, ""
    return TARGET, _("The promise is a percentage above 0, at most 100, such as 99.9.")


def _months(now: float) -> list[str]:
    """This month and those before."""
    at = datetime.fromtimestamp(now, UTC).replace(day=1)
    found = []
    for _number in range(_MONTHS):
        found.append(f"{at:%Y-%m}")
        at = (at - timedelta(days=1)).replace(day=1)
    return found


def _chart(chart: Chart) -> dict[str, Any]:
    """A chart of a report as the chart contract has it: all lines on one axis of time, gaps as gaps."""
    at = sorted({when for line in chart.lines for when, _value in line.points})
    series = []
    for line in chart.lines:
        known = dict(line.points)
        series.append({"label": plain(line.label, 60), "values": [known.get(when) for when in at], "kind": "line"})
    step = max(1, len(at) // _SAMPLED)
    drawn = {
        "title": chart.title, "unit": _UNITS.get(chart.kind, ""), "at": at, "series": series, "bands": [], "marks": [],
        "live": None, "brush": None,
    }  # fmt: skip  # as the contract lists them
    return {"chart": drawn, "kind": chart.kind, "lines": chart.lines, "sampled": at[::step], "known": [
        dict(line.points) for line in chart.lines
    ]}  # fmt: skip  # one value


def _schedules(app: Understudy) -> list[tuple[str, Any]]:
    """The reports that are made by themselves, by name."""
    return list(app.keeping.scheduler.schedules.items()) if app.keeping is not None else []


def _problems(app: Understudy) -> list[str]:
    return list(app.keeping.scheduler.problems.values()) if app.keeping is not None else []


ROUTES: Table = {("GET", "/reports"): Endpoint(reports, Permission.READ)}
