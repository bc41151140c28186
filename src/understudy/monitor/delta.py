"""What one process reports of its numbers to another: the wire form of ten-second rows, and its checks.

A report is a JSON object: `instance` (a name for people), `boot` (new at each start), `version`, `now` (the
reporter's clock, epoch seconds), and `reports`, a list of `{"seq": n, "rows": [...]}` with numbers that grow
from 1; an empty list is a sign of life. A row is a list in the order of `rollup.Row`, the series as kind and
name, the two encoded columns as base64.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from .given import MAX_NAME
from .rollup import COUNTERS, TIERS, Row, SeriesName, decode_classes, decode_histogram, key_of
from .text import one_line

#: Most rows in one report.
MAX_ROWS = 2000
#: The oldest and newest start that is taken, s before and after now.
OLDEST, NEWEST = 24 * 3600, 120
#: No counter of any bucket is larger (microseconds: of 35 years); what claims to be is an error, or an attack on the
#: sums, which must fit into 63 bits over thousands of buckets.
LARGEST = 2**50
MAX_BLOB = 64 * 1024
#: The histogram's key of the longest duration there is; what lies above is infinite, or no number.
LONGEST_KEY = key_of(3.4e38)


def row_to_wire(row: Row) -> list[Any]:
    """A row as JSON-ready values."""
    classes = None if row.classes is None else base64.b64encode(row.classes).decode("ascii")
    hist = None if row.hist is None else base64.b64encode(row.hist).decode("ascii")
    return [row.ts, row.series.kind, row.series.name, *row[2:12], classes, hist]


def row_from_wire(values: Any) -> Row:
    """The row that `row_to_wire` wrote.

    Raises:
        ValueError: it is none, or its numbers cannot be.
    """
    if not isinstance(values, list) or len(values) != len(Row._fields) + 1:
        raise ValueError(f"a row is a list of {len(Row._fields) + 1} values")
    ts, kind, name, *rest = values
    if not _is_count(ts) or ts % TIERS[0]:
        raise ValueError("a row begins at a multiple of ten seconds")
    if kind not in ("api", "route"):
        raise ValueError("a series is of kind api or route")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or one_line(name, MAX_NAME) != name:
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    numbers = rest[: len(COUNTERS)]
    if not all(_is_count(each) for each in numbers):
        raise ValueError(f"{', '.join(COUNTERS)} are whole numbers of 0 or more")
    classes, hist = _blob(rest[-2]), _blob(rest[-1])
    n, ok, err = numbers[:3]
    keys = decode_histogram(hist) if hist else {}
    timed = sum(keys.values())
    told = sum(decode_classes(classes).values()) if classes else 0
    if ok + err > n or timed > ok or told > n:
        raise ValueError("a row whose parts are more than its whole")
    if max(keys, default=0) > LONGEST_KEY:
        raise ValueError("a histogram of durations that are none")
    return Row._make((ts, SeriesName(kind, name), *numbers, classes, hist))


def shift(theirs: float, ours: float) -> int:
    """What must be added to their starts, so that both clocks agree to a bucket: whole buckets, s."""
    return round((ours - theirs) / TIERS[0]) * TIERS[0]


def in_time(ts: int, now: float) -> bool:
    """Whether a start is one that is taken; finer rows of what is older are gone."""
    return now - OLDEST <= ts <= now + NEWEST


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _blob(value: Any) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_BLOB:
        raise ValueError("a histogram or breakdown is base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a histogram or breakdown is base64") from None
