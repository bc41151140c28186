"""What one process reports of its numbers to another: the wire form of ten-second rows, and its checks.

A report is a JSON object: `instance` (a name for people), `boot` (new at each start), and `reports`, a
list of `{"seq": n, "rows": [...]}` with numbers that grow by one from 1. A row is a list in the order of
`rollup.Row`, the series as kind and name, the two encoded columns as base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from .given import MAX_NAME
from .rollup import COUNTERS, TIERS, Bucket, Row, SeriesName, decode_classes, decode_histogram
from .text import one_line

#: Most rows in one request, and the oldest and newest start that is taken, s before and after now.
MAX_ROWS = 2000
OLDEST, NEWEST = 24 * 3600, 120
#: No counter of ten seconds is larger; what claims to be is an error, or an attack on the sums.
LARGEST = 2**53
MAX_BLOB = 64 * 1024


def row_to_wire(row: Row) -> list[Any]:
    """A row as JSON-ready values."""
    classes = None if row.classes is None else base64.b64encode(row.classes).decode("ascii")
    hist = None if row.hist is None else base64.b64encode(row.hist).decode("ascii")
    return [row.ts, row.series.kind, row.series.name, *row[2:12], classes, hist]


def row_from_wire(values: Any, now: float) -> Row:
    """The row that `row_to_wire` wrote; `now` is epoch seconds.

    Raises:
        ValueError: it is none, or its numbers cannot be.
    """
    if not isinstance(values, list) or len(values) != len(Row._fields) + 1:
        raise ValueError(f"a row is a list of {len(Row._fields) + 1} values")
    ts, kind, name, *rest = values
    if not _is_count(ts) or ts % TIERS[0]:
        raise ValueError("a row begins at a multiple of ten seconds")
    if not now - OLDEST <= ts <= now + NEWEST:
        raise ValueError(f"a row lies at most {OLDEST // 3600} hours back; compare the clocks of both machines")
    if kind not in ("api", "route"):
        raise ValueError("a series is of kind api or route")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or one_line(name, MAX_NAME) != name:
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    numbers = rest[: len(COUNTERS)]
    if not all(_is_count(each) for each in numbers):
        raise ValueError(f"{', '.join(COUNTERS)} are whole numbers of 0 or more")
    classes, hist = _blob(rest[-2]), _blob(rest[-1])
    n, ok, err = numbers[:3]
    timed = sum(decode_histogram(hist).values()) if hist else 0
    told = sum(decode_classes(classes).values()) if classes else 0
    if ok + err > n or timed > ok or told > n:
        raise ValueError("a row whose parts are more than its whole")
    return Row._make((ts, SeriesName(kind, name), *numbers, classes, hist))


def rows_from_wire(values: Any, now: float) -> list[Row]:
    """All rows of one report.

    Raises:
        ValueError: too many rows, a faulty one, or the same series twice in the same ten seconds.
    """
    if not isinstance(values, list) or len(values) > MAX_ROWS:
        raise ValueError(f"rows is a list of at most {MAX_ROWS}")
    rows = [row_from_wire(each, now) for each in values]
    if len({(row.ts, row.series) for row in rows}) != len(rows):
        raise ValueError("a series stands twice in the same ten seconds")
    return rows


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


def merged(rows: Sequence[Row], more: Sequence[Row]) -> list[Row]:
    """Both lists as one, rows of the same series and start added up."""
    found: dict[tuple[int, SeriesName], Bucket] = {}
    for row in (*rows, *more):
        found.setdefault((row.ts, row.series), Bucket()).take_in(row)
    return [bucket.row(ts, series) for (ts, series), bucket in found.items()]
