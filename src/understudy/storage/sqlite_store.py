"""The store in a SQLite file."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from functools import partial

from understudy.core.clock import Clock
from understudy.core.lease import Lease
from understudy.monitor.rollup import TIER_NAMES

from . import sqlite
from .alerts import SqlAlerts
from .health import HealthBoard
from .hot import HotRollups
from .jobs import Steps
from .leases import nobody_leads
from .options import StorageOptions
from .outbox import free_all
from .retention import forget_history, forget_requests, forget_told, kept
from .salvage import Salvage
from .schema import REVISIONS, Revisions
from .space import Space
from .sql_store import SqlStore
from .sqlite_backend import SqliteBackend

_log = logging.getLogger("understudy.storage")


class SqliteStore(SqlStore):
    """Opens the file when it is made; a `Store`."""

    rollups: HotRollups
    alone = True  # by a lock that the process holds

    def __init__(
        self,
        options: StorageOptions,
        clock: Clock,
        open_it: sqlite.Open = sqlite.open_file,
        revisions: Revisions = REVISIONS,
    ) -> None:
        board = HealthBoard("sqlite", str(options.path))
        self._backend = SqliteBackend(options.path, clock, board, open_it, revisions)
        super().__init__(options, clock, self._backend, board, partial(HotRollups, generation=self._generation))
        self.alerts = SqlAlerts(self._desk, clock, alone=True)
        keep = {TIER_NAMES[tier]: float(seconds) for tier, seconds in kept(options).items()}
        self._space = Space(options.path, options.max_bytes, {**keep, "requests": options.keep_requests}, board)
        #: The hour in which rows that were too old were last looked for.
        self._retained_at = -1
        damaged: list[Salvage] = []
        self._backend.on_replaced = damaged.append
        self._backend.open()
        self._backend.on_replaced = self._salvage
        self._space.look()
        self._begin()
        # One process owns the file, and it is this one: whoever led before, or was sending, has ended.
        self._writer.control(nobody_leads)
        self._writer.control(free_all)
        for each in damaged:
            self._salvage(each)

    def _generation(self) -> int:
        return self._backend.generation

    def _upkeep(self, lease: Lease | None) -> Steps[None]:
        """One process owns the file, so it needs no lease."""
        now = self._clock.time()
        yield from self.rollups.move(now)
        yield from forget_requests(self._options, now)
        yield from forget_told(self._options, now)
        hour = int(now // 3600)
        if hour != self._retained_at:
            for tier, keep in kept(self._options).items():
                yield from forget_history(tier, int(now - keep))
            self._retained_at = hour
        yield from self._space.steps(now)

    def _salvage(self, salvage: Salvage) -> None:
        """Copy the history of a damaged file in the background."""

        def told(future: Future[dict[str, int]]) -> None:
            if future.exception() is not None:
                _log.error("not everything could be copied from the damaged file: %s", future.exception())
            else:
                _log.warning("copied from the damaged file: %s", salvage.copied)

        self._writer.upkeep(salvage.history()).add_done_callback(told)

    def _close(self, timeout: float) -> None:
        super()._close(timeout)
        self._backend.close()
