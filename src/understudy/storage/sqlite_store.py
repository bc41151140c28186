"""The store in a SQLite file."""

from __future__ import annotations

import asyncio
import logging
import secrets
from concurrent.futures import Future

from understudy.core.clock import Clock
from understudy.core.lease import Lease

from . import sqlite
from .audit import SqlAudit
from .control import Desk
from .deltas import SqlDeltas
from .health import HealthBoard, StoreHealth
from .hot import HotRollups
from .jobs import Steps
from .leases import SqlLeases
from .options import StorageOptions
from .readers import Readers
from .requests import SqlRequests
from .retention import forget_history, forget_requests, kept
from .salvage import Salvage
from .schema import REVISIONS, Revisions
from .series import SeriesIds, SeriesNames
from .space import Space
from .spool import Spool
from .sqlite_backend import SqliteBackend
from .state import SqlState
from .writer import Writer

_log = logging.getLogger("understudy.storage")


class SqliteStore:
    """Opens the file when it is made; a `Store`."""

    def __init__(
        self,
        options: StorageOptions,
        clock: Clock,
        open_it: sqlite.Open = sqlite.open_file,
        revisions: Revisions = REVISIONS,
    ) -> None:
        self._options = options
        self._clock = clock
        self._board = HealthBoard("sqlite", str(options.path))
        self._backend = SqliteBackend(options.path, clock, self._board, open_it, revisions)
        damaged: list[Salvage] = []
        self._backend.on_replaced = damaged.append
        self._backend.open()
        boot = secrets.token_hex(8)  # tells this start from every other; nothing is drawn from it

        def generation() -> int:
            return self._backend.generation

        self._spool = Spool(options.waiting_rows)
        self._readers = Readers(self._backend, options.readers, options.patience)
        self._writer = Writer(self._backend, self._spool, self._board, clock)
        desk = Desk(self._writer, self._readers, self._board, options.patience)
        self.rollups = HotRollups(
            self._writer, self._readers, self._spool, SeriesIds(clock, generation), SeriesNames(generation),
            options.patience, generation=generation,
        )  # fmt: skip
        self.deltas = SqlDeltas(desk, self.rollups, clock)
        self.requests = SqlRequests(desk, self.rollups, clock, boot)
        self.state = SqlState(desk)
        self.audit = SqlAudit(desk, boot)
        self.leases = SqlLeases(desk, clock)
        self._writer.write_rows = self.rollups.write_rows
        self._writer.on_failure = self.rollups.forget
        self._backend.on_replaced = self._salvage
        self._space = Space(options.path, options.max_bytes, self._board)
        self._space.look()
        self._retained_at = -1
        self._readers.start()
        self._writer.start()
        for each in damaged:
            self._salvage(each)

    def health(self) -> StoreHealth:
        """As `Store.health`."""
        return self._board.look(waiting=len(self._spool), dropped=self._spool.dropped)

    async def upkeep(self, lease: Lease | None = None) -> None:
        """As `Store.upkeep`; one process owns the file, so it needs no lease."""
        del lease
        await asyncio.wrap_future(self._writer.upkeep(self._upkeep()))

    def _upkeep(self) -> Steps[None]:
        now = self._clock.time()
        yield from self.deltas.close(self.deltas.inst, now)
        yield from self.rollups.move(now)
        yield from forget_requests(self._options, now)
        hour = int(now // 3600)
        if hour != self._retained_at:
            for tier, keep in kept(self._options).items():
                yield from forget_history(tier, int(now - keep))
            self._retained_at = hour
        yield from self._space.steps(now)

    def _salvage(self, salvage: Salvage) -> None:
        def told(future: Future[dict[str, int]]) -> None:
            if future.exception() is not None:
                _log.error("not everything could be copied from the damaged file: %s", future.exception())
            else:
                _log.warning("copied from the damaged file: %s", salvage.copied)

        self._writer.upkeep(salvage.history()).add_done_callback(told)

    async def close(self, timeout: float = 5.0) -> None:
        """As `Store.close`."""
        await asyncio.to_thread(self._close, timeout)

    def _close(self, timeout: float) -> None:
        self._writer.close(timeout)
        self._readers.close(1.0)
        self._backend.close()
        if len(self._spool):
            _log.error("%d rows of history could not be written before the end", len(self._spool))
