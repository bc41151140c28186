"""Sliding windows of a minute, five minutes and an hour over one series, in bounded memory.

Events enter a slice of one second. A minute later seconds become slices of five seconds, after five
minutes slices of a minute, after an hour they are gone; each event is held once. Lists are sparse:
a second without events has no slice, so an idle series holds nothing, and a suspended process only
leaves a gap. Time is the monotonic second handed in; nothing here reads a clock or takes a lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import inf

from .histogram import BOUNDS, Digest, Keys, count, fold, pack

#: Window name -> (seconds, seconds of a slice); every window has sixty slices.
WINDOWS = {"1m": (60, 1), "5m": (300, 5), "1h": (3600, 60)}
SLICES = 60

#: Counts by (neutral, outcome, attribution).
Kind = tuple[bool, str, str]
Kinds = dict[Kind, int]


def window_of(name: str) -> tuple[int, int]:
    """The length and the slice length of a window in seconds; ValueError names the windows there are."""
    try:
        return WINDOWS[name]
    except (KeyError, TypeError):
        raise ValueError(f"window: expected one of {', '.join(WINDOWS)}, found {name!r}") from None


class Tally:
    """Counts over some stretch of time; `chunks` and `keys` hold the durations of its successes."""

    __slots__ = ("chunks", "failed", "failed_seconds", "keys", "kinds", "neutral", "ok", "seconds", "timed")

    def __init__(self) -> None:
        self.ok = self.failed = self.neutral = self.timed = 0
        self.seconds = self.failed_seconds = 0.0
        #: Failures and neutral attempts by outcome and attribution; a tuple takes half a dict's room.
        self.kinds: tuple[tuple[Kind, int], ...] = ()
        self.chunks: list[Keys] = []
        self.keys: Keys = b""

    def add(self, others: Sequence[Tally]) -> None:
        """Count everything that `others` counted; column by column, because there may be hundreds."""
        self.ok += sum([other.ok for other in others])
        self.timed += sum([other.timed for other in others])
        self.neutral += sum([other.neutral for other in others])
        self.seconds += sum([other.seconds for other in others])
        # Most slices have no failure, and 0.0 + 0.0 would be one more object in each.
        if failed := sum([other.failed for other in others]):
            self.failed += failed
            self.failed_seconds += sum([other.failed_seconds for other in others])
        for other in others:
            if other.chunks:
                self.chunks += other.chunks
        self.chunks += [other.keys for other in others if other.keys]
        if kinds := [pair for other in others for pair in other.kinds]:
            self.add_kinds(kinds)

    def add_kinds(self, kinds: Iterable[tuple[Kind, int]]) -> None:
        """Count failures and neutral attempts by outcome and attribution."""
        merged = dict(self.kinds)
        for kind, times in kinds:
            merged[kind] = merged.get(kind, 0) + times
        self.kinds = tuple(merged.items())

    @property
    def total(self) -> int:
        """All attempts, neutral ones included."""
        return self.ok + self.failed + self.neutral

    def counts(self) -> Counter[int]:
        """Durations of successes: how often each histogram key occurs."""
        return count((*self.chunks, self.keys))


class Slice(Tally):
    """What happened in one stretch; `index` is its start divided by its length."""

    __slots__ = ("folded", "index")

    def __init__(self, index: int) -> None:
        Tally.__init__(self)
        self.index = index
        #: Whether its durations are in the cumulative buckets already.
        self.folded = False


#: What all closed slices have in place of a list of their own; nothing is ever added to a closed slice.
_CLOSED: list[Keys] = []


class Windows:
    """The slices of one series, and the buckets of everything it ever saw."""

    __slots__ = ("_fives", "_minutes", "_open", "_seconds", "buckets", "due")

    def __init__(self) -> None:
        self._open: Slice | None = None
        self._seconds: list[Slice] = []
        self._fives: list[Slice] = []
        self._minutes: list[Slice] = []
        #: Durations since the start, by `histogram.BOUNDS`; complete after `fold`.
        self.buckets: list[int] = []
        #: The monotonic second at which `advance` has something to do.
        self.due = inf

    def add(self, now: float, batch: Digest, kinds: Kinds | None, neutral: int) -> None:
        """Count a batch at `now`; a `now` before the last one counts in the current second."""
        second = int(now)
        if second >= self.due:
            self.advance(second)
        tally = self._open
        if tally is None or tally.index < second:
            if tally is not None:
                self._close(tally)
            tally = self._open = Slice(second)
            if self.due > second + 64:
                self.due = self._next_due()
        ok, failed, timed, seconds, failed_seconds, keys = batch
        tally.ok += ok
        tally.timed += timed
        tally.seconds += seconds
        if failed:
            tally.failed += failed
            tally.failed_seconds += failed_seconds
        if keys:
            tally.chunks.append(keys)
        if kinds:
            tally.neutral += neutral
            tally.add_kinds(kinds.items())

    def advance(self, second: int) -> None:
        """Close, merge and drop what is due at this second."""
        if self._open is not None and self._open.index < second:
            self._close(self._open)
        if self._seconds:
            self._promote(self._seconds, self._fives, 5, (second - 64) // 5)
        if self._fives:
            self._promote(self._fives, self._minutes, 12, (second // 5 - 71) // 12)
        while self._minutes and self._minutes[0].index <= second // 60 - SLICES:
            self._fold((self._minutes.pop(0),))
        self.due = self._next_due()

    def fold(self) -> list[int]:
        """Bring the cumulative buckets up to date; each event is counted there once."""
        if self._open is not None:
            self._close(self._open)
        fresh = [
            piece for slices in (self._seconds, self._fives, self._minutes) for piece in slices if not piece.folded
        ]
        self._fold(fresh)
        return self.buckets or [0] * (len(BOUNDS) + 1)

    def forget(self) -> None:
        """Drop all windows; the cumulative buckets stay."""
        self.fold()
        self._seconds, self._fives, self._minutes = [], [], []
        self.due = inf

    def view(self, now: float, width: int, into: Tally) -> None:
        """Add what lies in the last sixty slices of `width` seconds to `into`."""
        second = int(now)
        if second >= self.due:
            self.advance(second)
        oldest = second // width - SLICES
        first = (oldest + 1) * width
        into.add([piece for start, piece in self._pieces() if start >= first])

    def back(self, now: float, seconds: float, into: Tally) -> None:
        """Add the slices that began within the last `seconds` to `into`."""
        second = int(now)
        if second >= self.due:
            self.advance(second)
        first = now - seconds
        into.add([piece for start, piece in self._pieces() if start >= first])

    def groups(self, now: float, width: int, into: dict[int, Tally], newest: int = SLICES) -> None:
        """The same, apart for each slice: keyed by its start divided by `width`; only the `newest` of them."""
        second = int(now)
        if second >= self.due:
            self.advance(second)
        oldest = second // width - min(newest, SLICES)
        for start, piece in self._pieces():
            group = start // width
            if group > oldest:
                into.setdefault(group, Tally()).add((piece,))

    def _pieces(self) -> Iterator[tuple[int, Slice]]:
        for piece in self._minutes:
            yield piece.index * 60, piece
        for piece in self._fives:
            yield piece.index * 5, piece
        for piece in self._seconds:
            yield piece.index, piece
        if self._open is not None:
            yield self._open.index, self._open

    def _close(self, piece: Slice) -> None:
        """Move the open second to the closed ones; a second may be closed in several pieces."""
        chunks = piece.chunks
        piece.keys = chunks[0] if len(chunks) == 1 else pack(chunks)[0]
        piece.chunks = _CLOSED
        self._seconds.append(piece)
        self._open = None

    def _promote(self, source: list[Slice], target: list[Slice], width: int, newest: int) -> None:
        """Merge groups of `width` slices, up to group `newest`, into slices of the next length."""
        while source and source[0].index // width <= newest:
            group = source[0].index // width
            stop = 1
            while stop < len(source) and source[stop].index // width == group:
                stop += 1
            target.append(self._merge(group, source[:stop]))
            del source[:stop]

    def _merge(self, index: int, pieces: Sequence[Slice]) -> Slice:
        if len(pieces) == 1:
            pieces[0].index = index
            return pieces[0]
        folded = all(piece.folded for piece in pieces)
        if not folded and any(piece.folded for piece in pieces):
            self._fold([piece for piece in pieces if not piece.folded])
            folded = True
        merged = Slice(index)
        merged.add(pieces)
        merged.keys, counts = pack(merged.chunks)
        merged.chunks = _CLOSED
        if counts is not None and not folded:
            self._fold_counts(counts)
            folded = True
        merged.folded = folded
        return merged

    def _fold(self, pieces: Sequence[Slice]) -> None:
        fresh = [piece.keys for piece in pieces if piece.keys and not piece.folded]
        if fresh:
            self._fold_counts(count(fresh))
        for piece in pieces:
            piece.folded = True

    def _fold_counts(self, counts: Counter[int]) -> None:
        if not self.buckets:
            self.buckets = [0] * (len(BOUNDS) + 1)
        fold(counts, self.buckets)

    def _next_due(self) -> float:
        due = inf
        if self._open is not None:
            due = self._open.index // 5 * 5 + 64
        if self._seconds:
            due = min(due, self._seconds[0].index // 5 * 5 + 64)
        if self._fives:
            due = min(due, (self._fives[0].index // 12 * 12 + 71) * 5)
        if self._minutes:
            due = min(due, (self._minutes[0].index + SLICES) * 60)
        return due
