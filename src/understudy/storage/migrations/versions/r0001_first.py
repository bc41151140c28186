"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_COUNTERS = (
    "n", "ok", "err", "fallback_used", "retries", "lat_sum_us", "lat_min_us", "lat_max_us", "err_lat_sum_us",
    "cost_microunits",
)  # fmt: skip
_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _rollup(name: str, *key: str, partitioned: bool = False) -> None:
    options: dict[str, Any] = {"postgresql_partition_by": "RANGE (ts)"} if partitioned else {}
    op.create_table(
        name,
        *(_needed(part, sa.BigInteger if part == "ts" else sa.Integer) for part in key),
        *(_needed(counter, sa.BigInteger) for counter in _COUNTERS),
        sa.Column("classes", sa.LargeBinary),
        sa.Column("hist", sa.LargeBinary),
        sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        sqlite_with_rowid=False,
        **options,
    )


def upgrade() -> None:
    """Make every table."""
    _history()
    _requests()
    _control()


def _history() -> None:
    on_sqlite = op.get_context().dialect.name == "sqlite"
    op.create_table("meta", sa.Column("key", sa.String, primary_key=True), _needed("value", sa.Text))
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _needed("kind", sa.String),
        _needed("name", sa.Text),
        _needed("created_ms", sa.BigInteger),
        sa.Column("deleted_ms", sa.BigInteger),
        sa.UniqueConstraint("kind", "name", name="uq_series_kind_name"),
        sqlite_autoincrement=True,
    )
    if on_sqlite:
        for name in ("hot_10s", "hot_1m"):
            _rollup(name, "ts", "api", "inst")
    for name in ("roll_10s", "roll_1m", "roll_1h"):
        _rollup(name, "api", "ts", "inst", partitioned=True)
        if not on_sqlite:
            op.create_index(
                f"ix_{name}_ts", name, ["ts"], postgresql_using="brin", postgresql_with={"pages_per_range": 32}
            )
    _rollup("roll_1d", "api", "ts", "inst")


def _requests() -> None:
    op.create_table(
        "sample",
        sa.Column("id", _Id, primary_key=True, autoincrement=True),
        _needed("ts_ms", sa.BigInteger),
        _needed("route", sa.Integer),
        _needed("api", sa.Integer),
        _needed("outcome", sa.String),
        sa.Column("status", sa.Integer),
        _needed("latency_us", sa.BigInteger),
        _needed("attempts", sa.Integer),
        _needed("endpoint", sa.Text),
        _needed("error_class", sa.String),
        _needed("error", sa.Text),
        _needed("fingerprint", sa.String),
        _needed("call_id", sa.String),
        _needed("instance", sa.String),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sample_ts", "sample", ["ts_ms", "id"])
    op.create_index("ix_sample_api", "sample", ["api", "ts_ms"])
    op.create_index("ix_sample_route", "sample", ["route", "ts_ms", "id"])
    op.create_index("ix_sample_outcome", "sample", ["outcome", "ts_ms", "id"])
    op.create_index("ix_sample_fingerprint", "sample", ["fingerprint", "ts_ms", "id"])
    op.create_index("ix_sample_call", "sample", ["call_id"])
    op.create_table(
        "sample_record",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        _needed("record", sa.LargeBinary),
    )
    op.create_table(
        "sample_api",
        _needed("id", sa.BigInteger),
        _needed("api", sa.Integer),
        _needed("ts_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", "api", name="pk_sample_api"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sample_api_api", "sample_api", ["api", "ts_ms", "id"])
    op.create_table(
        "error_group",
        sa.Column("fingerprint", sa.String, primary_key=True),
        _needed("api", sa.Integer),
        _needed("error_class", sa.String),
        _needed("message", sa.Text),
        _needed("first_ms", sa.BigInteger),
        _needed("last_ms", sa.BigInteger),
        _needed("count", sa.BigInteger),
    )
    op.create_index("ix_error_group_last", "error_group", ["last_ms"])


def _control() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", _Id, primary_key=True, autoincrement=False),
        _needed("ts_ms", sa.BigInteger),
        _needed("actor", sa.Text),
        _needed("ip", sa.String),
        _needed("action", sa.String),
        _needed("object", sa.Text),
        _needed("before", sa.Text),
        _needed("after", sa.Text),
        _needed("prev_hash", sa.String),
        _needed("hash", sa.String),
        _needed("ref", sa.String),
        sa.UniqueConstraint("ref", name="uq_audit_ref"),
    )
    op.create_table(
        "state",
        sa.Column("key", sa.String, primary_key=True),
        _needed("value", sa.Text),
        _needed("version", sa.BigInteger),
    )
    op.create_table(
        "seen",
        _needed("instance", sa.String),
        _needed("boot", sa.String),
        _needed("last_seq", sa.BigInteger),
        _needed("at_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("instance", "boot", name="pk_seen"),
    )
    op.create_index("ix_seen_at", "seen", ["at_ms"])
    op.create_table(
        "leader",
        sa.Column("role", sa.String, primary_key=True),
        _needed("holder", sa.String),
        _needed("token", sa.BigInteger),
        _needed("until_ms", sa.BigInteger),
    )
    op.create_table(
        "instance",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        _needed("holder", sa.String),
        _needed("until_ms", sa.BigInteger),
        _needed("since_ms", sa.BigInteger),
    )


def downgrade() -> None:
    """There is nothing before: go back by restoring the copy that every upgrade makes."""
    raise NotImplementedError("the first revision cannot be undone; restore a backup: understudy db restore")
