"""The front door: record outcomes from anywhere, ask how every API is doing."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf, nan
from typing import TYPE_CHECKING, Any

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.turn import Slices, Turn
from understudy.core.types import Explanation

from .given import (
    MAX_NAME,
    MAX_SECONDS,
    OVERFLOW,
    bad_seconds,
    clean_name,
    is_seconds,
    is_text,
    judge,
    status_of,
    text_of,
)
from .ledger import Ledger
from .series import Series, Tap
from .summary import Cumulative, LastError, Point, Snapshot, filled
from .window import SLICES, Tally, window_of

if TYPE_CHECKING:
    from .collector import Collector
    from .comparison import Comparison
    from .ports import Taker
    from .requestlog import RequestLog
    from .rollup import Row
    from .trends import Trend

_log = logging.getLogger("understudy.monitor")

#: How often the background thread drains, and how long a drain by the application stands in for it, s.
_TICK, _DRIVEN_FOR = 1.0, 3.0
#: The event loop gets its turn after this much summing up, s.
_SLICE = 0.003


class PerformanceMonitor:
    """How is each API doing: the series of every API, and what can be read from them.

    `record_request_*` work from any thread, with or without an event loop. Series made with `series`
    belong to the loop that serves the calls: they are drained by `drain`, which the application calls
    each second, and by readers on the thread that drained last.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, *, max_names: int = 2_000) -> None:
        self._clock = clock
        self._max_names = max_names
        self._ledgers: dict[str, Ledger] = {}
        #: Name -> bound append, so that recording a success is one look-up and one append.
        self._appends: dict[str, Callable[[float], None]] = {}
        self._lock = threading.Lock()
        self._collector: Collector | None = None
        self._watcher: Taker | None = None
        #: Keeps single calls; None while nothing is kept.
        self.request_log: RequestLog | None = None
        self._owner: int | None = None
        self._driven_at = -inf
        self._drainer: threading.Thread | None = None
        self._started_at = clock.monotonic()
        #: What the present round of `drain_some` has still to do, last one first.
        self._left: list[Ledger] = []
        #: Events that were counted under `other`, because too many names were in use.
        self.overflowed = 0
        #: Called where something is recorded while no application drains: a loop that can be taken may run there.
        self.on_unattended: Callable[[], None] | None = None
        self._unattended = True
        _ALL.add(self)

    # -- recording --------------------------------------------------------------------------------

    def series(self, api: str, operation: str = "") -> Series:
        """The series of an (API, operation), made when it does not exist.

        Raises:
            ValueError: `api` is not a usable name (a text of 1 to 200 printable characters).
        """
        if not is_text(api) or clean_name(api) != api:
            raise ValueError(f"API name: expected 1 to {MAX_NAME} printable characters, found {api!r:.80}")
        # Registered names are few and ours: none may end up under `other`, where APIs would share a list.
        ledger = self._ledger(api, bounded=False)
        found = ledger.series.get(operation)
        if found is None:
            with self._lock:
                found = ledger.series.setdefault(operation, Series(self._clock))
                found.tap = self._tap(ledger, operation or api)
                if self._owner is None:
                    self._owner = threading.get_ident()
        return found

    def collect_into(self, collector: Collector | None) -> None:
        """From now on tell `collector` of everything that is counted, for the rollups; None ends that."""
        self.drain()
        self._collector = collector
        self._tap_all()

    def watch_with(self, watcher: Taker | None) -> None:
        """The same for the alerts: everything that is counted is told to `watcher`, too."""
        self.drain()
        self._watcher = watcher
        self._tap_all()

    def _tap_all(self) -> None:
        with self._lock:
            for ledger in self._ledgers.values():
                for operation, series in ledger.series.items():
                    series.tap = self._tap(ledger, operation or ledger.name)
                if ledger.recorded is not None:
                    ledger.recorded.tap = self._tap(ledger, "")

    def _tap(self, ledger: Ledger, route: str) -> Tap | None:
        takers: list[Taker] = [each for each in (self._collector, self._watcher) if each is not None]
        if len(takers) == 2:
            return _both(*(partial(taker.attempts, ledger.name, route) for taker in takers))
        return partial(takers[0].attempts, ledger.name, route) if takers else None

    def called(
        self, record: Explanation, endpoint: str, causes: Mapping[str, BaseException], *, part: bool = False
    ) -> None:
        """A call that left the prepared path has ended: for the route's history and the request log."""
        if self._collector is not None:
            self._collector.called(record, part=part)
        if self._watcher is not None:
            self._watcher.called(record, part=part)
        if self.request_log is not None:
            self.request_log.take(record, endpoint, causes)

    def record_request_start(self, name: str) -> None:
        """A request to `name` begins; `in_flight` counts it until a success or failure is recorded."""
        ledger = self._ledgers.get(name) if is_text(name) else None
        if ledger is None or ledger.recorded is None or self._drainer is None:
            ledger = self._recording(name)
        ledger.starts.append(None)

    def record_request_success(self, name: str, response_time: float) -> None:
        """A request to `name` succeeded after `response_time` seconds.

        Raises:
            ValueError: `response_time` is not a number of seconds from 0 to 1e9.
        """
        try:
            append = self._appends[name]
        except (KeyError, TypeError):
            append = self._append_of(name)
        try:
            if 0.0 < response_time <= MAX_SECONDS:
                append(response_time)
                return
        except Exception:  # noqa: BLE001, S110 - what cannot be compared is no number: told below, as one out of range
            pass
        if not is_seconds(response_time):
            raise bad_seconds(response_time)
        append(0.0)  # never -0.0, whose sign would say failure

    def record_request_failure(
        self, name: str, error: BaseException | str | None = None, response_time: float | None = None
    ) -> None:
        """A request to `name` failed with `error`, after `response_time` seconds where that is known.

        Raises:
            ValueError: `response_time` is given and is not a number of seconds from 0 to 1e9.
        """
        if response_time is not None and not is_seconds(response_time):
            raise bad_seconds(response_time)
        recorded = self._recording(name).recorded
        if recorded is not None:
            outcome, attribution = judge(error)
            recorded.failed(response_time, outcome, attribution, text_of(error), status_of(error))

    def reported(self, row: Row) -> None:
        """Count what another process did: for pages and alerts; the rollups have its row already."""
        self._ledger(row.series.name).report(row, self._watcher)

    # -- draining ---------------------------------------------------------------------------------

    def drain(self) -> None:
        """Settle everything that was recorded; for the loop that owns the series.

        A listener that raises is logged and harms no other series.
        """
        self._drive()
        self._settle(tuple(self._ledgers.values()))

    def drain_some(self, seconds: float) -> bool:
        """As `drain`, but stop after about `seconds`; False when there is more to do.

        The next call goes on there, so that a loop with many APIs can do something else in between.
        """
        now = self._drive()
        if not self._left:
            self._left = list(self._ledgers.values())
            self._left.reverse()
        until = now + seconds
        while self._left:
            self._settle((self._left.pop(),))
            if self._clock.monotonic() >= until:
                break
        return not self._left

    async def drain_in_turns(self, seconds: float = 0.001) -> None:
        """As `drain`, with a turn of the event loop after each `seconds` of it."""
        # Twice: the first round may be the rest of one that somebody else has begun.
        for _ in range(2):
            while not self.drain_some(seconds):
                await Turn()

    def _drive(self) -> float:
        """The calling thread owns the series from now on."""
        self._owner = threading.get_ident()
        now = self._driven_at = self._clock.monotonic()
        return now

    def drain_recorded(self) -> None:
        """Settle what `record_request_*` took in, and nothing else; any thread may do this."""
        for ledger in tuple(self._ledgers.values()):
            ledger.drain_recorded()

    def release(self) -> None:
        """The application ends and drains no more: any thread may read everything, and the background thread drains."""
        self.drain()
        self._driven_at = -inf
        self._owner = None

    def _settle(self, ledgers: Sequence[Ledger]) -> None:
        """Drain what this thread may drain."""
        mine = self._owner is None or self._owner == threading.get_ident()
        for ledger in ledgers:
            ledger.drain_recorded()
            if mine:
                for series in tuple(ledger.series.values()):
                    try:
                        series.drain()
                    except Exception:  # noqa: BLE001 - a listener is another room's code: its fault must not stop the others
                        _log.exception("a listener of the series of %s failed", ledger.name)

    # -- reading ----------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Every API that was registered or recorded, in that order."""
        return list(self._ledgers)

    def p50(self, api: str) -> float | None:
        """Median seconds of the API's successes over the last five minutes; None without samples, and cheap to ask."""
        ledger = self._ledgers.get(api)
        return None if ledger is None else ledger.p50()

    def durations(self, api: str, seconds: float) -> Tally:
        """Durations of the API's successes in the last `seconds`, at most an hour of them; as of the last drain."""
        whole = Tally()
        for series in self._known(api).all():
            series.back(seconds, whole)
        return whole

    def snapshot(self, api: str, window: str = "5m") -> Snapshot:
        """One API over the last minute, five minutes or hour (`1m`, `5m`, `1h`); empty for an unknown name.

        Raises:
            ValueError: there is no such window.
        """
        return self._settled(api).snapshot(window)

    def last_error(self, api: str) -> LastError | None:
        """The latest failure that came with a text or a class; as of the last drain."""
        return self._known(api).last_error

    def history(self, api: str, window: str = "1h") -> list[Point]:
        """The sixty slices of a window in order of time, for charts.

        Raises:
            ValueError: there is no such window.
        """
        return self._settled(api).history(window)

    def slices(self, api: str, width: int, newest: int = SLICES) -> dict[int, Tally]:
        """The newest slices of 1, 5 or 60 s that hold anything, as of the last drain: see `Ledger.slices`."""
        return self._known(api).slices(width, newest)

    def trend(self, api: str, metric: str = "response_time", window: str = "1h") -> Trend:
        """Where a metric (`response_time`, `error_rate`, `requests_per_minute`) is going, with an interval.

        Raises:
            ValueError: there is no such metric or window.
        """
        from .trends import trend  # what only people ask for is imported when they do

        return trend(self._settled(api).whole_slices(window), metric, api=api, window=window)

    def compare(self, names: Sequence[str] | None = None, window: str = "1h") -> Comparison:
        """Which of these APIs (all by default) is better, by how much, and whether that is more than chance.

        Raises:
            ValueError: there is no such window, or there are more than 200 APIs.
        """
        _, width = window_of(window)
        chosen = self.names() if names is None else list(dict.fromkeys(names))
        tallies: dict[str, Tally] = {name: self._settled(name).tally(width) for name in chosen}
        from .comparison import compare  # as above

        return compare(tallies, window)

    def cumulative(self, api: str) -> Cumulative:
        """Counters since the process began, for `/metrics`; as of the last drain."""
        return self._known(api).cumulative()

    def changed(self, api: str) -> int:
        """A number that differs when `cumulative(api)` does; cheap enough to ask for every API at each scrape."""
        return self._known(api).version

    def in_flight(self, api: str) -> int:
        """Requests recorded as started and not yet as ended."""
        return self._settled(api).in_flight

    def get_performance_summary(self, missing: float | None = nan) -> dict[str, Any]:
        """Everything at once: overall numbers, and those of each API under `apis`.

        Rates are percentages since the start or the last `clear`; `p50`, `p95`, `p99` cover five minutes,
        `requests_per_minute` the last one; times are seconds. `missing` stands where there are no samples:
        NaN can be printed as a number, None goes into JSON as null.
        """
        ledgers = tuple(self._ledgers.values())
        self._settle(ledgers)
        found = self._summary({ledger.name: ledger.as_dict() for ledger in ledgers}, ledgers)
        return filled(found, missing) if missing is None or missing == missing else found  # noqa: PLR0124 - NaN test

    async def performance_summary(self) -> dict[str, Any]:
        """As `get_performance_summary`, with turns of the event loop in between: a thousand APIs take 0.1 s or more."""
        ledgers = tuple(self._ledgers.values())
        slices = Slices(self._clock.monotonic, _SLICE)
        apis = {}
        for ledger in ledgers:
            self._settle((ledger,))
            apis[ledger.name] = ledger.as_dict()
            await slices.breath()
        return self._summary(apis, ledgers)

    def _summary(self, apis: dict[str, dict[str, Any]], ledgers: Sequence[Ledger]) -> dict[str, Any]:
        successes = sum(api["successful_requests"] for api in apis.values())
        failures = sum(api["failed_requests"] for api in apis.values())
        rated = successes + failures
        totals = [ledger.since_clear() for ledger in ledgers]
        timed = sum(each.timed for each in totals)
        return {
            "overall_success_rate": 100.0 * successes / rated if rated else nan,
            "overall_error_rate": 100.0 * failures / rated if rated else nan,
            "total_requests": sum(api["total_requests"] for api in apis.values()),
            "successful_requests": successes,
            "failed_requests": failures,
            "avg_response_time": sum(each.seconds for each in totals) / timed if timed else nan,
            "requests_per_minute": sum(api["requests_per_minute"] for api in apis.values()),
            "uptime": self._clock.monotonic() - self._started_at,
            "apis": apis,
        }

    def clear(self, api: str | None = None) -> None:
        """Begin the statistics of one API, or of all, anew; the counters of `/metrics` go on.

        Requests that were started before and have not ended are no longer counted as in flight.
        """
        chosen = tuple(self._ledgers.values()) if api is None else (self._known(api),)
        self._settle(chosen)
        for ledger in chosen:
            ledger.forget()

    # -- inside -----------------------------------------------------------------------------------

    def _known(self, api: str) -> Ledger:
        """The ledger of a name; an empty one, which is not kept, when nothing was ever recorded."""
        return self._ledgers.get(api) or Ledger(api, self._clock)

    def _settled(self, api: str) -> Ledger:
        ledger = self._known(api)
        self._settle((ledger,))
        return ledger

    def _ledger(self, name: str, *, bounded: bool = True) -> Ledger:
        ledger = self._ledgers.get(name)
        if ledger is not None:
            return ledger
        with self._lock:
            if bounded and name not in self._ledgers and len(self._ledgers) >= self._max_names:
                self.overflowed += 1
                name = OVERFLOW
            return self._ledgers.setdefault(name, Ledger(name, self._clock))

    def _recording(self, name: str) -> Ledger:
        """The ledger that events recorded under `name` go to; never fails for a text of any kind."""
        if not is_text(name):
            raise ValueError(f"name: expected a text, found {type(name).__name__}")
        ledger = self._ledger(clean_name(name))
        if ledger.recorded is None:
            with self._lock:
                if ledger.recorded is None:
                    ledger.recorded = Series(self._clock)
                    ledger.recorded.tap = self._tap(ledger, "")
        if self._drainer is None:
            self._start_drainer()
        if self._unattended and self.on_unattended is not None:
            self._unattended = False
            self.on_unattended()
        return ledger

    def _append_of(self, name: str) -> Callable[[float], None]:
        ledger = self._recording(name)
        recorded = ledger.recorded
        if recorded is None:  # _recording made it
            raise RuntimeError(f"no series for {name!r:.80}")
        if ledger.name == name and self._drainer is not None:
            # Only names that are kept are remembered, so hostile names cannot fill this table.
            self._appends[name] = recorded.append
        return recorded.append

    def _start_drainer(self) -> None:
        """Have a thread drain what is recorded.

        Also where an application drains: if its loop ends without a word, nothing would, and what a
        remembered append takes in would pile up.
        """
        with self._lock:
            if self._drainer is not None:
                return
            thread = threading.Thread(
                target=_drain_for_ever, args=(weakref.ref(self),), name="understudy-drain", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                return  # no more threads, or the interpreter is ending: the next event tries again, readers drain too
            self._drainer = thread

    def drain_in_background(self) -> None:
        """What the background thread does each second; nothing while an application drains."""
        if self._clock.monotonic() - self._driven_at < _DRIVEN_FOR:
            return
        if self.on_unattended is not None:
            self._unattended = True
            self._appends.clear()  # so that the next success is noticed, too
        try:
            self.drain_recorded()
        except Exception:  # noqa: BLE001 - whatever it was, the next second must be tried again
            _log.exception("draining what was recorded failed")

    def forked(self) -> None:
        """In the child of a fork: locks that other threads held stay held there, and those threads are gone.

        What another thread was settling at that very moment may be missing from the child's counts.
        """
        self._lock = threading.Lock()
        self._drainer = None
        self._owner = None
        self._driven_at = -inf
        self._appends.clear()  # so that the next event starts a thread
        self._collector = self._watcher = None
        for ledger in self._ledgers.values():
            ledger.forked()


def _both(first: Tap, second: Tap) -> Tap:
    def tap(*counted: Any) -> None:
        first(*counted)
        second(*counted)

    return tap


#: Every monitor, for the child of a fork.
_ALL: weakref.WeakSet[PerformanceMonitor] = weakref.WeakSet()


def _forked() -> None:
    for monitor in _ALL:
        monitor.forked()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forked)


def _drain_for_ever(of: weakref.ref[PerformanceMonitor]) -> None:
    """Drain what users record until the monitor is gone; series with an owner are left to it."""
    waiting = threading.Event()
    while True:
        waiting.wait(_TICK)
        monitor = of()
        if monitor is None:
            return
        monitor.drain_in_background()
        del monitor
