"""The last sixty slices of every API, kept current while somebody looks: what heat-maps and rankings are made from.

Nothing is computed while nobody asks. A look adds up the newest slices only; everything is read anew when a slice
has ended, so that statistics that were cleared leave the picture, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from understudy.core.turn import LoopLock, Slices
from understudy.monitor.histogram import quantiles
from understudy.monitor.window import SLICES, WINDOWS, Tally
from understudy.resilience.describe import DEGRADED

if TYPE_CHECKING:
    from understudy.app import Understudy

#: A picture is at least this old before it is made anew, s, and its making takes at most this share of the time.
_LEAST_AGE, _MOST_WORK = 0.8, 0.05
#: Slices that may still change: the running one, and the one before it.
_OPEN: Final = 2
#: The windows that a picture is kept of.
LIVE: Final = ("5m", "1h")
#: What counts as "now" when an API is compared with its own past, slices.
RECENT: Final = 5
#: Slices that the past must hold before durations are compared with it.
_ENOUGH: Final = 8


class Cell(NamedTuple):
    """One API in one slice; `seconds` is the sum of the durations of `timed` successes."""

    ok: int
    failed: int
    timed: int
    seconds: float


class Slice(NamedTuple):
    """One API in one slice, as its chart shows it: epoch seconds and seconds; without successes no durations."""

    at: float
    length: float
    ok: int
    failed: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Moment:
    """All APIs together in one slice: `failing` had failures in 1 % of their calls or more, `broken` in half."""

    total: int = 0
    ok: int = 0
    failed: int = 0
    p95: float | None = None
    active: int = 0
    failing: int = 0
    broken: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """How unusual an API is now, in standard deviations, and what about it: errors, latency, traffic or nothing."""

    value: float = 0.0
    why: str = ""


@dataclass(slots=True)
class _Sum:
    tallies: list[Tally] = field(default_factory=list)
    active: int = 0
    failing: int = 0
    broken: int = 0


class Watch:
    """The slices of one window of `LIVE` of one application."""

    def __init__(self, app: Understudy, window: str) -> None:
        self._app = app
        self._window = window
        #: How long a slice is, s, and how many there are.
        self.width, self.count = WINDOWS[window][1], SLICES
        #: Slices that hold anything, by API and number: a slice begins at number times width, monotonic seconds.
        self.cells: dict[str, dict[int, Cell]] = {}
        self.moments: dict[int, Moment] = {}
        #: The number of the running slice.
        self.last = 0
        self._made_at = float("-inf")
        self._cost = 0.0
        self._full = -1
        self._lock = LoopLock()

    @property
    def numbers(self) -> range:
        """The slices of the window, the oldest first."""
        return range(self.last - self.count + 1, self.last + 1)

    def at(self, number: int) -> float:
        """When a slice begins, epoch seconds."""
        clock = self._app.clock
        return number * self.width + clock.time() - clock.monotonic()

    async def slices_of(self, name: str) -> list[Slice]:
        """The slices of one API."""
        return [
            Slice(each.at, each.length, each.successes, each.failures, each.p50, each.p95)
            for each in self._app.monitor.history(name, self._window)
        ]

    async def look(self) -> Watch:
        """Bring it up to date, unless it was a moment ago."""
        async with self._lock.here():
            now = self._app.clock.monotonic()
            if now - self._made_at >= max(_LEAST_AGE, self._cost / _MOST_WORK):
                await self._read(now)
                self._made_at = self._app.clock.monotonic()
                self._cost = self._made_at - now
        return self

    async def _read(self, now: float) -> None:
        monitor, slices = self._app.monitor, Slices(self._app.clock.monotonic)
        last = int(now) // self.width
        whole = last != self._full
        cells: dict[str, dict[int, Cell]] = {}
        sums: dict[int, _Sum] = {}
        names = monitor.names()
        for name in names:
            found = monitor.slices(name, self.width, SLICES if whole else _OPEN)
            mine = {number: _cell(tally) for number, tally in found.items() if tally.total}
            if mine:
                cells[name] = mine
            for number, tally in found.items():
                _count(sums.setdefault(number, _Sum()), tally)
            await slices.breath()
        if whole:
            self.cells, self.moments, self._full = cells, {}, last
        else:
            for name, mine in cells.items():
                self.cells.setdefault(name, {}).update(mine)
        for number, each in sums.items():
            self.moments[number] = _moment(each)
            await slices.breath()
        self.last = last

    def level(self, api: str, number: int, usual: float | None) -> str:
        """One sign for a slice: `.` nothing, `0` fine, `1` slow, `2` some failures or very slow, `3` many, `4` down.

        `usual` is the API's own mean duration, see `usual`.
        """
        cell = self.cells.get(api, {}).get(number)
        rated = cell.ok + cell.failed if cell is not None else 0
        if cell is None or not rated:
            return "."
        success = cell.ok / rated
        if success < DEGRADED:
            return "4" if success < 0.2 else "3"
        slow = cell.seconds / cell.timed / usual if cell.timed and usual else 1.0
        if success < 0.99 or slow >= 4.0:
            return "2"
        return "1" if slow >= 2.0 else "0"

    def usual(self, api: str) -> float | None:
        """The median of the slices' mean durations, s; None where too few slices have any."""
        means = [cell.seconds / cell.timed for cell in self.cells.get(api, {}).values() if cell.timed]
        return max(median(means), 0.001) if len(means) >= _ENOUGH else None

    def row(self, api: str) -> str:
        """The signs of all slices, the oldest first."""
        usual = self.usual(api)
        return "".join([self.level(api, number, usual) for number in self.numbers])

    def score(self, api: str) -> Score:
        """How unusual the last five slices are beside the others of the window: the greatest of three deviations.

        Errors: how many more there are than the past share would give (binomial). Latency: the median of the recent
        means against the median of the past ones, in robust deviations (MAD), at least 5 % or 1 ms each. Traffic:
        calls against the past rate (Poisson), either way, at half weight and of whole slices only. An API that
        fails now counts at least three for each whole share of failures, however it was before.
        """
        cells = self.cells.get(api)
        if not cells:
            return Score()
        border = self.last - RECENT
        recent = {number: cell for number, cell in cells.items() if number > border}
        past = {number: cell for number, cell in cells.items() if number <= border}
        found = (
            Score(_errors(recent, past), "errors"),
            Score(_latency(recent, past), "latency"),
            Score(self._traffic(recent, past) / 2, "traffic"),
        )
        best = max(found, key=lambda each: each.value)
        return best if best.value >= 1.0 else Score(max(0.0, best.value))

    def _traffic(self, recent: Mapping[int, Cell], past: Mapping[int, Cell]) -> float:
        if not past:
            return 0.0
        slices = self.last - RECENT - min(past) + 1
        before = sum(cell.ok + cell.failed for cell in past.values())
        now = sum(cell.ok + cell.failed for number, cell in recent.items() if number < self.last)
        expected = before / slices * (RECENT - 1)
        return float(abs(now - expected) / (expected + 1.0) ** 0.5) if before >= _ENOUGH else 0.0


_WATCHES: WeakKeyDictionary[Understudy, dict[str, Watch]] = WeakKeyDictionary()


def watch_of(app: Understudy, window: str) -> Watch:
    """The watch of an application over a window, made at first use."""
    watches = _WATCHES.setdefault(app, {})
    if window not in watches:
        watches[window] = Watch(app, window)
    return watches[window]


def _cell(tally: Tally) -> Cell:
    return Cell(tally.ok, tally.failed, tally.timed, tally.seconds)


def _count(into: _Sum, tally: Tally) -> None:
    into.tallies.append(tally)
    rated = tally.ok + tally.failed
    if rated:
        into.active += 1
        into.failing += tally.failed >= 0.01 * rated
        into.broken += tally.failed >= 0.5 * rated


def _moment(found: _Sum) -> Moment:
    whole = Tally()
    whole.add(found.tallies)
    (p95,) = quantiles(whole.counts(), (0.95,))
    return Moment(whole.total, whole.ok, whole.failed, p95, found.active, found.failing, found.broken)


def _errors(recent: Mapping[int, Cell], past: Mapping[int, Cell]) -> float:
    failed = sum(cell.failed for cell in recent.values())
    calls = failed + sum(cell.ok for cell in recent.values())
    if not failed:
        return 0.0
    before = sum(cell.failed for cell in past.values())
    share = (before + 0.5) / (before + sum(cell.ok for cell in past.values()) + 1.0)
    deviation = (failed - calls * share) / (calls * share * (1.0 - share)) ** 0.5 if past else 0.0
    return max(deviation, 3.0 * failed / calls)


def _latency(recent: Mapping[int, Cell], past: Mapping[int, Cell]) -> float:
    now = [cell.seconds / cell.timed for cell in recent.values() if cell.timed]
    before = [cell.seconds / cell.timed for cell in past.values() if cell.timed]
    if not now or len(before) < _ENOUGH:
        return 0.0
    middle = median(before)
    spread = 1.4826 * median(abs(each - middle) for each in before)
    return (median(now) - middle) / max(spread, 0.05 * middle, 0.001)
