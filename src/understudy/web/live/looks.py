"""What the topics tell that show how things stand: values by key, of which only those that changed are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from understudy.core.turn import Slices
from understudy.monitor.histogram import quantiles
from understudy.monitor.window import WINDOWS
from understudy.notifications.shown import masked
from understudy.resilience.describe import state_of
from understudy.web.views.overview import fault_of
from understudy.web.views.pulse import LiveRow, Pulse
from understudy.web.views.routes import RouteView
from understudy.web.views.told import AlertsView
from understudy.web.views.trouble import trouble_of
from understudy.web.views.watch import LIVE, watch_of

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Alerts that are told at most, the most urgent first; a storm of more is counted in the overview.
MOST_ALERTS: Final = 300
#: APIs that one page may watch row by row.
MOST_ROWS: Final = 200
#: Charts of running slices on one page.
MOST_NEWEST: Final = 24


async def overview(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The numbers that stand above everything."""
    return (await Pulse.of(app)).as_dict()


def names_of(argument: str) -> list[str]:
    """The names of a list, as `rows` has it."""
    return [unquote(name) for name in argument.split(",")]


def newest_names(argument: str) -> list[str]:
    """The names behind a window, as `newest` has them."""
    return names_of(argument.partition(":")[2])


async def rows(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The APIs that are on somebody's screen, by name; unknown ones are left out."""
    names = names_of(argument)[:MOST_ROWS]
    apis = app.fallback.roster.apis
    return {name: LiveRow.of(app, apis[name]).as_dict() for name in names if name in apis}


async def newest(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The running slice of a window for some APIs, by name (`1h:fx,odds`), and their state; without calls null."""
    window, _, _ = argument.partition(":")
    apis = app.fallback.roster.apis
    if window not in WINDOWS:
        return {}
    chosen = [name for name in newest_names(argument) if name in apis][:MOST_NEWEST]
    return {name: _newest(app, name, window) for name in chosen}


def _newest(app: Understudy, name: str, window: str) -> Mapping[str, Any]:
    _, width = WINDOWS[window]
    clock = app.clock
    number = int(clock.monotonic()) // width
    tally = app.monitor.slices(name, width, 1).get(number)
    p50, p95 = quantiles(tally.counts(), (0.5, 0.95)) if tally is not None else (None, None)
    return {
        "at": round(number * width + clock.time() - clock.monotonic()), "p50": p50, "p95": p95,
        "fault": fault_of(tally.ok, tally.failed) if tally is not None else "",
        "state": state_of(app.fallback.roster.apis[name], clock.monotonic()),
    }  # fmt: skip


async def heat(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The two newest signs of every API in the picture of a window, and when the newer slice began."""
    if argument not in LIVE:
        return {}
    watch, slices = await watch_of(app, argument).look(), Slices(app.clock.monotonic)
    told: dict[str, Any] = {}
    for name in tuple(watch.cells):
        if watch.cells[name].keys() & {watch.last, watch.last - 1}:
            usual = watch.usual(name)
            told[name] = watch.level(name, watch.last - 1, usual) + watch.level(name, watch.last, usual)
        await slices.breath()
    return {"": round(watch.at(watch.last)), **told}


async def alerts(app: Understudy, argument: str) -> Mapping[str, Any]:
    """What fires, is pending or recovers, by fingerprint."""
    if app.keeping is None:
        return {}
    return {each.fingerprint: each.as_dict() for each in AlertsView.of(app).alerts[:MOST_ALERTS]}


async def routes(app: Understudy, argument: str) -> Mapping[str, Any]:
    """Who serves each route, who could, and why the others could not."""
    return {name: RouteView.of(app, name).as_dict() for name in app.fallback.roster.routes}


async def channels(app: Understudy, argument: str) -> Mapping[str, Any]:
    """How each channel stands; recipients masked."""
    if app.keeping is None:
        return {}
    found = app.notifications.channels()
    return {
        name: {key: masked(value) if isinstance(value, str) else value for key, value in each.as_dict().items()}
        for name, each in found.items()
    }


async def troubles(app: Understudy, argument: str) -> Mapping[str, Any]:
    """What is wrong with the service itself: a kind, which the page has a sentence for."""
    return {"kind": trouble_of(app)}


async def system(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The process itself; of what it logged only how much that is."""
    return {**app.system.read().as_dict(), "errors": app.system.errors.total, "in_flight": app.in_flight}
