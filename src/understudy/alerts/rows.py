"""From what the engine wants told to the rows of the outbox that say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from understudy.core.outbox import OutboxRow, RowState

from .ports import Planner
from .tick import Telling


def rows_of(tellings: Iterable[Telling], planner: Planner) -> list[OutboxRow]:
    """The rows of all tellings, in their order."""
    return [row for telling in tellings for row in _rows(telling, planner)]


def _rows(telling: Telling, planner: Planner) -> list[OutboxRow]:
    rows = planner.plan(telling.notice, targets=telling.targets, labels=telling.labels)
    named = {row.channel for row in rows}
    further = [name for name in telling.also if name not in named]
    if further:
        rows = [*rows, *planner.plan(telling.notice, targets=further, labels=telling.labels)]
    return [_as_told(row, telling) for row in rows]


def _as_told(row: OutboxRow, telling: Telling) -> OutboxRow:
    """A pager is told at once and by itself; others may wait for more to be told with, or hear nothing."""
    if row.pager or row.state is not RowState.PENDING:
        return row
    if telling.pagers_only:
        return replace(row, state=RowState.SUPPRESSED, reason="quiet hours: only pagers are told of the end")
    if telling.group:
        return replace(row, not_before_at=telling.hold_until, group=telling.group)
    return row
