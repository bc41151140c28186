"""Durations as 16-bit keys: how events are stored, counted and turned back into quantiles.

A key is the upper half of a float32: sign, exponent, seven bits of mantissa. The middle of a key's
range lies within 0.4 % of every value in it, over the whole range of float32, and making keys of a
batch takes three C calls. Only successes have keys: a failure's duration never enters a quantile.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import ceil, copysign, inf
from typing import Any, NamedTuple

#: Upper bounds in seconds of the buckets that `/metrics` shows: OpenTelemetry's defaults.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

#: A slice with fewer events stays at two bytes an event: counting it would cost more than it saves.
PACK_FROM = 1024

_LITTLE = sys.byteorder == "little"
_TOP_BYTE = 3 if _LITTLE else 0
_HIGH_HALF = 1 if _LITTLE else 0
#: First bytes of plain positive finite values; any other byte needs a look at each value.
_PLAIN = bytes(range(0x7F))
_LARGEST = 3.4e38


class Packed(NamedTuple):
    """Distinct keys and how often each occurs, in two parallel arrays."""

    keys: array[int]
    counts: array[int]


Keys = bytes | Packed


#: One batch, counted: successes, failures, successes that have a duration, the sums of seconds of those
#: and of the failures, the keys of those. A plain tuple, because a named one costs as much as the counting.
Digest = tuple[int, int, int, float, float, Keys]


def digest(batch: Sequence[float]) -> Digest:
    """Count an ordered batch; a minus sign says failure, a value that is not finite has no duration."""
    count = len(batch)
    try:
        raw = struct.pack(f"{count}f", *batch)
        if not raw[_TOP_BYTE::4].translate(None, _PLAIN):
            return count, 0, count, float(sum(batch, 0.0)), 0.0, _keys(raw)
    except (TypeError, OverflowError, struct.error):
        # The raw append is not checked; one odd object must not cost the rest of the batch.
        batch = [as_number(value) for value in batch]
    return _sorted_out(batch)


def _keys(raw: bytes) -> bytes:
    return array("H", raw)[_HIGH_HALF::2].tobytes()


def as_number(value: Any) -> float:
    """The value as a float; what cannot be one is a success without a duration."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return inf


def _sorted_out(batch: Sequence[float]) -> Digest:
    """The slow half of `digest`: some value is negative or not finite."""
    good = []
    failed = 0
    failed_seconds = 0.0
    for value in batch:
        if copysign(1.0, value) < 0:
            failed += 1
            if value > -_LARGEST:
                failed_seconds -= value
        elif value < _LARGEST:
            good.append(value)
    raw = struct.pack(f"{len(good)}f", *good)
    return len(batch) - failed, failed, len(good), sum(good), failed_seconds, _keys(raw)


def pack(chunks: Sequence[Keys]) -> tuple[Keys, Counter[int] | None]:
    """The chunks as one, in the smaller form; and the counts, when they had to be made for that."""
    events = sum(len(chunk) >> 1 if isinstance(chunk, bytes) else PACK_FROM for chunk in chunks)
    if events < PACK_FROM:
        return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes)), None
    counts = count(chunks)
    code = "H" if max(counts.values(), default=0) <= 0xFFFF else "I"
    packed = Packed(array("H", counts), array(code, counts.values()))
    raw_only = all(isinstance(chunk, bytes) for chunk in chunks)
    if raw_only and len(packed.keys) * (2 + packed.counts.itemsize) >= 2 * events:
        return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes)), counts
    return packed, counts


def count(chunks: Iterable[Keys]) -> Counter[int]:
    """How often each key occurs in all the chunks together."""
    counts: Counter[int] = Counter()
    raw = []
    for chunk in chunks:
        if isinstance(chunk, bytes):
            raw.append(chunk)
        else:
            get = counts.get  # `+=` would call Counter.__missing__ for each new key
            for key, times in zip(chunk.keys, chunk.counts, strict=True):
                counts[key] = get(key, 0) + times
    counts.update(array("H", b"".join(raw)))
    return counts


def value_of(key: int) -> float:
    """The middle of a key's range, in seconds."""
    if key == 0:
        return 0.0
    return float(struct.unpack("f", struct.pack("I", key << 16 | 0x8000))[0])


def at_ranks(counts: Mapping[int, int], ranks: Sequence[int]) -> list[float]:
    """The values at these ranks (1 is the smallest; ascending), seconds; `counts` must not be empty."""
    keys = sorted(counts)
    seen = list(accumulate(map(counts.__getitem__, keys)))
    return [value_of(keys[min(bisect_left(seen, rank), len(keys) - 1)]) for rank in ranks]


def quantiles(counts: Mapping[int, int], wanted: Sequence[float]) -> tuple[float | None, ...]:
    """Nearest-rank quantiles (shares of 1, ascending) in seconds; None for each without samples."""
    total = sum(counts.values())
    if not total:
        return (None,) * len(wanted)
    # The tiny term keeps 0.95 * 20 from being 19.000000000000004 and so the 20th value.
    return tuple(at_ranks(counts, [max(1, ceil(share * total - 1e-9)) for share in wanted]))


#: The last key that belongs to each bound's bucket: the bound itself, cut to a key.
_LAST_KEYS = tuple(array("H", _keys(struct.pack("f", bound)))[0] for bound in BOUNDS)


def fold(counts: Mapping[int, int], buckets: list[int]) -> None:
    """Add counts to `buckets`, one for each of `BOUNDS` and one for what lies above the last.

    A key belongs to the bucket of the lower end of its range: a value that equals a bound counts
    under it, as the format demands, and so do values up to 0.8 % above it.
    """
    keys = sorted(counts)
    times = [counts[key] for key in keys]
    begin = 0
    for bucket, last in enumerate(_LAST_KEYS):
        end = bisect_right(keys, last, begin)
        if end > begin:
            buckets[bucket] += sum(times[begin:end])
            begin = end
    buckets[-1] += sum(times[begin:])
