"""Forgets what is too old or too much, a little at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from .alerts import forget_episodes
from .jobs import Steps, Work
from .options import StorageOptions
from .outbox import forget_receipts, forget_rows
from .requests import delete_entries
from .tables import ROLL, error_group, sample, seen, series

#: Rows of history, and entries of the request log, that one transaction takes out.
ROWS, ENTRIES = 750, 100
#: Reports are remembered so long, s: no reporter sends the same again after this.
REMEMBERED = 7 * 86_400


def kept(options: StorageOptions) -> dict[int, int]:
    """How long each tier is kept, s; the coarsest for ever."""
    return {10: options.keep_10s, 60: options.keep_1m, 3600: options.keep_1h}


def forget_history(tier: int, before: int) -> Steps[int]:
    """Take out the rows of a tier that began before a time, one series after another; how many there were."""
    table = ROLL[tier]
    gone = 0
    for number in (yield all_series):
        while (some := (yield _older(table, number, before))) > 0:
            gone += some
            if some < ROWS:
                break
    return gone


def _older(table: Table, number: int, before: int) -> Work[int]:
    mine = (table.c.api == number, table.c.ts < before)

    def work(connection: Connection) -> int:
        border = select(table.c.ts).where(*mine).order_by(table.c.ts).limit(1).offset(ROWS)
        end = connection.execute(border).scalar()
        chosen = mine if end is None else (table.c.api == number, table.c.ts < end)
        return connection.execute(delete(table).where(*chosen)).rowcount

    return work


def forget_requests(options: StorageOptions, now: float) -> Steps[int]:
    """Take out entries and groups that are too old, and of each API those that are too many; how many entries."""
    cut = round((now - options.keep_requests) * 1000)
    gone = 0
    while (some := (yield _oldest_entries(cut))) > 0:
        gone += some
    yield lambda connection: connection.execute(delete(error_group).where(error_group.c.last_ms < cut)).rowcount
    forgotten = round((now - REMEMBERED) * 1000)
    yield lambda connection: connection.execute(delete(seen).where(seen.c.at_ms < forgotten)).rowcount
    for number, count in (yield _crowded(options.requests_per_api)):
        excess = count - options.requests_per_api
        while excess > 0 and (some := (yield _least_wanted(number, min(excess, ENTRIES)))) > 0:
            excess -= some
            gone += some
    return gone


def forget_told(options: StorageOptions, now: float) -> Steps[int]:
    """Take out alerts that ended, and what was sent, when they are too old; how many episodes and rows of the outbox.

    What is open, waits to be sent, or was given up and still waits for somebody to look at it stays.
    """
    gone = 0
    ended, sent = round((now - options.keep_alerts) * 1000), round((now - options.keep_deliveries) * 1000)
    for work in (
        lambda connection: forget_episodes(connection, ended, ENTRIES),
        lambda connection: forget_rows(connection, sent, ENTRIES),
    ):
        while (some := (yield work)) > 0:
            gone += some
    yield lambda connection: forget_receipts(connection, sent)
    return gone


def forget_oldest_entries() -> Work[int]:
    """Take out the oldest entries of all, as many as one transaction does."""
    return _oldest_entries(None)


def _oldest_entries(cut: int | None) -> Work[int]:
    oldest = select(sample.c.id).order_by(sample.c.ts_ms, sample.c.id).limit(ENTRIES)
    if cut is not None:
        oldest = oldest.where(sample.c.ts_ms < cut)
    return lambda connection: delete_entries(connection, _numbers(connection, oldest))


def _crowded(most: int) -> Work[Sequence[Any]]:
    counts = select(sample.c.api, func.count()).group_by(sample.c.api).having(func.count() > most)
    return lambda connection: connection.execute(counts).all()


def _least_wanted(number: int, many: int) -> Work[int]:
    """Take out the oldest successes of an API, or, where there are none, its oldest entries."""
    oldest = select(sample.c.id).where(sample.c.api == number).order_by(sample.c.ts_ms).limit(many)

    def work(connection: Connection) -> int:
        chosen = _numbers(connection, oldest.where(sample.c.outcome == "success"))
        return delete_entries(connection, chosen or _numbers(connection, oldest))

    return work


def _numbers(connection: Connection, query: Any) -> Sequence[int]:
    return list(connection.execute(query).scalars())


def all_series(connection: Connection) -> list[int]:
    """The number of every series."""
    return list(connection.execute(select(series.c.id).order_by(series.c.id)).scalars())


def oldest(tier: int) -> Work[int | None]:
    """The earliest start of a tier."""
    table = ROLL[tier]
    # A look into the index for each series, in place of a scan of the table.
    first = select(func.min(table.c.ts)).where(table.c.api == series.c.id).scalar_subquery()
    return lambda connection: connection.execute(select(func.min(first)).select_from(series)).scalar()
