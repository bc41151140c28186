"""All that is known about one API: its series by operation, rolled up when somebody asks."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import chain
from math import ceil, inf, nan
from typing import TYPE_CHECKING, Any

from understudy.core.clock import Clock
from understudy.core.types import Attribution, OutcomeClass

from .histogram import BOUNDS, quantiles
from .series import Series, Totals
from .summary import Cumulative, LastError, Point, Snapshot
from .window import SLICES, Kinds, Tally, window_of

if TYPE_CHECKING:
    from .ports import Taker
    from .rollup import Row

_QUANTILES = (0.5, 0.95, 0.99)


class Ledger:
    """The series of one API: one for each operation, and one for what users record by hand."""

    __slots__ = (
        "_balance", "_baseline", "_clock", "_lock", "_median", "_since", "_started", "name", "recorded", "reported",
        "series", "starts",
    )  # fmt: skip

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self.series: dict[str, Series] = {}
        #: The series behind `record_request_*`: the only one that any thread may drain.
        self.recorded: Series | None = None
        #: What other processes told of the API; it is in the windows, and in nothing that is kept or scraped.
        self.reported: Series | None = None
        #: One entry for each `record_request_start`, until the next drain.
        self.starts: list[None] = []
        self._lock = threading.Lock()
        self._started = 0
        self._median: tuple[float, int, int, float | None] = (-inf, -1, 0, None)
        self._balance = 0
        self._baseline = Totals()
        self._since = clock.monotonic()

    def all(self) -> Iterator[Series]:
        """Every series, what others reported as the last one."""
        return chain(self.own(), () if self.reported is None else (self.reported,))

    def own(self) -> Iterator[Series]:
        """Every series of this process, in the order of making."""
        # A copy: another thread may register an operation meanwhile.
        chosen: Iterable[Series] = tuple(self.series.values())
        return chain(chosen, () if self.recorded is None else (self.recorded,))

    def report(self, row: Row, watcher: Taker | None) -> None:
        """Count what another process did, and tell the alerts of it."""
        from .reported import counted  # what only services do is imported when they do

        if self.reported is None:
            self.reported = Series(self._clock)
        numbers, kinds, neutral, extremes = counted(row)
        self.reported.take_in(numbers, kinds, neutral, extremes)
        if watcher is not None:
            watcher.attempts(self.name, "", numbers, kinds, neutral, extremes, ())

    def drain_recorded(self) -> None:
        """Settle what users recorded; any thread may do this at any time."""
        recorded = self.recorded
        if recorded is None:
            return
        with self._lock:
            recorded.drain()
            ended = recorded.totals.ok + recorded.totals.failed
            # A start comes before its end, so starts are taken after ends: none is missed. Ends without
            # a start (`record_request_start` is optional) are let pass.
            starts = len(self.starts)
            del self.starts[:starts]
            self._started = max(self._started + starts, ended)
            self._balance = self._started - ended

    @property
    def in_flight(self) -> int:
        """Requests recorded as started and not yet as ended, as of the last drain."""
        return self._balance

    @property
    def version(self) -> int:
        """Changes whenever anything about this API did."""
        return sum(series.version for series in self.all())

    @property
    def last_error(self) -> LastError | None:
        """The latest failure that came with a text or a class."""
        errors = [series.last_error for series in self.all() if series.last_error is not None]
        return max(errors, key=lambda error: error.at, default=None)

    def tally(self, width: int) -> Tally:
        """The window with slices of `width` seconds, over all operations."""
        whole = Tally()
        for series in self.all():
            series.view(width, whole)
        return whole

    def p50(self) -> float | None:
        """The median of this process's five minutes, s; as of the last drain, with many samples of the last second."""
        now, version = self._clock.monotonic(), self.version
        at, of, samples, value = self._median
        age = now - at
        # A few more calls can move the median of few, not that of many.
        if age < 5.0 and (version == of or (samples >= 100 and age < 1.0)):
            return value
        tally = Tally()
        for series in self.own():
            series.view(5, tally)
        value = quantiles(tally.counts(), (0.5,))[0]
        self._median = (now, version, tally.timed, value)
        return value

    def totals(self, chosen: Iterable[Series] | None = None) -> Totals:
        """Counts since the start, over all series, or over those that are chosen."""
        whole = Totals()
        for series in self.all() if chosen is None else chosen:
            totals = series.totals
            whole.ok += totals.ok
            whole.failed += totals.failed
            whole.neutral += totals.neutral
            whole.timed += totals.timed
            whole.seconds += totals.seconds
            whole.failed_seconds += totals.failed_seconds
            for kind, times in tuple(totals.kinds.items()):
                whole.kinds[kind] = whole.kinds.get(kind, 0) + times
        return whole

    def forget(self) -> None:
        """Begin statistics anew; what `/metrics` shows goes on."""
        for series in self.all():
            series.forget()
        self._baseline = self.totals()
        with self._lock:
            self._started -= self._balance
            self._balance = 0
        self._since = self._clock.monotonic()

    def forked(self) -> None:
        """In the child of a fork: no lock may stay held by a thread that is gone."""
        self._lock = threading.Lock()
        for series in self.all():
            series.forked()

    def since_clear(self) -> Totals:
        """Counts since the last `forget`."""
        whole, base = self.totals(), self._baseline
        whole.ok -= base.ok
        whole.failed -= base.failed
        whole.neutral -= base.neutral
        whole.timed -= base.timed
        whole.seconds -= base.seconds
        whole.failed_seconds -= base.failed_seconds
        whole.kinds = {
            kind: left for kind, times in whole.kinds.items() if (left := times - base.kinds.get(kind, 0)) > 0
        }
        return whole

    def snapshot(self, window: str) -> Snapshot:
        """The API over one window."""
        length, width = window_of(window)
        tally = self.tally(width)
        rated = tally.ok + tally.failed
        success_rate = 100.0 * tally.ok / rated if rated else None
        p50, p95, p99 = quantiles(tally.counts(), _QUANTILES)
        kinds = dict(tally.kinds)
        covered = self.covered(length, width)
        return Snapshot(
            api=self.name,
            window=window,
            at=self._clock.time(),
            covered=covered,
            total=tally.total,
            successes=tally.ok,
            failures=tally.failed,
            neutral=tally.neutral,
            seconds=tally.seconds,
            failed_seconds=tally.failed_seconds,
            success_rate=success_rate,
            error_rate=None if success_rate is None else 100.0 - success_rate,
            response_time=tally.seconds / tally.timed if tally.timed else None,
            p50=p50,
            p95=p95,
            p99=p99,
            requests_per_minute=tally.total * 60.0 / covered,
            errors_by_class=by_class(kinds, neutral=False),
            errors_by_attribution=by_attribution(kinds),
            neutral_by_class=by_class(kinds, neutral=True),
        )

    def covered(self, length: int, width: int) -> float:
        """The part of a window in which this API existed, s; at least a minute, so that rates are not wild.

        A window is sixty slices, of which the last has only begun, so it is up to a slice shorter than its name.
        """
        now = self._clock.monotonic()
        begin = (int(now) // width - SLICES + 1) * width
        return min(float(length), max(60.0, now - max(begin, self._since)))

    def history(self, window: str) -> list[Point]:
        """The slices of a window in order of time, empty ones included."""
        return self._slices(window)[1]

    def whole_slices(self, window: str) -> list[Point]:
        """Those in which the API existed from beginning to end: not its first one, and not the running one."""
        first, points = self._slices(window)
        _, width = window_of(window)
        return points[max(0, ceil(self._since / width) - first) : -1]

    def _slices(self, window: str) -> tuple[int, list[Point]]:
        """The slices of a window, and the place of the first: its start divided by its length."""
        length, width = window_of(window)
        groups = self.slices(width)
        now = self._clock.monotonic()
        offset = self._clock.time() - now
        last = int(now) // width
        first = last - length // width + 1
        return first, [_point(groups.get(place), place * width + offset, width) for place in range(first, last + 1)]

    def slices(self, width: int, newest: int = SLICES) -> dict[int, Tally]:
        """The newest slices of `width` seconds that hold anything, by their start (monotonic) divided by `width`."""
        groups: dict[int, Tally] = {}
        for series in self.all():
            series.groups(width, groups, newest)
        return groups

    def cumulative(self) -> Cumulative:
        """Everything that this process did since its start, for `/metrics`: others are scraped themselves."""
        version = self.version
        totals = self.totals(self.own())
        buckets = [0] * (len(BOUNDS) + 1)
        for series in self.own():
            for place, times in enumerate(series.buckets()):
                buckets[place] += times
        outcomes: dict[tuple[OutcomeClass, Attribution], int] = {}
        for (_, outcome, attribution), times in totals.kinds.items():
            known = (OutcomeClass(outcome), Attribution(attribution))
            outcomes[known] = outcomes.get(known, 0) + times
        return Cumulative(
            api=self.name,
            version=version,
            successes=totals.ok,
            failures=totals.failed,
            neutral=totals.neutral,
            seconds=totals.seconds,
            failed_seconds=totals.failed_seconds,
            timed=totals.timed,
            buckets=tuple(buckets),
            outcomes=outcomes,
        )

    def as_dict(self) -> dict[str, Any]:
        """The API's part of the performance summary: counts since `clear`, percentiles of five minutes."""
        totals = self.since_clear()
        rated = totals.ok + totals.failed
        p50, p95, p99 = quantiles(self.tally(5).counts(), _QUANTILES)
        error = self.last_error
        return {
            "total_requests": rated + totals.neutral,
            "successful_requests": totals.ok,
            "failed_requests": totals.failed,
            "neutral_requests": totals.neutral,
            "success_rate": 100.0 * totals.ok / rated if rated else nan,
            "error_rate": 100.0 * totals.failed / rated if rated else nan,
            "avg_response_time": totals.seconds / totals.timed if totals.timed else nan,
            "p50": nan if p50 is None else p50,
            "p95": nan if p95 is None else p95,
            "p99": nan if p99 is None else p99,
            "requests_per_minute": float(self.tally(1).total),
            "errors_by_class": by_class(totals.kinds, neutral=False),
            "errors_by_attribution": by_attribution(totals.kinds),
            "neutral_by_class": by_class(totals.kinds, neutral=True),
            "last_error": None if error is None else error.as_dict(),
            "in_flight": self.in_flight,
        }


def by_class(kinds: Kinds, *, neutral: bool) -> dict[str, int]:
    """Failures, or neutral attempts, by outcome class."""
    found: dict[str, int] = {}
    for (is_neutral, outcome, _), times in kinds.items():
        if is_neutral == neutral:
            found[str(outcome)] = found.get(str(outcome), 0) + times
    return found


def by_attribution(kinds: Kinds) -> dict[str, int]:
    """Failures by whose fault they were."""
    found: dict[str, int] = {}
    for (is_neutral, _, attribution), times in kinds.items():
        if not is_neutral:
            found[str(attribution)] = found.get(str(attribution), 0) + times
    return found


def _point(tally: Tally | None, at: float, width: int) -> Point:
    if tally is None:
        return Point(at, width, 0, 0, 0, 0, None, None, None)
    p50, p95 = quantiles(tally.counts(), (0.5, 0.95))
    mean = tally.seconds / tally.timed if tally.timed else None
    return Point(at, width, tally.total, tally.ok, tally.failed, tally.neutral, mean, p50, p95)
