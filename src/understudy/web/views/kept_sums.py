"""Sums over everything that is kept, for lists of many APIs: read once for all readers, and not at each look.

A month of a thousand APIs takes the store a second. Whoever asks waits a moment at most; what has not come
by then is left out this time, and is there at the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from understudy.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

Sums = Mapping[str, Mapping[str, Any]]

#: How old sums may be, as a share of their span: a day's are read again after some minutes.
_AGE: Final = 1 / 300
_LEAST_AGE, _MOST_AGE = 10.0, 600.0
#: Longest that a reader waits for sums that are being read, s.
_PATIENCE: Final = 0.4


@dataclass(slots=True)
class _Known:
    """The sums of one span length: what was read last, and what is being read."""

    at: float = float("-inf")
    sums: Sums = field(default_factory=dict)
    reading: asyncio.Task[Sums] | None = None


_KNOWN: WeakKeyDictionary[Keeping, dict[tuple[str, float, float], _Known]] = WeakKeyDictionary()


async def api_sums(app: Understudy, seconds: float) -> Sums | None:
    """Requests, failures and cost of each API over the last `seconds`; None while nothing of it is known."""
    return await sums_of(app, "api", seconds)


async def sums_of(app: Understudy, kind: str, seconds: float, ago: float = 0.0) -> Sums | None:
    """The same of each `api` or `route`, over the `seconds` that ended `ago` seconds before now."""
    keeping = app.keeping
    if keeping is None:
        return None
    now = app.clock.time()
    known = _KNOWN.setdefault(keeping, {}).setdefault((kind, seconds, ago), _Known())
    if now - known.at < min(_MOST_AGE, max(_LEAST_AGE, seconds * _AGE)):
        return known.sums
    if known.reading is None or known.reading.done():
        known.reading = asyncio.create_task(_read(keeping, known, kind, now, seconds, ago))
    done, _ = await asyncio.wait((known.reading,), timeout=_PATIENCE)
    if not done or known.at == float("-inf"):
        return known.sums or None
    return known.sums


async def _read(keeping: Keeping, known: _Known, kind: str, now: float, seconds: float, ago: float) -> Sums:
    try:
        known.sums = await keeping.history.overview(kind, now - ago - seconds, now - ago)
        known.at = now
    except StoreUnavailable:
        pass  # what was read before is shown; the page says that the store is away
    return known.sums
