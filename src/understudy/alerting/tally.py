"""Counts what happens to every API, route and hub, for rules: the watcher that the monitor tells of each drained batch.

Attempts are counted for APIs, hubs and the whole, calls for routes; what they cost, too. Nothing here is on
the path of a call: the monitor drains each second, and at once after a failure, which is what wakes the rules.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from heapq import merge
from operator import attrgetter

from understudy.alerts.model import Subject
from understudy.alerts.ports import Sample
from understudy.core.clock import Clock
from understudy.core.types import Explanation
from understudy.monitor.collector import clean_calls, executed
from understudy.monitor.histogram import Digest, digest
from understudy.monitor.window import Kinds, Tally, Windows

from .track import LAST_WITHIN, Counted, Past, Track

#: What one attempt costs is known for so long, s.
_DAY = 86_400.0
#: Kinds of subjects that are added up from APIs only when a rule asks for them.
_SUMMED: tuple[Subject, ...] = ("hub", "all")


class Tallies:
    """The tracks of all subjects. Safe from any thread, because any may drain what was recorded by hand.

    `hub_of` names an API's hub (empty: none), `price_of` the millionths that an attempt on it costs.
    """

    def __init__(self, clock: Clock, hub_of: Callable[[str], str], price_of: Callable[[str], int]) -> None:
        self._now = clock.monotonic
        self._clock = clock
        self._hub_of = hub_of
        self._price_of = price_of
        self._lock = threading.Lock()
        self._tracks: dict[Subject, dict[str, Track]] = {"api": {}, "route": {}, "hub": {}, "all": {}}
        self._costs: dict[Subject, dict[str, Track]] = {"api": {}, "route": {}, "hub": {}, "all": {}}
        #: Durations of calls by route; those of attempts are the monitor's.
        self._calls: dict[str, Windows] = {}
        self._reach = LAST_WITHIN
        self._summed: tuple[Subject, ...] = ()
        #: APIs on which something failed since somebody last looked.
        self.failed: set[str] = set()
        #: Called after a failure, on the thread that drained it.
        self.on_failure: Callable[[], None] | None = None

    def _offset(self) -> float:
        return self._clock.time() - self._clock.monotonic()

    def want(self, subjects: Collection[Subject], longest: float) -> None:
        """Count for these kinds of subjects, so that windows of `longest` seconds can be answered from now on."""
        with self._lock:
            if longest > self._reach:
                self._reach = longest
                for tracks in self._tracks.values():
                    for track in tracks.values():
                        track.reach = longest
            fresh = [each for each in _SUMMED if each in subjects and each not in self._summed]
            for subject in fresh:
                self._sum_up(subject)
            self._summed = tuple(each for each in _SUMMED if each in subjects)

    def _sum_up(self, subject: Subject) -> None:
        """Begin the tracks of a kind with what its APIs did so far."""
        members: dict[str, list[Track]] = {}
        for name, track in self._tracks["api"].items():
            owner = self._owner(subject, name)
            if owner is not None:
                members.setdefault(owner, []).append(track)
        for owner, tracks in members.items():
            whole = Track(min(track.since for track in tracks), self._reach, self._offset())
            whole.seed(together(track.stretches() for track in tracks))
            self._tracks[subject][owner] = whole

    def _owner(self, subject: Subject, api: str) -> str | None:
        return "" if subject == "all" else self._hub_of(api) or None

    # -- counting ---------------------------------------------------------------------------------

    def attempts(
        self,
        api: str,
        route: str,
        numbers: Digest,
        kinds: Kinds | None,
        neutral: int,
        batch: Sequence[float],
        booked: Sequence[float],
    ) -> None:
        """As `monitor.ports.Taker.attempts`."""
        batch, clean = clean_calls(batch, booked if route else None)
        counted = _counted(numbers, neutral, batch)
        price = self._price_of(api)
        now = self._now()
        with self._lock:
            self._track("api", api, now).count(now, counted)
            for subject in self._summed:
                owner = self._owner(subject, api)
                if owner is not None:
                    self._track(subject, owner, now).count(now, counted)
            if clean:
                self._called(route, now, numbers if len(clean) == len(batch) else digest(clean), clean)
            if price:
                self._spent(api, route, price * executed(numbers, kinds, neutral), now)
        if counted.failed:
            self.failed.add(api)
            if self.on_failure is not None:
                self.on_failure()

    def called(self, record: Explanation, *, part: bool = False) -> None:
        """As `monitor.ports.Taker.called`."""
        if part:
            return
        now = self._now()
        with self._lock:
            if record.outcome in ("success", "fallback"):
                self._called(record.route, now, digest((record.duration,)), (record.duration,))
            else:
                neutral = record.outcome == "cancelled"
                self._track("route", record.route, now).count(now, Counted(0, not neutral, neutral, 0, 0.0))

    def _called(self, route: str, now: float, numbers: Digest, calls: Sequence[float]) -> None:
        self._track("route", route, now).count(now, _counted(numbers, 0, calls))
        windows = self._calls.get(route)
        if windows is None:
            windows = self._calls[route] = Windows()
        windows.add(now, numbers, None, 0)

    def _spent(self, api: str, route: str, cost: int, now: float) -> None:
        owners: tuple[tuple[Subject, str], ...] = (("api", api), ("hub", self._hub_of(api)), ("all", ""))
        for subject, name in (*owners, ("route", route)) if route else owners:
            track = self._costs[subject].get(name)
            if track is None:
                track = self._costs[subject][name] = Track(now, _DAY, self._offset())
            track.count(now, Counted(cost, 0, 0, 0, 0.0))

    def _track(self, subject: Subject, name: str, now: float) -> Track:
        track = self._tracks[subject].get(name)
        if track is None:
            track = self._tracks[subject].setdefault(name, Track(now, self._reach, self._offset()))
        return track

    # -- reading ----------------------------------------------------------------------------------

    def reading(self) -> threading.Lock:
        """Hold it while a track is read."""
        return self._lock

    def read(self, subject: Subject, name: str) -> Track:
        """The track of a subject, made when nothing happened to it yet."""
        return self._track(subject, name, self._now())

    def known(self, subject: Subject, name: str, window: float) -> Sample | None:
        """The subject over a window; None when nothing ever happened to it."""
        track = self._tracks[subject].get(name)
        return None if track is None else track.sample(self._now(), 0.0, window)

    def durations(self, route: str, seconds: float) -> Counter[int]:
        """Durations of a route's calls in the last `seconds`, at most an hour: how often each histogram key occurs."""
        whole = Tally()
        with self._lock:
            windows = self._calls.get(route)
            if windows is not None:
                windows.back(self._now(), seconds, whole)
        return whole.counts()

    def spent(self, subject: Subject, name: str, seconds: float) -> float:
        """What the subject cost in the last `seconds`, at most a day, in currency units."""
        with self._lock:
            track = self._costs[subject].get(name)
            return 0.0 if track is None else track.sample(self._now(), 0.0, seconds).successes / 1e6

    # -- the past ---------------------------------------------------------------------------------

    def seed(self, subject: Subject, name: str, past: Sequence[Past]) -> None:
        """Put what was counted before this process began in front of what it counts itself."""
        with self._lock:
            self._track(subject, name, self._now()).seed(past)

    def names(self, subject: Subject) -> list[str]:
        """Those to whom anything has happened within the longest window, or before a restart."""
        return list(self._tracks[subject])

    def forget(self, subject: Subject, known: Collection[str]) -> None:
        """Drop the tracks of subjects that are no more and that no window reaches back to."""
        oldest = self._now() - self._reach
        with self._lock:
            tracks, costs = self._tracks[subject], self._costs[subject]
            for name in [name for name in tracks.keys() - set(known) if tracks[name].newest < oldest]:
                del tracks[name]
                costs.pop(name, None)
                if subject == "route":
                    self._calls.pop(name, None)


def together(many: Iterable[Iterable[Past]]) -> list[Past]:
    """The stretches of several tracks as those of one."""
    joined: list[Past] = []
    for start, counted in merge(*many, key=attrgetter("start")):
        if joined and int(joined[-1].start) == int(start):
            joined[-1] = Past(joined[-1].start, _added(joined[-1].counted, counted))
        else:
            joined.append(Past(start, counted))
    return joined


def _added(one: Counted, other: Counted) -> Counted:
    return Counted(
        one.ok + other.ok, one.failed + other.failed, one.neutral + other.neutral, one.timed + other.timed,
        one.seconds + other.seconds, min(one.low, other.low), max(one.high, other.high),
    )  # fmt: skip


def _counted(numbers: Digest, neutral: int, batch: Sequence[float]) -> Counted:
    ok, failed, timed, seconds, _, _ = numbers
    if not timed:
        return Counted(ok, failed, neutral, 0, 0.0)
    good = batch if timed == len(batch) else [each for each in batch if 0.0 <= each < 3.4e38]
    return Counted(ok, failed, neutral, timed, seconds, min(good), max(good))
