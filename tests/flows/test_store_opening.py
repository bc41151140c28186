"""How a store is opened: what is refused, in one clear line and with nothing touched, and how it is upgraded."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mounts import read_only, small_disk, writable

from understudy.config.sentences import said
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import OptionError, StoreUnavailable, StoreUnusable
from understudy.core.secrets import Secret
from understudy.core.text import texts
from understudy.storage import StorageOptions, open_store
from understudy.storage.filesystem import check_place, mounted_as
from understudy.storage.schema import REVISIONS, drift
from understudy.storage.sqlite import CONTROL, engine
from understudy.storage.sqlite_store import SqliteStore
from understudy.storage.tables import APPLICATION_ID, HEAD


def options(path: Path, **more: object) -> StorageOptions:
    return StorageOptions(url=f"sqlite:///{path}", **more)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "understudy.db"


@pytest.fixture
async def made(path) -> Path:
    """A database of the newest revision that nobody has open, with one value in it."""
    store = open_store(options(path), SYSTEM_CLOCK)
    await store.state.save({"kept": 1})
    await store.close()
    return path


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content, but for the lock that shows who has it."""
    return {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.endswith(".lock")}


def refusal(path: Path, **more: object) -> str:
    with pytest.raises(StoreUnusable) as caught:
        open_store(options(path, **more), SYSTEM_CLOCK)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- the URL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["", "understudy.db", "sqlite:///", "sqlite://host/x.db", "mysql://u@h/d", "postgresql://host", "sqlite:x", "http://x/y",
     "postgresql://u@h:99999999/d"],
)  # fmt: skip
def test_a_url_of_no_store_is_an_option_outside_its_range(url):
    with pytest.raises(OptionError):
        StorageOptions(url=url)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@h/d", "postgresql://u@h/d?password=hunter2"])
def test_a_password_in_the_url_is_refused_and_not_shown(url):
    with pytest.raises(OptionError) as caught:
        StorageOptions(url=url)
    assert "hunter2" not in str(caught.value)
    assert "password" in str(caught.value)


def test_the_parts_of_a_url_are_what_the_drivers_need():
    assert StorageOptions(url="sqlite:///data/x.db").path == Path("data/x.db")
    assert StorageOptions(url="sqlite:////var/lib/x%20y.db").path == Path("/var/lib/x y.db")
    server = StorageOptions(url="postgresql://ana%40x@db.local:5433/us?sslmode=require", password=Secret("p"))
    assert (server.kind, server.server()) == (
        "postgresql",
        {"host": "db.local", "port": "5433", "user": "ana@x", "dbname": "us", "sslmode": "require"},
    )


# -- a new file ------------------------------------------------------------------------------------


def pragmas(*names: str):
    return lambda connection: tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names)


async def test_every_connection_is_told_what_the_measurements_ask_for(path):
    store = SqliteStore(options(path), SYSTEM_CLOCK)
    common = (
        "auto_vacuum",
        "journal_mode",
        "foreign_keys",
        "application_id",
        "wal_autocheckpoint",
        "journal_size_limit",
    )
    own = ("synchronous", "busy_timeout", "cache_size", "query_only")
    same = (2, "wal", 1, APPLICATION_ID, 1000, 64 << 20)  # 2: incremental
    try:
        control = store._writer.control(pragmas(*common, *own)).result(10)
        statistics = store._writer.statistics(pragmas(*common, *own)).result(10)
        reader = store._readers.submit(pragmas(*common, *own)).result(10)
    finally:
        await store.close()
    assert control == (*same, 2, 1000, -4096, 0), "FULL"
    assert statistics == (*same, 1, 250, -65536, 0), "NORMAL"
    assert (reader[:6], reader[-1]) == (same, 1)


async def test_a_new_file_and_its_folder_are_made_and_only_the_owner_can_read_it(tmp_path):
    path = tmp_path / "a" / "b" / "understudy.db"
    store = open_store(options(path), SYSTEM_CLOCK)
    await store.state.save({"a": 1})
    try:
        for each in path.parent.iterdir():
            if not each.name.endswith(".reserve"):
                assert each.stat().st_mode & 0o077 == 0, each.name
    finally:
        await store.close()


async def test_the_tables_are_as_they_are_described(made):
    with engine(made, CONTROL).connect() as connection:
        assert drift(connection) == []


def test_the_newest_revision_is_the_one_that_is_looked_for():
    assert REVISIONS.known()[-1] == HEAD


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_upgrade_can_be_written_as_sql(dialect):
    sql = REVISIONS.upgrade_sql(dialect, None)
    assert "CREATE TABLE roll_10s" in sql
    assert ("WITHOUT ROWID" in sql) == (dialect == "sqlite")
    assert ("PARTITION BY RANGE (ts)" in sql) == (dialect == "postgresql")


def test_a_known_file_is_opened_fast(made):
    program = (
        "import sys, time; begun = time.perf_counter()\n"
        "from understudy.core.clock import SYSTEM_CLOCK\n"
        "from understudy.storage import StorageOptions, open_store\n"
        "store = open_store(StorageOptions(url=sys.argv[1]), SYSTEM_CLOCK)\n"
        "print(time.perf_counter() - begun, 'alembic' in sys.modules and 'alembic.command' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{made}"], capture_output=True, text=True, check=True, timeout=60
    )
    seconds, migrated = run.stdout.split()
    assert float(seconds) < 2.0
    assert migrated == "False", "the library for upgrades is loaded only when there is something to upgrade"


# -- what is refused -------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_left_alone(path):
    path.write_text("minutes of the last meeting\n" * 100)
    before = everything(path.parent)
    assert "is not a SQLite database" in refusal(path)
    assert everything(path.parent) == before


def test_a_database_of_another_program_is_left_alone(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
        other.commit()
    before = everything(path.parent)
    assert "another program" in refusal(path)
    assert everything(path.parent) == before


async def test_a_database_of_a_newer_version_is_left_alone_and_the_way_back_is_named(made):
    with closing(sqlite3.connect(made)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    before = everything(made.parent)
    message = refusal(made)
    assert "9999" in message
    assert "understudy db restore" in message
    assert everything(made.parent) == before


def test_a_folder_is_no_file(tmp_path):
    assert "is no file" in refusal(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(path):
    path.write_text("")
    assert "cannot be made" in refusal(path / "below" / "understudy.db")


async def test_a_second_service_on_the_same_file_is_refused_and_the_first_named(made):
    first = open_store(options(made), SYSTEM_CLOCK)
    try:
        message = refusal(made)
        assert "in use by another Understudy" in message
        assert "em uso por outro Understudy (processo " in said(message, texts("pt-BR"))
        assert "(process" in message
        assert "PostgreSQL" in message
        await first.state.save({"a": 1})
    finally:
        await first.close()
    second = open_store(options(made), SYSTEM_CLOCK)
    assert await second.state.load() == {"a": 1, "kept": 1}
    await second.close()


def test_nothing_that_is_read_only_is_used(tmp_path):
    with small_disk(tmp_path / "disk", "16m") as disk:
        path = disk / "understudy.db"
        read_only(disk)
        assert f"{disk} cannot be written" in refusal(path)
        writable(disk)
        path.write_bytes(b"")
        read_only(disk)
        assert f"{path} cannot be written" in refusal(path)
        writable(disk)


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("98 1 0:45 / /data rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2", True),
        ("98 1 0:45 / /data rw - cifs //server/share rw", True),
        ("98 1 0:45 / /data rw shared:1 master:2 - fuse.sshfs me@host:/ rw", True),
        ("98 1 0:45 / /data rw - ext4 /dev/sdb1 rw", False),
        ("98 1 0:45 / /data/other rw - nfs4 server:/export rw", False),
        ("98 1 0:45 / /dat rw - nfs4 server:/export rw", False),
        ("98 1 0:45 / /data rw - nfs4 server:/export rw\n99 98 8:1 / /data rw - xfs /dev/sdc rw", False),
        ("98 1 0:45 / / rw - ext4 /dev/sda rw\n99 98 0:46 / /data rw - nfs server:/x rw", True),
    ],
)
def test_a_network_file_system_is_refused(tmp_path, line, refused):
    data = tmp_path / "data"
    data.mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(line.replace(" /dat", f" {tmp_path}/dat") + "\n")
    if not refused:
        check_place(data / "deeper" / "x.db", mounts)
        return
    with pytest.raises(StoreUnusable, match="network file system"):
        check_place(data / "deeper" / "x.db", mounts)
    assert not (data / "deeper").exists()


def test_the_place_of_a_mount_may_have_spaces(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("98 1 0:45 / /my\\040data rw - nfs4 server:/export rw\n")
    assert mounted_as(Path("/my data/x"), mounts) == "nfs4"
    assert mounted_as(Path("/my"), mounts) == ""
    assert mounted_as(Path("/my data/x"), tmp_path / "nothing") == ""


def test_the_file_systems_of_this_machine_can_be_told(tmp_path):
    assert mounted_as(Path("/proc/self")) == "proc"
    check_place(tmp_path / "x.db")


def test_a_file_that_is_locked_for_good_is_not_available(path, monkeypatch):
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("understudy.storage.sqlite._EVERY", ("PRAGMA busy_timeout=50",))
        with pytest.raises(StoreUnavailable, match="locked by another process"):
            SqliteStore(options(path), SYSTEM_CLOCK, open_it=lambda name: sqlite3.connect(name, timeout=0.05))


# -- upgrades --------------------------------------------------------------------------------------

COMING = f"{int(HEAD) + 1:04}"
NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{next}", "{newest}", None, None


def upgrade():
    op.add_column("state", sa.Column("note", sa.Text))
    {more}
"""


def next_version(folder: Path, more: str = "pass"):
    """The revisions of a version to come, which adds a column and does something more."""
    shutil.copytree(REVISIONS.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = NEXT.format(more=more, newest=HEAD, next=COMING)
    (folder / "versions" / f"r{COMING}_next.py").write_text(text)
    return replace(REVISIONS, folder=folder, head=COMING)


def columns(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as raw:
        return [row[1] for row in raw.execute("PRAGMA table_info(state)")]


async def test_an_older_file_is_copied_then_upgraded_by_itself(made, tmp_path):
    store = SqliteStore(options(made), SYSTEM_CLOCK, revisions=next_version(tmp_path / "next"))
    assert await store.state.load() == {"kept": 1}
    await store.close()
    assert "note" in columns(made)
    copy = made.with_name(f"understudy.db.before-{COMING}")
    assert "note" not in columns(copy)
    assert copy.stat().st_mode & 0o077 == 0
    assert "9999" not in refusal(made), "and this version does not know it any more"
    copy.replace(made)
    old = open_store(options(made), SYSTEM_CLOCK)
    assert await old.state.load() == {"kept": 1}
    await old.close()


UNSOUND = (
    "op.execute('PRAGMA writable_schema=ON')\n    "
    "op.execute(\"UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'leader'\")"
)


@pytest.mark.parametrize(
    "more",
    ["raise ValueError('no')", "op.execute('INSERT INTO nowhere VALUES (1)')", UNSOUND],
    ids=["raises", "bad sql", "unsound"],
)
async def test_an_upgrade_that_fails_leaves_everything_as_it_was(made, tmp_path, more):
    with pytest.raises(StoreUnusable, match="as it was before"):
        SqliteStore(options(made), SYSTEM_CLOCK, revisions=next_version(tmp_path / "next", more))
    assert "note" not in columns(made)
    store = open_store(options(made), SYSTEM_CLOCK)
    assert await store.state.load() == {"kept": 1}
    await store.close()


async def test_without_room_for_the_copy_nothing_is_upgraded(made, tmp_path):
    revisions = next_version(tmp_path / "next")
    with small_disk(tmp_path / "disk", "3m") as disk:
        small = Path(shutil.copy(made, disk))
        with (disk / "ballast").open("wb") as ballast:
            ballast.write(bytes(1_900_000))
        with pytest.raises(StoreUnusable, match="MiB free"):
            SqliteStore(options(small), SYSTEM_CLOCK, revisions=revisions)
        assert "note" not in columns(small)


def test_a_place_where_no_file_can_be_is_refused_in_one_line():
    with pytest.raises(StoreUnusable, match=r"cannot be (made|written) .*set storage\.url to another place"):
        open_store(StorageOptions(url="sqlite:////proc/understudy.db"), SYSTEM_CLOCK)
