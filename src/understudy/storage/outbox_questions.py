"""The questions that are asked of the outbox."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, select

from understudy.notifications.ports import OutboxQuery

from .packing import clean, ms
from .tables import outbox, outbox_notice

#: In the words of the indexes over the rows that are not finished.
PENDING: ColumnElement[bool] = literal_column("state = 'pending'")
DEAD: ColumnElement[bool] = literal_column("state = 'dead'")
_BY_INDEX = {"pending": PENDING, "dead": DEAD}


def whole() -> Select[Any]:
    """Rows with their notices; one whose notice was lost with a damaged page is there, too."""
    joined = outbox.outerjoin(outbox_notice, outbox_notice.c.id == outbox.c.id)
    return select(outbox, outbox_notice.c.notice).select_from(joined)


def asked(query: OutboxQuery) -> Select[Any]:
    """Rows that answer a query, in no order."""
    column = outbox.c
    rows = whole()
    if len(query.states) == 1 and query.states[0] in _BY_INDEX:
        rows = rows.where(_BY_INDEX[query.states[0]])
    elif query.states:
        rows = rows.where(column.state.in_([str(each) for each in query.states]))
    if query.channels:
        rows = rows.where(column.channel.in_([clean(each) for each in query.channels]))
    if query.event_id:
        rows = rows.where(column.event_id == clean(query.event_id))
    if query.episode:
        rows = rows.where(literal_column("episode <> ''"), column.episode == clean(query.episode))
    if query.start is not None:
        rows = rows.where(column.created_ms >= ms(query.start))
    if query.end is not None:
        rows = rows.where(column.created_ms < ms(query.end))
    if query.before:
        rows = rows.where(column.id < clean(query.before))
    return rows
