"""What the outbox counts of a span. Each question is answered from an index alone, so a busy day takes milliseconds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from understudy.notifications.ports import ChannelCounts

from .agreed import DELAYS
from .tables import delivery, outbox


def counted(connection: Connection, start: int, end: int) -> dict[str, ChannelCounts]:
    """The counts of every channel, of rows created and attempts made in a span, ms."""
    found: defaultdict[str, dict[str, Any]] = defaultdict(lambda: {"states": {}, "suppressed": {}})
    _rows(connection, start, end, found)
    _attempts(connection, start, end, found)
    return {channel: ChannelCounts(**found[channel]) for channel in sorted(found)}


def _rows(connection: Connection, start: int, end: int, found: defaultdict[str, dict[str, Any]]) -> None:
    column = outbox.c
    span = (column.created_ms >= start, column.created_ms < end)
    states = select(column.channel, column.state, column.ambiguous, func.count().label("many")).where(*span)
    for row in connection.execute(states.group_by(column.channel, column.state, column.ambiguous)):
        mine = found[row.channel]
        mine["states"][row.state] = mine["states"].get(row.state, 0) + row.many
        mine["ambiguous"] = mine.get("ambiguous", 0) + (row.many if row.ambiguous else 0)
    reasons = select(column.channel, column.reason, func.count().label("many"))
    reasons = reasons.where(literal_column("state = 'suppressed'"), *span)
    for row in connection.execute(reasons.group_by(column.channel, column.reason)):
        found[row.channel]["suppressed"][row.reason] = row.many


def _attempts(connection: Connection, start: int, end: int, found: defaultdict[str, dict[str, Any]]) -> None:
    column = delivery.c
    span = (column.at_ms >= start, column.at_ms < end)
    results = select(column.channel, column.result, func.count().label("many")).where(*span)
    for row in connection.execute(results.group_by(column.channel, column.result)):
        mine = found[row.channel]
        mine["attempts"] = mine.get("attempts", 0) + row.many
        if row.result == "retry":
            mine["retries"] = row.many
    newest = column.at_ms.desc(), column.id.desc()
    for channel, mine in found.items():
        on_it = select(column.at_ms, column.since_detected_us).where(column.channel == channel, *span)
        delivered = connection.execute(on_it.where(column.result == "delivered").order_by(*newest).limit(DELAYS)).all()
        mine["delays"] = tuple(row.since_detected_us / 1e6 for row in delivered if row.since_detected_us is not None)
        mine["last_delivered_at"] = delivered[0].at_ms / 1000 if delivered else None
        error = select(column.error).where(literal_column("error <> ''"), column.channel == channel, *span)
        mine["last_error"] = connection.execute(error.order_by(column.at_ms.desc()).limit(1)).scalar() or ""
