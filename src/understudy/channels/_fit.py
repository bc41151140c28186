"""A JSON document made to fit: its longest texts, lists and tables are shortened until it does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from understudy.core.legible import cut

#: Tried in turn: characters of each text, entries of each list and table.
_STEPS = ((4_000, 100), (1_000, 50), (300, 25), (100, 10), (40, 8))
#: Fields that hold as many entries as strangers like; all other tables and lists are ours, small and known.
_FOREIGN = frozenset(("labels", "commonLabels", "facts", "fields", "members"))


def written(document: Any) -> bytes:
    """The document as compact JSON; what UTF-8 cannot hold becomes a question mark."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def fitted(document: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """`document`, or what is left of it within `limit` bytes of JSON, with `"truncated": true` then.

    Every text keeps its beginning, every list and table its first entries. Numbers that JSON does not know
    (NaN, infinity) become null. A notice of ours always fits into 20 kB.
    """
    whole: dict[str, Any] = _shortened(document, None, None)
    if len(written(whole)) <= limit:
        return whole
    for text, entries in _STEPS:
        whole = {**_shortened(document, text, entries), "truncated": True}
        if len(written(whole)) <= limit:
            break
    return whole


def _shortened(value: Any, text: int | None, entries: int | None, foreign: bool = False) -> Any:
    if isinstance(value, str):
        return value if text is None else cut(value, text)
    most = entries if foreign else None
    if isinstance(value, Mapping):
        return {
            _shortened(str(name), text, entries): _shortened(inner, text, entries, name in _FOREIGN)
            for name, inner in list(value.items())[:most]
        }
    if isinstance(value, list | tuple):
        return [_shortened(inner, text, entries) for inner in list(value)[:most]]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
