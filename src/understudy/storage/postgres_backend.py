"""The PostgreSQL server as the writer and the readers use it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from understudy.core.errors import StoreUnavailable, StoreUnusable, UnderstudyError
from understudy.monitor.rollup import TIERS

from . import postgres
from .health import HealthBoard
from .jobs import Work
from .numbers import NumberTaken
from .options import StorageOptions
from .schema import REVISIONS, Revisions, revision
from .sqlite_schema import unknown_revision
from .trouble import Trouble

T = TypeVar("T")

_log = logging.getLogger("understudy.storage")


class PostgresBackend:
    """One database on a server."""

    def __init__(self, options: StorageOptions, board: HealthBoard, revisions: Revisions = REVISIONS) -> None:
        server = options.server()
        self.where = f"postgresql://{server.get('host', '')}{_port(server)}/{server.get('dbname', '')}"
        self._user = server.get("user", "")
        self._board = board
        self._revisions = revisions
        connect = postgres.connector(options)
        self._engines = {purpose: postgres.engine(connect, purpose) for purpose in postgres.SETTINGS}
        self._connections: dict[str, Connection] = {}
        self.sizes: Mapping[int, int] = dict.fromkeys(TIERS, 500)
        self.generation = 0
        #: Called on the writer's thread when our number has been taken.
        self.on_taken: Callable[[], object] = str

    # -- opening ----------------------------------------------------------------------------------

    def open(self) -> None:
        """See that the server lets us in and has the tables that this version knows.

        Raises:
            StoreUnusable: it does not, and never will by itself; nothing was touched.
            StoreUnavailable: it cannot be reached now.
        """
        self.once(self.check_revision)

    def check_revision(self, connection: Connection) -> None:
        """Raise `StoreUnusable` unless the tables are of the newest revision."""
        found = revision(connection)
        if found == self._revisions.head:
            return
        if not found:
            raise StoreUnusable(f"{self.where} has no tables of Understudy yet: run understudy db upgrade")
        if not self._revisions.knows(found):
            raise unknown_revision(self.where, found)
        raise StoreUnusable(
            f"{self.where} has tables of revision {found}, and this version needs {self._revisions.head}: "
            "run understudy db upgrade"
        )

    # -- Backend ----------------------------------------------------------------------------------

    def engine(self, purpose: str) -> Engine:
        """The engine for control, statistics or reading."""
        return self._engines[purpose]

    def _writing(self, purpose: str) -> Connection:
        connection = self._connections.get(purpose)
        if connection is None or connection.invalidated or connection.closed:
            connection = self._connections[purpose] = self._engines[purpose].connect()
        return connection

    def control(self) -> Connection:
        """As `Backend.control`."""
        return self._writing("control")

    def statistics(self) -> Connection:
        """As `Backend.statistics`."""
        return self._writing("statistics")

    def reader(self) -> Connection:
        """As `Backend.reader`."""
        return self._engines["reader"].connect()

    def drop(self) -> None:
        """As `Backend.drop`."""
        connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            try:
                connection.close()
            except Exception as error:  # noqa: BLE001 - it is given up because it is broken, in whatever way
                _log.debug("a connection to %s did not close: %s", self.where, postgres.cause(error))

    def trouble(self, error: BaseException) -> Trouble | None:
        """As `Backend.trouble`."""
        if isinstance(error, NumberTaken):
            return Trouble.TAKEN
        return postgres.meaning(error)

    def sentence(self, trouble: Trouble, error: BaseException) -> str:
        """As `Backend.sentence`."""
        if isinstance(error, UnderstudyError):
            return str(error)
        if trouble is Trouble.TAKEN:
            return "another service has taken over the number of this one"
        refused = postgres.refusal(error, self.where, self._user)
        if refused is not None:
            return str(refused)
        said = {
            Trouble.BUSY: "is too busy",
            Trouble.FULL: "has a full disk",
            Trouble.AWAY: "cannot be reached",
            Trouble.READ_ONLY: "does not let us write",
        }.get(trouble, "cannot be used now")
        return f"{self.where} {said}; what is recorded waits ({postgres.cause(error)})"

    def remedy(self, trouble: Trouble, *, control: bool) -> bool:
        """As `Backend.remedy`: the server has to help itself, but another number can be had."""
        if trouble is not Trouble.TAKEN:
            return False
        try:
            self.on_taken()
        except (*postgres.ERRORS, StoreUnavailable, StoreUnusable) as error:
            _log.warning("no new number could be had: %s", postgres.cause(error))
            return False
        return True

    def once(self, work: Work[T]) -> T:
        """Do something in a transaction of its own, on a connection of its own.

        Raises:
            StoreUnusable: the server will never let us in.
            StoreUnavailable: it cannot be done now.
        """
        try:
            with self._engines["control"].connect() as connection, connection.begin():
                return work(connection)
        except postgres.ERRORS as error:
            refused = postgres.refusal(error, self.where, self._user)
            if refused is not None:
                raise refused from None
            trouble = self.trouble(error)
            if trouble is None:
                raise
            raise StoreUnavailable(self.sentence(trouble, error)) from None

    def ready(self) -> bool:
        """As `Backend.ready`."""
        return True


def _port(server: dict[str, Any]) -> str:
    return f":{server['port']}" if "port" in server else ""
