"""The number under which a service writes its rows into a database that several share.

A number belongs to one running service. It is given back at a graceful end, and the next service goes on
with it; the number of a service that was killed is free again after a day. As long as that, a service
that was cut off or stopped may come back and go on under its number.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, text, update

from .tables import instance

#: How long a number is claimed ahead; and how long after that it is kept for its holder, ms.
TTL_MS, KEPT_MS = 120_000, 86_400_000
#: A holder that has not been heard of for so long is taken to have ended, ms.
GONE_MS = 600_000
#: Taken while a number is chosen, so that two services do not choose the same.
_LOCK = 0x55534459_0002


class NumberTaken(Exception):
    """Another service writes under this number by now; nothing was written."""


class Holder(NamedTuple):
    """Who has a number, and until when by the server's clock."""

    number: int
    holder: str
    until_ms: int


def claim(connection: Connection, holder: str, now_ms: int) -> int:
    """Take a number: one that was given back, or whose holder has been away for a day, or the next new one."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    free = (instance.c.holder == "") | (instance.c.until_ms < now_ms - KEPT_MS)
    number = connection.execute(select(func.min(instance.c.number)).where(free)).scalar()
    values = {"holder": holder, "until_ms": now_ms + TTL_MS, "since_ms": now_ms}
    if number is not None:
        connection.execute(update(instance).where(instance.c.number == number).values(values))
        return int(number)
    highest = connection.execute(select(func.max(instance.c.number))).scalar()
    number = 0 if highest is None else int(highest) + 1
    connection.execute(insert(instance).values(number=number, **values))
    return number


def renew(connection: Connection, number: int, holder: str, now_ms: int) -> bool:
    """Keep the number, also after it ran out as long as nobody has it; False when another has."""
    mine = update(instance).where(instance.c.number == number, instance.c.holder == holder)
    return connection.execute(mine.values(until_ms=now_ms + TTL_MS)).rowcount > 0


def is_held(connection: Connection, number: int, holder: str) -> bool:
    """Whether the number is still ours; it stays so until the end of this transaction."""
    mine = select(instance.c.number).where(instance.c.number == number, instance.c.holder == holder)
    return connection.execute(mine.with_for_update(read=True)).scalar() is not None


def give_back(connection: Connection, number: int, holder: str) -> None:
    """Let the next service have the number."""
    mine = update(instance).where(instance.c.number == number, instance.c.holder == holder)
    connection.execute(mine.values(holder="", until_ms=0))


def ended(connection: Connection, now_ms: int) -> list[Holder]:
    """The numbers whose holders have ended, or have not been heard of for long."""
    gone = (instance.c.holder == "") | (instance.c.until_ms < now_ms - GONE_MS)
    columns = select(instance.c.number, instance.c.holder, instance.c.until_ms)
    return [Holder(*row) for row in connection.execute(columns.where(gone).order_by(instance.c.number))]
