"""What the store holds that this instance does not know of yet: rows of others, of before a restart, of a replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from understudy.core.clock import Clock
from understudy.core.ids import written
from understudy.core.outbox import OutboxRow

from .ports import OutboxQuery, OutboxStore

#: New rows are looked for that often, s, and as far back: clocks of instances differ, and commits take time.
EVERY, BACK = 2.0, 30.0
#: That often where no other process puts rows there, s: those whose commit was not heard of are still found.
EVERY_ALONE = 10.0
#: Everything is looked through that often, s; seldomer with a long queue.
ALL_EVERY, ALL_EVERY_LONG, LONG = 60.0, 600.0, 2000
#: Rows read at a time.
PAGE = 500
#: ULIDs begin with the milliseconds, before so many random bits.
_RANDOM_BITS = 80


class Feed:
    """Reads the outbox, on the one instance that delivers."""

    def __init__(self, store: OutboxStore, clock: Clock, active: Callable[[], bool]) -> None:
        self._store = store
        self._clock = clock
        self._active = active
        #: No other process puts rows there, so those that are new are known already.
        self.alone = False
        #: Rows were left in the store for want of room, and are taken in as those of others are.
        self._left = False
        self._was_active = False
        self._next = 0.0
        self._next_all = 0.0
        #: Everything was looked through since this instance became the one that delivers.
        self.ready = False
        #: The last look went through everything, as far as there was room; and whether that was all.
        self.looked = self.complete = False
        #: Rows of our own making that the store has not got yet.
        self.to_add: list[OutboxRow] = []

    def active(self) -> bool:
        """Whether this instance is the one that delivers."""
        return self._active()

    def next_at(self, now: float) -> float:
        """When to look again."""
        return now + EVERY if not self._was_active else min(self._next, max(now + EVERY / 10, self._next_all))

    async def look(self, now: float, room: int) -> list[OutboxRow]:
        """Rows that may be new, at most about `room` of them, the oldest first.

        Raises:
            StoreUnavailable: the store cannot be read now; it is looked at again.
        """
        active = self._active()
        if active and not self._was_active:
            self._next = self._next_all = 0.0
        self._was_active, self.looked = active, False
        self.ready = self.ready and active
        if active and now >= self._next_all and room > 0:
            found = await self._everything(room)
            self._next_all = now + (ALL_EVERY if len(found) < LONG else ALL_EVERY_LONG)
            self._next = now + self._every
            self.looked = self.ready = True
            return found
        if active and now >= self._next:
            after = written(max(0, round((self._clock.time() - BACK) * 1000)) << _RANDOM_BITS)
            found = await self._store.pending(PAGE, after)
            self._next = now + self._every
            return found
        return []

    @property
    def _every(self) -> float:
        return EVERY_ALONE if self.alone and not self._left else EVERY

    def left_one(self) -> None:
        """A row was left in the store for want of room."""
        self._left, self._next = True, min(self._next, self._clock.monotonic() + EVERY)

    async def _everything(self, room: int) -> list[OutboxRow]:
        found: list[OutboxRow] = []
        self.complete = self._left = False
        while len(found) < room + LONG:
            page = await self._store.pending(PAGE, found[-1].id if found else "")
            found += page
            if len(page) < PAGE:
                self.complete = True
                break
        return found

    async def row(self, row_id: str) -> OutboxRow | None:
        """One row as it stands, if it is there.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """
        # Ids are in order: the last row before the next possible id is the one, or it is not there.
        found = await self._store.rows(OutboxQuery(before=f"{row_id}~"), 1)
        return found[0] if found and found[0].id == row_id else None

    async def told(self, event_id: str, channel: str) -> OutboxRow | None:
        """The row of an event on a channel, if there is one.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """
        rows: Sequence[OutboxRow] = await self._store.rows(OutboxQuery(event_id=event_id, channels=(channel,)), 1)
        return rows[0] if rows else None

    async def add(self) -> list[OutboxRow]:
        """Bring rows of our own making into the store; those that are new there.

        Raises:
            StoreUnavailable: nothing was kept; they are tried again.
        """
        if not self.to_add:
            return []
        rows = list(self.to_add)
        new = set(await self._store.add(rows))
        self.to_add = [row for row in self.to_add if row not in rows]
        return [row for row in rows if row.id in new]
