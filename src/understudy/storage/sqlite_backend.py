"""The SQLite file as the writer and the readers use it: opened, recognised, and looked after when it fails."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from sqlalchemy import Connection, Engine

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnavailable, StoreUnusable, UnderstudyError

from . import sqlite
from .filesystem import Owner, Reserve, check_place, file_size, identity, is_sqlite
from .health import HealthBoard
from .salvage import Salvage
from .schema import REVISIONS, Revisions
from .sqlite_schema import made_by_us, prepare
from .trouble import Trouble

_log = logging.getLogger("understudy.storage")

#: Less free room than this makes an error of the disk one of a full disk, bytes.
_NO_ROOM = 1 << 20
#: With less free room than this, a log that is longer than that is emptied before each transaction, bytes.
_LOW, _SHORT = 64 << 20, 256 << 10


class SqliteBackend:
    """One SQLite file, owned by this process."""

    sizes = sqlite.sizes(500, 100)

    def __init__(
        self,
        path: Path,
        clock: Clock,
        board: HealthBoard,
        open_it: sqlite.Open = sqlite.open_file,
        revisions: Revisions = REVISIONS,
    ) -> None:
        self.path = path
        self.generation = 0
        #: Called with what can be read of a damaged file when a new one has taken its place.
        self.on_replaced: Callable[[Salvage], object] = _nothing
        self._clock = clock
        self._board = board
        self._open = open_it
        self._revisions = revisions
        self._owner = Owner(path)
        self.reserve = Reserve(path)
        self._engines: dict[str, Engine] = {}
        self._connections: dict[str, Connection] = {}
        self._wal = path.with_name(path.name + "-wal")
        #: Which files are in use: the database, and its log once there is one.
        self._file: tuple[int, int] | None = None
        self._log_file: tuple[int, int] | None = None
        self._quarantined: list[str] = []

    # -- opening ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Make the file usable: recognised, ours alone, with the newest tables.

        Raises:
            StoreUnusable: it cannot be; nothing was touched.
            StoreUnavailable: it cannot be used now.
        """
        check_place(self.path)
        known = self._owner.existed()
        self._owner.take()
        try:
            try:
                self._open_file(known=known)
            except Exception as error:
                if self.trouble(error) is not Trouble.FULL or not self.reserve.give_up():
                    raise
                self._open_file(known=known)
            # From here on a connection is open, and with it the files that SQLite needs beside the database.
            with self._writing("control").begin():
                pass
        except BaseException as error:
            self.close()
            trouble = self.trouble(error)
            if trouble is None:
                raise
            raise StoreUnavailable(self.sentence(trouble, error)) from error
        if not self.reserve.make():
            _log.warning("%s: there is no room for the reserve of a full disk", self.path)

    def _open_file(self, *, known: bool) -> None:
        try:
            if self.path.exists() and not is_sqlite(self.path) and not known and not made_by_us(self.path):
                raise StoreUnusable(
                    f"{self.path} is not a SQLite database, so it is left alone: set storage.url to another path"
                )
            self._prepare()
        except Exception as error:
            if self.trouble(error) is not Trouble.CORRUPT:
                raise
            _log.error("%s", self.sentence(Trouble.CORRUPT, error))
            self.drop()
            self._replace()

    def _prepare(self) -> None:
        prepare(self.path, self._revisions, self._open)
        self._file = identity(self.path)
        self._log_file = None

    # -- Backend ----------------------------------------------------------------------------------

    def _engine(self, purpose: str) -> Engine:
        engine = self._engines.get(purpose)
        if engine is None:
            pragmas = {"control": sqlite.CONTROL, "statistics": sqlite.STATISTICS, "reader": sqlite.READER}[purpose]
            begin = "BEGIN" if purpose == "reader" else "BEGIN IMMEDIATE"
            engine = self._engines[purpose] = sqlite.engine(self.path, pragmas, self._open, begin)
        return engine

    def _writing(self, purpose: str) -> Connection:
        self._watch()
        connection = self._connections.get(purpose)
        if connection is None:
            connection = self._connections[purpose] = self._engine(purpose).connect()
        if file_size(self._wal) > _SHORT and self._free() < _LOW:
            # A full log can only be emptied into a database that can grow. So it is kept short while there is room.
            sqlite.tell(connection, "PRAGMA wal_checkpoint(PASSIVE)")
        return connection

    def control(self) -> Connection:
        """As `Backend.control`."""
        return self._writing("control")

    def statistics(self) -> Connection:
        """As `Backend.statistics`."""
        return self._writing("statistics")

    def reader(self) -> Connection:
        """As `Backend.reader`."""
        return self._engine("reader").connect()

    def drop(self) -> None:
        """As `Backend.drop`."""
        connections, self._connections = list(self._connections.values()), {}
        self._log_file = None
        for connection in connections:
            try:
                connection.close()
            except Exception as error:  # noqa: BLE001 - it is given up because it is broken, in whatever way
                _log.debug("a connection to %s did not close: %s", self.path, error)

    def close(self) -> None:
        """Give the file up; after the threads have ended."""
        self.drop()
        self._owner.release()

    def trouble(self, error: BaseException) -> Trouble | None:
        """As `Backend.trouble`."""
        found = sqlite.meaning(error)
        if found is Trouble.IO and self._free() < _NO_ROOM:
            return Trouble.FULL  # some parts of SQLite say so in other words
        return found

    def sentence(self, trouble: Trouble, error: BaseException) -> str:
        """As `Backend.sentence`."""
        if isinstance(error, UnderstudyError):
            return str(error)
        said = {
            Trouble.BUSY: "is locked by another process; what is recorded waits",
            Trouble.FULL: "cannot grow: the disk is full; history and request log pause until there is room",
            Trouble.CORRUPT: "is damaged; it is set aside and a new one begun",
            Trouble.READ_ONLY: "cannot be written any more: give this user the right to",
        }.get(trouble)
        return f"{self.path} {said}" if said else f"{self.path} cannot be used now: {sqlite.cause(error)}"

    def remedy(self, trouble: Trouble, *, control: bool) -> bool:
        """As `Backend.remedy`."""
        if trouble is Trouble.FULL and control:
            return self.reserve.give_up() or self._cut_log()
        if trouble is Trouble.CORRUPT:
            return self._replace()
        return False

    def ready(self) -> bool:
        """As `Backend.ready`: the reserve comes first, so that control data finds room the next time too."""
        return self.reserve.make()

    # -- looking after the file -------------------------------------------------------------------

    def _free(self) -> float:
        try:
            return shutil.disk_usage(self.path.parent).free
        except OSError:
            return inf

    def _cut_log(self) -> bool:
        """Bring the log into the database, where most of its pages have their place already; whether that made room."""
        try:
            before = file_size(self._wal)
            sqlite.tell(self._writing("control"), "PRAGMA wal_checkpoint(TRUNCATE)")
            return file_size(self._wal) < before
        except sqlite.ERRORS as error:
            _log.debug("%s could not be cut: %s", self._wal, error)
            return False

    def _watch(self) -> None:
        """See that the files are still those that were opened: somebody may have deleted or exchanged them."""
        if identity(self.path) != self._file:
            _log.error("%s was deleted or exchanged while it was in use: what is at that place is used now", self.path)
            self._board.say("exchanged", f"{self.path} was deleted or exchanged while it was in use")
            self.drop()
            self.generation += 1
            self._open_file(known=False)
            return
        wal = identity(self._wal)
        if self._connections and self._log_file is not None and wal != self._log_file:
            self._rescue_log()
        elif self._connections and self._log_file is None:
            self._log_file = wal

    def _rescue_log(self) -> None:
        """The log was deleted, but is still open here: bring what it holds into the database, and begin a new one."""
        _log.error("%s was deleted while it was in use; its content is saved", self._wal)
        sqlite.tell(next(iter(self._connections.values())), "PRAGMA wal_checkpoint(TRUNCATE)")
        self.drop()
        self.generation += 1

    def _replace(self) -> bool:
        """Set a damaged file aside and begin a new one with what can be read of it."""
        at = datetime.fromtimestamp(self._clock.time(), UTC)
        aside = self.path.with_name(f"{self.path.name}.damaged-{at:%Y%m%dT%H%M%SZ}")
        while aside.exists():
            aside = aside.with_name(aside.name + "-again")
        try:
            self.path.rename(aside)
            for end in ("-wal", "-shm"):
                beside = self.path.with_name(self.path.name + end)
                if beside.exists():
                    beside.rename(aside.with_name(aside.name + end))
        except OSError as error:
            _log.error("%s is damaged and cannot be set aside: %s", self.path, error)
            return False
        self.generation += 1
        self._prepare()
        salvage = Salvage(aside, self._clock.time())
        connection = self._engine("control").connect()
        try:
            with connection.begin():
                salvage.control(connection)
        finally:
            connection.close()
        self._quarantined.append(str(aside))
        self._board.set(quarantined=tuple(self._quarantined))
        self._board.say(
            "damaged", f"{self.path} was damaged; it was set aside as {aside.name} and a new one begun with what "
            "could be read of it",
        )  # fmt: skip
        self.on_replaced(salvage)
        return True


def _nothing(_: Salvage) -> None:
    pass
