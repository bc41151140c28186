"""What was given up: shown, tried again, thrown away; and told to others, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable, UnknownName
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, RowState
from understudy.core.text import texts

from .merging import because
from .planning import CALLBACK, Plans
from .ports import OutboxQuery, OutboxStore, Settlement

_log = logging.getLogger("understudy.notifications")

#: The `rule` of what notifications say about themselves; when that is given up, nobody is told.
OWN = "understudy.notifications"
#: How often people are told about the dead letters of one channel, s.
TOLD_EVERY = 3600.0
#: How often dead letters are counted anew, s, and most that are counted.
COUNTED_EVERY, MOST_COUNTED = 60.0, 1000
#: Decided about in one transaction, when somebody decides about all.
TOGETHER = 200


class DeadLetters:
    """The dead letters of the outbox."""

    def __init__(
        self,
        store: OutboxStore,
        clock: Clock,
        plans: Plans,
        put: Callable[[Sequence[OutboxRow]], Awaitable[list[OutboxRow]]],
        tells: Callable[[], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._plans = plans
        self._put = put
        self._tells = tells
        self._told_at: dict[str, float] = {}
        self._fresh: dict[str, OutboxRow] = {}
        self._news = asyncio.Event()
        #: How many there are, as counted last; at most `MOST_COUNTED`.
        self.depth = 0

    async def letters(self, limit: int, *, channel: str = "", before: str = "") -> list[OutboxRow]:
        """The newest ones, of one channel or of all."""
        channels = (channel,) if channel else ()
        return list(await self._store.rows(OutboxQuery((RowState.DEAD,), channels, before=before), limit))

    async def rows_of(self, name: str) -> list[OutboxRow]:
        """The rows of an event, or the one row of that id, oldest first."""
        rows = await self._store.rows(OutboxQuery(event_id=name), 1000)
        return list(reversed(rows)) or await self._row(name)

    async def _row(self, row_id: str) -> list[OutboxRow]:
        # Ids are in order: the first row before the next id is the one, or it is not there.
        found = await self._store.rows(OutboxQuery(before=f"{row_id}~"), 1)
        return [row for row in found if row.id == row_id]

    async def replay(self, row_id: str, actor: str, reason: str = "") -> OutboxRow:
        """As `NotificationManager.replay`."""
        return await self._change(self._again(await self._dead(row_id), _who(actor, reason)))

    async def discard(self, row_id: str, actor: str, reason: str = "") -> OutboxRow:
        """As `NotificationManager.discard`."""
        return await self._change(_thrown_away(await self._dead(row_id), _who(actor, reason)))

    async def decide_all(
        self, again: bool, channel: str, actor: str, reason: str
    ) -> AsyncIterator[list[OutboxRow]]:  # fmt: skip
        """Try every one again, or throw every one away, of one channel or of all; those of each transaction."""
        who, change = _who(actor, reason), self._again if again else _thrown_away
        # Newest first and always behind the last one, so that none that dies again meanwhile comes up a second time.
        before = ""
        while rows := await self.letters(TOGETHER, channel=channel, before=before):
            changed = [change(row, who) for row in rows]
            late = set(await self._store.settle([Settlement(row) for row in changed]))
            done = [row for row in changed if row.id not in late]
            self.depth = max(0, self.depth - len(done))
            yield done
            before = rows[-1].id

    def _again(self, row: OutboxRow, who: str) -> OutboxRow:
        now = self._clock.time()
        return replace(
            row,
            state=RowState.PENDING,
            attempts=0,
            plain=False,
            not_before_at=0.0,
            deadline_at=now + max(60.0, row.deadline_at - row.created_at),
            reason=because(row, f"replayed by {who}"),
        )

    async def _dead(self, row_id: str) -> OutboxRow:
        found = [row for row in await self._row(row_id) if row.state is RowState.DEAD]
        if not found:
            raise UnknownName("dead letter", row_id)
        return found[0]

    async def _change(self, row: OutboxRow) -> OutboxRow:
        if await self._store.settle([Settlement(row)]):
            raise UnknownName("dead letter", row.id)  # somebody was quicker
        self.depth = max(0, self.depth - 1)
        return row

    def given_up(self, row: OutboxRow) -> None:
        """A message has become a dead letter."""
        self.depth = min(MOST_COUNTED, self.depth + 1)
        if row.notice.rule != OWN:
            self._fresh.setdefault(row.channel, row)
            self._news.set()

    async def run(self) -> None:
        """Tell the other channels, and keep count; on whatever loop runs now."""
        self._news = asyncio.Event()
        while True:
            try:
                await self._tell()
                self.depth = len(await self._store.rows(OutboxQuery((RowState.DEAD,)), MOST_COUNTED))
            except StoreUnavailable as problem:
                _log.info("dead letters are told of later: %s", problem)
            timer = self._clock.call_later(COUNTED_EVERY, self._news.set)
            try:
                await self._news.wait()
            finally:
                timer.cancel()
            self._news.clear()
            await pause(self._clock, 1.0)  # several that die together are one thing to tell

    async def _tell(self) -> None:
        now = self._clock.monotonic()
        for channel in list(self._fresh):
            row = self._fresh[channel]
            last = self._told_at.get(channel)
            if self._tells() and (last is None or now - last >= TOLD_EVERY):
                await self._put(self._rows(row))
                self._told_at[channel] = now
            del self._fresh[channel]

    def _rows(self, dead: OutboxRow) -> list[OutboxRow]:
        """The news for every other channel, in its language; never through the one that failed."""
        event, rows = f"dead-{dead.id}", []
        for name, traits in self._plans.channels.items():
            if name == dead.channel or traits.destination == dead.destination or traits.kind == CALLBACK:
                continue
            _ = texts(traits.language)
            notice = Notice(
                event_id=event,
                kind=NoticeKind.MESSAGE,
                severity=Severity.WARNING,
                at=self._clock.time(),
                title=_("Messages of the channel {channel} could not be delivered", channel=dead.channel),
                content=_("Given up: {title}. Reason: {reason}", title=dead.notice.title[:500], reason=dead.reason),
                rule=OWN,
            )
            rows.append(self._plans.row(notice, name))
        return rows

    def problems(self) -> list[str]:
        """Whether any wait for a person."""
        if not self.depth:
            return []
        number = f"{self.depth}" if self.depth < MOST_COUNTED else f"at least {MOST_COUNTED}"
        return [f"messages that were given up and wait for a decision: {number} (understudy notify dead)"]


def _thrown_away(row: OutboxRow, who: str) -> OutboxRow:
    return replace(row, state=RowState.DISCARDED, reason=f"discarded by {who}: {row.reason}")


def _who(actor: str, reason: str) -> str:
    return f"{actor} ({reason})" if reason else actor
