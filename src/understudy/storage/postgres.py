"""PostgreSQL through psycopg 3: connections without any state of a session, and what its errors mean.

Every setting is made for one transaction, statements are not prepared, and locks end with their
transaction, so a pooler such as PgBouncer may stand in between in its transaction mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, ResourceClosedError
from sqlalchemy.pool import NullPool

from understudy.core.errors import LeaseLost, StoreUnavailable, StoreUnusable

from .options import StorageOptions
from .trouble import Trouble

#: Whatever the driver raises, by itself and through SQLAlchemy.
ERRORS = (psycopg.Error, DBAPIError)

#: Seconds until a server that does not answer is given up, and until a dead connection is noticed.
CONNECT_TIMEOUT, DEAD_AFTER = 5, 10

#: What one transaction is told, by what it is for. Times in ms.
SETTINGS = {
    "control": {"synchronous_commit": "on", "lock_timeout": "2000", "statement_timeout": "10000"},
    "statistics": {"synchronous_commit": "off", "lock_timeout": "2000", "statement_timeout": "30000"},
    "reader": {"transaction_read_only": "on", "lock_timeout": "5000", "statement_timeout": "60000"},
}

#: By SQLSTATE: its five characters, or its class.
_MEANING = {
    "53100": Trouble.FULL,
    "57P01": Trouble.AWAY, "57P02": Trouble.AWAY, "57P03": Trouble.AWAY, "57P05": Trouble.AWAY, "53300": Trouble.AWAY,
    "25006": Trouble.AWAY,  # a server that only follows: the one that leads is elsewhere by now
    "25P03": Trouble.AWAY,
    "57014": Trouble.BUSY, "55P03": Trouble.BUSY, "40001": Trouble.BUSY, "40P01": Trouble.BUSY,
    "42501": Trouble.READ_ONLY,
    "08": Trouble.AWAY, "28": Trouble.AWAY, "3D": Trouble.AWAY, "53": Trouble.IO, "58": Trouble.IO, "XX": Trouble.IO,
    "42P01": Trouble.IO,  # the tables are gone
}  # fmt: skip


def connector(options: StorageOptions) -> Callable[[], psycopg.Connection[Any]]:
    """Opens connections as the options say. The password goes to the driver only, never into a URL."""
    parameters: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": DEAD_AFTER * 1000,
        "application_name": "understudy",
        **options.server(),
    }

    def connect() -> psycopg.Connection[Any]:
        secret: dict[str, Any] = {}
        if options.password is not None:
            secret["password"] = options.password.reveal()
        return psycopg.connect(**parameters, **secret, prepare_threshold=None)

    return connect


def engine(connect: Callable[[], psycopg.Connection[Any]], purpose: str) -> Engine:
    """An engine whose transactions are told what they are for."""
    made = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool, use_native_hstore=False)
    # Set before anything is asked. What one reader asks is answered from one state, whatever others write meanwhile.
    one_state = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; " if purpose == "reader" else ""
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in SETTINGS[purpose].items())

    @event.listens_for(made, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(f"{one_state}SELECT {settings}")

    return made


def meaning(error: BaseException) -> Trouble | None:
    """What an error of PostgreSQL means; None when the work was wrong, not the server."""
    if isinstance(error, (StoreUnavailable, StoreUnusable, LeaseLost)):
        return None
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, ResourceClosedError):
        return Trouble.AWAY  # the connection broke in the statement before
    if not isinstance(original, psycopg.Error):
        return None
    state = original.sqlstate
    if state is None:  # the server did not say it: the connection was not made, or broke
        return Trouble.AWAY if isinstance(original, (psycopg.OperationalError, psycopg.InterfaceError)) else None
    return _MEANING.get(state) or _MEANING.get(state[:2])


def cause(error: BaseException) -> str:
    """The first line of what the driver said; it never holds a password."""
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0] if lines else type(original).__name__


def refusal(error: BaseException, where: str, user: str) -> StoreUnusable | None:
    """What is said when the server answered that it will never let us in; None when it may some time."""
    original = getattr(error, "orig", None) or error
    told = cause(error)
    state = getattr(original, "sqlstate", None)
    # While a connection is made the driver has no state for us, only the server's words.
    if state in ("28P01", "28000") or "authentication failed" in told or "no password supplied" in told:
        return StoreUnusable(
            f"{where} refuses the user {user or 'of this process'}: check storage.url, and storage.password "
            '(as in password = "env:NAME")'
        )
    if state == "3D000" or ('database "' in told and "does not exist" in told):
        return StoreUnusable(f"{where} does not exist: make the database, or name another in storage.url")
    if 'role "' in told and "does not exist" in told:
        return StoreUnusable(f"{where} knows no user {user}: make the role, or name another in storage.url")
    return None
