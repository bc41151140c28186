"""A store that an earlier version made, with data in it, becomes one of this version and loses nothing."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from servers import PASSWORD
from soak.storage_alerts import alert
from understudy.cli.commands import run
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import StoreUnusable
from understudy.monitor.rollup import COUNTERS
from understudy.storage import StorageOptions, open_store
from understudy.storage.postgres_upgrade import upgrade
from understudy.storage.schema import REVISIONS, Revisions, drift
from understudy.storage.sqlite import CONTROL, engine
from understudy.storage.sqlite_schema import prepare
from understudy.storage.tables import HEAD

NOON = 1_800_000_000
DAY = NOON // 86400 * 86400
EARLIER = [revision for revision in REVISIONS.known() if revision != HEAD]


@pytest.fixture(params=EARLIER)
def earlier(request, tmp_path) -> Revisions:
    """The revisions as they were when one of them was the newest."""
    folder = tmp_path / "revisions"
    shutil.copytree(REVISIONS.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (folder / "versions").glob("r*.py"):
        if file.name[1:5] > request.param:
            file.unlink()
    return Revisions(folder, request.param)


NUMBERS = ", ".join(COUNTERS)
#: Something of history and of control data, in tables that every version has.
FILLED = (
    "INSERT INTO state (key, value, version) VALUES ('kept', '[1, 2]', 3)",
    "INSERT INTO series (kind, name, created_ms) VALUES ('api', 'odds', 0)",
    f"INSERT INTO roll_1d (api, ts, inst, {NUMBERS}) SELECT id, {DAY}, 0{', 7' * len(COUNTERS)} FROM series",
)


async def works(options: StorageOptions) -> None:
    """What was there is there, and what is new can be used."""
    store = open_store(options, SYSTEM_CLOCK)
    try:
        assert await store.state.load() == {"kept": [1, 2]}
        totals = await store.rollups.totals(86400, "api", DAY, DAY + 86400)
        assert totals["odds"].n == 7
        rows = await store.alerts.commit(alert("new", NOON))
        assert len(await store.outbox.claim([row.id for row in rows], "a sender", 30)) == len(rows) == 2
        assert (await store.documents.put("rule", "slow", {}, actor="ana")).version == 1
    finally:
        await store.close()


async def test_a_file_is_copied_and_upgraded_when_it_is_opened(earlier, tmp_path):
    path = tmp_path / "understudy.db"
    prepare(path, earlier)
    with closing(sqlite3.connect(path)) as raw:
        for statement in FILLED:
            raw.execute(statement)
        raw.commit()
        before = set(raw.execute("SELECT name FROM sqlite_schema"))
    await works(StorageOptions(url=f"sqlite:///{path}"))
    with engine(path, CONTROL).connect() as connection:
        assert drift(connection) == []
    with closing(sqlite3.connect(path.with_name(f"understudy.db.before-{HEAD}"))) as copy:
        assert set(copy.execute("SELECT name FROM sqlite_schema")) == before
        assert copy.execute("SELECT value FROM state").fetchall() == [("[1, 2]",)]


async def test_a_database_is_upgraded_by_command_and_not_used_before(earlier, postgres, tmp_path, monkeypatch, capsys):
    name = postgres.new_database()
    options = postgres.options(name)
    assert upgrade(options, earlier) == ("", earlier.head)
    for statement in FILLED:
        postgres.execute(statement, database=name)
    with pytest.raises(StoreUnusable, match=f"revision {earlier.head}.*understudy db upgrade"):
        open_store(options, SYSTEM_CLOCK)
    monkeypatch.setenv("TEST_PG_PASSWORD", PASSWORD)
    config = tmp_path / "understudy.toml"
    config.write_text(f'[storage]\nurl = "{postgres.url(name)}"\npassword = "env:TEST_PG_PASSWORD"\n')
    assert _db("check", config) == 1
    assert _db("sql", config) == 0
    assert "CREATE TABLE account" in capsys.readouterr().out
    assert _db("upgrade", config) == 0
    assert _db("check", config) == 0
    await works(options)


def _db(command: str, config: Path) -> int:
    with ThreadPoolExecutor(1) as thread:  # a program of its own has no loop that runs
        return thread.submit(run, ["db", command, "--config", str(config)]).result()


def test_a_new_file_is_made_without_alembic_and_is_what_the_revisions_make(tmp_path):
    """When this fails, a revision was added: run tools/write_tables.py."""
    assert REVISIONS.script("sqlite").read_text("utf-8") == REVISIONS.new_sql("sqlite")

    def made(name: str, make) -> list[tuple[str, ...]]:
        with engine(tmp_path / name, CONTROL).connect() as connection:
            with connection.begin():
                make(connection)
            found = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2")
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            return [(*row[:3], "".join((row[3] or "").split())) for row in found] + [tuple(version.one())]

    assert made("quick", REVISIONS.make) == made("slow", REVISIONS.upgrade)
