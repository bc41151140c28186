"""What `understudy db` does to a PostgreSQL database. Copies are made by PostgreSQL's own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, func, select, text

from understudy.core.errors import StoreUnusable

from . import partitions
from .admin import Checked, contents, look_inside
from .health import HealthBoard
from .leases import now_ms
from .options import StorageOptions
from .postgres_backend import PostgresBackend
from .postgres_upgrade import upgrade
from .schema import REVISIONS, revision
from .sqlite_schema import unknown_revision
from .tables import instance, metadata

__all__ = ["back_up", "check", "restore", "upgrade", "upgrade_sql"]


#: The copy remembers the services that ran when it was made; and its script leaves no path to look for tables.
_NOBODY_RUNS = (
    "RESET search_path; UPDATE instance SET holder = '', until_ms = 0; UPDATE leader SET holder = '', until_ms = 0"
)


def check(options: StorageOptions) -> Checked:
    """As `admin.check`."""
    backend = backend_of(options)

    def work(connection: Connection) -> Checked:
        found = revision(connection) or ""
        size = int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
        if found != REVISIONS.head:
            fault = f"{backend.where} has tables of revision {found or 'none'}: run understudy db upgrade"
            if found and not REVISIONS.knows(found):
                fault = str(unknown_revision(backend.where, found))
            return Checked(backend.where, found, size, {}, (fault,))
        counts = contents(connection)
        counts["services"] = _running(connection)
        counts["parts"] = sum(len(partitions.existing(connection, tier)) for tier in partitions.MONTHLY)
        return Checked(backend.where, found, size, counts, tuple(look_inside(connection)))

    return backend.once(work)


def back_up(options: StorageOptions, file: Path) -> None:
    """As `admin.back_up_store`: a dump in pg_dump's own format."""
    backend_of(options).open()
    with _connection_string(options) as where:
        unfinished = file.with_name(file.name + ".unfinished")
        try:
            _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}", where)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)


def restore(options: StorageOptions, source: Path) -> None:
    """As `admin.restore`: the tables of the dump take the place of ours, all or none."""
    backend = backend_of(options)
    running = backend.once(lambda connection: _running(connection) if revision(connection) else 0)
    if running:
        raise StoreUnusable(f"{backend.where} is in use by {running} running services: stop them first")
    # Our tables go, and those of the copy come, in one transaction. `pg_restore --clean` cannot do that with tables
    # that have parts.
    names = [name for name in metadata.tables if not name.startswith("hot_")]
    tables = ", ".join([*(f'"{name}"' for name in names), "alembic_version"])
    with _connection_string(options) as where, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "restore.sql"
        _run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(source))
        _run(
            "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--dbname={where}",
            f"--command=DROP TABLE IF EXISTS {tables} CASCADE", f"--file={script}", f"--command={_NOBODY_RUNS}",
        )  # fmt: skip
    upgrade(options)


def upgrade_sql(options: StorageOptions) -> str:
    """As `admin.upgrade_sql`."""
    found = backend_of(options).once(revision) or ""
    return "" if found == REVISIONS.head else REVISIONS.upgrade_sql("postgresql", found or None)


def backend_of(options: StorageOptions) -> PostgresBackend:
    """The database of these options, with nothing open yet."""
    return PostgresBackend(options, HealthBoard("postgresql", ""))


def _running(connection: Connection) -> int:
    alive = (instance.c.holder != "") & (instance.c.until_ms > _now(connection))
    return connection.execute(select(func.count()).select_from(instance).where(alive)).scalar_one()


def _now(connection: Connection) -> int:
    from understudy.core.clock import SYSTEM_CLOCK

    return now_ms(connection, SYSTEM_CLOCK)


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise StoreUnusable(f"{program} is needed for this and not on PATH: install PostgreSQL's client programs")
    command = [found, *arguments]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - a program of PostgreSQL's by its path, arguments of ours
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and "NOTICE:" not in line]
        raise StoreUnusable(f"{program} failed: {lines[0] if lines else f'exit code {done.returncode}'}")


@contextmanager
def _connection_string(options: StorageOptions) -> Iterator[str]:
    """How those programs find the database: the password is in a file that only we can read, not in their arguments."""
    server = options.server()
    if options.password is None:
        yield make_conninfo(**server)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "password"
        secret = options.password.reveal().replace("\\", "\\\\").replace(":", "\\:")
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
            out.write(f"*:*:*:*:{secret}\n")
        yield make_conninfo(**server, passfile=str(file))
