"""What was taken already: the highest number of each sender's numbered messages."""

from __future__ import annotations

from sqlalchemy import Connection

from .dialect import insert
from .tables import seen


def take(connection: Connection, instance: str, boot: str, seq: int, now_ms: int) -> bool:
    """Remember message `seq` of a sender, in the transaction that takes it; False when it is known.

    One statement, so that of two services that are handed the same message at once only one takes it.
    """
    made = insert(connection, seen).values(instance=instance, boot=boot, last_seq=seq, at_ms=now_ms)
    taken = made.on_conflict_do_update(
        index_elements=["instance", "boot"],
        set_={"last_seq": made.excluded.last_seq, "at_ms": made.excluded.at_ms},
        where=seen.c.last_seq < made.excluded.last_seq,
    )
    return connection.execute(taken, execution_options={"preserve_rowcount": True}).rowcount > 0
