"""The tables of a SQLite file: recognised, made, or brought to the newest revision with a copy to go back to."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from pathlib import Path

from understudy.core.errors import StoreUnusable

from . import sqlite
from .filesystem import create_private
from .schema import REVISIONS, Revisions, revision
from .tables import APPLICATION_ID

_log = logging.getLogger("understudy.storage")

#: Pages that are copied at once while a copy is made.
_PAGES = 1000


def made_by_us(path: Path) -> bool:
    """Whether a file that is no database any more was once one of ours."""
    with path.open("rb") as file:
        head = file.read(100)
        return head[68:72] == APPLICATION_ID.to_bytes(4, "big") or b"CREATE TABLE roll_10s" in file.read(1 << 16)


def prepare(path: Path, revisions: Revisions = REVISIONS, open_it: sqlite.Open = sqlite.open_file) -> None:
    """Bring an empty or older file to the newest tables.

    Raises:
        StoreUnusable: it holds something else; nothing was touched.
    """
    create_private(path)
    sqlite.new_file(path, APPLICATION_ID, open_it)
    engine = sqlite.engine(path, sqlite.CONTROL, open_it)
    with engine.connect() as connection:
        with connection.begin():
            found = revision(connection)
            if found is None:
                revisions.make(connection)
                return
        _refuse_foreign(path, found, revisions)
        if found == revisions.head:
            return
    upgrade(path, found, revisions, open_it)


def _refuse_foreign(path: Path, found: str, revisions: Revisions) -> None:
    if found == "":
        raise StoreUnusable(
            f"{path} is a database of another program, so it is left alone: set storage.url to another path"
        )
    if not revisions.knows(found):
        raise unknown_revision(str(path), found)


def upgrade(path: Path, found: str, revisions: Revisions = REVISIONS, open_it: sqlite.Open = sqlite.open_file) -> Path:
    """Bring a file of an older revision to the newest one; the copy that was made before.

    Raises:
        StoreUnusable: it did not work; the file is as it was.
    """
    head = revisions.head
    copy = path.with_name(f"{path.name}.before-{head}")
    _log.warning(
        "%s has tables of revision %s: copying it to %s before the upgrade to %s", path, found, copy.name, head
    )
    back_up(path, copy)
    engine = sqlite.engine(path, sqlite.CONTROL, open_it)
    try:
        with engine.connect() as connection, connection.begin():
            revisions.upgrade(connection)
        with engine.connect() as connection:  # a new one: it believes nothing that it has not read
            fault = integrity_fault(connection.connection.dbapi_connection)
    except Exception as error:
        put_back(copy, path)
        raise StoreUnusable(f"{path} could not be upgraded and is as it was before: {error}") from error
    if fault:
        put_back(copy, path)
        raise StoreUnusable(f"{path} was not sound after its upgrade and is as it was before: {fault}")
    _log.warning("%s was upgraded to revision %s", path, head)
    return copy


def back_up(path: Path, copy: Path) -> None:
    """Copy a database that may be in use.

    Raises:
        StoreUnusable: there is no room for it, or it cannot be written there.
    """
    needed = path.stat().st_size
    free = shutil.disk_usage(copy.parent).free
    if free < needed + (1 << 20):
        raise StoreUnusable(f"a copy of {path} needs {needed >> 20} MiB and {copy.parent} has {free >> 20} MiB free")
    unfinished = copy.with_name(copy.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    source, target = sqlite3.connect(path, timeout=5.0), sqlite3.connect(unfinished)
    try:
        source.backup(target, pages=_PAGES, sleep=0.001)
    except sqlite3.Error as error:
        unfinished.unlink(missing_ok=True)
        raise StoreUnusable(f"{path} could not be copied to {copy}: {error}") from error
    finally:
        target.close()
        source.close()
    unfinished.chmod(path.stat().st_mode & 0o777)
    unfinished.replace(copy)


def put_back(copy: Path, path: Path) -> None:
    """Put a copy in the place of a database that nobody has open; the copy stays."""
    unfinished = path.with_name(path.name + ".unfinished")
    shutil.copy2(copy, unfinished)
    # The log belongs to the file that goes: read into the other one, it would destroy it.
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    unfinished.replace(path)


def integrity_fault(raw: object) -> str:
    """What SQLite's own check finds first; the empty text when all is well."""
    rows = raw.cursor().execute("PRAGMA integrity_check(1)").fetchall()  # type: ignore[attr-defined]  # any DB-API one
    return "" if rows == [("ok",)] else str(rows[0][0])


def unknown_revision(where: str, found: str) -> StoreUnusable:
    """What is said about a store that a newer version has made."""
    return StoreUnusable(
        f"{where} has tables of revision {found}, which this version does not know: install the version that made it, "
        "or go back to an older copy with understudy db restore"
    )
