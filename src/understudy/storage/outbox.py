"""The outbox in SQL: what must be sent, who is sending it, how that went.

A row is claimed under a token that grows with each claim, and settled under the token it was claimed
with. So a sender whose lease ended, and whose row another sender has claimed meanwhile, changes nothing
any more; that it sent is logged all the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, tuple_, update

from understudy.core.clock import Clock
from understudy.core.outbox import OutboxRow
from understudy.notifications.message import Receipt
from understudy.notifications.ports import Attempt, ChannelCounts, OutboxQuery, Settlement

from .agreed import LONGEST_LEASE, added_by
from .control import Desk
from .dialect import insert_many, is_sqlite, pieces
from .leases import now_ms
from .outbox_counts import counted
from .outbox_questions import DEAD, PENDING, asked, whole
from .outbox_rows import attempt_columns, attempt_of, changeable_columns, columns_of, packed_notices, row_of
from .packing import clean, document, ms
from .tables import alert_episode, delivery, outbox, outbox_notice, receipt

_log = logging.getLogger("understudy.storage")

_LONGEST_MS = round(LONGEST_LEASE * 1000)


class SqlOutbox:
    """The `OutboxStore` of the SQL stores."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        #: Rows that were told to be damaged.
        self._unreadable: set[str] = set()

    # -- writing ----------------------------------------------------------------------------------

    async def add(self, rows: Sequence[OutboxRow]) -> list[str]:
        """As `notifications.ports.OutboxStore.add`."""
        if not rows:
            return []
        return await self._desk.write(lambda connection: [row.id for row in put_rows(connection, rows)])

    async def claim(self, ids: Collection[str], owner: str, seconds: float) -> dict[str, int]:
        """As `notifications.ports.OutboxStore.claim`."""
        if not ids:
            return {}
        chosen = sorted(ids)

        def work(connection: Connection) -> dict[str, int]:
            now = now_ms(connection, self._clock)
            column = outbox.c
            over = or_(column.leased_ms <= now, column.leased_ms > now + _LONGEST_MS)
            free = or_(column.owner.in_(("", owner)), over)
            # In order, so that nobody waits in a circle; what another is claiming at this moment is left to it.
            mine = select(column.id).where(PENDING, free).order_by(column.id).with_for_update(skip_locked=True)
            leased = {"owner": owner, "token": column.token + 1, "leased_ms": now + round(seconds * 1000)}
            tokens: dict[str, int] = {}
            for some in pieces(chosen):
                claimed = update(outbox).where(column.id.in_(mine.where(column.id.in_(some)))).values(leased)
                found = connection.execute(claimed.returning(column.id, column.token))
                tokens.update({row.id: row.token for row in found})
            return tokens

        return await self._desk.write(work)

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """As `notifications.ports.OutboxStore.settle`."""
        if not settlements:
            return []

        def work(connection: Connection) -> list[str]:
            tokens = _tokens(connection, [each.row.id for each in settlements])
            accepted = [each for each in settlements if tokens.get(each.row.id) == each.row.token]
            _keep_attempts(connection, settlements)
            if accepted:
                _change(connection, accepted)
                put_rows(connection, added_by(settlements, accepted))
                _keep_receipts(connection, accepted, ms(self._clock.time()))
            kept = {each.row.id for each in accepted}
            return [each.row.id for each in settlements if each.row.id not in kept]

        return await self._desk.write(work)

    async def forget(self, before: float, limit: int) -> int:
        """As `notifications.ports.OutboxStore.forget`."""
        return await self._desk.write(lambda connection: forget_rows(connection, ms(before), limit))

    # -- reading ----------------------------------------------------------------------------------

    async def pending(self, limit: int, after: str = "") -> list[OutboxRow]:
        """As `notifications.ports.OutboxStore.pending`."""
        rows = whole().where(PENDING).order_by(outbox.c.id)

        def work(connection: Connection) -> list[OutboxRow]:
            found: list[OutboxRow] = []
            place = clean(after)
            while True:  # as many as were asked for, whatever cannot be read: fewer mean that there are no more
                wanted = limit - len(found)
                some = connection.execute(rows.where(outbox.c.id > place).limit(wanted)).all()
                found += self._readable(some)
                if len(some) < wanted or len(found) == limit:
                    return found
                place = some[-1].id

        return await self._desk.read(work)

    async def rows(self, query: OutboxQuery, limit: int) -> list[OutboxRow]:
        """As `notifications.ports.OutboxStore.rows`."""
        rows = asked(query)
        if not query.event_id:  # of which there are few, and PostgreSQL would look for them in the order of all ids
            rows = rows.order_by(outbox.c.id.desc()).limit(limit)

        def work(connection: Connection) -> list[OutboxRow]:
            found = self._readable(connection.execute(rows))
            return sorted(found, key=lambda row: row.id, reverse=True)[:limit]

        return await self._desk.read(work)

    def _readable(self, found: Iterable[Any]) -> list[OutboxRow]:
        """The rows, but for one that damage has made unreadable: it must not keep the others from being sent."""
        rows = []
        for each in found:
            try:
                rows.append(row_of(each))
            except (ValueError, TypeError) as error:
                if each.id not in self._unreadable:
                    self._unreadable.add(each.id)
                    _log.error("the message %s for %s cannot be read and is left out: %s", each.id, each.channel, error)
        return rows

    async def receipt(self, channel: str, episode: str) -> Receipt | None:
        """As `notifications.ports.OutboxStore.receipt`."""
        rows = select(receipt).where(receipt.c.channel == clean(channel), receipt.c.episode == clean(episode))

        def work(connection: Connection) -> Receipt | None:
            found = connection.execute(rows).one_or_none()
            return None if found is None else Receipt(found.provider_id, json.loads(found.data))

        return await self._desk.read(work)

    async def attempts(
        self, limit: int, *, row: str = "", channel: str = "", before: tuple[float, int] | None = None
    ) -> list[tuple[int, Attempt]]:
        """As `notifications.ports.OutboxStore.attempts`."""
        column = delivery.c
        rows = select(delivery).order_by(column.at_ms.desc(), column.id.desc()).limit(limit)
        if row:
            rows = rows.where(column.row_id == clean(row))
        if channel:
            rows = rows.where(column.channel == clean(channel))
        if before is not None:
            rows = rows.where(tuple_(column.at_ms, column.id) < tuple_(ms(before[0]), before[1]))
        return await self._desk.read(
            lambda connection: [(each.id, attempt_of(each)) for each in connection.execute(rows)]
        )

    async def counts(self, start: float, end: float) -> dict[str, ChannelCounts]:
        """As `notifications.ports.OutboxStore.counts`."""
        return await self._desk.read(lambda connection: counted(connection, ms(start), ms(end)))


def put_rows(connection: Connection, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """Keep rows that are not known, in a transaction; those that were kept."""
    if not rows:
        return []
    # In the order of what makes them unique: of two services that write the same rows neither waits in a circle.
    chosen = sorted({row.id: row for row in rows}.values(), key=lambda row: (row.event_id, row.channel))
    new = _insert_new(connection, [columns_of(row) for row in chosen])
    insert_many(connection, outbox_notice, packed_notices(row for row in chosen if row.id in new), replacing=True)
    return [row for row in {row.id: row for row in rows}.values() if row.id in new]


def _insert_new(connection: Connection, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Insert the rows that are new; their ids."""
    if not is_sqlite(connection):
        return set(insert_many(connection, outbox, rows, returning="id"))
    # Nobody else writes meanwhile. That all of them are new, as nearly always, is seen without asking twice.
    ids = [row["id"] for row in rows]
    before = _there(connection, ids)
    count = _count(connection)
    insert_many(connection, outbox, rows)
    if _count(connection) - count == len(rows):
        return set(ids)
    return _there(connection, ids) - before


def _count(connection: Connection) -> int:
    """How many rows this connection to SQLite has changed so far."""
    raw: Any = connection.connection.dbapi_connection
    return int(raw.total_changes)


def _there(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that the table has."""
    found: set[str] = set()
    for some in pieces(ids):
        asked = f"SELECT id FROM outbox WHERE id IN ({','.join('?' * len(some))})"  # noqa: S608 - question marks
        found.update(connection.exec_driver_sql(asked, tuple(some)).scalars())
    return found


def free_all(connection: Connection) -> None:
    """End every lease; whose it was stays, so that it can be seen that the row may have been sent."""
    connection.execute(update(outbox).where(PENDING, outbox.c.leased_ms > 0).values(leased_ms=0))


def forget_rows(connection: Connection, cut: int, limit: int) -> int:
    """Delete at most so many finished rows that were created before a time, with all that belongs to them; how many.

    Beside them go at most so many attempts of before that time, but for those of rows that are not finished.
    """
    column = outbox.c
    finished = column.state.not_in(("pending", "dead"))
    old = select(column.id).where(column.created_ms < cut, finished).order_by(column.created_ms).limit(limit)
    gone = list(connection.execute(old).scalars())
    if gone:
        connection.execute(delete(delivery).where(delivery.c.row_id.in_(gone)))
        connection.execute(delete(outbox_notice).where(outbox_notice.c.id.in_(gone)))
        connection.execute(delete(outbox).where(column.id.in_(gone)))
    unfinished = select(column.id).where(column.id == delivery.c.row_id, or_(PENDING, DEAD)).exists()
    stray = select(delivery.c.id).where(delivery.c.at_ms < cut, ~unfinished).order_by(delivery.c.at_ms, delivery.c.id)
    connection.execute(
        delete(delivery).where(delivery.c.id.in_(list(connection.execute(stray.limit(limit)).scalars())))
    )
    return len(gone)


def forget_receipts(connection: Connection, cut: int) -> None:
    """Delete receipts of before a time, but for those of episodes that may still be told of."""
    episode = alert_episode.c
    still = select(episode.episode).where(episode.episode == receipt.c.episode, episode.resolved_ms.is_(None)).exists()
    connection.execute(delete(receipt).where(receipt.c.at_ms < cut, ~still))


def _tokens(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The tokens under which rows were claimed last; nobody can claim them until the transaction ends."""
    column = outbox.c
    rows = select(column.id, column.token).order_by(column.id).with_for_update()
    tokens: dict[str, int] = {}
    for some in pieces(sorted(set(ids))):
        tokens.update({row.id: row.token for row in connection.execute(rows.where(column.id.in_(some)))})
    return tokens


def _keep_attempts(connection: Connection, settlements: Sequence[Settlement]) -> None:
    tries = [attempt_columns(attempt, each.row.token) for each in settlements for attempt in each.attempts]
    if tries:
        insert_many(connection, delivery, tries)


def _change(connection: Connection, accepted: Sequence[Settlement]) -> None:
    changes = [
        {"of": each.row.id, **{f"new_{name}": value for name, value in changeable_columns(each.row).items()}}
        for each in accepted
    ]
    values: dict[str, Any] = {name.removeprefix("new_"): bindparam(name) for name in changes[0] if name != "of"}
    changed = update(outbox).where(outbox.c.id == bindparam("of")).values(**values, owner="", leased_ms=0)
    connection.execute(changed, changes)


def _keep_receipts(connection: Connection, accepted: Sequence[Settlement], now: int) -> None:
    given = {(each.row.channel, each.row.episode): each.receipt for each in accepted if each.receipt is not None}
    kept = [
        {
            "channel": channel, "episode": episode, "at_ms": now, "provider_id": clean(each.provider_id),
            "data": document(dict(each.data)),
        }
        for (channel, episode), each in sorted(given.items(), key=lambda item: item[0])
        if episode
    ]  # fmt: skip
    if kept:
        insert_many(connection, receipt, kept, replacing=True)
