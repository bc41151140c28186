"""The parts of the large tables in PostgreSQL: one a day, or a month, made ahead and dropped whole."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, text

from .tables import ROLL

#: Days for which parts are there in advance.
AHEAD = 3
#: Tiers that are kept in parts, and whether a part is a month.
MONTHLY = {10: False, 60: False, 3600: True}
#: Taken while parts are made, so that two services do not make the same one.
_LOCK = 0x55534459_0001


class Part(NamedTuple):
    """One part of a tier's table: the rows with `start <= ts < end`."""

    tier: int
    name: str
    start: int
    end: int


def part_of(tier: int, ts: int) -> Part:
    """The part that a start belongs to."""
    day = datetime.fromtimestamp(ts, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if MONTHLY[tier]:
        first = day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        name = f"{ROLL[tier].name}_p{first:%Y%m}"
    else:
        first, after = day, day + timedelta(days=1)
        name = f"{ROLL[tier].name}_p{first:%Y%m%d}"
    return Part(tier, name, round(first.timestamp()), round(after.timestamp()))


def wanted(now: float) -> list[Part]:
    """The parts of today and of the days ahead."""
    return list(dict.fromkeys(part_of(tier, int(now) + day * 86_400) for tier in MONTHLY for day in range(AHEAD + 1)))


def make(connection: Connection, parts: Iterable[Part]) -> None:
    """Make those parts that are not there, in this transaction."""
    missing = [part for part in parts if not _exists(connection, part)]
    if not missing:
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for part in missing:
        if _exists(connection, part):
            continue
        table = ROLL[part.tier].name
        # Attached, not made in place: that lets others read and write the table meanwhile. Names of ours, numbers.
        connection.exec_driver_sql(f"CREATE TABLE {part.name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ATTACH PARTITION {part.name} FOR VALUES FROM ({part.start}) TO ({part.end})"
        )


def existing(connection: Connection, tier: int) -> list[Part]:
    """The parts of a tier's table, oldest first."""
    rows = connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:name AS regclass)"),
        {"name": ROLL[tier].name},
    )
    return sorted((part for (name,) in rows if (part := _read(tier, name)) is not None), key=lambda part: part.start)


def drop(connection: Connection, part: Part) -> None:
    """Take a part away with all its rows."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {part.name}")  # a name of ours


def _read(tier: int, name: str) -> Part | None:
    prefix = f"{ROLL[tier].name}_p"
    plain = name.rpartition(".")[2].strip('"')
    if not plain.startswith(prefix):
        return None
    digits = plain[len(prefix) :]
    try:
        first = datetime.strptime(digits, "%Y%m" if MONTHLY[tier] else "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return part_of(tier, round(first.timestamp()))


def _exists(connection: Connection, part: Part) -> bool:
    # Read from the table of all tables: what `to_regclass` knows of a name may be older than the lock that we have.
    there = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = :name AND pg_table_is_visible(oid))"
    return connection.execute(text(there), {"name": part.name}).scalar_one() is True
