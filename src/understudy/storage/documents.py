"""What people edit, in SQL: every version of every rule, silence and mute timing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select

from understudy.alerts.ports import Document
from understudy.core.clock import Clock
from understudy.core.errors import VersionConflict

from .agreed import expected_is
from .control import Desk
from .dialect import is_sqlite
from .packing import clean, ms
from .packing import document as as_text
from .tables import document


class SqlDocuments:
    """The `DocumentStore` of the SQL stores."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def put(
        self, kind: str, name: str, doc: Mapping[str, Any] | None, *, actor: str, comment: str = "",
        expected: int | None = None,
    ) -> Document:  # fmt: skip
        """As `alerts.ports.DocumentStore.put`."""
        row = {
            "kind": clean(kind), "name": clean(name), "at_ms": ms(self._clock.time()), "actor": clean(actor),
            "comment": clean(comment), "doc": None if doc is None else as_text(dict(doc)),
        }  # fmt: skip
        column = document.c
        newest = select(document).where(column.kind == row["kind"], column.name == row["name"])
        newest = newest.order_by(column.version.desc()).limit(1)
        again = False

        def work(connection: Connection) -> Document:
            nonlocal again
            tried, again = again, True
            if not is_sqlite(connection):
                # Two services must not make the same version; this lock ends with the transaction.
                connection.exec_driver_sql("LOCK TABLE document IN SHARE ROW EXCLUSIVE MODE")
            last = connection.execute(newest).one_or_none()
            if tried and last is not None and all(getattr(last, each) == value for each, value in row.items()):
                return _document(last)  # the try before was committed, though we were not told
            version = 0 if last is None else last.version
            if not expected_is(expected, version, deleted=last is None or last.doc is None):
                raise VersionConflict(f"the {kind} {name}", expected or 0, version)
            connection.execute(insert(document).values(**row, version=version + 1))
            return _document(connection.execute(newest).one())

        return await self._desk.write(work)

    async def newest(self, kind: str) -> list[Document]:
        """As `alerts.ports.DocumentStore.newest`."""
        column = document.c
        last = select(column.name, func.max(column.version).label("version")).where(column.kind == clean(kind))
        last_of = last.group_by(column.name).subquery()
        rows = select(document).join(
            last_of, (column.name == last_of.c.name) & (column.version == last_of.c.version)
        )  # fmt: skip
        rows = rows.where(column.kind == clean(kind), column.doc.is_not(None))

        def work(connection: Connection) -> list[Document]:
            # Sorted here: databases differ in their order of letters.
            return sorted((_document(row) for row in connection.execute(rows)), key=lambda each: each.name)

        return await self._desk.read(work)

    async def versions(self, kind: str, name: str) -> list[Document]:
        """As `alerts.ports.DocumentStore.versions`."""
        column = document.c
        rows = select(document).where(column.kind == clean(kind), column.name == clean(name))
        rows = rows.order_by(column.version.desc())
        return await self._desk.read(lambda connection: [_document(row) for row in connection.execute(rows)])


def _document(row: Any) -> Document:
    doc = None if row.doc is None else json.loads(row.doc)
    return Document(row.kind, row.name, row.version, row.at_ms / 1000, row.actor, doc, row.comment)
