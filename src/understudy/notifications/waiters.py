"""Waiting for what becomes of rows, also when another instance delivers them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnavailable
from understudy.core.outbox import OutboxRow, RowState

from .message import NotificationResult
from .ports import OutboxQuery, OutboxStore

#: The store is asked that often how rows of another instance stand, s.
ASK_EVERY = 0.5


class Waiting:
    """Rows that somebody waits for."""

    def __init__(self, rows: Sequence[OutboxRow], store: OutboxStore, clock: Clock) -> None:
        self.rows = {row.id: row for row in rows}
        self._store = store
        self._clock = clock
        self._began = clock.monotonic()
        self._took: dict[str, float] = {}
        self._changed = asyncio.Event()

    def told(self, row: OutboxRow) -> None:
        """A row was finished."""
        if row.id in self.rows:
            self.rows[row.id] = row
            self._took.setdefault(row.id, self._clock.monotonic() - self._began)
            self._changed.set()

    async def results(self, seconds: float) -> dict[str, NotificationResult]:
        """How the rows stand when all are finished, or after so many seconds; by channel."""
        until = self._clock.monotonic() + seconds
        ask_at = self._clock.monotonic() + ASK_EVERY
        while (open_ := self._open()) and (left := until - self._clock.monotonic()) > 0:
            self._changed.clear()
            timer = self._clock.call_later(min(left, ASK_EVERY), self._changed.set)
            try:
                await self._changed.wait()
            finally:
                timer.cancel()
            if self._clock.monotonic() >= ask_at:
                await self._ask(open_)
                ask_at = self._clock.monotonic() + ASK_EVERY
        return {row.channel: self._result(row) for row in self.rows.values()}

    def _open(self) -> list[OutboxRow]:
        return [row for row in self.rows.values() if row.state is RowState.PENDING]

    async def _ask(self, rows: Sequence[OutboxRow]) -> None:
        try:
            for event in {row.event_id for row in rows}:
                for row in await self._store.rows(OutboxQuery(event_id=event), 1000):
                    if row.state is not RowState.PENDING:
                        self.told(row)
                    elif row.id in self.rows:
                        self.rows[row.id] = row
        except StoreUnavailable:
            pass  # it is asked again

    def _result(self, row: OutboxRow) -> NotificationResult:
        seconds = self._took.get(row.id, self._clock.monotonic() - self._began)
        told = row.state is RowState.DELIVERED
        return NotificationResult(row.channel, told, str(row.state), row.reason, row.id, seconds)


class Waiters:
    """Everybody who waits."""

    def __init__(self, store: OutboxStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._by_row: dict[str, Waiting] = {}

    @contextmanager
    def expect(self, rows: Sequence[OutboxRow]) -> Iterator[Waiting]:
        """Within this, what becomes of the rows is noticed."""
        waiting = Waiting(rows, self._store, self._clock)
        self._by_row.update(dict.fromkeys(waiting.rows, waiting))
        try:
            yield waiting
        finally:
            for each in waiting.rows:
                self._by_row.pop(each, None)

    def told(self, row: OutboxRow) -> None:
        """A row was finished."""
        if (waiting := self._by_row.get(row.id)) is not None:
            waiting.told(row)
