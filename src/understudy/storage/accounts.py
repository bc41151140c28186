"""Accounts, sessions and tokens in SQL. Values are bound, never written into a statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from understudy.core.accounts import IDLE, LONGEST, Account, Session, Token

from .control import Desk
from .dialect import is_sqlite
from .packing import clean, ms
from .tables import account, session, setup, token


class SqlAccounts:
    """The `AccountStore` of the SQL stores."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def accounts(self) -> list[Account]:
        """As `core.accounts.AccountStore.accounts`."""
        rows = select(account)
        found = await self._desk.read(lambda connection: [_account(row) for row in connection.execute(rows)])
        return sorted(found, key=lambda each: each.name.casefold())

    async def add(self, made: Account) -> bool:
        """As `core.accounts.AccountStore.add`."""

        def work(connection: Connection) -> bool:
            _alone(connection)
            return _add(connection, made)

        return await self._desk.write(work)

    async def change(self, made: Account) -> bool:
        """As `core.accounts.AccountStore.change`."""
        row = _account_row(made)

        def work(connection: Connection) -> bool:
            _alone(connection)
            taken = select(account.c.id).where(account.c.folded == row["folded"], account.c.id != made.id)
            if connection.execute(taken).first() is not None:
                return False
            if not _is_admin(made) and _last_admin(connection, made.id):
                return False
            done = connection.execute(update(account).where(account.c.id == made.id).values(**row))
            return done.rowcount == 1

        return await self._desk.write(work)

    async def remove(self, gone: str) -> bool:
        """As `core.accounts.AccountStore.remove`."""
        gone, tried = clean(gone), False

        def work(connection: Connection) -> bool:
            nonlocal tried
            again, tried = tried, True
            _alone(connection)
            if _last_admin(connection, gone):
                return False
            for table in (session, token):
                connection.execute(delete(table).where(table.c.account == gone))
            found = connection.execute(delete(account).where(account.c.id == gone)).rowcount == 1
            return found or again  # the try before may have been committed, though we were not told

        return await self._desk.write(work)

    async def offer_setup(self, digest: str, until: float) -> None:
        """As `core.accounts.AccountStore.offer_setup`."""

        def work(connection: Connection) -> None:
            connection.execute(delete(setup))
            connection.execute(insert(setup).values(digest=digest, until_ms=ms(until)))

        await self._desk.write(work)

    async def add_first(self, made: Account, digest: str, now: float) -> bool:
        """As `core.accounts.AccountStore.add_first`."""

        def work(connection: Connection) -> bool:
            _alone(connection)
            mine = select(account.c.id).where(account.c.id == made.id)
            if connection.execute(mine).first() is not None:
                return True  # the try before was committed, though we were not told
            burnt = delete(setup).where(setup.c.digest == digest, setup.c.until_ms > ms(now))
            if connection.execute(select(account.c.id).limit(1)).first() is not None:
                return False
            return connection.execute(burnt).rowcount == 1 and _add(connection, made)

        return await self._desk.write(work)

    async def session(self, digest: str) -> Session | None:
        """As `core.accounts.AccountStore.session`."""
        rows = select(session).where(session.c.digest == clean(digest))
        found = await self._desk.read(lambda connection: connection.execute(rows).one_or_none())
        return None if found is None else _session(found)

    async def sessions(self, of: str = "") -> list[Session]:
        """As `core.accounts.AccountStore.sessions`."""
        rows = select(session).order_by(session.c.seen_ms.desc(), session.c.digest)
        if of:
            rows = rows.where(session.c.account == of)
        return await self._desk.read(lambda connection: [_session(row) for row in connection.execute(rows)])

    async def begin(self, made: Session, ends: str = "") -> None:
        """As `core.accounts.AccountStore.begin`."""
        row = {
            "digest": made.digest, "account": made.account, "created_ms": ms(made.created_at),
            "seen_ms": ms(made.seen_at), "proved_ms": ms(made.proved_at), "ip": made.ip, "agent": clean(made.agent),
        }  # fmt: skip

        def work(connection: Connection) -> None:
            connection.execute(delete(session).where(session.c.digest.in_((ends, made.digest))))
            connection.execute(insert(session).values(**row))

        await self._desk.write(work)

    async def prove(self, digest: str, at: float) -> None:
        """As `core.accounts.AccountStore.prove`."""
        proved = update(session).where(session.c.digest == digest).values(proved_ms=ms(at))
        await self._desk.write(lambda connection: _done(connection, proved))

    async def end(self, digests: Sequence[str]) -> None:
        """As `core.accounts.AccountStore.end`."""
        gone = delete(session).where(session.c.digest.in_(tuple(digests)))
        await self._desk.write(lambda connection: _done(connection, gone))

    async def end_all(self, of: str, but: str = "") -> int:
        """As `core.accounts.AccountStore.end_all`."""
        gone = delete(session).where(session.c.account == of, session.c.digest != but)
        return await self._desk.write(lambda connection: connection.execute(gone).rowcount)

    async def forget_ended(self, now: float) -> None:
        """As `core.accounts.AccountStore.forget_ended`."""
        idle, long = session.c.seen_ms <= ms(now - IDLE), session.c.created_ms <= ms(now - LONGEST)

        def work(connection: Connection) -> None:
            connection.execute(delete(session).where(idle | long))
            connection.execute(delete(setup).where(setup.c.until_ms <= ms(now)))

        await self._desk.write(work)

    def seen(self, digest: str, at: float) -> None:
        """As `core.accounts.AccountStore.seen`."""
        noted = update(session).where(session.c.digest == digest, session.c.seen_ms < ms(at)).values(seen_ms=ms(at))
        self._desk.later(lambda connection: _done(connection, noted), "the last use of a session")

    def signed_in(self, of: str, at: float) -> None:
        """As `core.accounts.AccountStore.signed_in`."""
        noted = update(account).where(account.c.id == of).values(signed_in_ms=ms(at))
        self._desk.later(lambda connection: _done(connection, noted), "the last use of an account")

    async def tokens(self) -> list[Token]:
        """As `core.accounts.AccountStore.tokens`."""
        rows = select(token)
        found = await self._desk.read(lambda connection: [_token(row) for row in connection.execute(rows)])
        return sorted(found, key=lambda each: (each.name.casefold(), each.id))

    async def add_token(self, made: Token) -> None:
        """As `core.accounts.AccountStore.add_token`."""
        row = {
            "id": made.id, "name": clean(made.name), "account": made.account, "digest": made.digest,
            **{name: json.dumps(getattr(made, name)) for name in ("scopes", "apis", "ips")},
            "created_ms": ms(made.created_at), "expires_ms": ms(made.expires_at), "used_ms": ms(made.used_at),
            "used_ip": made.used_ip,
        }  # fmt: skip

        def work(connection: Connection) -> None:
            connection.execute(delete(token).where(token.c.id == made.id))  # a try before may have been committed
            connection.execute(insert(token).values(**row))

        await self._desk.write(work)

    async def remove_token(self, gone: str) -> bool:
        """As `core.accounts.AccountStore.remove_token`."""
        removed = delete(token).where(token.c.id == clean(gone))
        return await self._desk.write(lambda connection: connection.execute(removed).rowcount == 1)

    def used(self, of: str, at: float, ip: str) -> None:
        """As `core.accounts.AccountStore.used`."""
        noted = update(token).where(token.c.id == of).values(used_ms=ms(at), used_ip=ip)
        self._desk.later(lambda connection: _done(connection, noted), "the last use of a token")


def _alone(connection: Connection) -> None:
    """Two services must not decide about accounts at once; SQLite has one writer anyway."""
    if not is_sqlite(connection):
        connection.exec_driver_sql("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE")


def _done(connection: Connection, statement: Any) -> None:
    connection.execute(statement)


def _is_admin(one: Account) -> bool:
    return one.role == "admin" and not one.disabled


def _last_admin(connection: Connection, one: str) -> bool:
    """Whether an account is the only administrator who may sign in."""
    admins = select(account.c.id).where(account.c.role == "admin", account.c.disabled == "")
    return [row.id for row in connection.execute(admins)] == [one]


def _add(connection: Connection, made: Account) -> bool:
    row = _account_row(made)
    known = connection.execute(select(account).where(account.c.folded == row["folded"])).one_or_none()
    if known is not None:
        return bool(known.id == made.id)  # a try before was committed, though we were not told
    connection.execute(insert(account).values(**row))
    return True


def _account_row(made: Account) -> dict[str, Any]:
    return {
        "id": made.id, "name": clean(made.name), "folded": clean(made.name.casefold()), "role": made.role,
        "password": made.password, "created_ms": ms(made.created_at), "password_ms": ms(made.password_at),
        "signed_in_ms": ms(made.signed_in_at), "disabled": clean(made.disabled),
    }  # fmt: skip


def _account(row: Any) -> Account:
    return Account(
        row.id, row.name, row.role, row.password, row.created_ms / 1000, row.password_ms / 1000,
        row.signed_in_ms / 1000, row.disabled,
    )  # fmt: skip


def _session(row: Any) -> Session:
    return Session(
        row.digest, row.account, row.created_ms / 1000, row.seen_ms / 1000, row.proved_ms / 1000, row.ip, row.agent
    )


def _token(row: Any) -> Token:
    scopes, apis, ips = (tuple(json.loads(text)) for text in (row.scopes, row.apis, row.ips))
    return Token(
        row.id, row.name, row.account, row.digest, scopes, apis, ips, row.created_ms / 1000, row.expires_ms / 1000,
        row.used_ms / 1000, row.used_ip,
    )  # fmt: skip
