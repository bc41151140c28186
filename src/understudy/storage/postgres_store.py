"""The store in a PostgreSQL database, which several services may share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnavailable
from understudy.core.lease import Lease

from . import numbers, partitions
from .health import HealthBoard
from .jobs import Outside, Steps, Work
from .leases import fence, now_ms
from .options import StorageOptions
from .postgres_backend import PostgresBackend
from .postgres_rollups import PostgresRollups
from .retention import forget_requests, forget_told, kept
from .schema import REVISIONS, Revisions
from .sql_store import SqlStore

#: A server that breaks down may forget statistics of this long, s: their commits do not wait for its disk. It is
#: three times its `wal_writer_delay`, of 0.2 s unless somebody changed it, and some more.
_LAG = 10.0

_log = logging.getLogger("understudy.storage")


class PostgresStore(SqlStore):
    """Connects when it is made; a `Store`."""

    rollups: PostgresRollups

    def __init__(self, options: StorageOptions, clock: Clock, revisions: Revisions = REVISIONS) -> None:
        board = HealthBoard("postgresql", "")
        self._backend = PostgresBackend(options, board, revisions)
        board.set(where=self._backend.where)
        super().__init__(options, clock, self._backend, board, PostgresRollups, _LAG)
        #: Ended services whose last periods were added up, by number and the end of their claim.
        self._finished: set[tuple[int, int]] = set()
        self._backend.open()
        self._backend.on_taken = self._number_taken
        self._backend.once(self._claim)
        self._begin()

    def _claim(self, connection: Connection) -> None:
        partitions.make(connection, partitions.wanted(self._clock.time()))
        self._number = numbers.claim(connection, self._boot, now_ms(connection, self._clock))
        self.rollups.take_number(self._number, self._boot)
        self._board.set(details={"number": self._number})

    def _number_taken(self) -> None:
        """Another service has our number: we were away for a day. Go on under a new one."""
        self._backend.once(self._claim)
        told = (
            "this service was away so long that another took over its number: history of the hours in which that "
            "happened may count some calls twice"
        )
        self._board.say("number", told)
        _log.error("%s", told)

    # -- upkeep -----------------------------------------------------------------------------------

    def _upkeep(self, lease: Lease | None) -> Steps[None]:
        now = self._clock.time()
        yield self._renew
        yield self._look
        if lease is not None:
            yield from _under(lease, self._shared(now))

    def _renew(self, connection: Connection) -> None:
        if not numbers.renew(connection, self._number, self._boot, now_ms(connection, self._clock)):
            raise numbers.NumberTaken

    def _look(self, connection: Connection) -> None:
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        self._board.set(bytes=int(size))

    def _shared(self, now: float) -> Steps[None]:
        """What one of several services does for all."""
        yield lambda connection: partitions.make(connection, partitions.wanted(now))
        for tier, keep in kept(self._options).items():
            for part in (yield _parts(tier)):
                if part.end <= now - keep:
                    yield _dropped(part)
                    _log.info("history: %s was dropped, as it was too old", part.name)
        yield from forget_requests(self._options, now)
        yield from forget_told(self._options, now)
        for holder in (yield self._ended):
            known = (holder.number, holder.until_ms)
            if holder.number != self._number and known not in self._finished:
                finished: bool = yield from self.deltas.finish(2 * holder.number, now)
                yield from self.deltas.close(2 * holder.number + 1, now)
                if finished:
                    self._finished.add(known)

    def _ended(self, connection: Connection) -> list[numbers.Holder]:
        return numbers.ended(connection, now_ms(connection, self._clock))

    # -- the end ----------------------------------------------------------------------------------

    def _close(self, timeout: float) -> None:
        given_back = self._writer.control(lambda connection: numbers.give_back(connection, self._number, self._boot))
        super()._close(timeout)
        try:
            given_back.result(0)
        except (TimeoutError, StoreUnavailable):
            _log.info("the number of this service is free again in a day")
        self._backend.drop()


def _under(lease: Lease, steps: Steps[None]) -> Steps[None]:
    """The same steps, each of which another holder of the role would stop."""
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        answer = yield step if isinstance(step, Outside) else _fenced(lease, step)


def _fenced(lease: Lease, step: Work[Any]) -> Work[Any]:
    def work(connection: Connection) -> Any:
        fence(connection, lease)
        return step(connection)

    return work


def _parts(tier: int) -> Work[list[partitions.Part]]:
    return lambda connection: partitions.existing(connection, tier)


def _dropped(part: partitions.Part) -> Callable[[Connection], None]:
    return lambda connection: partitions.drop(connection, part)
