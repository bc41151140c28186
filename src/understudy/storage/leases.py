"""Leases of roles in SQL, and the comparison that keeps a holder of yesterday from writing today."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, extract, func, literal, select, update

from understudy.core.clock import Clock
from understudy.core.errors import LeaseLost
from understudy.core.lease import Lease

from .control import Desk
from .dialect import insert, is_sqlite
from .tables import leader

#: A lease that ends later than this was written by a clock that was wrong: it counts as over, ms.
_LONGEST_MS = 3_600_000
#: The time of the server, ms.
_NOW = cast(func.floor(extract("epoch", func.clock_timestamp()) * 1000), BigInteger)


class SqlLeases:
    """The `LeaseStore` of the SQL stores."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def claim(self, role: str, holder: str, ttl: float) -> Lease | None:
        """As `cluster.ports.LeaseStore.claim`."""
        asked = self._clock.monotonic()

        def work(connection: Connection) -> int | None:
            # Who has the role already renews it, which is nearly every time: one statement.
            mine = update(leader).where(leader.c.role == role, leader.c.holder == holder)
            later = mine.values(until_ms=_now(connection, self._clock) + round(ttl * 1000)).returning(leader.c.token)
            kept: int | None = connection.execute(later).scalar()
            if kept is not None:
                return kept
            now = now_ms(connection, self._clock)
            until = now + round(ttl * 1000)
            rows = select(leader.c.holder, leader.c.token, leader.c.until_ms).where(leader.c.role == role)
            found = connection.execute(rows.with_for_update()).one_or_none()
            if found is None:
                new = insert(connection, leader).values(role=role, holder="", token=0, until_ms=0)
                connection.execute(new.on_conflict_do_nothing())
                found = connection.execute(rows.with_for_update()).one()
            free = not found.holder or not now < found.until_ms <= now + _LONGEST_MS
            if found.holder != holder and not free:
                return None
            token: int = found.token + (found.holder != holder)
            changes = {"holder": holder, "token": token, "until_ms": until}
            connection.execute(update(leader).where(leader.c.role == role).values(changes))
            return token

        token = await self._desk.write(work)
        return None if token is None else Lease(role, holder, token, asked + ttl)

    async def release(self, lease: Lease) -> None:
        """As `cluster.ports.LeaseStore.release`."""
        mine = update(leader).where(
            leader.c.role == lease.role, leader.c.holder == lease.holder, leader.c.token == lease.token
        )

        def work(connection: Connection) -> None:
            connection.execute(mine.values(until_ms=0, holder=""))

        await self._desk.write(work)

    async def leaders(self) -> dict[str, tuple[str, int]]:
        """As `cluster.ports.LeaseStore.leaders`."""

        def work(connection: Connection) -> dict[str, tuple[str, int]]:
            now = now_ms(connection, self._clock)
            rows = connection.execute(select(leader).where(leader.c.until_ms > now, leader.c.holder != ""))
            return {row.role: (row.holder, row.token) for row in rows}

        return await self._desk.read(work)


def fence(connection: Connection, lease: Lease) -> None:
    """Let the transaction go on only while `lease` is the last that was given; holds that until its end.

    Raises:
        LeaseLost: another has claimed the role since.
    """
    token = select(leader.c.token).where(leader.c.role == lease.role, leader.c.holder == lease.holder)
    if connection.execute(token.with_for_update(read=True)).scalar() != lease.token:
        raise LeaseLost(f"the role {lease.role} was taken over by another instance: nothing was written")


def nobody_leads(connection: Connection) -> None:
    """Free every role; the tokens go on."""
    connection.execute(update(leader).values(holder="", until_ms=0))


def now_ms(connection: Connection, clock: Clock) -> int:
    """The time that all who share this store agree on: the server's, or this machine's."""
    if is_sqlite(connection):
        return round(clock.time() * 1000)
    return int(connection.execute(select(_NOW)).scalar_one())


def _now(connection: Connection, clock: Clock) -> ColumnElement[int]:
    """As `now_ms`, to stand in a statement."""
    return literal(round(clock.time() * 1000)) if is_sqlite(connection) else _NOW
