"""Alerts and what must be sent, for the stores that die: what is done with them, and what must hold afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from understudy.alerts.ports import Change, EpisodeQuery, EpisodeRow, EventRow
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.message import Receipt
from understudy.notifications.ports import Attempt, OutboxQuery, Settlement
from understudy.storage.sqlite_store import SqliteStore

#: Every event is told on these.
CHANNELS = ("chat", "mail")
#: A claim lasts so long, s: longer than a life.
LEASE = 240.0
#: A new owner, as after a restart.
HEIR = "the next start"


def alert(name: str, at: float) -> Change:
    """An alert that fires: a state, an episode, an event, and a row for each channel."""
    notice = Notice(name, NoticeKind.FIRED, Severity.CRITICAL, at, name, "x" * 300, fingerprint=name, episode=name)
    rows = [
        OutboxRow(
            f"{name} {channel}", name, channel, channel, notice.kind, notice.severity, 0, at, at, at + 3600, notice,
            fingerprint=name, episode=name,
        )
        for channel in CHANNELS
    ]  # fmt: skip
    event = EventRow(name, name, name, "rule", "fired", at, "critical", notice=notice.as_dict())
    episode = EpisodeRow(name, name, 1, "rule", 1, {"api": "odds"}, "critical", "critical", at)
    return Change(at, {name: {"phase": "firing"}}, [episode], [event], rows)


def sent(row: OutboxRow, token: int, at: float) -> Settlement:
    """A row that arrived."""
    end = replace(row, token=token, state=RowState.DELIVERED, attempts=1)
    return Settlement(end, (Attempt(row.id, row.channel, 1, at, "delivered", 0.1, 200),), Receipt(row.id))


@dataclass
class Answered:
    """What the store had answered before it died."""

    #: Alerts that were kept, rows that were settled, and the token of every claim.
    alerts: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    tokens: dict[str, int] = field(default_factory=dict)
    #: Rows that were given to somebody while somebody else had them.
    twice: list[str] = field(default_factory=list)

    def claimed(self, row: str, token: int) -> None:
        """Somebody was given a row."""
        if row in self.tokens:
            self.twice.append(row)
        self.tokens[row] = token


async def faults(store: SqliteStore, answered: Answered, prefix: str = "") -> list[str]:
    """What is wrong with the alerts whose names begin so, and with what must be sent of them."""
    found = [f"{each} was given to two" for each in answered.twice]
    states = {name for name in await store.alerts.states() if name.startswith(prefix)}
    episodes = {each.episode for each in await store.alerts.episodes(EpisodeQuery(), 100_000)}
    events = {each.event_id for each in await store.alerts.events(limit=100_000) if each.event_id.startswith(prefix)}
    rows = [row for row in await store.outbox.rows(OutboxQuery(), 100_000) if row.id.startswith(prefix)]
    tries = Counter(attempt.row for _, attempt in await store.outbox.attempts(100_000))
    found += [f"{each} was kept and is not there" for each in answered.alerts - events]
    found += [f"only a part of {each} is there" for each in states ^ events]
    found += [f"the episode {each} is not there" for each in events - episodes]
    told = Counter(row.event_id for row in rows)
    found += [f"{each} has {told[each]} rows" for each in {*events, *told} if told[each] != len(CHANNELS)]
    by_id = {row.id: row for row in rows}
    for each in answered.settled:
        if each not in by_id or by_id[each].state is not RowState.DELIVERED:
            found.append(f"{each} was delivered and is not any more")
    for row in rows:
        if row.state not in (RowState.PENDING, RowState.DELIVERED):
            found.append(f"{row.id} is {row.state}")
        if (row.state is RowState.DELIVERED) != (tries[row.id] == 1) or tries[row.id] > 1:
            found.append(f"{row.id} is {row.state} after {tries[row.id]} attempts")
        if row.token < answered.tokens.get(row.id, 0):
            found.append(f"{row.id} was claimed, which was forgotten")
    return found + await _claims(store, answered, prefix)


async def _claims(store: SqliteStore, answered: Answered, prefix: str) -> list[str]:
    """Whoever comes next gets everything that waits, at once, under tokens that nobody had; and nobody else does."""
    waiting = [row for row in await store.outbox.pending(100_000) if row.id.startswith(prefix)]
    ids = [row.id for row in waiting]
    mine = await store.outbox.claim(ids, HEIR, LEASE)
    found = [f"{each} cannot be claimed" for each in ids if each not in mine]
    found += [f"{each} has an old token" for each, token in mine.items() if token <= answered.tokens.get(each, 0)]
    found += [f"{each} was given to two" for each in await store.outbox.claim(ids, "somebody else", LEASE)]
    late = [sent(row, answered.tokens[row.id], row.created_at) for row in waiting if row.id in answered.tokens]
    refused = await store.outbox.settle(late)
    found += [f"{each.row.id} was settled by the dead" for each in late if each.row.id not in refused]
    return found
