"""What `understudy db` does to a store that no service of ours opens: upgrade, check, back up, restore, show SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from understudy.core.audit import AuditEntry, first_fault
from understudy.core.clock import Clock
from understudy.core.errors import NotInstalled, StoreUnavailable, StoreUnusable

from . import sqlite
from .audit import chain
from .filesystem import Owner, check_place, file_size, is_sqlite
from .options import StorageOptions
from .schema import REVISIONS, drift, revision
from .sqlite_schema import back_up, integrity_fault, prepare, put_back, unknown_revision
from .tables import ROLL, alert_episode, audit, outbox, sample, series, state
from .trouble import Trouble


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at a store found. `faults` are sentences; empty: all is well."""

    where: str
    revision: str
    bytes: int
    counts: dict[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The findings as JSON-ready values."""
        return {
            "where": self.where,
            "revision": self.revision,
            "bytes": self.bytes,
            "counts": dict(self.counts),
            "faults": list(self.faults),
        }


def upgrade(options: StorageOptions) -> tuple[str, str]:
    """Make the tables, or bring them to the newest revision; the revision before (empty: none) and now.

    Raises:
        StoreUnusable: it cannot be upgraded; nothing was touched, or everything is as it was.
        StoreUnavailable: it cannot be used now.
    """
    if options.kind == "postgresql":
        done: tuple[str, str] = _postgres().upgrade(options)
        return done
    path = _path(options)
    check_place(path)
    with _owned(path), told(path):
        before = _revision(_existing(options)) if path.exists() else ""
        prepare(path)
        return before, REVISIONS.head


def check(options: StorageOptions) -> Checked:
    """Look at everything without changing anything; also while a service is running.

    Raises:
        StoreUnusable: it is no store of ours.
        StoreUnavailable: it cannot be reached now.
    """
    if options.kind == "postgresql":
        seen: Checked = _postgres().check(options)
        return seen
    path = _existing(options)
    faults = []
    with told(path), sqlite.engine(path, sqlite.READER, begin="BEGIN").connect() as connection, connection.begin():
        found = revision(connection) or ""
        if not found:
            raise StoreUnusable(f"{path} holds no tables of Understudy")
        fault = integrity_fault(connection.connection.dbapi_connection)
        if fault:
            faults.append(f"the file is damaged: {fault}")
        counts: dict[str, int] = {}
        if found != REVISIONS.head:
            faults.append(_other_revision(str(path), found))
        elif not fault:
            faults += look_inside(connection)
            counts = contents(connection)
    return Checked(str(path), found, file_size(path), counts, tuple(faults))


def back_up_store(options: StorageOptions, target: Path | None, clock: Clock) -> Path:
    """Copy a store into a file, also while a service is running; the file.

    Raises:
        StoreUnusable: it cannot be copied; the text says why.
        StoreUnavailable: it cannot be reached now.
    """
    at = datetime.fromtimestamp(clock.time(), UTC)
    if options.kind == "postgresql":
        file = target or Path(f"understudy-{at:%Y%m%dT%H%M%SZ}.dump")
        _refuse_existing(file)
        _postgres().back_up(options, file)
        return file
    path = _existing(options)
    file = target or path.with_name(f"{path.name}.backup-{at:%Y%m%dT%H%M%SZ}")
    _refuse_existing(file)
    back_up(path, file)
    with told(file), closing(sqlite.open_file(str(file))) as raw:
        fault = integrity_fault(raw)
    if fault:
        raise StoreUnusable(f"{file} was written, but it is as damaged as the store: {fault}")
    return file


def restore(options: StorageOptions, source: Path, clock: Clock) -> Path | None:
    """Put a copy in the place of the store; where the old file went, None where there was none.

    Raises:
        StoreUnusable: the copy is no sound store of a known version, or a service is running; nothing was touched.
        StoreUnavailable: the server cannot be reached now.
    """
    if not source.is_file():
        raise StoreUnusable(f"{source} is no file")
    if options.kind == "postgresql":
        _postgres().restore(options, source)
        return None
    path = _path(options)
    _check_copy(source)
    check_place(path)
    with _owned(path), told(path):
        aside = None
        if path.exists() and path.stat().st_size:
            at = datetime.fromtimestamp(clock.time(), UTC)
            aside = path.with_name(f"{path.name}.before-restore-{at:%Y%m%dT%H%M%SZ}")
            back_up_or_move(path, aside)
        put_back(source, path)
        prepare(path)
    return aside


def upgrade_sql(options: StorageOptions) -> str:
    """What an upgrade of this store would do, as SQL for people to read or run; empty when there is nothing to do."""
    if options.kind == "postgresql":
        return str(_postgres().upgrade_sql(options))
    path = _path(options)
    with told(path):
        found = _revision(path) if path.exists() and path.stat().st_size else ""
    return "" if found == REVISIONS.head else REVISIONS.upgrade_sql("sqlite", found or None)


async def note(options: StorageOptions, clock: Clock, action: str, detail: dict[str, Any]) -> None:
    """Enter an act at the command line into the audit log of a store that no service has open."""
    from . import open_store

    store = open_store(options, clock)
    try:
        await store.audit.append(AuditEntry(clock.time(), "command line", action, after=detail))
    finally:
        await store.close()


# -- shared with PostgreSQL -------------------------------------------------------------------------


def look_inside(connection: Connection) -> list[str]:
    """What is wrong with the tables and the audit log."""
    found = [f"the tables are not as this version makes them: {each}" for each in drift(connection)]
    fault = first_fault(chain(connection))
    return [*found, fault] if fault else found


def contents(connection: Connection) -> dict[str, int]:
    """How many rows there are of what people ask about."""
    counted = {"series": series, "requests": sample, "state": state, "acts": audit, "alerts": alert_episode}
    counts = {name: connection.execute(select(func.count()).select_from(table)).scalar_one()
              for name, table in counted.items()}  # fmt: skip
    further = {
        "waiting": select(func.count()).where(literal_column("state = 'pending'")).select_from(outbox),
        "dead": select(func.count()).where(literal_column("state = 'dead'")).select_from(outbox),
        "days": select(func.count(ROLL[86400].c.ts.distinct())),
    }
    return counts | {name: connection.execute(question).scalar_one() for name, question in further.items()}


def back_up_or_move(path: Path, aside: Path) -> None:
    """Take a file out of its place: as a sound copy where that can be made, else as it is, with its log."""
    try:
        back_up(path, aside)
    except StoreUnusable:
        path.rename(aside)
        for end in ("-wal", "-shm"):
            beside = path.with_name(path.name + end)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + end))


def _other_revision(where: str, found: str) -> str:
    if REVISIONS.knows(found):
        return f"{where} has tables of revision {found}, this version needs {REVISIONS.head}: run understudy db upgrade"
    return str(unknown_revision(where, found))


# -- SQLite -----------------------------------------------------------------------------------------


def _path(options: StorageOptions) -> Path:
    if options.kind == "memory":
        raise StoreUnusable("storage.url is memory: which lasts no longer than a service; name a file or a database")
    return options.path


def _existing(options: StorageOptions) -> Path:
    path = _path(options)
    if not path.exists():
        raise StoreUnusable(f"there is no {path}: storage.url names another file, or nothing was kept yet")
    if not is_sqlite(path):
        raise StoreUnusable(f"{path} is not a SQLite database")
    return path


def _revision(path: Path) -> str:
    with sqlite.engine(path, sqlite.READER, begin="BEGIN").connect() as connection, connection.begin():
        return revision(connection) or ""


def _check_copy(source: Path) -> None:
    if not is_sqlite(source) or not source.stat().st_size:
        raise StoreUnusable(f"{source} is not a SQLite database")
    with told(source), sqlite.engine(source, sqlite.READER, begin="BEGIN").connect() as connection, connection.begin():
        found = revision(connection)
        if not found:
            raise StoreUnusable(f"{source} is no copy of a store of Understudy")
        if not REVISIONS.knows(found):
            raise unknown_revision(str(source), found)
        fault = integrity_fault(connection.connection.dbapi_connection)
    if fault:
        raise StoreUnusable(f"{source} is damaged: {fault}")


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise StoreUnusable(f"{file} exists already, and is not written over")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's own errors in our words."""
    try:
        yield
    except sqlite.ERRORS as error:
        if sqlite.meaning(error) is Trouble.BUSY:
            raise StoreUnavailable(f"{path} is locked by another process") from None
        raise StoreUnusable(f"{path} cannot be used: {sqlite.cause(error)}") from None


@contextmanager
def _owned(path: Path) -> Iterator[None]:
    owner = Owner(path)
    owner.take()
    try:
        yield
    finally:
        owner.release()


def _postgres() -> Any:
    try:
        from . import postgres_admin
    except ImportError:
        raise NotInstalled("PostgreSQL", "postgres") from None
    return postgres_admin
