"""Rollup buckets: what one series did in ten seconds, a minute, an hour or a day, ready to be kept.

A bucket's histogram is the monitor's own key cut to four bits of mantissa: sixteen steps an octave,
so a quantile read from it lies within 3.2 % of the truth at every duration. Counts, sums, the
smallest and the largest duration are exact. Buckets merge by addition, so an hour is exactly the sum
of its minutes, and percentiles are always taken from merged histograms, never averaged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from math import ceil
from operator import sub
from struct import calcsize, pack, unpack, unpack_from
from typing import Literal, NamedTuple

from understudy.core.types import OutcomeClass

from .histogram import Digest, count
from .window import Kinds

#: Lengths of the tiers that are kept, seconds; each divides the next.
TIERS = (10, 60, 3600, 86400)
TIER_NAMES = {10: "10s", 60: "1m", 3600: "1h", 86400: "1d"}

#: The first byte of a breakdown by class; another layout gets another number.
_VERSION = 1
#: The first byte of a histogram: how its counts are written, the narrowest that holds them all.
_WIDTHS = {2: "B", 3: "H", 4: "I", 5: "Q"}
#: Farthest that two neighbouring keys of a stored histogram may lie apart: a step is one byte.
_FARTHEST = 0xFF
#: A histogram key of the monitor (float32 bits >> 16) loses this many more bits on its way into a rollup.
CUT = 3

#: Numbers of the outcome classes in stored breakdowns; only ever added to, never renumbered.
_CLASS_NUMBERS = {
    OutcomeClass.SEMANTIC: 1,
    OutcomeClass.PROVIDER: 2,
    OutcomeClass.HUB: 3,
    OutcomeClass.RATE: 4,
    OutcomeClass.QUOTA: 5,
    OutcomeClass.KEY: 6,
    OutcomeClass.BILLING: 7,
    OutcomeClass.CALLER: 8,
    OutcomeClass.LOCAL: 9,
    OutcomeClass.CONNECT: 10,
    OutcomeClass.TIMEOUT: 11,
    OutcomeClass.LOST: 12,
    OutcomeClass.BODY: 13,
    OutcomeClass.CANCELLED: 14,
    OutcomeClass.REJECTED: 15,
    OutcomeClass.SUCCESS: 16,
    OutcomeClass.TLS: 17,
}
_NUMBER_OF = {each.value: number for each, number in _CLASS_NUMBERS.items()}
_CLASS_OF = {number: each.value for each, number in _CLASS_NUMBERS.items()}


class SeriesName(NamedTuple):
    """Whose numbers they are: an API's attempts, or a route's calls."""

    kind: Literal["api", "route"]
    name: str


class Row(NamedTuple):
    """One stored bucket. `ts` is the epoch second at which it began; sums and extremes are microseconds.

    `n` is everything (`ok + err` + neutral). `lat_*` and `hist` hold successes only. `classes` and
    `hist` are `encode_classes` and `encode_histogram` of the bucket, None when there is nothing.
    """

    ts: int
    series: SeriesName
    n: int
    ok: int
    err: int
    fallback_used: int
    retries: int
    lat_sum_us: int
    lat_min_us: int
    lat_max_us: int
    err_lat_sum_us: int
    cost_microunits: int
    classes: bytes | None
    hist: bytes | None


class Total(NamedTuple):
    """The sums of one series over a span, with the meaning of the same fields of `Row`."""

    n: int
    ok: int
    err: int
    fallback_used: int
    retries: int
    lat_sum_us: int
    cost_microunits: int


#: The columns of a row that hold a number of the bucket, in their order.
COUNTERS = Row._fields[2:12]


class Bucket:
    """Accumulates what one series does; see `Row` for the meaning of the fields."""

    __slots__ = (
        "classes", "cost_microunits", "err", "err_lat_sum_us", "fallback_used", "hist", "lat_max_us", "lat_min_us",
        "lat_sum_us", "n", "ok", "retries", "timed",
    )  # fmt: skip

    def __init__(self) -> None:
        self.n = self.ok = self.err = self.fallback_used = self.retries = 0
        self.lat_sum_us = self.lat_min_us = self.lat_max_us = self.err_lat_sum_us = 0
        self.cost_microunits = 0
        #: Successes that have a duration; the others count in `ok` only.
        self.timed = 0
        #: (neutral, outcome class) -> attempts that were no success.
        self.classes: dict[tuple[bool, str], int] = {}
        self.hist: Counter[int] = Counter()

    def add(self, numbers: Digest, kinds: Kinds | None, neutral: int, batch: Sequence[float]) -> None:
        """Count a drained batch: what the windows count, and its exact extremes."""
        ok, failed, timed, seconds, failed_seconds, keys = numbers
        self.n += ok + failed + neutral
        self.ok += ok
        self.err += failed
        if failed:
            self.err_lat_sum_us += round(failed_seconds * 1e6)
        if kinds:
            for (is_neutral, outcome, _), times in kinds.items():
                kind = (is_neutral, outcome)
                self.classes[kind] = self.classes.get(kind, 0) + times
        if timed:
            good = batch if timed == len(batch) else [each for each in batch if 0.0 <= each < 3.4e38]
            self._durations(timed, seconds, min(good), max(good))
            hist = self.hist
            for key, times in count((keys,)).items():
                hist[key >> CUT] += times

    def add_one(self, seconds: float) -> None:
        """Count one success of `seconds`."""
        self.n += 1
        self.ok += 1
        self._durations(1, seconds, seconds, seconds)
        self.hist[key_of(seconds)] += 1

    def _durations(self, timed: int, total: float, least: float, most: float) -> None:
        low, high = round(least * 1e6), round(most * 1e6)
        self.lat_min_us = min(self.lat_min_us, low) if self.timed else low
        self.lat_max_us = max(self.lat_max_us, high)
        self.lat_sum_us += round(total * 1e6)
        self.timed += timed

    def merge(self, other: Bucket) -> None:
        """Add another bucket to this one."""
        self.n += other.n
        self.ok += other.ok
        self.err += other.err
        self.fallback_used += other.fallback_used
        self.retries += other.retries
        self.err_lat_sum_us += other.err_lat_sum_us
        self.cost_microunits += other.cost_microunits
        if other.timed:
            self.lat_min_us = min(self.lat_min_us, other.lat_min_us) if self.timed else other.lat_min_us
            self.lat_max_us = max(self.lat_max_us, other.lat_max_us)
            self.lat_sum_us += other.lat_sum_us
            self.timed += other.timed
            hist = self.hist
            for key, times in other.hist.items():
                hist[key] += times
        for kind, times in other.classes.items():
            self.classes[kind] = self.classes.get(kind, 0) + times

    def row(self, ts: int, series: SeriesName) -> Row:
        """The bucket as it is stored."""
        return Row(
            ts, series, self.n, self.ok, self.err, self.fallback_used, self.retries, self.lat_sum_us, self.lat_min_us,
            self.lat_max_us, self.err_lat_sum_us, self.cost_microunits, encode_classes(self.classes),
            encode_histogram(self.hist),
        )  # fmt: skip

    def take_in(self, row: Row) -> None:
        """Add a stored bucket to this one.

        Raises:
            ValueError: its histogram or breakdown was written by a version that this one does not know.
        """
        self.n += row.n
        self.ok += row.ok
        self.err += row.err
        self.fallback_used += row.fallback_used
        self.retries += row.retries
        self.err_lat_sum_us += row.err_lat_sum_us
        self.cost_microunits += row.cost_microunits
        if row.hist:
            self.lat_min_us = min(self.lat_min_us, row.lat_min_us) if self.timed else row.lat_min_us
            self.lat_max_us = max(self.lat_max_us, row.lat_max_us)
            self.lat_sum_us += row.lat_sum_us
            self.timed += add_histogram(row.hist, self.hist)
        if row.classes:
            for kind, times in decode_classes(row.classes).items():
                self.classes[kind] = self.classes.get(kind, 0) + times

    def quantiles(self, shares: Sequence[float]) -> tuple[float | None, ...]:
        """Nearest-rank quantiles of the successes, seconds; never outside the exact extremes."""
        if not self.timed:
            return (None,) * len(shares)
        low, high = self.lat_min_us / 1e6, self.lat_max_us / 1e6
        return tuple(None if value is None else min(high, max(low, value)) for value in quantiles_of(self.hist, shares))

    @property
    def mean(self) -> float | None:
        """Mean seconds of the successes; None without one that has a duration."""
        return self.lat_sum_us / 1e6 / self.timed if self.timed else None


def key_of(seconds: float) -> int:
    """The histogram key of a duration: the upper bits of its float32."""
    return int(unpack("<I", pack("<f", seconds))[0]) >> (16 + CUT)


@cache
def value_of(key: int) -> float:
    """The middle of a key's range, seconds."""
    if key == 0:
        return 0.0
    return float(unpack("<f", pack("<I", key << (16 + CUT) | 1 << (15 + CUT)))[0])


def quantiles_of(hist: Mapping[int, int], shares: Sequence[float]) -> tuple[float | None, ...]:
    """Nearest-rank quantiles (shares of 1) in seconds; None for each without samples."""
    keys = sorted(hist)
    seen = list(accumulate([hist[key] for key in keys]))
    if not seen or not seen[-1]:
        return (None,) * len(shares)
    total = seen[-1]
    return tuple(value_of(keys[bisect_left(seen, max(1, ceil(share * total - 1e-9)))]) for share in shares)


def encode_histogram(hist: Mapping[int, int]) -> bytes | None:
    """The first key (two bytes), the steps to the next keys (a byte each), then the counts, all of one width.

    Everything is written and read in one piece, because a month of an API is a thousand of these.
    """
    keys = sorted([key for key, times in hist.items() if times > 0])
    if not keys:
        return None
    counts = [hist[key] for key in keys]
    try:
        steps = bytes(map(sub, keys[1:], keys))
    except ValueError:  # two keys lie too far apart
        keys, counts = _bridged(keys, counts)
        steps = bytes(map(sub, keys[1:], keys))
    most = max(counts)
    layout = 2 if most < 1 << 8 else 3 if most < 1 << 16 else 4 if most < 1 << 32 else 5
    written = bytes(counts) if layout == 2 else pack(f"<{len(counts)}{_WIDTHS[layout]}", *counts)
    return bytes((layout, keys[0] & 0xFF, keys[0] >> 8)) + steps + written


def _bridged(keys: Sequence[int], counts: Sequence[int]) -> tuple[list[int], list[int]]:
    """The same with keys without events in between, so that no step is too far."""
    found, times = [keys[0]], [counts[0]]
    for key, count_of in zip(keys[1:], counts[1:], strict=True):
        while key - found[-1] > _FARTHEST:
            found.append(found[-1] + _FARTHEST)
            times.append(0)
        found.append(key)
        times.append(count_of)
    return found, times


def decode_histogram(blob: bytes) -> Counter[int]:
    """The histogram that `encode_histogram` wrote; ValueError when it did not."""
    hist: Counter[int] = Counter()
    add_histogram(blob, hist)
    return hist


def add_histogram(blob: bytes, into: Counter[int]) -> int:
    """Add a stored histogram to one in memory; answers how many events it held."""
    code = _WIDTHS.get(blob[0]) if blob else None
    if code is None:
        raise ValueError(f"a stored histogram has the unknown layout {blob[:1].hex() or 'none'}")
    width = calcsize(code)
    size, rest = divmod(len(blob) - 2, 1 + width)
    if rest or not size:
        raise ValueError("a stored histogram is cut")
    first = blob[1] | blob[2] << 8
    counts: Sequence[int] = blob[size + 2 :] if width == 1 else unpack_from(f"<{size}{code}", blob, size + 2)
    keys = accumulate(blob[3 : size + 2], initial=first)
    if into:
        get = into.get  # `+=` would call Counter.__missing__ for each new key
        for key, each in zip(keys, counts, strict=True):
            into[key] = get(key, 0) + each
    else:
        dict.update(into, zip(keys, counts, strict=True))
    return sum(counts)


def encode_classes(classes: Mapping[tuple[bool, str], int]) -> bytes | None:
    """The breakdown of failures and neutral attempts as LEB128 pairs of (class, count)."""
    pairs: list[int] = []
    for (neutral, outcome), times in sorted(classes.items()):
        pairs += (_NUMBER_OF[outcome] * 2 + neutral, times)
    return _encoded(pairs) if pairs else None


def decode_classes(blob: bytes) -> dict[tuple[bool, str], int]:
    """The breakdown that `encode_classes` wrote; ValueError when it did not."""
    numbers = _decoded(blob)
    try:
        return {
            (bool(number & 1), _CLASS_OF[number >> 1]): times
            for number, times in zip(numbers[0::2], numbers[1::2], strict=True)
        }
    except KeyError as missing:
        raise ValueError(f"unknown outcome class {missing} in a stored breakdown") from None


def _encoded(numbers: Iterable[int]) -> bytes:
    out = bytearray((_VERSION,))
    for number in numbers:
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def _decoded(blob: bytes) -> Sequence[int]:
    if not blob or blob[0] != _VERSION:
        raise ValueError(f"a stored breakdown has the unknown layout {blob[:1].hex() or 'none'}")
    body = blob[1:]
    if body.isascii():  # every number is below 128: the bytes are the numbers
        return body
    numbers = []
    number = shift = 0
    for byte in body:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append(number)
            number = shift = 0
    if shift:
        raise ValueError("a stored breakdown is cut")
    return numbers
