"""Alerts, what must still be sent and what was, and documents that people edit."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _number() -> sa.Column[Any]:
    return sa.Column("id", _Id, primary_key=True, autoincrement=True)


def _index(name: str, table: str, *columns: str, where: str = "", unique: bool = False) -> None:
    condition: dict[str, Any] = {f"{each}_where": sa.text(where) for each in ("sqlite", "postgresql") if where}
    op.create_index(name, table, list(columns), unique=unique, **condition)


def upgrade() -> None:
    """Make the tables; nothing that was there changes."""
    _alerts()
    _outbox()
    _deliveries()
    op.create_table(
        "document",
        _needed("kind", sa.String),
        _needed("name", sa.Text),
        _needed("version", sa.Integer),
        _needed("at_ms", sa.BigInteger),
        _needed("actor", sa.Text),
        _needed("comment", sa.Text),
        sa.Column("doc", sa.Text),
        sa.PrimaryKeyConstraint("kind", "name", "version", name="pk_document"),
    )


def _alerts() -> None:
    op.create_table(
        "alert_state",
        sa.Column("fingerprint", sa.String, primary_key=True),
        _needed("at_ms", sa.BigInteger),
        _needed("doc", sa.Text),
    )
    op.create_table(
        "alert_episode",
        sa.Column("episode", sa.String, primary_key=True),
        _needed("fingerprint", sa.String),
        _needed("number", sa.Integer),
        _needed("rule", sa.Text),
        _needed("rule_version", sa.Integer),
        _needed("labels", sa.Text),
        _needed("severity", sa.String),
        _needed("peak", sa.String),
        _needed("started_ms", sa.BigInteger),
        sa.Column("resolved_ms", sa.BigInteger),
        _needed("reason", sa.Text),
        sa.Column("value", sa.Float),
        _needed("doc", sa.Text),
    )
    _index("uq_alert_episode_open", "alert_episode", "fingerprint", where="resolved_ms IS NULL", unique=True)
    _index("ix_alert_episode_fingerprint", "alert_episode", "fingerprint", "episode")
    _index("ix_alert_episode_rule", "alert_episode", "rule", "episode")
    _index("ix_alert_episode_resolved", "alert_episode", "resolved_ms")
    op.create_table(
        "alert_event",
        _number(),
        *(_needed(name, sa.String) for name in ("event_id", "episode", "fingerprint")),
        _needed("rule", sa.Text),
        _needed("kind", sa.String),
        _needed("at_ms", sa.BigInteger),
        _needed("severity", sa.String),
        _needed("actor", sa.Text),
        _needed("suppressed_by", sa.Text),
        _needed("notice", sa.LargeBinary),
        _needed("trace", sa.LargeBinary),
        sa.UniqueConstraint("event_id", name="uq_alert_event_event_id"),
        sqlite_autoincrement=True,
    )
    _index("ix_alert_event_episode", "alert_event", "episode", "at_ms", "id")
    _index("ix_alert_event_at", "alert_event", "at_ms", "id")
    op.create_table(
        "alert_signal",
        _number(),
        _needed("instance", sa.String),
        _needed("at_ms", sa.BigInteger),
        _needed("doc", sa.Text),
        sqlite_autoincrement=True,
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.String, primary_key=True),
        _needed("event_id", sa.String),
        _needed("channel", sa.String),
        _needed("destination", sa.Text),
        _needed("kind", sa.String),
        _needed("severity", sa.String),
        _needed("priority", sa.Integer),
        *(_needed(f"{name}_ms", sa.BigInteger) for name in ("created", "detected", "deadline", "not_before")),
        _needed("fingerprint", sa.String),
        _needed("episode", sa.String),
        _needed("pager", sa.Integer),
        _needed("recipients", sa.Text),
        _needed("state", sa.String),
        _needed("attempts", sa.Integer),
        _needed("plain", sa.Integer),
        _needed("ambiguous", sa.Integer),
        _needed("reason", sa.Text),
        _needed("told_in", sa.String),
        _needed("group_key", sa.String),
        _needed("instead_of", sa.String),
        _needed("owner", sa.String),
        _needed("token", sa.BigInteger),
        _needed("leased_ms", sa.BigInteger),
        sa.UniqueConstraint("event_id", "channel", name="uq_outbox_event_id_channel"),
        sqlite_with_rowid=False,
    )
    _index("ix_outbox_pending", "outbox", "id", where="state = 'pending'")
    _index("ix_outbox_dead", "outbox", "id", where="state = 'dead'")
    _index("ix_outbox_suppressed", "outbox", "created_ms", "channel", "reason", where="state = 'suppressed'")
    _index("ix_outbox_episode", "outbox", "episode", "id", where="episode <> ''")
    _index("ix_outbox_created", "outbox", "created_ms", "channel", "state", "ambiguous")
    _index("ix_outbox_channel", "outbox", "channel", "id")
    op.create_table("outbox_notice", sa.Column("id", sa.String, primary_key=True), _needed("notice", sa.LargeBinary))


def _deliveries() -> None:
    op.create_table(
        "delivery",
        _number(),
        _needed("row_id", sa.String),
        _needed("token", sa.BigInteger),
        _needed("channel", sa.String),
        _needed("number", sa.Integer),
        _needed("at_ms", sa.BigInteger),
        _needed("result", sa.String),
        _needed("took_us", sa.BigInteger),
        sa.Column("status", sa.Integer),
        _needed("error", sa.Text),
        _needed("response", sa.Text),
        _needed("provider_id", sa.Text),
        _needed("sent_bytes", sa.BigInteger),
        sa.Column("since_detected_us", sa.BigInteger),
        _needed("recipient", sa.Text),
        sa.UniqueConstraint("row_id", "token", "number", "at_ms", "recipient", name="uq_delivery_attempt"),
        sqlite_autoincrement=True,
    )
    _index("ix_delivery_at", "delivery", "at_ms", "id", "channel", "result")
    _index("ix_delivery_channel", "delivery", "channel", "at_ms", "id")
    _index("ix_delivery_error", "delivery", "channel", "at_ms", where="error <> ''")
    op.create_table(
        "receipt",
        _needed("channel", sa.String),
        _needed("episode", sa.String),
        _needed("at_ms", sa.BigInteger),
        _needed("provider_id", sa.Text),
        _needed("data", sa.Text),
        sa.PrimaryKeyConstraint("channel", "episode", name="pk_receipt"),
    )


def downgrade() -> None:
    """Nothing is undone: go back by restoring the copy that every upgrade makes."""
    raise NotImplementedError("this revision cannot be undone; restore a backup: understudy db restore")
