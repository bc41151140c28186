"""The tables, as SQLAlchemy Core describes them. Whoever changes one adds a revision in `migrations`.

Inside are integers: `_ms` and `ts` since the epoch (milliseconds, seconds), `_us` durations. `api` in
the rollup tables is the id of a series, `inst` the writer that owns the row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from understudy.monitor.rollup import COUNTERS, TIER_NAMES

#: The newest revision; a test compares it with the folder of revisions.
HEAD = "0001"
#: `PRAGMA application_id` of our SQLite files: "USDY".
APPLICATION_ID = 0x55534459

metadata = MetaData()

# SQLite gives ids by itself only to a primary key that is called INTEGER there.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _rollup(name: str, *key: str, partitioned: bool = False) -> Table:
    options: dict[str, Any] = {"postgresql_partition_by": "RANGE (ts)"} if partitioned else {}
    return Table(
        name,
        metadata,
        # The key first and in its own order: some versions of SQLite check other orders wrongly without a rowid.
        *(Column(part, BigInteger if part == "ts" else Integer, nullable=False) for part in key),
        *(Column(counter, BigInteger, nullable=False) for counter in COUNTERS),
        Column("classes", LargeBinary),
        Column("hist", LargeBinary),
        PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        sqlite_with_rowid=False,
        **options,
    )


meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),
    UniqueConstraint("kind", "name", name="uq_series_kind_name"),
    sqlite_autoincrement=True,  # an id is never given twice
)

#: SQLite only: the running hour, in order of time, so that a flush writes few pages.
HOT = {10: _rollup("hot_10s", "ts", "api", "inst"), 60: _rollup("hot_1m", "ts", "api", "inst")}
#: By the length of a bucket, seconds.
ROLL = {
    tier: _rollup(f"roll_{name}", "api", "ts", "inst", partitioned=tier < 86400) for tier, name in TIER_NAMES.items()
}

sample = Table(
    "sample",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("ts_ms", BigInteger, nullable=False),
    Column("route", Integer, nullable=False),
    Column("api", Integer, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", Integer),
    Column("latency_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("error_class", String, nullable=False),
    Column("error", Text, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("call_id", String, nullable=False),
    Column("instance", String, nullable=False),
    Index("ix_sample_ts", "ts_ms", "id"),
    Index("ix_sample_api", "api", "ts_ms"),
    Index("ix_sample_route", "route", "ts_ms", "id"),
    Index("ix_sample_outcome", "outcome", "ts_ms", "id"),
    Index("ix_sample_fingerprint", "fingerprint", "ts_ms", "id"),
    Index("ix_sample_call", "call_id"),
    sqlite_autoincrement=True,
)
#: The bulky part of an entry, apart so that a search reads few pages: compressed JSON.
sample_record = Table(
    "sample_record",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("record", LargeBinary, nullable=False),
)
#: Every API that an entry's call was tried on.
sample_api = Table(
    "sample_api",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("api", Integer, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("id", "api", name="pk_sample_api"),
    Index("ix_sample_api_api", "api", "ts_ms", "id"),
    sqlite_with_rowid=False,
)
error_group = Table(
    "error_group",
    metadata,
    Column("fingerprint", String, primary_key=True),
    Column("api", Integer, nullable=False),
    Column("error_class", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Index("ix_error_group_last", "last_ms"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _Id, primary_key=True, autoincrement=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("ip", String, nullable=False),
    Column("action", String, nullable=False),
    Column("object", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("prev_hash", String, nullable=False),
    Column("hash", String, nullable=False),
    # What the writer called the act: a repeated write of one is known by it.
    Column("ref", String, nullable=False),
    UniqueConstraint("ref", name="uq_audit_ref"),
)
state = Table(
    "state",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)
#: The reports that were taken, by reporter and its start; our own batches of the request log too.
seen = Table(
    "seen",
    metadata,
    Column("instance", String, nullable=False),
    Column("boot", String, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("instance", "boot", name="pk_seen"),
    Index("ix_seen_at", "at_ms"),
)
leader = Table(
    "leader",
    metadata,
    Column("role", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
#: PostgreSQL: which running service writes as 2 * number, and for its reporters as 2 * number + 1.
instance = Table(
    "instance",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("holder", String, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
)

# A sample of pages each, in place of a second tree as large as the key: rows lie in order of time.
for _tier in (10, 60, 3600):
    Index(
        f"ix_roll_{TIER_NAMES[_tier]}_ts",
        ROLL[_tier].c.ts,
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32},
    ).ddl_if(dialect="postgresql")
