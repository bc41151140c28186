"""How rows went, until the store has it: nothing that was sent is forgotten because it could not be written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .ports import OutboxStore, Settlement
from .queue import Waiting

#: Rows of one transaction, where they need not be in one.
BATCH = 500


class Records:
    """Settlements that wait for the store, in order."""

    def __init__(self, store: OutboxStore, owner: str, lease: float) -> None:
        self._store = store
        self._owner = owner
        self._lease = lease
        self._waiting: list[tuple[Waiting, Settlement]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def writable(self) -> bool:
        """Whether there is one whose row the store has."""
        return any(item.kept for item, _ in self._waiting)

    def add(self, item: Waiting, settlement: Settlement) -> None:
        """Keep a settlement until it is written."""
        self._waiting.append((item, settlement))

    async def batch(self) -> list[tuple[Waiting, Settlement]]:
        """The next ones to write in one transaction, all of one digest together; empty when there is nothing to write.

        Rows that were told before the store had them are claimed first.

        Raises:
            StoreUnavailable: they cannot be claimed now.
        """
        unclaimed = [item for item, _ in self._waiting if item.kept and item.token is None and item.unkept_sent]
        if unclaimed:
            tokens = await self._store.claim([each.row.id for each in unclaimed], self._owner, self._lease)
            for item in unclaimed:
                item.token = tokens.get(item.row.id, item.row.token)
        found: list[tuple[Waiting, Settlement]] = []
        for item, settlement in self._waiting:
            if not item.kept:
                continue
            told_in = settlement.row.told_in
            if len(found) >= BATCH and not (told_in and told_in == found[-1][1].row.told_in):
                break
            token = item.row.token if item.token is None else item.token
            found.append((item, replace(settlement, row=replace(settlement.row, token=token))))
        return found

    async def write(self, batch: Sequence[tuple[Waiting, Settlement]]) -> set[str]:
        """Write a batch; answers the rows that were refused, as another instance has claimed them since.

        Raises:
            StoreUnavailable: nothing was written; the batch still waits.
        """
        refused = set(await self._store.settle([settlement for _, settlement in batch]))
        written = {id(item) for item, _ in batch}
        self._waiting = [each for each in self._waiting if id(each[0]) not in written]
        return refused
