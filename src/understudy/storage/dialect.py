"""The few places where SQLite and PostgreSQL want different words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Float, Integer, LargeBinary, Table, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.types import TypeEngine

T = TypeVar("T")

_PIECE = 1000


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


def pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items a thousand at a time: a statement takes no more than some ten thousand values."""
    for place in range(0, len(items), _PIECE):
        yield items[place : place + _PIECE]


def contains(connection: Connection, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether a text holds another, to the letter: LIKE is blind to case in SQLite."""
    found: ColumnElement[bool] = (func.instr if is_sqlite(connection) else func.strpos)(column, part) > 0
    return found


def insert_many(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, replacing: bool = False,
    returning: str = "",
) -> list[Any]:  # fmt: skip
    """Insert rows of the same columns, no two of one key when they are `replacing` those of before; else new ones only.

    By the driver's own means, as it takes a third of the time of SQLAlchemy's, which looks at each value: in
    SQLite a statement that is made once and run for each row, in PostgreSQL one statement with an array for
    each column. `returning`, in PostgreSQL only, names a column to answer of the rows that were inserted.
    """
    if not rows:
        return []
    columns = tuple(rows[0])
    values = [tuple(row.values()) for row in rows]
    statement = _insertion(table, columns, is_sqlite(connection), replacing)
    if is_sqlite(connection):
        connection.exec_driver_sql(statement, values)
        return []
    arrays = tuple(map(list, zip(*values, strict=True)))
    if not returning:
        connection.exec_driver_sql(statement, arrays)
        return []
    return list(connection.exec_driver_sql(f"{statement} RETURNING {returning}", arrays).scalars())


@cache
def _insertion(table: Table, columns: tuple[str, ...], sqlite_: bool, replacing: bool) -> str:
    key = [column.name for column in table.primary_key.columns]
    others = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    conflict = f"({', '.join(key)}) DO UPDATE SET {others}" if replacing else "DO NOTHING"
    if sqlite_:
        source = f"VALUES ({', '.join('?' for _ in columns)})"
    else:
        arrays = ", ".join(f"%s::{_array_of(table.c[name].type)}" for name in columns)
        source = f"SELECT * FROM unnest({arrays})"  # noqa: S608 - names of ours; the values are bound
    return f"INSERT INTO {table.name} ({', '.join(columns)}) {source} ON CONFLICT {conflict}"


def _array_of(kind: TypeEngine[Any]) -> str:
    """The kind of an array of these, in PostgreSQL's words."""
    if isinstance(kind, LargeBinary):
        return "bytea[]"
    if isinstance(kind, Integer):
        return "bigint[]"
    return "float8[]" if isinstance(kind, Float) else "text[]"
