"""`understudy db`: what the commands do to a store, and what they refuse, in one line."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from servers import PASSWORD
from understudy.cli.commands import run
from understudy.core.clock import SYSTEM_CLOCK
from understudy.storage import StorageOptions, open_store
from understudy.storage.tables import HEAD


class Commands:
    """The commands with a configuration of their own."""

    def __init__(self, folder: Path, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = folder / "understudy.toml"
        self.config.write_text(f"[storage]\n{storage}\n")
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and everything that was said."""
        with ThreadPoolExecutor(1) as thread:  # a program of its own has no loop that runs
            code = thread.submit(run, ["db", *arguments, "--config", str(self.config)]).result()
        said = self._capsys.readouterr()
        text = said.out + said.err
        assert "Traceback" not in text
        assert PASSWORD not in text
        return code, text


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "understudy.db"


@pytest.fixture
def db(tmp_path, path, capsys) -> Commands:
    return Commands(tmp_path, f'url = "sqlite:///{path}"', capsys)


async def state(path: Path, **values: object) -> dict[str, object]:
    """Keep values in a store, and answer what it keeps."""
    store = open_store(StorageOptions(url=f"sqlite:///{path}"), SYSTEM_CLOCK)
    await store.state.save(values)
    found = await store.state.load()
    await store.close()
    return found


async def acts(options: StorageOptions) -> list[str]:
    store = open_store(options, SYSTEM_CLOCK)
    found = [record.entry.action for record in await store.audit.read()]
    await store.close()
    return found


async def test_tables_are_made_once_and_that_is_an_act(db, path):
    assert db("upgrade") == (0, f"the tables were made, revision {HEAD}\n")
    assert db("upgrade") == (0, f"the tables are of revision {HEAD} already\n")
    assert path.stat().st_mode & 0o077 == 0


async def test_the_commands_speak_portuguese_too(db):
    assert db("upgrade", "--lang", "pt") == (0, f"as tabelas foram criadas, revisão {HEAD}\n")


async def test_a_check_tells_what_is_there_also_while_a_service_runs(db, path):
    store = open_store(StorageOptions(url=f"sqlite:///{path}"), SYSTEM_CLOCK)
    await store.state.save({"a": 1, "b": 2})
    code, said = db("check", "--json")
    await store.close()
    found = json.loads(said)
    assert code == 0
    assert (found["counts"]["state"], found["faults"], found["revision"]) == (2, [], HEAD)
    assert [found["counts"][name] for name in ("alerts", "waiting", "dead")] == [0, 0, 0]
    code, said = db("check")
    assert code == 0
    assert "nothing is wrong with it" in said


async def test_a_check_finds_damage_and_acts_that_were_changed(db, path):
    db("upgrade")
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE audit SET actor = 'nobody'")
        raw.commit()
    code, said = db("check")
    assert code == 1
    assert "row 1 of the audit log was changed" in said
    with closing(sqlite3.connect(path)) as raw:
        [page] = raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'audit'").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    code, said = db("check")
    assert code == 1
    assert "damaged" in said


@pytest.mark.parametrize("command", ["check", "backup"])
def test_where_nothing_is_that_is_said(db, path, command):
    code, said = db(command)
    assert code == 1
    assert f"there is no {path}" in said
    assert not path.exists()


@pytest.mark.parametrize("command", ["check", "backup", "upgrade"])
def test_a_file_of_something_else_is_left_alone(db, path, command):
    path.write_text("something else " * 100)
    code, said = db(command)
    assert code == 1
    assert "is not a SQLite database" in said or "not a database" in said
    assert path.read_text().startswith("something else")


def test_a_store_in_memory_has_nothing_to_look_after(tmp_path, capsys):
    code, said = Commands(tmp_path, 'url = "memory:"', capsys)("check")
    assert code == 1
    assert "memory" in said


async def test_a_copy_is_made_while_a_service_runs_and_put_back_when_none_does(db, path, tmp_path):
    copy = tmp_path / "copy.db"
    store = open_store(StorageOptions(url=f"sqlite:///{path}"), SYSTEM_CLOCK)
    await store.state.save({"in the copy": 1})
    code, said = db("backup", str(copy))
    assert (code, said[:14]) == (0, f"{copy} "[:14])
    await store.state.save({"later": 2})
    code, said = db("restore", str(copy))
    assert code == 1
    assert "in use by another Understudy" in said
    await store.close()

    code, said = db("restore", str(copy))
    assert code == 0
    assert await state(path) == {"in the copy": 1}
    [aside] = tmp_path.glob("understudy.db.before-restore-*")
    assert str(aside) in said.replace("\n", "")
    assert await state(aside) == {"in the copy": 1, "later": 2}
    assert await acts(StorageOptions(url=f"sqlite:///{path}")) == ["db.restored"]
    assert copy.exists()


async def test_a_copy_goes_beside_the_store_and_writes_over_nothing(db, path, tmp_path):
    await state(path, a=1)
    code, _ = db("backup")
    [copy] = tmp_path.glob("understudy.db.backup-*")
    assert code == 0
    assert copy.stat().st_mode & 0o077 == 0
    code, said = db("backup", str(copy))
    assert code == 1
    assert "exists already" in said


@pytest.mark.parametrize("what", ["text", "foreign", "newer", "damaged", "missing"])
async def test_only_a_sound_copy_of_a_known_version_takes_the_place_of_the_store(db, path, tmp_path, what):
    await state(path, a=1)
    source = tmp_path / "source.db"
    if what == "text":
        source.write_text("something else " * 100)
    elif what == "foreign":
        with closing(sqlite3.connect(source)) as raw:
            raw.execute("CREATE TABLE customers (name TEXT)")
    elif what != "missing":
        db("backup", str(source))
        with closing(sqlite3.connect(source)) as raw:
            if what == "newer":
                raw.execute("UPDATE alembic_version SET version_num = '9999'")
            else:
                raw.execute("PRAGMA writable_schema = ON")
                raw.execute("UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'leader'")
            raw.commit()
    code, said = db("restore", str(source))
    assert code == 1
    assert str(source) in said
    assert len(said.strip().splitlines()) == 1
    assert await state(path) == {"a": 1}
    assert not list(tmp_path.glob("*before-restore*"))


async def test_a_damaged_store_is_set_aside_as_it_is_when_a_copy_takes_its_place(db, path, tmp_path):
    await state(path, a=1)
    copy = tmp_path / "copy.db"
    db("backup", str(copy))
    path.write_bytes(b"\x00" * 8192)
    code, _ = db("restore", str(copy))
    assert code == 0
    assert await state(path) == {"a": 1}
    [aside] = tmp_path.glob("understudy.db.before-restore-*")
    assert aside.read_bytes() == b"\x00" * 8192


def test_sql_is_printed_as_long_as_there_is_something_to_upgrade(db):
    code, said = db("sql")
    assert code == 0
    assert "CREATE TABLE roll_10s" in said
    db("upgrade")
    assert db("sql") == (0, "")


# -- PostgreSQL -------------------------------------------------------------------------------------


async def test_a_database_is_upgraded_checked_copied_and_restored(postgres, tmp_path, capsys, monkeypatch):
    name = postgres.new_database()
    monkeypatch.setenv("TEST_PG_PASSWORD", PASSWORD)
    db = Commands(tmp_path, f'url = "{postgres.url(name)}"\npassword = "env:TEST_PG_PASSWORD"', capsys)
    code, said = db("check")
    assert code == 1
    assert "understudy db upgrade" in said
    code, said = db("sql")
    assert "PARTITION BY RANGE" in said
    assert db("upgrade") == (0, f"the tables were made, revision {HEAD}\n")
    assert db("upgrade") == (0, f"the tables are of revision {HEAD} already\n")
    assert db("sql") == (0, "")

    options = postgres.options(name)
    store = open_store(options, SYSTEM_CLOCK)
    await store.state.save({"in the copy": 1})
    dump = tmp_path / "copy.dump"
    code, _ = db("backup", str(dump))
    assert code == 0
    code, said = db("check", "--json")
    found = json.loads(said)
    assert (code, found["counts"]["services"], found["faults"]) == (0, 1, [])
    assert found["where"] == f"postgresql://127.0.0.1:{postgres.port}/{name}"
    await store.state.save({"later": 2})
    code, said = db("restore", str(dump))
    assert code == 1
    assert "1 running services" in said
    await store.close()

    code, said = db("restore", str(dump))
    assert code == 0, said
    store = open_store(options, SYSTEM_CLOCK)
    assert await store.state.load() == {"in the copy": 1}
    assert [record.entry.action for record in await store.audit.read()] == ["db.restored", "db.upgraded"]
    await store.close()
    broken = tmp_path / "broken.dump"
    broken.write_bytes(dump.read_bytes()[:1000])
    code, said = db("restore", str(broken))
    assert code == 1
    assert "pg_restore failed" in said
    assert len(said.strip().splitlines()) == 1


def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path, capsys):
    db = Commands(tmp_path, 'url = "postgresql://tester@127.0.0.1:1/x"', capsys)
    for command in ("upgrade", "check", "backup", "sql"):
        code, said = db(command)
        assert code == 1
        assert "cannot be reached" in said
        assert len(said.strip().splitlines()) == 1
