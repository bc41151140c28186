"""The SQLite file as the writer and the readers use it: opened, recognised, and looked after when it fails."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnusable

from . import schema, sqlite
from .filesystem import Owner, Reserve, check_place, create_private, identity, is_sqlite
from .health import HealthBoard
from .tables import APPLICATION_ID, HEAD
from .trouble import Trouble

_log = logging.getLogger("understudy.storage")


class SqliteBackend:
    """One SQLite file, owned by this process."""

    sizes = sqlite.sizes(500, 100)

    def __init__(self, path: Path, clock: Clock, board: HealthBoard, open_it: sqlite.Open = sqlite.open_file) -> None:
        self.path = path
        self.generation = 0
        self._clock = clock
        self._board = board
        self._open = open_it
        self._owner = Owner(path)
        self.reserve = Reserve(path)
        self._engines: dict[str, Engine] = {}
        self._connections: dict[str, Connection] = {}
        self.identity: tuple[int, int] | None = None

    # -- opening ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Make the file usable: recognised, ours alone, with the newest tables.

        Raises:
            StoreUnusable: it cannot be; nothing was touched.
        """
        check_place(self.path)
        self._owner.take()
        try:
            self._recognise()
            self._prepare()
        except BaseException:
            self._owner.release()
            raise
        self.identity = identity(self.path)
        self.reserve.make()

    def _recognise(self) -> None:
        """See that an existing file is a database of ours."""
        if self.path.exists() and not is_sqlite(self.path):
            raise StoreUnusable(
                f"{self.path} is not a SQLite database, so it is left alone: set storage.url to another path"
            )

    def _prepare(self) -> None:
        create_private(self.path)
        sqlite.new_file(self.path, APPLICATION_ID, self._open)
        with self._engine("control").connect() as connection, connection.begin():
            found = schema.revision(connection)
            if found == HEAD:
                return
            if found == "":
                raise StoreUnusable(
                    f"{self.path} is a database of another program, so it is left alone: "
                    "set storage.url to another path"
                )
            if found is not None and not schema.is_known(found):
                raise unknown_revision(str(self.path), found)
            schema.upgrade(connection)

    # -- Backend ----------------------------------------------------------------------------------

    def _engine(self, purpose: str) -> Engine:
        engine = self._engines.get(purpose)
        if engine is None:
            pragmas = {"control": sqlite.CONTROL, "statistics": sqlite.STATISTICS, "reader": sqlite.READER}[purpose]
            begin = "BEGIN" if purpose == "reader" else "BEGIN IMMEDIATE"
            engine = self._engines[purpose] = sqlite.engine(self.path, pragmas, self._open, begin)
        return engine

    def _writing(self, purpose: str) -> Connection:
        connection = self._connections.get(purpose)
        if connection is None:
            connection = self._connections[purpose] = self._engine(purpose).connect()
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
        return sqlite.meaning(error)

    def sentence(self, trouble: Trouble, error: BaseException) -> str:
        """As `Backend.sentence`."""
        said = {
            Trouble.BUSY: "is locked by another process; what is recorded waits",
            Trouble.FULL: "cannot grow: the disk is full; history and request log pause until there is room",
            Trouble.CORRUPT: "is damaged; it is set aside and a new one begun",
            Trouble.READ_ONLY: "cannot be written any more: give this user the right to",
        }.get(trouble)
        return f"{self.path} {said}" if said else f"{self.path} cannot be used now: {_cause(error)}"

    def remedy(self, trouble: Trouble, *, control: bool) -> bool:
        """As `Backend.remedy`."""
        if trouble is Trouble.FULL and control:
            return self.reserve.give_up()
        return False

    def ready(self) -> bool:
        """As `Backend.ready`: the reserve comes first, so that control data finds room the next time too."""
        return self.reserve.make()


def unknown_revision(where: str, found: str) -> StoreUnusable:
    """What is said about a store that a newer version has made."""
    return StoreUnusable(
        f"{where} has tables of revision {found}, which this version does not know: install the version that made it, "
        "or restore an older backup with understudy db restore"
    )


def _cause(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return str(original) or type(original).__name__
