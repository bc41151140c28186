"""Lines of CSV (RFC 4180) that a spreadsheet shows and never runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

#: First characters that a spreadsheet would take for a formula, also where it trims or widens them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """The rows as CSV; halves of characters, which no file can hold, become question marks."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([cell(each) for each in row])
    return out.getvalue().encode("utf-8", "replace").decode()


def cell(value: Any) -> Any:
    """A value as one cell: a text that would be run stands behind an apostrophe, what was not measured is empty."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
