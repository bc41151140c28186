"""All APIs over time, one sign for each slice: the first page paints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from understudy.core.turn import Slices
from understudy.resilience.describe import state_of

from .kept_watch import Reach, picture_of

if TYPE_CHECKING:
    from understudy.app import Understudy


@dataclass(frozen=True, slots=True)
class HeatView:
    """All APIs over a span, one sign for each slice (see `Watch.level`); `GET /api/overview/heat`.

    There are `count` slices of `step` seconds. `groups` are hubs with their APIs, those with the worst slices first;
    an API without any call has no signs.
    """

    start: float
    step: int
    count: int
    groups: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]

    @classmethod
    async def of(cls, app: Understudy, reach: Reach = "1h") -> HeatView:
        """The picture as it stands. Raises StoreUnavailable, and Problem as `picture_of`."""
        watch, slices = await picture_of(app, reach).look(), Slices(app.clock.monotonic)
        now = app.clock.monotonic()
        hubs: dict[str, list[tuple[str, str, str]]] = {}
        for name, api in tuple(app.fallback.roster.apis.items()):
            row = watch.row(name) if name in watch.cells else ""
            hub = api.hub.name if api.options.hub or len(api.hub.apis) > 1 else ""
            hubs.setdefault(hub, []).append((name, state_of(api, now), row))
            await slices.breath()
        groups = [(hub, tuple(sorted(rows, key=_worst))) for hub, rows in hubs.items()]
        groups.sort(key=lambda group: (min(map(_worst, group[1])), group[0]))
        return cls(watch.at(watch.numbers[0]), watch.width, watch.count, tuple(groups))

    def as_dict(self) -> dict[str, Any]:
        """The picture as JSON-ready values."""
        groups = [{"hub": hub, "rows": [list(row) for row in rows]} for hub, rows in self.groups]
        return {"start": self.start, "step": self.step, "count": self.count, "groups": groups}


def _worst(row: tuple[str, str, str]) -> tuple[int, int, int, bool, str]:
    name, _, signs = row
    return -signs.count("4"), -signs.count("3"), -signs.count("2"), not signs, name
