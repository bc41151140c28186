"""Everything at one glance: what is true now, its numbers beside those of a week ago, the most unusual APIs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.core.turn import Slices
from understudy.monitor.history import WEEK
from understudy.monitor.window import WINDOWS
from understudy.resilience.describe import state_of

from .kept_sums import Sums, sums_of
from .now import NowView
from .pulse import Pulse
from .quotas import limits_of
from .watch import Moment, Score, Watch, watch_of

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Small charts.
CHARTS: Final = 12
#: A quota is at risk with less than this left, percent, or when it is spent before its reset at the present pace.
SCARCE: Final = 10.0
_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the strip: now, the slices of the window (None: no calls), and at this time a week ago."""

    key: str
    value: float | None
    past: tuple[float | None, ...] = ()
    week: float | None = None

    @property
    def change(self) -> float | None:
        """Against a week ago: relative, or in points where it is a percentage; None where either is unknown."""
        if self.value is None or self.week is None:
            return None
        if self.key == "success":
            return self.value - self.week
        return self.value / self.week - 1.0 if self.week else None

    def as_dict(self) -> dict[str, Any]:
        """The number as JSON-ready values."""
        return {**{each.name: getattr(self, each.name) for each in fields(self)}, "change": self.change}


@dataclass(frozen=True, slots=True)
class Multiple:
    """One small chart: the latencies of an API over the window, where it failed, and why it is shown.

    `faults` are stretches with failures: (begin, end, state), epoch seconds.
    """

    api: str
    state: str
    score: Score
    pinned: bool
    at: tuple[float, ...]
    p50: tuple[float | None, ...]
    p95: tuple[float | None, ...]
    faults: tuple[tuple[float, float, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """The chart as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "score": self.score.value, "why": self.score.why, "faults": list(self.faults)}


@dataclass(frozen=True, slots=True)
class OverviewView:
    """The first page; `GET /api/overview`. Rates are percentages, durations seconds, times epoch seconds."""

    window: str
    step: int
    now: NowView
    figures: tuple[Figure, ...]
    multiples: tuple[Multiple, ...]

    @classmethod
    async def of(cls, app: Understudy, window: str = "1h", pins: Sequence[str] = ()) -> OverviewView:
        """The service as it stands, over the last `5m` or `1h`; `pins` are APIs whose charts come first."""
        watch = await watch_of(app, window).look()
        return cls(
            window=window,
            step=watch.width,
            now=await NowView.of(app),
            figures=await _figures(app, await Pulse.of(app), watch),
            multiples=await _multiples(app, watch, window, pins),
        )

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            "window": self.window, "step": self.step, "now": self.now.as_dict(),
            "figures": [each.as_dict() for each in self.figures],
            "multiples": [each.as_dict() for each in self.multiples],
        }  # fmt: skip


async def _figures(app: Understudy, pulse: Pulse, watch: Watch) -> tuple[Figure, ...]:
    length = float(WINDOWS["1h"][0])
    week = _totals(await sums_of(app, "api", length, WEEK), length)
    day, before = await sums_of(app, "api", _DAY), await sums_of(app, "api", _DAY, WEEK)
    moments = [watch.moments.get(number, Moment()) for number in watch.numbers]

    def past(value: Any) -> tuple[float | None, ...]:
        return tuple(value(each) if each.total else None for each in moments)

    return (
        Figure("healthy", pulse.counts["healthy"], past(lambda each: each.active - each.failing)),
        Figure("degraded", pulse.counts["degraded"], past(lambda each: each.failing - each.broken)),
        Figure("down", pulse.counts["down"], past(lambda each: each.broken)),
        Figure("rate", pulse.per_second, _rates(app, watch), week.get("rate")),
        Figure(
            "success", pulse.success_rate,
            past(lambda each: 100.0 * each.ok / (each.ok + each.failed) if each.ok + each.failed else None),
            week.get("success"),
        ),
        Figure("p95", pulse.p95, past(lambda each: each.p95)),
        Figure("quota", float(await _scarce(app))),
        Figure("cost", _cost(day), (), _cost(before)),
    )  # fmt: skip


def _rates(app: Understudy, watch: Watch) -> tuple[float | None, ...]:
    """Calls a second by slice; before the service started there is nothing to know, and the running slice is young."""
    begun = app.clock.monotonic() - (app.clock.time() - app.started_at)
    found: list[float | None] = []
    for number in watch.numbers:
        covered = min(app.clock.monotonic(), (number + 1) * watch.width) - max(begun, number * watch.width)
        total = watch.moments.get(number, Moment()).total
        found.append(total / max(1.0, covered) if covered > 0 else None)
    return tuple(found)


def _totals(sums: Sums | None, seconds: float) -> Mapping[str, float]:
    """Calls a second and the success rate of everything together; empty where nothing was kept."""
    calls = sum(each["n"] for each in (sums or {}).values())
    if not calls:
        return {}
    ok = sum(each["ok"] for each in (sums or {}).values())
    rated = ok + sum(each["err"] for each in (sums or {}).values())
    return {"rate": calls / seconds} | ({"success": 100.0 * ok / rated} if rated else {})


def _cost(sums: Sums | None) -> float | None:
    return None if not sums else float(sum(each["cost"] for each in sums.values()))


async def _scarce(app: Understudy) -> int:
    slices = Slices(app.clock.monotonic)
    count = 0
    for api in tuple(app.fallback.roster.apis.values()):
        count += any(
            each.spent_at is not None or (each.left is not None and each.left < SCARCE)
            for each in limits_of(app, api)
            if each.remaining is not None
        )
        await slices.breath()
    return count


async def _multiples(app: Understudy, watch: Watch, window: str, pins: Sequence[str]) -> tuple[Multiple, ...]:
    apis, slices = app.fallback.roster.apis, Slices(app.clock.monotonic)
    scores: dict[str, Score] = {}
    for name in watch.cells:
        if name in apis:
            scores[name] = watch.score(name)
        await slices.breath()
    calls = {name: sum(cell.ok + cell.failed for cell in watch.cells[name].values()) for name in scores}
    ranked = sorted(scores, key=lambda name: (-round(scores[name].value, 1), -calls[name], name))
    pinned = [name for name in pins if name in apis][:CHARTS]
    chosen = [*pinned, *(name for name in ranked if name not in pinned)][:CHARTS]
    made = []
    for name in chosen:
        made.append(_multiple(app, watch, window, name, scores.get(name, Score()), name in pinned))
        await slices.breath()
    return tuple(made)


def _multiple(app: Understudy, watch: Watch, window: str, name: str, score: Score, pinned: bool) -> Multiple:
    points = app.monitor.history(name, window)
    faults: list[tuple[float, float, str]] = []
    for point in points:
        rated = point.successes + point.failures
        if not rated or point.failures < 0.01 * rated:
            continue
        state, end = "down" if point.failures >= 0.5 * rated else "degraded", point.at + point.length
        if faults and faults[-1][1] >= point.at - 0.5 and faults[-1][2] == state:
            faults[-1] = (faults[-1][0], end, state)
        else:
            faults.append((point.at, end, state))
    return Multiple(
        name, state_of(app.fallback.roster.apis[name], app.clock.monotonic()), score, pinned,
        tuple(round(point.at) for point in points), tuple(point.p50 for point in points),
        tuple(point.p95 for point in points), tuple(faults),
    )  # fmt: skip
