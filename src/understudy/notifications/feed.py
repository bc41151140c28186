"""What the store holds that this instance does not know of yet: rows of others, of before a restart, of a replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from understudy.core.clock import Clock
from understudy.core.ids import written
from understudy.core.outbox import OutboxRow

from .ports import OutboxQuery, OutboxStore

#: New rows are looked for that often, s, and as far back: clocks of instances differ, and commits take time.
EVERY, BACK = 2.0, 30.0
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
        self._was_active = False
        self._next = 0.0
        self._next_all = 0.0
        #: The last look went through everything.
        self.complete = False
        #: Rows of our own making that the store has not got yet.
        self.to_add: list[OutboxRow] = []

    def active(self) -> bool:
        """Whether this instance is the one that delivers."""
        return self._active()

    def next_at(self, now: float) -> float:
        """When to look again."""
        return now + EVERY if not self._was_active else min(self._next, self._next_all)

    def look_soon(self, at: float) -> None:
        """Go through everything at that moment at the latest."""
        self._next_all = min(self._next_all, at)

    async def look(self, now: float, known: int, has_room: bool) -> list[OutboxRow]:
        """Rows that may be new.

        Raises:
            StoreUnavailable: the store cannot be read now; it is looked at again.
        """
        active = self._active()
        if active and not self._was_active:
            self._next = self._next_all = 0.0
        self._was_active = active
        self.complete = False
        if not active:
            return []
        if now >= self._next_all and has_room:
            found = await self._everything()
            self._next_all = now + (ALL_EVERY if known < LONG else ALL_EVERY_LONG)
            self._next = now + EVERY
            self.complete = True
            return found
        if now >= self._next:
            after = written(max(0, round((self._clock.time() - BACK) * 1000)) << _RANDOM_BITS)
            found = await self._store.pending(PAGE, after)
            self._next = now + EVERY
            return found
        return []

    async def _everything(self) -> list[OutboxRow]:
        found: list[OutboxRow] = []
        page = await self._store.pending(PAGE)
        while page:
            found += page
            page = await self._store.pending(PAGE, page[-1].id) if len(page) == PAGE else []
        return found

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
