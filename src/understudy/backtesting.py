"""The stored history as a source of metrics for backtests: part of the composition root.

Rules ask the alert room's `MetricSource`; the history lies in the monitor's rollups. Each stored bucket becomes one
bucket of the past, read from the finest tier that still holds its time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final

from .alerts.backtest import Backtest, Proposal, Run, alone, candidates, proposal, worth_a_proposal
from .alerts.context import Context
from .alerts.model import Labels, Rule, Subject
from .alerts.past import PastBucket, PastSeries, PastSource
from .alerts.ports import Signal
from .alerts.remembered import Remembered
from .core.turn import Slices
from .monitor.history import SETTLED, Retention
from .monitor.ports import RollupStore
from .monitor.rollup import Row, SeriesName, add_histogram, quantiles_of

#: Spans up to so many seconds are read in buckets of ten seconds, or of a minute; longer ones of an hour.
FINE: Final = ((6 * 3600.0, 10), (45 * 86400.0, 60), (float("inf"), 3600))
#: Most buckets of one series that are read at once.
_TOGETHER: Final = 10_080
#: Judged so long before a span, s, so that timers, cooldowns and flapping stand at its begin as they stood live.
WARM: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Roster:
    """Who there was: APIs with their hub (empty for none of its own), and routes."""

    apis: Mapping[str, str]
    routes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """A span of the history, ready for a backtest. Times are epoch seconds.

    `moments` are the ends of its buckets: nothing is known in between. `resolution` is the longest of them
    within the span, s; `pieces` tells from when on which length holds.
    """

    source: PastSource
    start: float
    end: float
    resolution: int
    pieces: tuple[tuple[float, int], ...]
    moments: Sequence[float] = field(repr=False)
    #: Events that kept alerts tell of.
    signals: Sequence[Signal] = field(default=(), repr=False)


async def read_past(
    store: RollupStore,
    roster: Roster,
    start: float,
    end: float,
    *,
    now: float,
    retention: Retention,
    lead: float = 3600.0,
    remembered: Remembered | None = None,
) -> Past:
    """What the store knows from `start` to `end`, and `lead` seconds before, for the windows of the first moments.

    `remembered` is what kept alerts tell of events; without it nothing is known of any.

    Raises:
        ValueError: the span is empty, or nothing of it is settled yet.
        StoreUnavailable: it cannot be read now.
    """
    end = min(end, now - SETTLED)
    if not start < end:
        raise ValueError("the span is empty: it must begin before its end, and more than a minute ago")
    stretches = _stretches(start, end, now, retention, lead + WARM)
    names = [SeriesName("api", name) for name in roster.apis] + [SeriesName("route", name) for name in roster.routes]
    buckets: dict[SeriesName, list[PastBucket]] = {name: [] for name in names}
    for tier, first, last in stretches:
        for begin in range(first, last, tier * _TOGETHER):
            until = min(last, begin + tier * _TOGETHER)
            for name, found in (await store.read(tier, names, begin, until, _folder(tier))).items():
                buckets[name] += found
    moments = [
        float(at)
        for tier, first, last in stretches
        for at in range(first + tier, last + 1, tier)
        if start - WARM <= at <= end
    ]
    inside = [(max(float(first), start), tier) for tier, first, last in stretches if last > start]
    gauges = _Gauges(roster, buckets, remembered)
    source = gauges.source = PastSource(_groups(roster, buckets), gauges.of)
    signals = [each for each in remembered.signals if each.at <= end] if remembered is not None else []
    return Past(source, start, end, max(tier for _, tier in inside), tuple(inside), moments, signals)


def _stretches(start: float, end: float, now: float, retention: Retention, lead: float) -> list[tuple[int, int, int]]:
    """(tier, first, last) of each piece, in order: what the fine tier has forgotten comes from coarser ones."""
    fine = next(tier for longest, tier in FINE if end - start <= longest)
    tiers = [tier for tier in (10, 60, 3600) if tier >= fine]
    found: list[tuple[int, int, int]] = []
    until = int(end // fine) * fine
    for tier in tiers:
        kept = retention.keep.get(tier)
        oldest = start - lead if kept is None or tier == tiers[-1] else max(start - lead, now - kept)
        # A piece begins where a bucket of the next coarser tier ends, so that none is counted twice.
        coarser = next((each for each in tiers if each > tier), tier)
        first = -int(-oldest // coarser) * coarser if oldest > start - lead else int(oldest // tier) * tier
        first = max(0, first)
        if first < until:
            found.append((tier, first, until))
            until = first
        if until <= start - lead:
            break
    return found[::-1]


def _folder(tier: int) -> Callable[[Iterable[Row]], dict[SeriesName, list[PastBucket]]]:
    """Makes buckets of stored rows, those of several writers in one; runs on the reader's thread."""

    def fold(rows: Iterable[Row]) -> dict[SeriesName, list[PastBucket]]:
        found: dict[SeriesName, list[PastBucket]] = {}
        ordered = sorted(rows, key=lambda row: (row.series, row.ts))
        for (series, ts), several in groupby(ordered, key=lambda row: (row.series, row.ts)):
            found.setdefault(series, []).append(_bucket(ts, tier, list(several)))
        return found

    return fold


def _bucket(ts: int, tier: int, rows: Sequence[Row]) -> PastBucket:
    timed = [row for row in rows if row.hist]
    return PastBucket(
        float(ts),
        float(ts + tier),
        sum(row.n for row in rows),
        sum(row.ok for row in rows),
        sum(row.err for row in rows),
        sum(row.lat_sum_us for row in rows) / 1e6,
        min((row.lat_min_us for row in timed), default=0) / 1e6 if timed else None,
        max((row.lat_max_us for row in timed), default=0) / 1e6 if timed else None,
        tuple(row.hist for row in timed),
    )


def _quantiles(durations: Sequence[Any]) -> Callable[[float], float | None]:
    """Quantiles of merged histograms, merged once for all that are asked for."""
    hist: Counter[int] = Counter()
    for blobs in durations:
        for blob in blobs:
            add_histogram(blob, hist)
    return lambda share: quantiles_of(hist, (share,))[0]


def _groups(
    roster: Roster, buckets: Mapping[SeriesName, Sequence[PastBucket]]
) -> dict[Subject, list[tuple[Labels, list[PastSeries]]]]:
    series = {name: PastSeries(found, _quantiles, as_live=True) for name, found in buckets.items()}
    hubs: dict[str, list[PastSeries]] = {}
    apis: list[tuple[Labels, list[PastSeries]]] = []
    for name, hub in roster.apis.items():
        mine = series[SeriesName("api", name)]
        apis.append(({"api": name, "hub": hub} if hub else {"api": name}, [mine]))
        if hub:
            hubs.setdefault(hub, []).append(mine)
    return {
        "api": apis,
        "route": [({"route": name}, [series[SeriesName("route", name)]]) for name in roster.routes],
        "hub": [({"hub": name}, mine) for name, mine in hubs.items()],
        "all": [({}, [each for _, [each] in apis])],
    }


class _Gauges:
    """The numbers of the present that the past tells, too: how many callers were served, and which events lasted."""

    source: PastSource

    def __init__(
        self, roster: Roster, buckets: Mapping[SeriesName, Sequence[PastBucket]], remembered: Remembered | None
    ) -> None:
        self._remembered = remembered
        self._routes = {name: PastSeries(buckets[SeriesName("route", name)]) for name in roster.routes}

    def of(self, metric: str, subject: Subject, labels: Labels, at: float) -> float | None:
        """What kept alerts tell; `coverage` of a route: percent of the calls of 5 min that ended well; or None."""
        if self._remembered is not None:
            # Alerts were kept with their own times, so events are known between two buckets, too.
            value = self._remembered.gauge(metric, labels, self.source.now)
            if value is not None:
                return value
        if metric != "coverage" or subject != "route":
            return None
        series = self._routes.get(labels.get("route", ""))
        if series is None:
            return None
        first, last = series.window(at, 300.0)
        found = series.buckets[first:last]
        rated = sum(each.successes + each.failures for each in found)
        return 100.0 * sum(each.successes for each in found) / rated if rated else None


async def judged(run: Run, slices: Slices) -> Backtest:
    """Go through a backtest while everything else on the loop goes on."""
    for _ in run.steps():
        await slices.breath()
    return run.result


def run_over(past: Past, rules: Sequence[Rule], prepare: Callable[[Context], None] = alone) -> Run:
    """A backtest of rules over a span of the history; `prepare` as of `alerts.backtest.surrounded`."""
    past.source.advance(0.0)
    return Run(rules, past.source, past.moments, past.start, past.end, past.resolution, prepare, past.signals)


def part_of(found: Backtest, rule: str) -> Backtest:
    """What one rule did in a backtest of several."""
    return replace(
        found,
        rules=(rule,),
        episodes=tuple(each for each in found.episodes if each.rule == rule),
        events=tuple(each for each in found.events if each.rule == rule),
        blind=tuple(name for name in found.blind if name == rule),
    )


async def proposals(
    past: Past,
    rule: Rule,
    before: Backtest,
    slices: Slices,
    prepare: Callable[[Context], None] = alone,
    beside: Sequence[Rule] = (),
) -> list[Proposal]:
    """Versions of a noisy rule that would have told less and lost nothing that mattered, the mildest change first.

    `beside` are the other rules in force, whose alerts may inhibit its own.
    """
    if not worth_a_proposal(before.noise()):
        return []
    found = []
    for change, version in candidates(rule):
        after = await judged(run_over(past, [version, *beside], prepare), slices)
        made = proposal(change, before, part_of(after, rule.name))
        if made is not None:
            found.append(made)
    return found
