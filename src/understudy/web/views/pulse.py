"""The service at this second: few numbers, cheap enough to be read each second while somebody looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

from understudy.core.turn import Slices
from understudy.monitor.histogram import quantiles
from understudy.monitor.window import Tally
from understudy.resilience.breaker import BreakerState
from understudy.resilience.describe import state_of

from .status import STATES
from .told import AlertsView

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.resilience.registry import Api

#: The numbers cover this long, s.
COVERS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """How everything does, over the last minute. Rates are percentages, durations seconds; None: not measured."""

    counts: Mapping[str, int]
    apis: int
    requests: int
    per_second: float
    success_rate: float | None
    p95: float | None
    in_flight: int
    #: Open alerts by severity, pending ones by themselves; empty where nothing is kept.
    alerts: Mapping[str, int]
    ready: bool

    @classmethod
    async def of(cls, app: Understudy) -> Self:
        """The application as it stands; with turns of the event loop in between."""
        now = app.clock.monotonic()
        slices = Slices(app.clock.monotonic)
        counted: Counter[str] = Counter()
        in_flight = 0
        for api in tuple(app.fallback.roster.apis.values()):
            counted[state_of(api, now)] += 1
            in_flight += api.in_flight
            await slices.breath()
        whole = Tally()
        for name in app.monitor.names():
            whole.add([app.monitor.durations(name, COVERS)])
            await slices.breath()
        (p95,) = quantiles(whole.counts(), (0.95,))
        rated = whole.ok + whole.failed
        return cls(
            counts={state: counted[state] for state in STATES},
            apis=sum(counted.values()),
            requests=whole.total,
            per_second=round(whole.total / min(COVERS, max(1.0, app.clock.time() - app.started_at)), 2),
            success_rate=round(100.0 * whole.ok / rated, 3) if rated else None,
            p95=_rounded(p95, 6),
            in_flight=in_flight,
            alerts=AlertsView.of(app).counts if app.keeping is not None else {},
            ready=not app.readiness(),
        )

    def as_dict(self) -> dict[str, Any]:
        """The numbers as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "counts": dict(self.counts), "alerts": dict(self.alerts)}


@dataclass(frozen=True, slots=True)
class LiveRow:
    """What changes from second to second about one API: counts and rates of five minutes, `per_second` of one."""

    state: str
    requests: int
    success_rate: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    per_second: float
    in_flight: int
    breaker: str
    retry_after: float | None
    quota_remaining: int | None
    last_error: str

    @classmethod
    def of(cls, app: Understudy, api: Api) -> Self:
        """The API as it stands."""
        now = app.clock.monotonic()
        seen = app.monitor.snapshot(api.name, "5m")
        breakers = [each.breaker.view() for each in api.bindings.values()]
        worst = next((each for each in breakers if each.state is not BreakerState.CLOSED), None)
        remaining = [each["remaining"] for each in api.keys.quotas() if each["remaining"] is not None]
        error = app.monitor.last_error(api.name)
        return cls(
            state=state_of(api, now),
            requests=seen.total,
            success_rate=_rounded(seen.success_rate, 3),
            p50=_rounded(seen.p50, 6),
            p95=_rounded(seen.p95, 6),
            p99=_rounded(seen.p99, 6),
            per_second=round(app.monitor.snapshot(api.name, "1m").requests_per_minute / 60.0, 2),
            in_flight=api.in_flight,
            breaker=worst.state.value if worst is not None else "closed",
            # To the second: a countdown runs in the browser, and nothing is sent while only time passes.
            retry_after=_rounded(worst.retry_after, 0) if worst is not None else None,
            quota_remaining=min(remaining, default=None),
            last_error=(error.message or error.outcome) if error is not None else "",
        )

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
