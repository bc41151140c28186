"""The tables, as SQLAlchemy Core describes them. Whoever changes one adds a revision in `migrations`.

Inside are integers: `_ms` and `ts` since the epoch (milliseconds, seconds), `_us` durations. `api` in
the rollup tables is the id of a series, `inst` the writer that owns the row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from understudy.monitor.rollup import COUNTERS, TIER_NAMES

#: The newest revision; a test compares it with the folder of revisions.
HEAD = "0003"
#: `PRAGMA application_id` of our SQLite files: "USDY".
APPLICATION_ID = 0x55534459

metadata = MetaData()

# SQLite gives ids by itself only to a primary key that is called INTEGER there.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _where(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """An index of some rows only. A question uses it when it says the condition in the same words."""
    return Index(name, *columns, unique=unique, sqlite_where=text(condition), postgresql_where=text(condition))


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

#: What each alert remembers: the engine's own document, replaced as a whole.
alert_state = Table(
    "alert_state",
    metadata,
    Column("fingerprint", String, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("doc", Text, nullable=False),
)
alert_episode = Table(
    "alert_episode",
    metadata,
    Column("episode", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rule_version", Integer, nullable=False),
    # Sorted and without spaces, so that a pair of a label and its value can be looked for in it.
    Column("labels", Text, nullable=False),
    Column("severity", String, nullable=False),
    Column("peak", String, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("reason", Text, nullable=False),
    Column("value", Float),
    Column("doc", Text, nullable=False),
    _where("uq_alert_episode_open", "resolved_ms IS NULL", "fingerprint", unique=True),
    Index("ix_alert_episode_fingerprint", "fingerprint", "episode"),
    Index("ix_alert_episode_rule", "rule", "episode"),
    Index("ix_alert_episode_resolved", "resolved_ms"),
)
alert_event = Table(
    "alert_event",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("event_id", String, nullable=False),
    Column("episode", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("rule", Text, nullable=False),
    Column("kind", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("severity", String, nullable=False),
    Column("actor", Text, nullable=False),
    Column("suppressed_by", Text, nullable=False),
    Column("notice", LargeBinary, nullable=False),
    Column("trace", LargeBinary, nullable=False),
    UniqueConstraint("event_id", name="uq_alert_event_event_id"),
    Index("ix_alert_event_episode", "episode", "at_ms", "id"),
    Index("ix_alert_event_at", "at_ms", "id"),
    sqlite_autoincrement=True,
)
#: What other instances saw and the one that evaluates has not taken in yet.
alert_signal = Table(
    "alert_signal",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("instance", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("doc", Text, nullable=False),
    sqlite_autoincrement=True,
)
#: Rules, silences and whatever else people edit: a row for each version, without a document where it was deleted.
document = Table(
    "document",
    metadata,
    Column("kind", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("doc", Text),
    PrimaryKeyConstraint("kind", "name", "version", name="pk_document"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String, primary_key=True),
    Column("event_id", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("destination", Text, nullable=False),
    Column("kind", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("detected_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("episode", String, nullable=False),
    Column("pager", Integer, nullable=False),
    Column("recipients", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("plain", Integer, nullable=False),
    Column("ambiguous", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("told_in", String, nullable=False),
    Column("group_key", String, nullable=False),
    Column("instead_of", String, nullable=False),
    # Whose lease it is; the name stays until the row is settled, so that an unsettled claim can be seen.
    Column("owner", String, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("leased_ms", BigInteger, nullable=False),
    UniqueConstraint("event_id", "channel", name="uq_outbox_event_id_channel"),
    _where("ix_outbox_pending", "state = 'pending'", "id"),
    _where("ix_outbox_dead", "state = 'dead'", "id"),
    _where("ix_outbox_suppressed", "state = 'suppressed'", "created_ms", "channel", "reason"),
    _where("ix_outbox_episode", "episode <> ''", "episode", "id"),
    # All that is counted of a span, so that counting it reads no rows.
    Index("ix_outbox_created", "created_ms", "channel", "state", "ambiguous"),
    Index("ix_outbox_channel", "channel", "id"),
    sqlite_with_rowid=False,
)
#: The bulky part of a row of the outbox, apart: a change of the row's state does not write it again.
outbox_notice = Table(
    "outbox_notice",
    metadata,
    Column("id", String, primary_key=True),
    Column("notice", LargeBinary, nullable=False),
)
#: Every attempt to send; under which token, so that one that is logged again is known.
delivery = Table(
    "delivery",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("row_id", String, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("channel", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("result", String, nullable=False),
    Column("took_us", BigInteger, nullable=False),
    Column("status", Integer),
    Column("error", Text, nullable=False),
    Column("response", Text, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("since_detected_us", BigInteger),
    Column("recipient", Text, nullable=False),
    UniqueConstraint("row_id", "token", "number", "at_ms", "recipient", name="uq_delivery_attempt"),
    Index("ix_delivery_at", "at_ms", "id", "channel", "result"),
    Index("ix_delivery_channel", "channel", "at_ms", "id"),
    _where("ix_delivery_error", "error <> ''", "channel", "at_ms"),
    sqlite_autoincrement=True,
)
#: What a channel gave to recognise the last message of an episode by.
receipt = Table(
    "receipt",
    metadata,
    Column("channel", String, nullable=False),
    Column("episode", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("channel", "episode", name="pk_receipt"),
)

account = Table(
    "account",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    # The name without regard to case, as it must be unique.
    Column("folded", Text, nullable=False),
    Column("role", String, nullable=False),
    Column("password", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("password_ms", BigInteger, nullable=False),
    Column("signed_in_ms", BigInteger, nullable=False),
    Column("disabled", Text, nullable=False),
    UniqueConstraint("folded", name="uq_account_folded"),
)
session = Table(
    "session",
    metadata,
    Column("digest", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("proved_ms", BigInteger, nullable=False),
    Column("ip", String, nullable=False),
    Column("agent", Text, nullable=False),
    Index("ix_session_account", "account"),
)
token = Table(
    "token",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("account", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("apis", Text, nullable=False),
    Column("ips", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Column("used_ip", String, nullable=False),
)
#: The one-time token of the first administrator, until it is burnt.
setup = Table(
    "setup",
    metadata,
    Column("digest", String, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
)

# A sample of pages each, in place of a second tree as large as the key: rows lie in order of time.
for _tier in (10, 60, 3600):
    Index(
        f"ix_roll_{TIER_NAMES[_tier]}_ts",
        ROLL[_tier].c.ts,
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32},
    ).ddl_if(dialect="postgresql")
