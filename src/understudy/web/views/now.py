"""What is true at this moment, and what needs somebody: cheap enough to be asked whenever anything happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.core.turn import Slices
from understudy.resilience.describe import state_of

from .alerts import OpenAlert, OpenAlertsView, Touched, touched
from .happened import recent_events
from .kept_sums import Sums, sums_of
from .status import STATES

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.core.events import Event

#: The most problems, and the most events that are shown.
PROBLEMS: Final = 8
EVENTS: Final = 12


@dataclass(frozen=True, slots=True)
class Trouble:
    """An API that is down or degraded and that no alert tells of, with the routes it has a part in."""

    api: str
    state: str
    error: str
    touched: tuple[Touched, ...]

    def as_dict(self) -> dict[str, Any]:
        """The trouble as JSON-ready values."""
        return {
            "api": self.api,
            "state": self.state,
            "error": self.error,
            "touched": [e.as_dict() for e in self.touched],
        }


@dataclass(frozen=True, slots=True)
class NowView:
    """What is true now. Rates are percentages, times epoch seconds.

    `fallback_share` is the percentage of the last hour's calls that a standby answered, `lost` how many of them
    nobody answered; both None where nothing is kept. `problems` counts those that are not listed, too.
    """

    at: float
    counts: Mapping[str, int]
    fallback_share: float | None
    lost: int | None
    alerts: tuple[OpenAlert, ...]
    troubles: tuple[Trouble, ...]
    problems: int
    events: tuple[Event, ...]

    @property
    def total(self) -> int:
        """How many APIs there are."""
        return sum(self.counts.values())

    @property
    def more(self) -> int:
        """Problems that are not listed."""
        return self.problems - len(self.alerts) - len(self.troubles)

    @classmethod
    async def of(cls, app: Understudy) -> NowView:
        """The service as it stands."""
        routes = await sums_of(app, "route", 3600.0)
        alerts = [each for each in OpenAlertsView.of(app).alerts if each.group != "pending"] if app.keeping else []
        counts, troubles = await _troubles(app, {each.alert.labels.get("api", "") for each in alerts})
        shown = alerts[:PROBLEMS]
        return cls(
            at=app.clock.time(),
            counts=counts,
            fallback_share=_share(routes),
            lost=None if routes is None else int(sum(each["err"] for each in routes.values())),
            alerts=tuple(shown),
            troubles=tuple(troubles[: PROBLEMS - len(shown)]),
            problems=len(alerts) + len(troubles),
            events=recent_events(app, EVENTS),
        )

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        lists = {name: [each.as_dict() for each in values[name]] for name in ("alerts", "troubles", "events")}
        return {**values, "counts": dict(self.counts), **lists}


async def _troubles(app: Understudy, told: set[str]) -> tuple[dict[str, int], list[Trouble]]:
    """How many APIs are in each state, and those in a bad one that are not told of already."""
    now, slices = app.clock.monotonic(), Slices(app.clock.monotonic)
    counts = dict.fromkeys(STATES, 0)
    found: list[Trouble] = []
    for name, api in tuple(app.fallback.roster.apis.items()):
        state = state_of(api, now)
        counts[state] += 1
        if state in ("down", "degraded") and name not in told:
            error = app.monitor.last_error(name)
            text = (error.message or error.outcome) if error is not None else ""
            found.append(Trouble(name, state, text, touched(app, {"api": name})))
        await slices.breath()
    found.sort(key=lambda each: (each.state != "down", not any(part.leads for part in each.touched), each.api))
    return counts, found


def _share(routes: Sums | None) -> float | None:
    if routes is None:
        return None
    calls = sum(each["n"] for each in routes.values())
    return 100.0 * sum(each["fallback_used"] for each in routes.values()) / calls if calls else None
