"""What was taken already: the highest number of each sender's numbered messages."""

from __future__ import annotations

from sqlalchemy import Connection, select

from .dialect import replace
from .tables import seen


def take(connection: Connection, instance: str, boot: str, seq: int, now_ms: int) -> bool:
    """Remember message `seq` of a sender, in the transaction that takes it; False when it is known."""
    last = select(seen.c.last_seq).where(seen.c.instance == instance, seen.c.boot == boot).with_for_update()
    found = connection.execute(last).scalar()
    if found is not None and seq <= found:
        return False
    values = {"instance": instance, "boot": boot, "last_seq": seq, "at_ms": now_ms}
    connection.execute(replace(connection, seen), values)
    return True
