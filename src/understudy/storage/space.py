"""The size of the SQLite file: pages that became free are given back, and a cap holds whatever is recorded."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, select

from .health import HealthBoard
from .jobs import Outside, Steps
from .retention import forget_history, forget_oldest_entries, oldest
from .sqlite import WAL_LIMIT
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


def file_size(path: Path) -> int:
    """Bytes of the database with its write-ahead log."""
    total = 0
    for each in (path, path.with_name(path.name + "-wal")):
        try:
            total += each.stat().st_size
        except OSError:
            pass
    return total


class Space:
    """Keeps the file within its cap and its log short."""

    def __init__(self, path: Path, most: int, board: HealthBoard) -> None:
        self._path = path
        self._most = most
        self._board = board
        self._capped: dict[str, float] = {}

    def look(self) -> None:
        """Tell the size."""
        size = file_size(self._path)
        self._board.set(bytes=size, fill=size / self._most)

    def steps(self, now: float) -> Steps[None]:
        """Cut what is over the cap, give free pages back, and cut the log."""
        yield from self._cut(now)
        yield from self._give_back(SPARE)
        if file_size(self._path.with_name(self._path.name + "-wal")) > WAL_LIMIT:
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
        count, free, size = yield pages
        if count * size <= self._most:
            if (count - free) * size < self._most * (1 - 2 * SLACK) and self._board.over("cap"):
                _log.info("%s is well below storage.max_bytes again", self._path)
            return
        goal = int(self._most * (1 - SLACK))
        for tier in (10, 0, 60, 3600):  # 0: the request log stands between the ten seconds and the minutes
            while (yield _used) > goal:
                if not (yield from (self._cut_requests() if tier == 0 else self._cut_hour(tier, now))):
                    break
        yield from self._give_back(0)

    def _cut_hour(self, tier: int, now: float) -> Steps[int]:
        first: int | None = yield oldest(tier)
        length = max(HOUR, 24 * tier)
        if first is None or first > now - UNTOUCHED - length:
            return 0
        before = (first // length + 1) * length
        gone: int = yield from forget_history(tier, before)
        self._tell({10: "10s", 60: "1m", 3600: "1h"}[tier], float(before))
        return gone

    def _cut_requests(self) -> Steps[int]:
        gone: int = yield forget_oldest_entries()
        if gone:
            at = yield _oldest_entry
            self._tell("requests", (at or 0) / 1000)
        return gone

    def _tell(self, what: str, before: float) -> None:
        self._capped[what] = before
        self._board.set(capped=dict(self._capped))
        told = f"{self._path} has reached storage.max_bytes ({self._most} bytes): the oldest of {what} was deleted"
        if self._board.say("cap", told):
            _log.warning("%s", told)


def _vacuum(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA incremental_vacuum({SLICE})").fetchall()  # it works as it is read


def _used(connection: Connection) -> int:
    count, free, size = pages(connection)
    return (count - free) * size


def _oldest_entry(connection: Connection) -> int | None:
    return connection.execute(select(sample.c.ts_ms).order_by(sample.c.ts_ms).limit(1)).scalar()


def _truncate(connection: Connection) -> None:
    raw = connection.connection.dbapi_connection
    if raw is not None:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
