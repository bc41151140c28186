"""What the topics tell that show how things stand: values by key, of which only those that changed are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from understudy.notifications.shown import masked
from understudy.web.views.pulse import LiveRow, Pulse
from understudy.web.views.told import AlertsView

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Alerts that are told at most, the most urgent first; a storm of more is counted in the overview.
MOST_ALERTS: Final = 300
#: APIs that one page may watch row by row.
MOST_ROWS: Final = 200


async def overview(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The numbers that stand above everything."""
    return (await Pulse.of(app)).as_dict()


async def rows(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The APIs that are on somebody's screen, by name; unknown ones are left out."""
    names = [unquote(name) for name in argument.split(",")][:MOST_ROWS]
    apis = app.fallback.roster.apis
    return {name: LiveRow.of(app, apis[name]).as_dict() for name in names if name in apis}


async def alerts(app: Understudy, argument: str) -> Mapping[str, Any]:
    """What fires, is pending or recovers, by fingerprint."""
    if app.keeping is None:
        return {}
    return {each.fingerprint: each.as_dict() for each in AlertsView.of(app).alerts[:MOST_ALERTS]}


async def routes(app: Understudy, argument: str) -> Mapping[str, Any]:
    """Who serves each route, who could, and why the others could not."""
    return dict(app.fallback.describe()["routes"])


async def channels(app: Understudy, argument: str) -> Mapping[str, Any]:
    """How each channel stands; recipients masked."""
    if app.keeping is None:
        return {}
    found = app.notifications.channels()
    return {
        name: {key: masked(value) if isinstance(value, str) else value for key, value in each.as_dict().items()}
        for name, each in found.items()
    }


async def system(app: Understudy, argument: str) -> Mapping[str, Any]:
    """The process itself."""
    return app.system.read().as_dict()
