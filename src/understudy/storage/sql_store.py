"""What the stores in SQL have in common: the threads, and the ports on top of them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

from understudy.core.clock import Clock
from understudy.core.lease import Lease

from .accounts import SqlAccounts
from .alerts import SqlAlerts
from .audit import SqlAudit
from .backend import Backend
from .control import Desk
from .deltas import SqlDeltas
from .documents import SqlDocuments
from .health import HealthBoard, StoreHealth
from .jobs import Steps
from .leases import SqlLeases
from .options import StorageOptions
from .outbox import SqlOutbox
from .readers import Readers
from .requests import SqlRequests
from .rollups import SqlRollups
from .series import SeriesIds, SeriesNames
from .spool import Spool
from .state import SqlState
from .writer import Writer

#: What was reported is added up this often, s, also in the middle of long upkeep.
CLOSE_EVERY = 10.0

_log = logging.getLogger("understudy.storage")


class SqlStore:
    """One writer, a few readers, and the ports; subclasses open the database before `_begin`."""

    alone = False

    def __init__(
        self,
        options: StorageOptions,
        clock: Clock,
        backend: Backend,
        board: HealthBoard,
        rollups: Callable[..., SqlRollups],
        remember: float = 0.0,
    ) -> None:
        self._options = options
        self._clock = clock
        self._board = board
        #: Tells this start from every other; nothing is drawn from it.
        self._boot = secrets.token_hex(8)

        def generation() -> int:
            return backend.generation

        self._spool = Spool(options.waiting_rows, remember)
        self._readers = Readers(backend, options.readers, options.patience)
        self._writer = Writer(backend, self._spool, board, clock)
        self._desk = Desk(self._writer, self._readers, board, options.patience)
        ids, names = SeriesIds(clock, generation), SeriesNames(generation)
        self.rollups = rollups(self._writer, self._readers, self._spool, ids, names, options.patience)
        self.deltas = SqlDeltas(self._desk, self.rollups, clock)
        self.requests = SqlRequests(self._desk, self.rollups, clock, self._boot)
        self.state = SqlState(self._desk)
        self.audit = SqlAudit(self._desk, self._boot)
        self.leases = SqlLeases(self._desk, clock)
        self.alerts = SqlAlerts(self._desk, clock)
        self.outbox = SqlOutbox(self._desk, clock)
        self.documents = SqlDocuments(self._desk, clock)
        self.accounts = SqlAccounts(self._desk)
        #: When periods of what was reported were last added up, epoch seconds.
        self._closed_at = 0.0
        self._writer.write_rows = self.rollups.write_rows
        self._writer.on_failure = self.rollups.forget

    def _begin(self) -> None:
        self._readers.start()
        self._writer.start()

    def health(self) -> StoreHealth:
        """As `Store.health`."""
        return self._board.look(
            waiting=len(self._spool), dropped=self._spool.dropped, dropped_batches=self._writer.dropped_jobs
        )

    async def upkeep(self, lease: Lease | None = None) -> None:
        """As `Store.upkeep`."""
        await asyncio.wrap_future(self._writer.upkeep(self._round(lease)))

    def _round(self, lease: Lease | None) -> Steps[None]:
        """One round of upkeep. Where it takes minutes, what was reported meanwhile is not kept waiting for its end."""
        yield from self._close_reported()
        steps = self._upkeep(lease)
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration:
                return
            answer = yield step
            if abs(self._clock.time() - self._closed_at) >= CLOSE_EVERY:
                yield from self._close_reported()

    def _close_reported(self) -> Steps[None]:
        self._closed_at = self._clock.time()
        yield from self.deltas.close(self.deltas.inst, self._closed_at)

    def _upkeep(self, lease: Lease | None) -> Steps[None]:
        raise NotImplementedError

    async def close(self, timeout: float = 5.0) -> None:
        """As `Store.close`."""
        await asyncio.to_thread(self._close, timeout)

    def _close(self, timeout: float) -> None:
        self._writer.close(timeout)
        self._readers.close(1.0)
        if len(self._spool):
            _log.error("%d rows of history could not be written before the end", len(self._spool))
