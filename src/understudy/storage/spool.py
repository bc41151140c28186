"""What still has to be written of the history: for each bucket only its newest numbers, up to a limit.

Rows are absolute, so a row that waits is replaced by the next one of the same tier, start and series,
and after an outage of any length the newest numbers are what is written. Beyond the limit the oldest
rows of the finest tier go: the coarser ones still have their sums.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from understudy.monitor.rollup import TIERS, Row, SeriesName

Key = tuple[int, SeriesName]


class Spool:
    """Rows that wait to be written. Safe from any thread."""

    def __init__(self, limit: int, remember: float = 0.0) -> None:
        self._limit = limit
        #: What was written in the last seconds, where a server that breaks down may forget it.
        self._remember = remember
        self._written: deque[tuple[float, int, Sequence[Row]]] = deque()
        self._lock = threading.Lock()
        self._waiting: dict[int, dict[Key, Row]] = {tier: {} for tier in TIERS}
        #: Rows that were given up, since the start.
        self.dropped = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, rows: Mapping[int, Sequence[Row]]) -> None:
        """Let rows wait, each in place of an older one of its bucket."""
        with self._lock:
            for tier, some in rows.items():
                waiting = self._waiting[tier]
                for row in some:
                    waiting[row.ts, row.series] = row
            excess = len(self) - self._limit
            if excess > 0:
                self.dropped += excess
                self._drop(excess)

    def _drop(self, excess: int) -> None:
        for tier in TIERS:
            waiting = self._waiting[tier]
            for key in list(islice(waiting, excess)):
                del waiting[key]
                excess -= 1
            if excess <= 0:
                return

    def peek(self, sizes: Mapping[int, int]) -> tuple[int, list[Row]]:
        """A tier and the rows of it that wait longest, as many as `sizes` allows; finest tier first.

        They stay until `done`: what cannot be written is still here.
        """
        with self._lock:
            for tier, waiting in self._waiting.items():
                if waiting:
                    return tier, list(islice(waiting.values(), sizes[tier]))
        return TIERS[0], []

    def done(self, tier: int, rows: Sequence[Row], now: float) -> None:
        """These rows are written; one that was replaced meanwhile goes on waiting. `now` is monotonic."""
        with self._lock:
            if self._remember:
                self._written.append((now, tier, rows))
                while self._written[0][0] < now - self._remember:
                    self._written.popleft()
            waiting = self._waiting[tier]
            for row in rows:
                key = (row.ts, row.series)
                if waiting.get(key) is row:
                    del waiting[key]

    def again(self, now: float) -> None:
        """Let what was written in the last seconds wait once more, where nothing newer does."""
        with self._lock:
            written, self._written = self._written, deque()
            for at, tier, rows in reversed(written):  # of one bucket the newest numbers count
                if at >= now - self._remember:
                    for row in rows:
                        self._waiting[tier].setdefault((row.ts, row.series), row)

    def within(self, tier: int, start: int, end: int) -> dict[Key, Row]:
        """The rows of a tier that wait, with `start <= ts < end`."""
        with self._lock:
            return {key: row for key, row in self._waiting[tier].items() if start <= key[0] < end}

    def last(self, tier: int) -> int | None:
        """The latest start that waits in a tier."""
        with self._lock:
            return max((ts for ts, _ in self._waiting[tier]), default=None)
