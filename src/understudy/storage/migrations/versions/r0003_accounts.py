"""Accounts, sessions, tokens, and the set-up token of the first administrator."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _needed(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.String, primary_key=True)


def upgrade() -> None:
    """Make the tables; nothing that was there changes."""
    op.create_table(
        "account",
        _key("id"),
        _needed("name", sa.Text),
        _needed("folded", sa.Text),
        _needed("role", sa.String),
        _needed("password", sa.Text),
        *(_needed(f"{name}_ms", sa.BigInteger) for name in ("created", "password", "signed_in")),
        _needed("disabled", sa.Text),
        sa.UniqueConstraint("folded", name="uq_account_folded"),
    )
    op.create_table(
        "session",
        _key("digest"),
        _needed("account", sa.String),
        *(_needed(f"{name}_ms", sa.BigInteger) for name in ("created", "seen", "proved")),
        _needed("ip", sa.String),
        _needed("agent", sa.Text),
    )
    op.create_index("ix_session_account", "session", ["account"])
    op.create_table(
        "token",
        _key("id"),
        _needed("name", sa.Text),
        _needed("account", sa.String),
        _needed("digest", sa.String),
        *(_needed(name, sa.Text) for name in ("scopes", "apis", "ips")),
        *(_needed(f"{name}_ms", sa.BigInteger) for name in ("created", "expires", "used")),
        _needed("used_ip", sa.String),
    )
    op.create_table("setup", _key("digest"), _needed("until_ms", sa.BigInteger))


def downgrade() -> None:
    """Nothing is undone: go back by restoring the copy that every upgrade makes."""
    raise NotImplementedError("this revision cannot be undone; restore a backup: understudy db restore")
