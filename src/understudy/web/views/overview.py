"""Everything at one glance: what is true now, its numbers beside those of a week ago, the most unusual APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.core.turn import Slices
from understudy.monitor.history import WEEK
from understudy.monitor.window import WINDOWS
from understudy.resilience.describe import state_of

from .kept_sums import Sums, sums_of
from .kept_watch import KeptWatch, Reach, p95_a_week_ago, picture_of
from .now import NowView
from .pulse import Pulse
from .quotas import limits_of
from .watch import Moment, Score, Slice, Watch

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

    #: `5m`, `1h`, `6h`, `24h`, `7d` or `30d`; empty for a span between two times.
    window: str
    start: float
    end: float
    step: int
    now: NowView
    figures: tuple[Figure, ...]
    multiples: tuple[Multiple, ...]

    @classmethod
    async def of(cls, app: Understudy, reach: Reach = "1h", pins: Sequence[str] = ()) -> OverviewView:
        """The service as it stands, over a span; `pins` are APIs whose charts come first.

        Raises:
            StoreUnavailable: a span of more than the last hour cannot be read now.
            Problem: 404 for such a span where nothing is kept.
        """
        watch = await picture_of(app, reach).look()
        pulse = await Pulse.of(app)
        figures = _kept_figures(watch) if isinstance(watch, KeptWatch) else await _figures(app, pulse, watch)
        return cls(
            window=reach if isinstance(reach, str) else "",
            start=watch.at(watch.numbers[0]),
            end=watch.end if isinstance(watch, KeptWatch) else app.clock.time(),
            step=watch.width,
            now=await NowView.of(app),
            figures=(
                *_states(pulse, watch),
                *figures,
                Figure("quota", float(await _scarce(app))),
                await _money(app, watch),
            ),
            multiples=await _multiples(app, watch, pins),
        )

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            **{name: getattr(self, name) for name in ("window", "start", "end", "step")}, "now": self.now.as_dict(),
            "figures": [each.as_dict() for each in self.figures],
            "multiples": [each.as_dict() for each in self.multiples],
        }  # fmt: skip


def _past(watch: Watch, value: Callable[[Moment], float | None]) -> tuple[float | None, ...]:
    moments = [watch.moments.get(number, Moment()) for number in watch.numbers]
    return tuple(value(each) if each.total else None for each in moments)


def _success(each: Moment) -> float | None:
    return 100.0 * each.ok / (each.ok + each.failed) if each.ok + each.failed else None


def _states(pulse: Pulse, watch: Watch) -> tuple[Figure, ...]:
    """How many APIs are in each state now; over time, how many had failures."""
    return (
        Figure("healthy", pulse.counts["healthy"], _past(watch, lambda each: each.active - each.failing)),
        Figure("degraded", pulse.counts["degraded"], _past(watch, lambda each: each.failing - each.broken)),
        Figure("down", pulse.counts["down"], _past(watch, lambda each: each.broken)),
    )


async def _figures(app: Understudy, pulse: Pulse, watch: Watch) -> tuple[Figure, ...]:
    """The last minute, over the slices of the last hour or less, and an hour a week ago."""
    length = float(WINDOWS["1h"][0])
    week = _totals(await sums_of(app, "api", length, WEEK), length)
    return (
        Figure("rate", pulse.per_second, _rates(app, watch), week.get("rate")),
        Figure("success", pulse.success_rate, _past(watch, _success), week.get("success")),
        Figure("p95", pulse.p95, _past(watch, lambda each: each.p95), await p95_a_week_ago(app)),
    )


def _kept_figures(watch: KeptWatch) -> tuple[Figure, ...]:
    """A longer span as a whole, by its columns, and the same span a week before."""
    rates = tuple(
        watch.moments[number].total / watch.seconds(number) if number in watch.moments else None
        for number in watch.numbers
    )
    now, week = watch.sums, watch.week
    return (
        Figure("rate", now.get("rate"), rates, week.get("rate")),
        Figure("success", now.get("success"), _past(watch, _success), week.get("success")),
        Figure("p95", now.get("p95"), _past(watch, lambda each: each.p95), week.get("p95")),
    )


async def _money(app: Understudy, watch: Watch) -> Figure:
    """What the span cost; of the last hour or less nobody asks, so there it is the last day."""
    if isinstance(watch, KeptWatch):
        return Figure("cost", watch.sums.get("cost"), (), watch.week.get("cost"))
    day, before = await sums_of(app, "api", _DAY), await sums_of(app, "api", _DAY, WEEK)
    return Figure("cost", _cost(day), (), _cost(before))


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


async def _multiples(app: Understudy, watch: Watch, pins: Sequence[str]) -> tuple[Multiple, ...]:
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
        made.append(_multiple(app, name, scores.get(name, Score()), name in pinned, await watch.slices_of(name)))
        await slices.breath()
    return tuple(made)


def fault_of(ok: int, failed: int) -> str:
    """How a slice is shaded: `down` where half of its calls failed, `degraded` from 1 % on, else not."""
    rated = ok + failed
    if not rated or failed < 0.01 * rated:
        return ""
    return "down" if failed >= 0.5 * rated else "degraded"


def _multiple(app: Understudy, name: str, score: Score, pinned: bool, points: Sequence[Slice]) -> Multiple:
    faults: list[tuple[float, float, str]] = []
    for point in points:
        state, end = fault_of(point.ok, point.failed), point.at + point.length
        if not state:
            continue
        if faults and faults[-1][1] >= point.at - 0.5 and faults[-1][2] == state:
            faults[-1] = (faults[-1][0], end, state)
        else:
            faults.append((point.at, end, state))
    return Multiple(
        name, state_of(app.fallback.roster.apis[name], app.clock.monotonic()), score, pinned,
        tuple(round(point.at) for point in points), tuple(point.p50 for point in points),
        tuple(point.p95 for point in points), tuple(faults),
    )  # fmt: skip
