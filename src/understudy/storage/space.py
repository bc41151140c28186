"""The size of the SQLite file: pages that became free are given back, and a cap holds whatever is recorded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, select

from understudy.monitor.rollup import TIER_NAMES

from .filesystem import file_size
from .health import HealthBoard
from .jobs import Outside, Steps
from .retention import forget_history, forget_oldest_entries, oldest
from .sqlite import WAL_LIMIT, tell
from .tables import sample

_log = logging.getLogger("understudy.storage")

HOUR = 3600
#: Pages that are given back in one step; and how many may lie free, for the next hour's use.
SLICE, SPARE = 200, 2000
#: The cap never takes the last hours: what is open is added up from them.
UNTOUCHED = 2 * HOUR
#: After the cap was reached, this share of it is free again, so that it does not work all the time.
SLACK = 0.02


def pages(connection: Connection) -> tuple[int, int, int]:
    """Pages of the file, those of them that are free, and the size of one."""
    found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _PAGES]  # names of ours
    return found[0], found[1], found[2]


_PAGES = ("page_count", "freelist_count", "page_size")


class Space:
    """Keeps the file within its cap and its log short."""

    def __init__(self, path: Path, most: int, keep: Mapping[str, float], board: HealthBoard) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._most = most
        self._keep = keep
        self._board = board
        self._capped: dict[str, float] = {}

    def look(self) -> None:
        """Tell the size."""
        database = file_size(self._path)
        self._board.set(bytes=database + file_size(self._wal), fill=database / self._most)

    def steps(self, now: float) -> Steps[None]:
        """Cut what is over the cap, give free pages back, and cut the log."""
        yield from self._cut(now)
        yield from self._give_back(SPARE)
        if file_size(self._wal) > WAL_LIMIT:
            yield Outside(_truncate)
        self.look()

    def _give_back(self, spare: int) -> Steps[None]:
        count, free, _ = yield pages
        while free > spare:
            yield _vacuum
            before = count
            count, free, _ = yield pages
            if count == before:
                return  # made without incremental vacuum: nothing can be given back

    def _cut(self, now: float) -> Steps[None]:
        count, _, size = yield pages
        if count * size <= self._most:
            self._aged(now)
            return
        goal = int(self._most * (1 - SLACK))
        for tier in (10, 0, 60, 3600):  # 0: the request log stands between the ten seconds and the minutes
            while (yield _used) > goal:
                if not (yield from (self._cut_requests() if tier == 0 else self._cut_hour(tier, now))):
                    break
        yield from self._give_back(0)
        yield Outside(_truncate)  # the file gets shorter when the log is brought into it

    def _cut_hour(self, tier: int, now: float) -> Steps[int]:
        first: int | None = yield oldest(tier)
        length = max(HOUR, 24 * tier)
        if first is None or first > now - UNTOUCHED - length:
            return 0
        before = (first // length + 1) * length
        gone: int = yield from forget_history(tier, before)
        self._tell(TIER_NAMES[tier], float(before))
        return gone

    def _cut_requests(self) -> Steps[int]:
        gone: int = yield forget_oldest_entries()
        if gone:
            at = yield _oldest_entry
            self._tell("requests", (at or 0) / 1000)
        return gone

    def _aged(self, now: float) -> None:
        """What the cap took is no loss any more when it would be too old by now."""
        left = {what: before for what, before in self._capped.items() if before > now - self._keep[what]}
        if left != self._capped:
            self._capped = left
            self._board.set(capped=dict(left))
            if not left and self._board.over("cap"):
                _log.warning("%s holds again what it is to hold", self._path)

    def _tell(self, what: str, before: float) -> None:
        self._capped[what] = before
        self._board.set(capped=dict(self._capped))
        told = f"{self._path} has reached storage.max_bytes ({self._most} bytes): the oldest of {what} was deleted"
        if self._board.say("cap", told):
            _log.warning("%s", told)


def _vacuum(connection: Connection) -> None:
    tell(connection, f"PRAGMA incremental_vacuum({SLICE})")


def _used(connection: Connection) -> int:
    count, free, size = pages(connection)
    return (count - free) * size


def _oldest_entry(connection: Connection) -> int | None:
    return connection.execute(select(sample.c.ts_ms).order_by(sample.c.ts_ms).limit(1)).scalar()


def _truncate(connection: Connection) -> None:
    tell(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
