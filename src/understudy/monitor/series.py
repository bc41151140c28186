"""One ordered list of outcomes: the recorder that the hot path appends to.

`append` is the bound append of a plain list, and the only thing that a successful call costs. A drain
takes what has arrived with two list operations, each atomic, so that appends from other threads are
never lost and never wait; the lock is among those who drain and read.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from math import inf
from typing import TypeVar

from understudy.core.clock import Clock
from understudy.core.types import Attribution, OutcomeClass

from .histogram import Digest, digest
from .summary import LastError
from .text import harmless
from .window import SLICES, Kind, Kinds, Tally, Windows

T = TypeVar("T")
#: What a drain counted: the digest, failures and neutral attempts by kind, how many of these were neutral,
#: the batch itself, and those of its successes that belong to recorded calls.
Tap = Callable[[Digest, Kinds | None, int, Sequence[float], Sequence[float]], None]


class Totals:
    """Counts since the series began; they only grow."""

    __slots__ = ("failed", "failed_seconds", "kinds", "neutral", "ok", "seconds", "timed")

    def __init__(self) -> None:
        self.ok = self.failed = self.neutral = self.timed = 0
        self.seconds = self.failed_seconds = 0.0
        self.kinds: Kinds = {}


class Series:
    """The attempts of one (API, operation), in order of arrival.

    A number is the seconds of a success; a minus sign says failure (`-0.0` included), `-inf` a failure
    without a duration. The raw `append` checks nothing: what is not finite counts, but has no duration.
    """

    __slots__ = (
        "_booked", "_clock", "_kinds", "_lock", "_old", "_pending", "_windows", "append", "last_error", "listener",
        "tap", "totals", "version",
    )  # fmt: skip

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: list[float] = []
        self._kinds: list[Kind] = []
        self._old: list[list[float]] = []
        self._windows = Windows()
        #: Takes the seconds of a success; bound anew by `rotate`.
        self.append: Callable[[float], None] = self._pending.append
        #: Gets every batch in order, on the thread that drains, before the windows do.
        self.listener: Callable[[Sequence[float]], None] | None = None
        #: Gets every counted batch, for the rollups; None while nothing is kept.
        self.tap: Tap | None = None
        self._booked: list[float] = []
        self.totals = Totals()
        self.last_error: LastError | None = None
        #: Counts the drains that found something.
        self.version = 0

    def succeeded(self, seconds: float) -> None:
        """Append a success of a call that left the prepared path, and so is told by its own record too."""
        self.append(seconds)
        if self.tap is not None:
            self._booked.append(seconds)

    def failed(
        self,
        seconds: float | None,
        outcome: OutcomeClass,
        attribution: Attribution,
        message: str = "",
        status: int | None = None,
    ) -> None:
        """Append a failure and count its class; the caller drains when somebody must judge at once."""
        # The class comes first: whoever drains in between may see it a drain early, never lose it.
        self._kinds.append(_kind(False, outcome, attribution))
        self.append(-abs(seconds) if seconds is not None and seconds == seconds else -inf)  # noqa: PLR0124 - NaN test
        self.last_error = LastError(self._clock.time(), outcome.value, attribution.value, harmless(message), status)

    def neutral(
        self, outcome: OutcomeClass, attribution: Attribution, message: str = "", status: int | None = None
    ) -> None:
        """Count an attempt that is neither success nor failure: in the total and under its own name."""
        self._kinds.append(_kind(True, outcome, attribution))
        if message:
            self.last_error = LastError(self._clock.time(), outcome.value, attribution.value, harmless(message), status)

    def drain(self) -> None:
        """Settle what has arrived: listener first, then the windows.

        The listener runs outside the lock, because it may rotate this very series; what it raises
        reaches the caller after the batch has been counted.
        """
        with self._lock:
            batch = _take(self._pending)
            kinds = _take(self._kinds) if self._kinds else None
            if not batch and kinds is None and not self._old:
                if (now := self._clock.monotonic()) >= self._windows.due:
                    self._windows.advance(int(now))
                return
            listener = self.listener
            if listener is None or not batch:
                self._settle(batch, kinds)
                return
        try:
            listener(batch)
        finally:
            with self._lock:
                self._settle(batch, kinds)

    def rotate(self) -> None:
        """Drain, then start a new list: what still arrives in the old one reaches statistics only."""
        self.drain()
        with self._lock:
            self._old.append(self._pending)
            self._pending = []
            self.append = self._pending.append

    def view(self, width: int, into: Tally) -> None:
        """Add the window whose slices are `width` seconds long to `into`; as of the last drain."""
        with self._lock:
            self._windows.view(self._clock.monotonic(), width, into)

    def back(self, seconds: float, into: Tally) -> None:
        """Add what happened in the last `seconds`, at most an hour, to `into`; as of the last drain."""
        with self._lock:
            self._windows.back(self._clock.monotonic(), seconds, into)

    def groups(self, width: int, into: dict[int, Tally], newest: int = SLICES) -> None:
        """The same, apart for each slice; only the `newest` of them."""
        with self._lock:
            self._windows.groups(self._clock.monotonic(), width, into, newest)

    def buckets(self) -> list[int]:
        """Durations of all successes since the start, by `histogram.BOUNDS`, as of the last drain."""
        with self._lock:
            return list(self._windows.fold())

    def forget(self) -> None:
        """Drop the windows and the last error; the totals stay, because `/metrics` must not go back."""
        self.drain()
        with self._lock:
            self._windows.forget()
            self.last_error = None
            self.version += 1

    def forked(self) -> None:
        """In the child of a fork: the lock may have been held by a thread that is gone; rollups are the parent's."""
        self._lock = threading.Lock()
        self.tap = None

    def take_in(self, numbers: Digest, kinds: Kinds | None, neutral: int, batch: Sequence[float]) -> None:
        """Count what was counted elsewhere; `batch` holds its shortest and longest success."""
        with self._lock:
            self._count(numbers, kinds, neutral, batch)

    def _settle(self, batch: Sequence[float], kinds: Sequence[Kind] | None) -> None:
        if self._old:
            batch = self._with_late(batch)
        if not batch and kinds is None:
            return
        counted: Kinds | None = None
        neutral = 0
        if kinds:
            counted = {}
            for kind in kinds:
                counted[kind] = counted.get(kind, 0) + 1
                neutral += kind[0]
        self._count(digest(batch), counted, neutral, batch)

    def _count(self, numbers: Digest, kinds: Kinds | None, neutral: int, batch: Sequence[float]) -> None:
        self.version += 1
        totals = self.totals
        ok, failed, timed, seconds, failed_seconds, _ = numbers
        totals.ok += ok
        totals.timed += timed
        totals.seconds += seconds
        if failed:
            totals.failed += failed
            totals.failed_seconds += failed_seconds
        if kinds:
            for kind, times in kinds.items():
                totals.kinds[kind] = totals.kinds.get(kind, 0) + times
            totals.neutral += neutral
        self._windows.add(self._clock.monotonic(), numbers, kinds, neutral)
        if self.tap is not None:
            self.tap(numbers, kinds, neutral, batch, _take(self._booked) if self._booked else ())

    def _with_late(self, batch: Sequence[float]) -> Sequence[float]:
        """The batch and what arrived in old lists; lists that nobody can append to are dropped."""
        # Holders are counted before taking: who lets go in between has appended before.
        holders = _holders(self._old)
        late = [_take(old) for old in self._old]
        keep = [old for old, count in zip(self._old, holders, strict=True) if count > _ALONE]
        self._old = keep if _KNOWS_HOLDERS else self._old[-_OLD_LISTS:]
        return list(chain(batch, *late))


def _take(pending: list[T]) -> list[T]:
    count = len(pending)
    taken = pending[:count]
    del pending[:count]
    return taken


#: Where the interpreter cannot say who still holds a list, this many old ones are kept.
_OLD_LISTS = 16
_KNOWS_HOLDERS = hasattr(sys, "getrefcount")


def _holders(lists: list[list[float]]) -> list[int]:
    """How many references each list has; more than `_ALONE` when a call still holds its append."""
    return [sys.getrefcount(each) for each in lists] if _KNOWS_HOLDERS else [0] * len(lists)


#: The count of a list that only its owner holds, measured because interpreters differ.
_ALONE = _holders([[]])[0]


@cache
def _kind(neutral: bool, outcome: OutcomeClass, attribution: Attribution) -> Kind:
    """The same object for the same kind: it is held in many slices."""
    return neutral, outcome, attribution
