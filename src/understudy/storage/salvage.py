"""What can still be read of a damaged file is copied into the new one.

Control data is copied before anything else is written, with every alert that is open and every message
that waits; history afterwards in the background, what was sent first, then the coarsest tier. A table
is read from its beginning until the damage, then from its end until the damage. What the new file has
already is newer and stays.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import quote

from sqlalchemy import Connection, Table, delete, func, insert, select

from .hot import HOUR, moved_key
from .jobs import Steps, Work
from .tables import (
    HOT,
    ROLL,
    account,
    alert_episode,
    alert_event,
    alert_signal,
    alert_state,
    audit,
    delivery,
    document,
    error_group,
    leader,
    meta,
    outbox,
    outbox_notice,
    receipt,
    sample,
    sample_api,
    sample_record,
    seen,
    series,
    session,
    state,
    token,
)  # fmt: skip

_log = logging.getLogger("understudy.storage")

#: Copied first, in one transaction: few rows, and the rest depends on them.
CONTROL = (series, state, audit, leader, seen, meta, document, alert_state, alert_signal, account, session, token)
#: Copied with them: what is not over yet. An index may be damaged where the table is not.
_WAITING = "FROM outbox NOT INDEXED WHERE state = 'pending'"
NOT_OVER = (
    (alert_episode, "resolved_ms IS NULL"),
    (outbox, f"id IN (SELECT id {_WAITING})"),
    (outbox_notice, f"id IN (SELECT id {_WAITING})"),
)
#: Copied in the background, what is worth most first.
HISTORY = (
    receipt,
    alert_episode,
    outbox,
    outbox_notice,
    delivery,
    alert_event,
    ROLL[86400],
    ROLL[3600],
    error_group,
    ROLL[60],
    HOT[60],
    ROLL[10],
    HOT[10],
    sample,
    sample_record,
    sample_api,
)
#: Rows in one transaction.
TOGETHER = 500
#: Columns of JSON.
_JSON = frozenset(("doc", "labels", "recipients", "data"))
#: New series get numbers this far above the highest that was read: one that was not read keeps its own.
_GAP = 1_000_000


class Salvage:
    """A damaged file, opened for reading only."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        #: Rows of history that began before this lie by series in the new file, the others in order of time.
        self._moved = int(now // HOUR) * HOUR
        #: Rows that were copied, by table.
        self.copied: dict[str, int] = {}
        #: Tables of which something was lost.
        self.damaged: list[str] = []

    def control(self, connection: Connection) -> None:
        """Copy the control tables into the new file, in the transaction of `connection`."""
        for table in CONTROL:
            for rows in self._rows(table):
                self._insert(connection, table, rows)
        for table, condition in NOT_OVER:
            for rows in self._rows(table, condition):
                self._insert(connection, table, rows)
        connection.execute(delete(meta).where(meta.c.key.like("moved.%")))
        moved = [{"key": moved_key(tier), "value": str(self._moved)} for tier in HOT]
        connection.execute(insert(meta), moved)
        highest = connection.execute(select(func.max(series.c.id))).scalar()
        if highest is not None and series.name in self.damaged:
            connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = ? WHERE name = 'series'", (highest + _GAP,))

    def history(self) -> Steps[dict[str, int]]:
        """Copy everything else; the rows that were copied, by table."""
        for table in HISTORY:
            for rows in self._rows(table):
                yield self._inserted(table, rows)
        return self.copied

    def _inserted(self, table: Table, rows: list[tuple[object, ...]]) -> Work[None]:
        [tier] = [tier for tier in HOT if table in (HOT[tier], ROLL[tier])] or [0]

        def work(connection: Connection) -> None:
            if not tier:
                self._insert(connection, table, rows)
                return
            place = [column.name for column in table.columns].index("ts")
            names = [column.name for column in table.columns]
            old = [row for row in rows if cast("int", row[place]) < self._moved]
            self._insert(connection, ROLL[tier], old, names)
            self._insert(connection, HOT[tier], [row for row in rows if cast("int", row[place]) >= self._moved], names)

        return work

    def _insert(
        self, connection: Connection, table: Table, rows: list[tuple[object, ...]], names: list[str] | None = None
    ) -> None:
        if not rows:
            return
        names = names or [column.name for column in table.columns]
        values = [dict(zip(names, row, strict=True)) for row in rows]
        connection.execute(insert(table).prefix_with("OR IGNORE"), values)
        self.copied[table.name] = self.copied.get(table.name, 0) + len(rows)

    def _rows(self, table: Table, condition: str = "true") -> Iterator[list[tuple[object, ...]]]:
        """The rows of a table that can be read, some at a time."""
        whole = yield from self._pass(table, condition, "ASC")
        if not whole:
            _log.warning("%s: the table %s is damaged", self._path, table.name)
            self.damaged.append(table.name)
            yield from self._pass(table, condition, "DESC")

    def _pass(self, table: Table, condition: str, direction: str) -> Generator[list[tuple[object, ...]], None, bool]:
        """Rows in the order of the key until the end (True) or the damage (False)."""
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        key = ", ".join(f'"{column.name}" {direction}' for column in table.primary_key.columns)
        # Names of ours, no values.
        query = f'SELECT {columns} FROM "{table.name}" WHERE {condition} ORDER BY {key}'  # noqa: S608 - see above
        try:
            raw = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=ro", uri=True, timeout=5.0, check_same_thread=False
            )
        except sqlite3.Error:
            return False
        raw.text_factory = _text
        try:
            cursor = raw.execute(query)
            while True:
                rows, over = _some(cursor)
                if rows:
                    yield [row for row in rows if _sound(table, row)]
                if over is not None:
                    return over
        except sqlite3.Error:
            return False
        finally:
            raw.close()


def _some(cursor: sqlite3.Cursor) -> tuple[list[tuple[object, ...]], bool | None]:
    """The next rows; and True at the end, False at the damage, None while there may be more."""
    rows: list[tuple[object, ...]] = []
    try:
        for row in cursor:
            rows.append(row)
            if len(rows) == TOGETHER:
                return rows, None
    except sqlite3.Error:
        return rows, False
    return rows, True


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _sound(table: Table, row: tuple[object, ...]) -> bool:
    """Whether the values are of the kinds that the table holds: damage may look like a row."""
    for column, value in zip(table.columns, row, strict=True):
        if value is None:
            if not column.nullable:
                return False
        elif not isinstance(value, column.type.python_type):
            return False
        elif column.name in _JSON or (table is state and column.name == "value"):
            try:
                json.loads(str(value))
            except ValueError:
                return False
    return True
