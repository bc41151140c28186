"""Alerts in SQL: their states, episodes and events, and the rows of the outbox that come about with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, exists, func, select, update

from understudy.alerts.ports import Change, EpisodeQuery, EpisodeRow, EventRow, Signal
from understudy.core.clock import Clock
from understudy.core.lease import Lease
from understudy.core.outbox import OutboxRow

from .agreed import MOST_SIGNALS, SUPERSEDED
from .control import Desk
from .dialect import contains, insert_many, pieces
from .leases import fence
from .outbox import put_rows
from .packing import clean, document, ms, pack, unpack
from .tables import alert_episode, alert_event, alert_signal, alert_state

_log = logging.getLogger("understudy.storage")

#: Where nobody else can leave signals, and this process has not, they are looked for only that often, s.
_LOOK_EVERY = 10.0


class SqlAlerts:
    """The `AlertStore` of the SQL stores."""

    def __init__(self, desk: Desk, clock: Clock, *, alone: bool = False) -> None:
        """`alone`: no other process uses the database, so what is posted is known without asking it each second."""
        self._desk = desk
        self._clock = clock
        self._alone = alone
        self._posts, self._look_at = 0, 0.0

    async def states(self) -> dict[str, dict[str, Any]]:
        """As `alerts.ports.AlertStore.states`."""
        rows = select(alert_state.c.fingerprint, alert_state.c.doc)

        def work(connection: Connection) -> dict[str, dict[str, Any]]:
            found = {}
            for row in connection.execute(rows):
                try:
                    found[row.fingerprint] = json.loads(row.doc)
                except ValueError:  # the others must not be lost with it
                    _log.error("what was remembered of the alert %s is damaged: it begins anew", row.fingerprint)
            return found

        return await self._desk.read(work)

    async def commit(self, change: Change, lease: Lease | None = None) -> list[OutboxRow]:
        """As `alerts.ports.AlertStore.commit`."""

        def work(connection: Connection) -> list[OutboxRow]:
            if lease is not None:
                fence(connection, lease)
            _write_states(connection, change)
            _write_episodes(connection, change)
            if change.events:
                insert_many(connection, alert_event, [_event_columns(each) for each in _in_order(change.events)])
            for some in pieces(change.signals):
                connection.execute(delete(alert_signal).where(alert_signal.c.id.in_(some)))
            return put_rows(connection, change.rows)

        return await self._desk.write(work)

    async def episodes(self, query: EpisodeQuery, limit: int) -> list[EpisodeRow]:
        """As `alerts.ports.AlertStore.episodes`."""

        def work(connection: Connection) -> list[EpisodeRow]:
            rows = _asked(connection, query).order_by(alert_episode.c.episode.desc()).limit(limit)
            return [_episode(row) for row in connection.execute(rows)]

        return await self._desk.read(work)

    async def events(
        self, *, episode: str = "", event_id: str = "", start: float | None = None,
        end: float | None = None, limit: int = 1000,
    ) -> list[EventRow]:  # fmt: skip
        """As `alerts.ports.AlertStore.events`."""
        column = alert_event.c
        rows = select(alert_event).order_by(column.at_ms, column.id).limit(limit)
        if episode:
            rows = rows.where(column.episode == clean(episode))
        if event_id:
            rows = rows.where(column.event_id == clean(event_id))
        if start is not None:
            rows = rows.where(column.at_ms >= ms(start))
        if end is not None:
            rows = rows.where(column.at_ms < ms(end))
        return await self._desk.read(lambda connection: [_event(row) for row in connection.execute(rows)])

    async def post(self, signals: Sequence[Signal], instance: str) -> None:
        """As `alerts.ports.AlertStore.post`."""
        if not signals:
            return
        rows = [{"instance": clean(instance), "at_ms": ms(each.at), "doc": document(_signal_doc(each))}
                for each in signals]  # fmt: skip
        number = alert_signal.c.id

        def work(connection: Connection) -> None:
            insert_many(connection, alert_signal, rows)
            # Nobody evaluates for now, or has for long: what the oldest said is out of date.
            beyond = select(number).order_by(number.desc()).limit(1).offset(MOST_SIGNALS)
            last = connection.execute(beyond).scalar()
            if last is not None:
                connection.execute(delete(alert_signal).where(number <= last))

        self._posts += 1
        try:
            await self._desk.write(work)
        finally:
            self._posts, self._look_at = self._posts + 1, 0.0

    async def posted(self, limit: int) -> list[tuple[int, str, Signal]]:
        """As `alerts.ports.AlertStore.posted`."""
        if self._alone and self._clock.monotonic() < self._look_at:
            return []
        posts = self._posts
        rows = select(alert_signal).order_by(alert_signal.c.id).limit(limit)

        def work(connection: Connection) -> list[tuple[int, str, Signal]]:
            return [(row.id, row.instance, Signal(**json.loads(row.doc))) for row in connection.execute(rows)]

        found = await self._desk.read(work)
        if not found and posts == self._posts:
            self._look_at = self._clock.monotonic() + _LOOK_EVERY
        return found

    async def forget(self, before: float, limit: int) -> int:
        """As `alerts.ports.AlertStore.forget`."""
        return await self._desk.write(lambda connection: forget_episodes(connection, ms(before), limit))


def forget_episodes(connection: Connection, cut: int, limit: int) -> int:
    """Delete at most so many episodes that ended before a time, with their events; how many."""
    episode, event = alert_episode.c, alert_event.c
    old = select(episode.episode).where(episode.resolved_ms < cut).order_by(episode.resolved_ms).limit(limit)
    gone = list(connection.execute(old).scalars())
    if gone:
        connection.execute(delete(alert_event).where(event.episode.in_(gone)))
        connection.execute(delete(alert_episode).where(episode.episode.in_(gone)))
    kept = exists().where(episode.episode == event.episode)
    stray = select(event.id).where(event.at_ms < cut, ~kept).order_by(event.at_ms, event.id).limit(limit)
    connection.execute(delete(alert_event).where(event.id.in_(list(connection.execute(stray).scalars()))))
    return len(gone)


def _write_states(connection: Connection, change: Change) -> None:
    at = ms(change.at)
    kept = [
        {"fingerprint": name, "at_ms": at, "doc": document(doc)}
        for name, doc in sorted(change.states.items())
        if doc is not None
    ]
    gone = [{"gone": name} for name, doc in sorted(change.states.items()) if doc is None]
    if kept:
        insert_many(connection, alert_state, kept, replacing=True)
    if gone:
        connection.execute(delete(alert_state).where(alert_state.c.fingerprint == bindparam("gone")), gone)


def _write_episodes(connection: Connection, change: Change) -> None:
    """Those that end first: where an alert ends one episode and begins another, only one is open at any time."""
    if not change.episodes:
        return
    chosen = sorted(
        {each.episode: each for each in change.episodes}.values(), key=lambda each: each.resolved_at is None
    )
    begun = [each for each in chosen if each.resolved_at is None]
    if ended := [_episode_columns(each) for each in chosen if each.resolved_at is not None]:
        insert_many(connection, alert_episode, ended, replacing=True)
    for some in pieces(begun):
        column = alert_episode.c
        lost = update(alert_episode).where(
            column.fingerprint.in_([each.fingerprint for each in some]),
            column.episode.not_in([each.episode for each in some]),
            column.resolved_ms.is_(None),
        )
        connection.execute(lost.values(resolved_ms=ms(change.at), reason=SUPERSEDED))
    insert_many(connection, alert_episode, [_episode_columns(each) for each in begun], replacing=True)


def _asked(connection: Connection, query: EpisodeQuery) -> Select[Any]:
    column = alert_episode.c
    rows = select(alert_episode)
    if query.rules:
        rows = rows.where(column.rule.in_([clean(each) for each in query.rules]))
    if query.fingerprint:
        rows = rows.where(column.fingerprint == clean(query.fingerprint))
    for name, value in query.labels.items():
        rows = rows.where(contains(connection, column.labels, document({name: value})[1:-1]))
    if query.severities:
        rows = rows.where(column.peak.in_(query.severities))
    if query.open is not None:
        rows = rows.where(column.resolved_ms.is_(None) if query.open else column.resolved_ms.is_not(None))
    if query.end is not None:
        rows = rows.where(column.started_ms < ms(query.end))
    if query.start is not None:
        rows = rows.where(func.coalesce(column.resolved_ms, ms(query.start)) >= ms(query.start))
    if query.before:
        rows = rows.where(column.episode < clean(query.before))
    return rows


def _in_order(events: Sequence[EventRow]) -> Sequence[EventRow]:
    """By id where two services could write the same events: so neither waits for the other in a circle."""
    return events if len(events) < 2 else sorted(events, key=lambda each: (each.at, each.event_id))


def _episode_columns(row: EpisodeRow) -> dict[str, Any]:
    return {
        "episode": row.episode,
        "fingerprint": row.fingerprint,
        "number": row.number,
        "rule": clean(row.rule),
        "rule_version": row.rule_version,
        "labels": document(dict(row.labels)),
        "severity": row.severity,
        "peak": row.peak,
        "started_ms": ms(row.started_at),
        "resolved_ms": None if row.resolved_at is None else ms(row.resolved_at),
        "reason": clean(row.reason),
        "value": row.value,
        "doc": document(dict(row.doc)),
    }


def _episode(row: Any) -> EpisodeRow:
    return EpisodeRow(
        row.episode, row.fingerprint, row.number, row.rule, row.rule_version, json.loads(row.labels), row.severity,
        row.peak, row.started_ms / 1000, None if row.resolved_ms is None else row.resolved_ms / 1000, row.reason,
        row.value, json.loads(row.doc),
    )  # fmt: skip


def _event_columns(row: EventRow) -> dict[str, Any]:
    return {
        "event_id": row.event_id,
        "episode": row.episode,
        "fingerprint": row.fingerprint,
        "rule": clean(row.rule),
        "kind": row.kind,
        "at_ms": ms(row.at),
        "severity": row.severity,
        "actor": clean(row.actor),
        "suppressed_by": clean(row.suppressed_by),
        "notice": pack(dict(row.notice)),
        "trace": pack(dict(row.trace)),
    }


def _event(row: Any) -> EventRow:
    return EventRow(
        row.event_id, row.episode, row.fingerprint, row.rule, row.kind, row.at_ms / 1000, row.severity, row.actor,
        row.suppressed_by, unpack(row.notice), unpack(row.trace),
    )  # fmt: skip


def _signal_doc(signal: Signal) -> dict[str, Any]:
    return {
        "event": signal.event, "labels": dict(signal.labels), "active": signal.active, "at": signal.at,
        "detail": dict(signal.detail),
    }  # fmt: skip
