"""A row that tells of the beginning of its alert, too, says so at the head of its reason, whatever happens to it later.

What keeps it from being delivered stands behind that.
"""

from __future__ import annotations

from understudy.core.outbox import OutboxRow

#: What `OutboxRow.reason` begins with where an end stands for its beginning, too.
MERGED = "fired and resolved"
_BEHIND = f"{MERGED}: "


def is_merged(row: OutboxRow) -> bool:
    """Whether the row tells of beginning and end."""
    return row.reason == MERGED or row.reason.startswith(_BEHIND)


def cause(row: OutboxRow) -> str:
    """What has kept the row from being delivered so far; empty when nothing has."""
    return row.reason.removeprefix(MERGED).removeprefix(": ") if is_merged(row) else row.reason


def because(row: OutboxRow, reason: str) -> str:
    """The reason of a row with what has happened to it now."""
    if not is_merged(row):
        return reason
    return f"{_BEHIND}{reason}" if reason else MERGED
