"""`understudy status`: what serves what right now, asked of a running service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from understudy.core.status import ApiRow, RouteRow, Status
from understudy.core.text import Texts

from .alerts_shown import labels, severity
from .client import ServiceClient
from .exits import FAILED, OK, Stop
from .screen import Screen, safe
from .words import gate_word

#: Columns of a terminal in which the whole table of routes can be read.
ROOMY = 70


def show_status(screen: Screen, url: str, *, as_json: bool) -> int:
    """Print the status; exit code 1 when the service is not ready."""
    values = ServiceClient(url, screen.text).get("/api/status")
    try:
        view = Status.from_dict(values)
    except (KeyError, TypeError, AttributeError):
        raise Stop(FAILED, screen.text("{url} is not an Understudy service", url=url)) from None
    if as_json:
        screen.console.print(json.dumps(values, indent=2, ensure_ascii=False), soft_wrap=True)
    else:
        render(screen, view, url)
    return FAILED if view.reasons else OK


def render(screen: Screen, view: Status, url: str) -> None:
    """The whole page of the terminal."""
    screen.line(sentence(screen, view), "name")
    screen.line(_about(screen, view, url), "quiet")
    for reason in view.reasons:
        screen.line(screen.text("not ready: {reason}", reason=safe(reason)), "bad")
    if view.alerts is not None:
        _alerts(screen, view.alerts)
    if view.routes:
        screen.line()
        _routes(screen, view.routes)
    if view.apis:
        _apis(screen, view.apis)
    else:
        screen.line(screen.text("No API is registered; understudy config template shows how to begin."))
    failing = [row for row in view.apis if row.state in ("down", "degraded") and row.last_error]
    for row in failing[:10]:
        screen.line(Text.assemble((f"{safe(row.name)}: ", "name"), (safe(row.last_error), "quiet")))


def _alerts(screen: Screen, alerts: Mapping[str, Any]) -> None:
    """What fires, and what is wrong with telling people."""
    _ = screen.text
    firing = alerts["firing"]
    more = sum(alerts["counts"].get(name, 0) for name in ("critical", "warning", "info")) - len(firing)
    for each in firing:
        about = labels(each["labels"])
        since = _("since {time}", time=screen.moment(each["started_at"]))
        screen.line(
            Text.assemble(severity(screen, each["severity"]), f"  {safe(each['rule'])}  {about}  ", (since, "quiet"))
        )
    if more > 0:
        screen.line(_("… and {count} more", count=more), "quiet")
    if firing and not alerts["channels"]:
        screen.line(_("No channel is configured: alerts are shown here and in the log only."), "degraded")
    for problem in alerts["problems"]:
        screen.line(f"▲ {safe(problem, 400)}", "degraded")


def sentence(screen: Screen, view: Status) -> str:
    """One sentence of truth."""
    _ = screen.text
    total = len(view.apis)
    troubled = view.counts.get("down", 0) + view.counts.get("degraded", 0)
    untried = view.counts.get("unknown", 0)
    unserved = [route.name for route in view.routes if not route.lead]
    covered = sum(bool(route.lead) and route.lead != _first(route, view.apis) for route in view.routes)
    if unserved:
        return _("Nobody can serve: {routes}.", routes=", ".join(map(safe, unserved)))
    if troubled:
        said = _.plural("{count} API is in trouble", "{count} APIs are in trouble", troubled)
        rest = _.plural("a standby serves {count} route", "standbys serve {count} routes", covered)
        return f"{said}; {rest if covered else _('every route has somebody to serve it')}."
    if untried:
        said = _.plural("{count} API has not been asked yet", "{count} APIs have not been asked yet", untried)
        return f"{said}; {_('nothing is in trouble')}."
    return _.plural("The one API is in order.", "All {count} APIs are in order.", total) if total else ""


def _first(route: RouteRow, apis: tuple[ApiRow, ...]) -> str:
    """The API of a route that would lead if all were well."""
    members = [row for row in apis if route.name in row.routes]
    return min(members, key=lambda row: row.priority).name if members else ""


def _about(screen: Screen, view: Status, url: str) -> str:
    _ = screen.text
    memory = view.system.get("memory_rss")
    parts = [
        safe(url),
        f"Understudy {view.version}",
        _("up {time}", time=screen.seconds(view.uptime)),
        *([f"{screen.number(memory / 1e6)} MB"] if memory else []),
    ]
    return " · ".join(parts)


def _routes(screen: Screen, routes: tuple[RouteRow, ...]) -> None:
    _ = screen.text
    rows = [
        (
            Text(safe(route.name), "name"),
            Text(safe(route.lead), "good") if route.lead else Text(_("nobody"), "bad"),
            screen.number(route.fallbacks),
            screen.number(route.failures),
            Text(", ".join(map(safe, route.standbys)) or "–"),
        )
        for route in routes
    ]
    columns = [_("Route"), _("Serves now"), _("Fallbacks"), _("Unserved"), _("Standing by")]
    # Who stands by may take several lines; the rest is dropped where there is no room for it.
    if screen.console.width >= ROOMY:
        table = screen.table(*columns, numbers=(2, 3))
        for row in rows:
            table.add_row(*row)
    else:
        table = screen.fitting(columns[:4], rows, numbers=(2, 3))
    screen.console.print(table)
    for route in routes:
        for name, why in route.closed.items():
            passed = _("{route} passes over {api}: {why}", route=safe(route.name), api=safe(name), why=_why(_, why))
            screen.line(passed, "degraded")


def _why(_: Texts, why: str) -> str:
    """A closed gate in words, and what is known besides."""
    gate, _space, detail = why.partition(" ")
    return f"{gate_word(_, gate)} ({safe(detail)})" if detail else gate_word(_, gate)


def _apis(screen: Screen, apis: tuple[ApiRow, ...]) -> None:
    """The table of APIs; a narrow terminal gets fewer columns instead of broken words."""
    _ = screen.text
    columns = ["API", _("State"), _("Success"), _("Attempts"), "p95", _("Breaker")]
    columns += [_("per min"), "p50", _("Keys"), _("Quota left")]
    rows = []
    for row in apis:
        wait = f" ({screen.seconds(row.retry_after)})" if row.retry_after else ""
        rows.append(
            (
                Text(safe(row.name), "name"),
                screen.state(row.state),
                screen.percent(row.success_rate),
                screen.number(row.requests),
                screen.seconds(row.p95),
                Text(f"{breaker_word(screen, row.breaker)}{wait}", "" if row.breaker != "closed" else "quiet"),
                screen.number(row.requests_per_minute),
                screen.seconds(row.p50),
                f"{row.keys_usable}/{row.keys}" if row.keys else "–",
                "–" if row.quota_remaining is None else screen.number(row.quota_remaining),
            )
        )
    screen.console.print(screen.fitting(columns, rows, numbers=(2, 3, 4, 6, 7, 8, 9)))


def breaker_word(screen: Screen, state: str) -> str:
    """A breaker's state in the reader's language."""
    _ = screen.text
    words = {
        "closed": _("closed"),
        "open": _("open"),
        "half_open": _("half open"),
        "forced_open": _("forced open"),
        "forced_closed": _("forced closed"),
        "observe": _("observes"),
    }
    return words.get(state, safe(state))
