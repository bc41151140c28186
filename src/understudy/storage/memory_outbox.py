"""The outbox in plain dictionaries: the reference for the others, and enough where nothing has to survive."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from understudy.core.audit import milliseconds
from understudy.core.clock import Clock
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.message import Receipt
from understudy.notifications.ports import Attempt, ChannelCounts, OutboxQuery, Settlement

from .agreed import CHANGEABLE, DELAYS, LONGEST_LEASE, added_by

#: Rows in these states are never forgotten.
_UNFINISHED = (RowState.PENDING, RowState.DEAD)


class MemoryOutbox:
    """An `OutboxStore` in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, OutboxRow] = {}
        self._known: dict[tuple[str, str], str] = {}
        self._pending: set[str] = set()
        self._attempts: dict[tuple[str, int, int, int, str], tuple[int, Attempt]] = {}
        self._numbered = 0
        self._receipts: dict[tuple[str, str], tuple[float, Receipt]] = {}

    async def add(self, rows: Sequence[OutboxRow]) -> list[str]:
        """As `notifications.ports.OutboxStore.add`."""
        return [row.id for row in self.put(rows)]

    def put(self, rows: Iterable[OutboxRow]) -> list[OutboxRow]:
        """Keep rows that are not known; those that were kept."""
        new = []
        for row in rows:
            if row.id not in self._rows and (row.event_id, row.channel) not in self._known:
                self._known[row.event_id, row.channel] = row.id
                self._keep(row)
                new.append(row)
        return new

    def _keep(self, row: OutboxRow) -> None:
        self._rows[row.id] = row
        (self._pending.add if row.state is RowState.PENDING else self._pending.discard)(row.id)

    async def pending(self, limit: int, after: str = "") -> list[OutboxRow]:
        """As `notifications.ports.OutboxStore.pending`."""
        chosen = heapq.nsmallest(limit, (each for each in self._pending if each > after))
        return [self._rows[each] for each in chosen]

    async def claim(self, ids: Collection[str], owner: str, seconds: float) -> dict[str, int]:
        """As `notifications.ports.OutboxStore.claim`."""
        now = self._clock.time()
        tokens: dict[str, int] = {}
        for each in self._pending.intersection(ids):
            row = self._rows[each]
            if row.owner in ("", owner) or not now < row.leased_until <= now + LONGEST_LEASE:
                tokens[each] = row.token + 1
                self._rows[each] = replace(row, owner=owner, token=tokens[each], leased_until=now + seconds)
        return tokens

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """As `notifications.ports.OutboxStore.settle`."""
        tokens = {each.row.id: self._rows[each.row.id].token for each in settlements if each.row.id in self._rows}
        accepted = [each for each in settlements if tokens.get(each.row.id) == each.row.token]
        for each in settlements:
            self._log(each)
        for each in accepted:
            kept = self._rows[each.row.id]
            changed = {name: getattr(each.row, name) for name in CHANGEABLE}
            self._keep(replace(kept, **changed, owner="", leased_until=0.0))
            if each.receipt is not None and kept.episode:
                self._receipts[kept.channel, kept.episode] = (self._clock.time(), each.receipt)
        self.put(added_by(settlements, accepted))
        done = {each.row.id for each in accepted}
        return [each.row.id for each in settlements if each.row.id not in done]

    def _log(self, settlement: Settlement) -> None:
        for attempt in settlement.attempts:
            key = (attempt.row, settlement.row.token, attempt.number, milliseconds(attempt.at), attempt.recipient)
            if key not in self._attempts:
                self._numbered += 1
                self._attempts[key] = (self._numbered, attempt)

    async def receipt(self, channel: str, episode: str) -> Receipt | None:
        """As `notifications.ports.OutboxStore.receipt`."""
        found = self._receipts.get((channel, episode))
        return None if found is None else found[1]

    async def rows(self, query: OutboxQuery, limit: int) -> list[OutboxRow]:
        """As `notifications.ports.OutboxStore.rows`."""
        return heapq.nlargest(limit, (row for row in self._rows.values() if _asked(row, query)), key=lambda row: row.id)

    async def attempts(
        self, limit: int, *, row: str = "", channel: str = "", before: tuple[float, int] | None = None
    ) -> list[tuple[int, Attempt]]:
        """As `notifications.ports.OutboxStore.attempts`."""
        found = (
            each
            for each in self._attempts.values()
            if row in ("", each[1].row)
            and channel in ("", each[1].channel)
            and (before is None or (each[1].at, each[0]) < before)
        )
        return heapq.nlargest(limit, found, key=lambda each: (each[1].at, each[0]))

    async def counts(self, start: float, end: float) -> dict[str, ChannelCounts]:
        """As `notifications.ports.OutboxStore.counts`."""
        rows: dict[str, list[OutboxRow]] = {}
        tries: dict[str, list[Attempt]] = {}
        for row in self._rows.values():
            if start <= row.created_at < end:
                rows.setdefault(row.channel, []).append(row)
        for _, attempt in self._attempts.values():
            if start <= attempt.at < end:
                tries.setdefault(attempt.channel, []).append(attempt)
        return {name: _counted(rows.get(name, []), tries.get(name, [])) for name in sorted({*rows, *tries})}

    async def forget(self, before: float, limit: int) -> int:
        """As `notifications.ports.OutboxStore.forget`."""
        old = [row.id for row in self._rows.values() if row.created_at < before and row.state not in _UNFINISHED]
        gone = sorted(old)[:limit]
        self._drop(gone)
        unfinished = {row.id for row in self._rows.values() if row.state in _UNFINISHED}
        stray = [key for key, each in self._attempts.items() if each[1].at < before and key[0] not in unfinished]
        for key in sorted(stray, key=lambda key: (self._attempts[key][1].at, self._attempts[key][0]))[:limit]:
            del self._attempts[key]
        return len(gone)

    def trim(self, most: int) -> None:
        """Keep at most so many finished rows, the newest: memory is all there is."""
        finished = sorted(row.id for row in self._rows.values() if row.state not in _UNFINISHED)
        self._drop(finished[: max(0, len(finished) - most)])

    def _drop(self, ids: Collection[str]) -> None:
        """Leave out rows, with their attempts."""
        gone = set(ids)
        for each in gone:
            row = self._rows.pop(each)
            del self._known[row.event_id, row.channel]
        if gone:
            self._attempts = {key: each for key, each in self._attempts.items() if key[0] not in gone}

    def forget_receipts(self, before: float, episodes: Collection[str]) -> None:
        """Leave out old receipts, but for those of `episodes`, which may still be told of."""
        self._receipts = {
            key: found for key, found in self._receipts.items() if found[0] >= before or key[1] in episodes
        }


def _asked(row: OutboxRow, query: OutboxQuery) -> bool:
    return (
        (not query.states or row.state in query.states)
        and (not query.channels or row.channel in query.channels)
        and query.event_id in ("", row.event_id)
        and query.episode in ("", row.episode)
        and (query.start is None or row.created_at >= query.start)
        and (query.end is None or row.created_at < query.end)
        and (not query.before or row.id < query.before)
    )


def _counted(rows: Sequence[OutboxRow], attempts: Sequence[Attempt]) -> ChannelCounts:
    newest = sorted(attempts, key=lambda each: each.at, reverse=True)
    delivered = [each for each in newest if each.result == "delivered"]
    delays = [each.since_detected for each in delivered if each.since_detected is not None]
    return ChannelCounts(
        states=dict(Counter(str(row.state) for row in rows)),
        suppressed=dict(Counter(row.reason for row in rows if row.state is RowState.SUPPRESSED)),
        attempts=len(attempts),
        retries=sum(each.result == "retry" for each in attempts),
        ambiguous=sum(row.ambiguous for row in rows),
        delays=tuple(delays[:DELAYS]),
        last_delivered_at=delivered[0].at if delivered else None,
        last_error=next((each.error for each in newest if each.error), ""),
    )
