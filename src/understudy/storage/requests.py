"""The request log in SQL: entries, what they were tried on, and groups of errors."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, insert, select, tuple_

from understudy.core.clock import Clock
from understudy.monitor.facets import COUNTED, Counted, ErrorFacet, Facets, counted
from understudy.monitor.requests import Comparison, Cursor, ErrorGroup, RequestEntry, RequestQuery
from understudy.monitor.rollup import SeriesName

from .control import Desk
from .dialect import insert as upsert
from .dialect import is_sqlite, safe
from .rollups import SqlRollups
from .seen import take
from .series import NOBODY, SeriesIds
from .tables import error_group, sample, sample_api, sample_record

#: Entries in one piece of work, and kinds of errors that are looked up at once.
_TOGETHER, _KINDS = 50, 500

_OPERATORS = {"=": "__eq__", "!=": "__ne__", ">": "__gt__", ">=": "__ge__", "<": "__lt__", "<=": "__le__"}


class SqlRequests:
    """The `RequestStore` of the SQL stores; `boot` names this start of the process."""

    def __init__(self, desk: Desk, rollups: SqlRollups, clock: Clock, boot: str) -> None:
        self._desk = desk
        self._rollups = rollups
        self._clock = clock
        self._boot = boot
        self._count = count(1)

    # -- writing ----------------------------------------------------------------------------------

    async def append(self, entries: Sequence[RequestEntry], groups: Sequence[ErrorGroup]) -> None:
        """As `monitor.ports.RequestStore.append`."""
        if entries or groups:
            for place in range(0, max(len(entries), 1), _TOGETHER):
                self._later(entries[place : place + _TOGETHER], groups if place == 0 else ())
            await self._desk.settled()

    def _later(self, entries: Sequence[RequestEntry], groups: Sequence[ErrorGroup]) -> None:
        seq = next(self._count)
        packed: list[tuple[RequestEntry, bytes]] = []

        def work(connection: Connection) -> None:
            if not packed:  # here, because packing a storm's entries would stop the event loop for 20 ms and more
                packed.extend((entry, pack(entry)) for entry in entries)
            now = round(self._clock.time() * 1000)
            # Counts are added, so a batch that was committed though we were not told must be known again. Batches
            # stay in their order, whatever else is done.
            safe(connection)
            if take(connection, f"self:{self._rollups.inst}", self._boot, seq, now):
                write(connection, self._rollups.ids, packed, groups)

        self._desk.later(work, "entries of the request log")

    # -- reading ----------------------------------------------------------------------------------

    async def search(self, query: RequestQuery, limit: int, before: Cursor | None = None) -> list[RequestEntry]:
        """As `monitor.ports.RequestStore.search`."""

        def work(connection: Connection) -> list[RequestEntry]:
            names = self._rollups.names.all(connection)
            ids = {name: number for number, name in names.items()}
            rows = connection.execute(self._search(query, ids, before).limit(limit)).all()
            records = _records(connection, [row.id for row in rows])
            return [_entry(row, names, records.get(row.id, b"")) for row in rows]

        return await self._desk.read(work)

    def _search(self, query: RequestQuery, ids: dict[SeriesName, int], before: Cursor | None) -> Select[Any]:
        column = sample.c
        api = [ids.get(SeriesName("api", name), -1) for name in query.apis]
        if len(api) == 1:
            # One API, the usual question: by its own index, in order of time.
            place = sample_api.c
            rows = (
                select(sample).select_from(sample_api.join(sample, sample.c.id == place.id)).where(place.api == api[0])
            )
            at, number = place.ts_ms, place.id
        else:
            rows = select(sample)
            at, number = column.ts_ms, column.id
            if api:
                rows = rows.where(_tried_on(api))
        if query.excluded_apis:
            excluded = [ids.get(SeriesName("api", name), -1) for name in query.excluded_apis]
            rows = rows.where(~_tried_on(excluded), column.api.not_in(excluded))
        rows = rows.where(*_conditions(query, ids))
        if query.start is not None:
            rows = rows.where(at >= _ms(query.start))
        if query.end is not None:
            rows = rows.where(at < _ms(query.end))
        if before is not None:
            rows = rows.where(tuple_(at, number) < tuple_(before.ts_ms, before.id))
        return rows.order_by(at.desc(), number.desc())

    async def groups(self, start: float, end: float, api: str = "", limit: int = 100) -> list[ErrorGroup]:
        """As `monitor.ports.RequestStore.groups`."""

        def work(connection: Connection) -> list[ErrorGroup]:
            names = self._rollups.names.all(connection)
            rows = select(error_group).where(error_group.c.last_ms >= _ms(start), error_group.c.first_ms < _ms(end))
            if api:
                rows = rows.where(error_group.c.api.in_(self._rollups.names.ids(connection, [SeriesName("api", api)])))
            rows = rows.order_by(error_group.c.count.desc(), error_group.c.fingerprint).limit(limit)
            return [_group(row, names) for row in connection.execute(rows)]

        return await self._desk.read(work)

    async def facets(self, query: RequestQuery, most: int = COUNTED) -> Facets:
        """As `monitor.ports.RequestStore.facets`."""

        def work(connection: Connection) -> Facets:
            names = self._rollups.names.all(connection)
            ids = {name: number for number, name in names.items()}
            newest = self._search(query, ids, None).limit(most + 1).subquery()
            column = newest.c
            place = sample_api.c
            tried: dict[int, list[str]] = {}
            pairs = select(place.id, place.api).join(newest, and_(place.id == column.id, place.ts_ms == column.ts_ms))
            for number, api in connection.execute(pairs):
                tried.setdefault(number, []).append(_name(names, api))
            wanted = (column.id, column.ts_ms, column.route, column.outcome, column.status, column.fingerprint)
            rows = connection.execute(select(*wanted).order_by(column.ts_ms.desc(), column.id.desc())).all()
            known = _kinds(connection, {row.fingerprint for row in rows if row.fingerprint}, names)
            entries = [
                Counted(
                    row.ts_ms, tried.get(row.id, ()), _name(names, row.route), row.outcome, row.status, row.fingerprint
                )
                for row in rows
            ]
            return counted(entries, query.start, query.end, known, most)

        return await self._desk.read(work)


def write(
    connection: Connection,
    known: SeriesIds,
    entries: Sequence[tuple[RequestEntry, bytes]],
    groups: Sequence[ErrorGroup],
) -> None:
    """Write entries, each with what `pack` made of it, and add the counts of groups; in a transaction."""
    apis = {name for entry, _ in entries for name in entry.tried} | {group.api for group in groups} | {""}
    routes = {entry.route for entry, _ in entries}
    names = [SeriesName("api", name) for name in apis] + [SeriesName("route", name) for name in routes]
    ids = known.of(connection, names)
    if entries:
        _write_entries(connection, entries, ids)
    if groups:
        made = upsert(connection, error_group)
        added = made.on_conflict_do_update(
            index_elements=["fingerprint"],
            set_={
                "last_ms": func.max(error_group.c.last_ms, made.excluded.last_ms)
                if is_sqlite(connection)
                else func.greatest(error_group.c.last_ms, made.excluded.last_ms),
                "message": made.excluded.message,
                "count": error_group.c.count + made.excluded.count,
            },
        )
        connection.execute(added, [_group_row(group, ids) for group in groups])


def _write_entries(
    connection: Connection, entries: Sequence[tuple[RequestEntry, bytes]], ids: dict[SeriesName, int]
) -> None:
    rows, records, tried = [], [], []
    for number, (entry, record) in zip(_numbers(connection, len(entries)), entries, strict=True):
        rows.append({"id": number, **_entry_row(entry, ids)})
        records.append({"id": number, "record": record})
        at = _ms(entry.at)
        tried += [{"api": ids[SeriesName("api", name)], "ts_ms": at, "id": number} for name in entry.tried]
    connection.execute(insert(sample), rows)
    connection.execute(insert(sample_record), records)
    if tried:
        connection.execute(insert(sample_api), tried)


def _conditions(query: RequestQuery, ids: dict[SeriesName, int]) -> list[ColumnElement[bool]]:
    column = sample.c
    found: list[ColumnElement[bool]] = []
    for chosen, values in (
        (column.route, [ids.get(SeriesName("route", name), -1) for name in query.routes]),
        (column.outcome, query.outcomes),
        (column.error_class, query.error_classes),
        (column.endpoint, query.endpoints),
    ):
        if values:
            found.append(chosen.in_(values))
    if query.excluded_routes:
        found.append(column.route.not_in([ids.get(SeriesName("route", name), -1) for name in query.excluded_routes]))
    if query.excluded_outcomes:
        found.append(column.outcome.not_in(query.excluded_outcomes))
    found += [_compared(column.status, each) for each in query.status]
    found += [
        _compared(column.latency_us, Comparison(each.operator, round(each.value * 1e6))) for each in query.latency
    ]
    found += [_compared(column.attempts, each) for each in query.attempts]
    found += [column.error.icontains(part, autoescape=True) for part in query.text]
    for chosen, value in (
        (column.call_id, query.call_id), (column.fingerprint, query.fingerprint), (column.instance, query.instance)
    ):  # fmt: skip
        if value:
            found.append(chosen == value)
    return found


def _compared(column: ColumnElement[Any], comparison: Comparison) -> ColumnElement[bool]:
    compared: ColumnElement[bool] = getattr(column, _OPERATORS[comparison.operator])(comparison.value)
    return compared


def _tried_on(numbers: Sequence[int]) -> ColumnElement[bool]:
    place = sample_api.c
    return exists().where(and_(place.api.in_(numbers), place.ts_ms == sample.c.ts_ms, place.id == sample.c.id))


def delete_entries(connection: Connection, numbers: Sequence[int]) -> int:
    """Take entries out, with everything that belongs to them; how many."""
    if not numbers:
        return 0
    connection.execute(delete(sample_api).where(sample_api.c.id.in_(numbers)))
    connection.execute(delete(sample_record).where(sample_record.c.id.in_(numbers)))
    return connection.execute(delete(sample).where(sample.c.id.in_(numbers))).rowcount


def _numbers(connection: Connection, count: int) -> Sequence[int]:
    """The numbers of so many new entries."""
    if is_sqlite(connection):
        last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'sample'").scalar() or 0
        return range(last + 1, last + 1 + count)
    rows = select(func.nextval("sample_id_seq")).select_from(func.generate_series(1, count))
    return connection.execute(rows).scalars().all()


def _kinds(connection: Connection, fingerprints: set[str], names: dict[int, SeriesName]) -> dict[str, ErrorFacet]:
    """What is known of these kinds of errors; of very many only some, as the most frequent are told anyway."""
    if not fingerprints:
        return {}
    rows = connection.execute(select(error_group).where(error_group.c.fingerprint.in_(sorted(fingerprints)[:_KINDS])))
    return {
        row.fingerprint: ErrorFacet(row.fingerprint, 0, _name(names, row.api), row.error_class, row.message)
        for row in rows
    }


def _records(connection: Connection, numbers: Sequence[int]) -> dict[int, bytes]:
    if not numbers:
        return {}
    rows = connection.execute(select(sample_record).where(sample_record.c.id.in_(numbers)))
    return {row.id: row.record for row in rows}


def pack(entry: RequestEntry) -> bytes:
    """The bulky part of an entry as it is kept."""
    told = {"record": entry.record, "responses": entry.responses}
    return zlib.compress(json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=str).encode(), 1)


def _unpack(packed: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(packed)) if packed else {}
    return found


def _entry_row(entry: RequestEntry, ids: dict[SeriesName, int]) -> dict[str, Any]:
    return {
        "ts_ms": _ms(entry.at),
        "route": ids.get(SeriesName("route", entry.route), NOBODY),
        "api": ids.get(SeriesName("api", entry.api), NOBODY),
        "outcome": entry.outcome,
        "status": entry.status,
        "latency_us": round(entry.latency * 1e6),
        "attempts": entry.attempts,
        "endpoint": entry.endpoint,
        "error_class": entry.error_class,
        "error": entry.error,
        "fingerprint": entry.fingerprint,
        "call_id": entry.call_id,
        "instance": entry.instance,
    }


def _entry(row: Any, names: dict[int, SeriesName], packed: bytes) -> RequestEntry:
    told = _unpack(packed)
    return RequestEntry(
        at=row.ts_ms / 1000,
        call_id=row.call_id,
        route=_name(names, row.route),
        api=_name(names, row.api),
        outcome=row.outcome,
        latency=row.latency_us / 1e6,
        attempts=row.attempts,
        status=row.status,
        endpoint=row.endpoint,
        error_class=row.error_class,
        error=row.error,
        fingerprint=row.fingerprint,
        instance=row.instance,
        record=told.get("record", {}),
        responses=told.get("responses", {}),
        id=row.id,
    )


def _group_row(group: ErrorGroup, ids: dict[SeriesName, int]) -> dict[str, Any]:
    return {
        "fingerprint": group.fingerprint,
        "api": ids.get(SeriesName("api", group.api), NOBODY),
        "error_class": group.error_class,
        "message": group.message,
        "first_ms": _ms(group.first_at),
        "last_ms": _ms(group.last_at),
        "count": group.count,
    }


def _group(row: Any, names: dict[int, SeriesName]) -> ErrorGroup:
    return ErrorGroup(
        row.fingerprint, _name(names, row.api), row.error_class, row.message,
        row.first_ms / 1000, row.last_ms / 1000, row.count,
    )  # fmt: skip


def _name(names: dict[int, SeriesName], number: int) -> str:
    found: Iterable[str] = names.get(number, ("", ""))
    return tuple(found)[1]


def _ms(at: float) -> int:
    return round(at * 1000)
