"""Who sends a row: this instance, under a lease of the store, or another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from understudy.core.clock import Clock
from understudy.core.outbox import OutboxRow, RowState

from .lanes import Lane, Lanes
from .ports import Channel, OutboxStore
from .queue import Waiting

#: A row is leased that long, s, and at least that much longer than its send may take.
LEASE, LEASE_MARGIN = 30.0, 5.0


class Claims:
    """Leases rows for one owner. A row is leased only when it is sent next, so a lease means: it may have been sent."""

    def __init__(self, store: OutboxStore, clock: Clock, lanes: Lanes, owner: str) -> None:
        self.owner = owner
        self._store = store
        self._clock = clock
        self._lanes = lanes
        #: How long a lease is now, s.
        self.seconds = LEASE

    def set_channels(self, channels: Mapping[str, Channel]) -> None:
        """Leases last at least as long as the slowest of these may take."""
        longest = max((each.traits.timeout for each in channels.values()), default=0.0)
        self.seconds = max(LEASE, longest + 2 * LEASE_MARGIN)

    def with_the_commit(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Rows that are about to be kept, those that go out at once leased by that.

        So their commit is their claim, and the message leaves a whole commit earlier. What has to wait for a rate,
        for a breaker or for another message is not leased: after a crash it would be told as a possible repeat.
        """
        now, wall = self._clock.monotonic(), self._clock.time()
        until = wall + self.seconds
        by_channel: dict[str, list[OutboxRow]] = {}
        for row in rows:
            if _goes(row, wall):
                by_channel.setdefault(row.channel, []).append(row)
        chosen: set[str] = set()
        for name, some in by_channel.items():
            chosen.update(self._lanes.at_once(name, some, now))
        return [
            replace(row, owner=self.owner, token=1, leased_until=until) if row.id in chosen else row for row in rows
        ]

    def found(self, item: Waiting) -> bool:
        """A row was read or accepted: what is left of a lease of ours is used; whether it waits for that of another."""
        row, now = item.row, self._clock.monotonic()
        left = row.leased_until - self._clock.time()
        if left <= 0 or not row.owner:
            return False
        if row.owner != self.owner:
            # By a clock that was set back a lease may seem to last for hours: it is looked at again before that.
            item.held_until = now + min(left, 2 * self.seconds)
            item.due = max(item.due, item.held_until)
            return True
        if row.token:
            item.token, item.until = row.token, now + left
        return False

    def lacks(self, lane: Lane, item: Waiting) -> bool:
        """Whether a row that is to go now must be leased first; what the store does not have cannot be."""
        return item.kept and item.until < self._clock.monotonic() + lane.traits.timeout + LEASE_MARGIN

    async def claim(self, items: Sequence[Waiting]) -> None:
        """Lease rows; those that another instance holds have no token afterwards.

        Raises:
            StoreUnavailable: nothing was leased.
        """
        until = self._clock.monotonic() + self.seconds
        tokens = await self._store.claim([each.row.id for each in items], self.owner, self.seconds)
        for item in items:
            item.token = tokens.get(item.row.id)
            item.until = 0.0 if item.token is None else until


def _goes(row: OutboxRow, wall: float) -> bool:
    return row.state is RowState.PENDING and row.not_before_at <= wall and not row.owner and not row.group
