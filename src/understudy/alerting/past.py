"""The windows of rules after a restart: what is stored is put in front of what this process counts itself."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnavailable
from understudy.monitor.ports import RollupStore
from understudy.monitor.rollup import Row

from .elsewhere import past_of
from .tally import Tallies

_log = logging.getLogger("understudy.alerting")

#: Rows of ten seconds are read for the last minutes, those of minutes for hours, those of hours beyond, s.
_RECENT, _HOURS = 300, 6 * 3600
_MINUTE, _HOUR = 60, 3600


async def take_up(
    tallies: Tallies, store: RollupStore, clock: Clock, reach: float, breath: Callable[[], Awaitable[None]]
) -> None:
    """Put what this service did within `reach` seconds before its start into the tracks.

    Without a store, windows begin empty; `Sample.covered` says so.
    """
    now, offset = clock.time(), clock.time() - clock.monotonic()
    try:
        rows = await _rows(store, int(now), reach)
    except StoreUnavailable as problem:
        _log.warning("the windows of rules begin empty: %s", problem)
        return
    for (kind, name), past in past_of(rows, offset).items():
        tallies.seed(kind, name, past)
        await breath()


async def _rows(store: RollupStore, now: int, reach: float) -> list[Row]:
    """Each stretch in the tier that is fine enough for its age, without a gap and without anything twice."""
    minutes = (now - _RECENT) // _MINUTE * _MINUTE
    hours = (now - _HOURS) // _HOUR * _HOUR
    start = int(now - reach)
    rows = await store.own(10, minutes, now + 10)
    rows += await store.own(_MINUTE, max(hours, start // _MINUTE * _MINUTE), minutes)
    if start < hours:
        rows += await store.own(_HOUR, start // _HOUR * _HOUR, hours)
    return rows
