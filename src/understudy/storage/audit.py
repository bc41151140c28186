"""The audit log in SQL: the hash of the last row is read in the transaction that adds the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from sqlalchemy import Connection, insert, select

from understudy.core.audit import AuditEntry, AuditRecord, canonical, chain_hash, first_fault, follow, milliseconds

from .control import Desk
from .dialect import is_sqlite
from .tables import audit

#: Rows that are read at once while the chain is verified.
_PAGE = 1000
#: Acts of which is remembered what they were called.
_MOST_UNCERTAIN = 1000


class SqlAudit:
    """The `AuditLog` of the SQL stores; `source` tells this process's acts from those of others."""

    def __init__(self, desk: Desk, source: str) -> None:
        self._desk = desk
        self._source = source
        self._count = count(1)
        #: What acts were called whose end we were not told, by what they say: they may be there already.
        self._uncertain: dict[str, str] = {}

    async def append(self, entry: AuditEntry) -> AuditRecord:
        """As `core.audit.AuditLog.append`."""
        # What cannot be kept is told to the caller here, before anything is begun.
        said = chain_hash(0, entry, "")
        ref = self._uncertain.pop(said, None) or f"{self._source}:{next(self._count)}"

        def work(connection: Connection) -> AuditRecord:
            if not is_sqlite(connection):
                # Two services must not hang their rows on the same last one; this lock ends with the transaction.
                connection.exec_driver_sql("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
            known = connection.execute(select(audit).where(audit.c.ref == ref)).one_or_none()
            if known is not None:  # a try before was committed, though we were not told
                return _record(known)
            newest = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
            last = connection.execute(newest).one_or_none()
            record = follow(None if last is None else (last.seq, last.hash), entry)
            connection.execute(insert(audit).values(_columns(record, ref)))
            return record

        try:
            return await self._desk.write(work)
        except BaseException:
            if len(self._uncertain) < _MOST_UNCERTAIN:
                self._uncertain[said] = ref
            raise

    async def read(self, limit: int = 100, before: int | None = None) -> list[AuditRecord]:
        """As `core.audit.AuditLog.read`."""
        rows = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            rows = rows.where(audit.c.seq < before)
        return await self._desk.read(lambda connection: [_record(row) for row in connection.execute(rows)])

    async def verify(self) -> str:
        """As `core.audit.AuditLog.verify`."""
        return await self._desk.read(lambda connection: first_fault(chain(connection)))


def chain(connection: Connection) -> Iterator[AuditRecord]:
    """Every row of the log from its beginning."""
    seq = 0
    while True:
        rows = connection.execute(select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(_PAGE)).all()
        yield from map(_record, rows)
        if len(rows) < _PAGE:
            return
        seq = rows[-1].seq


def _columns(record: AuditRecord, ref: str) -> dict[str, Any]:
    entry = record.entry
    return {
        "seq": record.seq,
        "ts_ms": milliseconds(entry.at),
        "actor": entry.actor,
        "ip": entry.ip,
        "action": entry.action,
        "object": entry.object,
        "before": canonical(entry.before),
        "after": canonical(entry.after),
        "prev_hash": record.prev_hash,
        "hash": record.hash,
        "ref": ref,
    }


def _record(row: Any) -> AuditRecord:
    entry = AuditEntry(
        row.ts_ms / 1000, row.actor, row.action, row.object, json.loads(row.before), json.loads(row.after), row.ip
    )
    return AuditRecord(row.seq, entry, row.prev_hash, row.hash)
