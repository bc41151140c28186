"""The few places where SQLite and PostgreSQL want different words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert


def is_sqlite(connection: Connection) -> bool:
    """Whether this is a connection to SQLite."""
    return connection.dialect.name == "sqlite"


def safe(connection: Connection) -> None:
    """Let this transaction of statistics wait for the server's disk: what it does cannot be done again."""
    if not is_sqlite(connection):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = on")


def insert(connection: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    """An INSERT that can say `on_conflict_…` in the words of this database."""
    return sqlite.insert(table) if is_sqlite(connection) else postgresql.insert(table)


def replace(connection: Connection, table: Table) -> Any:
    """An INSERT that takes the place of a row with the same primary key."""
    made = insert(connection, table)
    key = [column.name for column in table.primary_key.columns]
    others = {column.name: made.excluded[column.name] for column in table.columns if column.name not in key}
    return made.on_conflict_do_update(index_elements=key, set_=others)


def contains(connection: Connection, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether a text holds another, to the letter: LIKE is blind to case in SQLite."""
    found: ColumnElement[bool] = (func.instr if is_sqlite(connection) else func.strpos)(column, part) > 0
    return found
