"""`understudy status`: what serves what right now, asked of a running service."""

from __future__ import annotations

import json

from rich.text import Text

from understudy.web.views import ApiRow, RouteRow, StatusView

from .client import ServiceClient
from .exits import FAILED, OK, Stop
from .screen import Screen, safe


def show_status(screen: Screen, url: str, *, as_json: bool) -> int:
    """Print the status; exit code 1 when the service is not ready."""
    values = ServiceClient(url, screen.text).get("/api/status")
    try:
        view = StatusView.from_dict(values)
    except (KeyError, TypeError, AttributeError):
        raise Stop(FAILED, screen.text("{url} is not an Understudy service", url=url)) from None
    if as_json:
        screen.console.print(json.dumps(values, indent=2, ensure_ascii=False), soft_wrap=True)
    else:
        render(screen, view, url)
    return FAILED if view.reasons else OK


def render(screen: Screen, view: StatusView, url: str) -> None:
    """The whole page of the terminal."""
    screen.line(sentence(screen, view), "name")
    screen.line(_about(screen, view, url), "quiet")
    for reason in view.reasons:
        screen.line(screen.text("not ready: {reason}", reason=safe(reason)), "bad")
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


def sentence(screen: Screen, view: StatusView) -> str:
    """One sentence of truth."""
    _ = screen.text
    total = len(view.apis)
    down, degraded = view.counts.get("down", 0), view.counts.get("degraded", 0)
    unserved = [route.name for route in view.routes if not route.lead]
    covered = sum(bool(route.lead) and route.lead != _first(route, view.apis) for route in view.routes)
    if unserved:
        return _("Nobody can serve: {routes}.", routes=", ".join(map(safe, unserved)))
    if not down and not degraded:
        return _.plural("The one API is in order.", "All {count} APIs are in order.", total) if total else ""
    troubled = _.plural(
        "{count} API of {total} is in trouble", "{count} APIs of {total} are in trouble", down + degraded, total=total
    )
    served = _.plural("a standby serves {count} route", "standbys serve {count} routes", covered)
    return f"{troubled}; {served}." if covered else f"{troubled}; {_('every route has somebody to serve it')}."


def _first(route: RouteRow, apis: tuple[ApiRow, ...]) -> str:
    """The API of a route that would lead if all were well."""
    members = [row for row in apis if route.name in row.routes]
    return min(members, key=lambda row: row.priority).name if members else ""


def _about(screen: Screen, view: StatusView, url: str) -> str:
    _ = screen.text
    memory = view.system.get("memory_rss")
    parts = [
        url,
        f"Understudy {view.version}",
        _("up {time}", time=screen.seconds(view.uptime)),
        *([f"{screen.number(memory / 1e6)} MB"] if memory else []),
    ]
    return " · ".join(parts)


def _routes(screen: Screen, routes: tuple[RouteRow, ...]) -> None:
    _ = screen.text
    table = screen.table(
        _("Route"), _("Serves now"), _("Standing by"), _("Passed over"), _("Fallbacks"), _("Unserved"), numbers=(4, 5)
    )
    for route in routes:
        closed = "; ".join(f"{safe(name)}: {safe(why)}" for name, why in route.closed.items())
        table.add_row(
            Text(safe(route.name), "name"),
            Text(safe(route.lead), "good") if route.lead else Text(_("nobody"), "bad"),
            Text(", ".join(map(safe, route.standbys)) or "–"),
            Text(closed or "–", "" if closed else "quiet"),
            screen.number(route.fallbacks),
            screen.number(route.failures),
        )
    screen.console.print(table)


def _apis(screen: Screen, apis: tuple[ApiRow, ...]) -> None:
    _ = screen.text
    table = screen.table(
        "API", _("State"), _("Breaker"), _("Success"), _("Attempts"), _("per min"), "p50", "p95", _("Keys"), _("Quota left"),
        numbers=(3, 4, 5, 6, 7, 8, 9),
    )  # fmt: skip  # the columns in one line, as they stand in the table
    for row in apis:
        wait = f" ({screen.seconds(row.retry_after)})" if row.retry_after else ""
        table.add_row(
            Text(safe(row.name), "name"),
            screen.state(row.state),
            Text(f"{breaker_word(screen, row.breaker)}{wait}", "" if row.breaker != "closed" else "quiet"),
            screen.percent(row.success_rate),
            screen.number(row.requests),
            screen.number(row.requests_per_minute),
            screen.seconds(row.p50),
            screen.seconds(row.p95),
            f"{row.keys_usable}/{row.keys}" if row.keys else "–",
            "–" if row.quota_remaining is None else screen.number(row.quota_remaining),
        )
    screen.console.print(table)


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
