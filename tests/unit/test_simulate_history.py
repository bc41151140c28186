"""`understudy simulate-history`: fills an empty store, spares a full one, and goes on where it was stopped."""

from __future__ import annotations

import io
import sqlite3

import pytest

from understudy.cli.exits import INTERRUPTED, OK, USAGE, Stop
from understudy.cli.screen import Screen
from understudy.cli.simulate_history import HistoryOptions, simulate_history, storage_options
from understudy.core.audit import AuditEntry
from understudy.core.errors import StoreUnusable
from understudy.core.text import texts
from understudy.monitor.history import History, Retention
from understudy.monitor.requests import RequestQuery
from understudy.monitor.rollup import TIERS, SeriesName
from understudy.storage import StorageOptions, open_store
from understudy.testing import FakeClock

TABLES = ("hot_10s", "hot_1m", "roll_10s", "roll_1m", "roll_1h", "roll_1d", "series", "sample", "error_group")


def options(path, **changes) -> HistoryOptions:
    values = {"apis": 12, "days": 1, "seed": 5, "storage": StorageOptions(url=f"sqlite:///{path}")}
    return HistoryOptions(**{**values, **changes})


def run(asked: HistoryOptions, clock=None, screen: Screen | None = None) -> tuple[int, str]:
    out = io.StringIO()
    code = simulate_history(screen or Screen(texts("en"), plain=True, out=out), asked, clock or FakeClock())
    return code, out.getvalue()


def content(path) -> dict[str, list]:
    """Everything but what differs from run to run: when a series was first seen."""
    connection = sqlite3.connect(path)
    try:
        found = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in TABLES}
    finally:
        connection.close()
    found["series"] = [row[:3] for row in found["series"]]
    return found


class Impatient(Screen):
    """Presses Ctrl-C while the second of three groups is made."""

    def line(self, text="", style="") -> None:
        super().line(text, style)
        if "83 %" in str(text):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store that was filled in one go."""
    path = tmp_path_factory.mktemp("made") / "made.db"
    assert run(options(path))[0] == OK
    return path


async def test_the_history_can_be_read_in_every_tier_and_so_can_the_request_log(made, tmp_path):
    path = tmp_path / "copy.db"
    path.write_bytes(made.read_bytes())
    clock = FakeClock()
    store = open_store(StorageOptions(url=f"sqlite:///{path}"), clock)
    try:
        history = History(store.rollups, clock, Retention({}))
        overview = await history.overview("api", clock.time() - 3600, clock.time())
        assert len(overview) == 12
        for points in (1, 24, 300, 2000):
            one = await history.series(
                SeriesName("api", next(iter(overview))), clock.time() - 86400, clock.time(), points
            )
            assert one.whole.n > 0
            assert one.whole.p50 <= one.whole.p95
        assert len(await history.overview("route", clock.time() - 3600, clock.time())) == 3
        assert await store.requests.search(RequestQuery(), 10)
    finally:
        await store.close()


def test_what_was_stopped_goes_on_and_ends_as_if_it_had_not_been(made, tmp_path):
    path = tmp_path / "stopped.db"
    out = io.StringIO()
    code, _ = run(options(path), screen=Impatient(texts("en"), plain=True, out=out))
    assert code == INTERRUPTED
    assert "stopped: 5 APIs are written; the same command goes on from there" in out.getvalue()
    assert 0 < len(content(path)["series"]) < len(content(made)["series"])
    later = FakeClock(epoch=FakeClock().time() + 500)
    code, said = run(options(path), later)
    assert code == OK
    assert "41 %" not in said
    assert content(path) == content(made)


def test_a_store_that_holds_something_is_spared_unless_told(made, tmp_path):
    path = tmp_path / "full.db"
    path.write_bytes(made.read_bytes())
    before = content(path)
    for again in (options(path), options(path, seed=6), options(path, days=2)):
        with pytest.raises(Stop, match="--add") as stop:
            run(again)
        assert stop.value.code == USAGE
    assert content(path) == before
    assert run(options(path, seed=6, apis=13, add=True))[0] == OK
    assert len(content(path)["series"]) == len(before["series"]) + 1


async def test_a_store_with_nothing_but_an_audit_log_is_spared_too(tmp_path):
    path = tmp_path / "audited.db"
    clock = FakeClock()
    store = open_store(StorageOptions(url=f"sqlite:///{path}"), clock)
    await store.audit.append(AuditEntry(clock.time(), "somebody", "config.reload"))
    await store.close()
    with pytest.raises(Stop, match="holds something"):
        run(options(path))


def test_a_store_in_use_or_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "used.db"
    other = open_store(StorageOptions(url=f"sqlite:///{path}"), FakeClock())
    try:
        with pytest.raises(StoreUnusable, match="in use"):
            run(options(path))
    finally:
        import asyncio

        asyncio.run(other.close())
    with pytest.raises(StoreUnusable, match="expected sqlite"):
        run(options(path, storage=storage_options("memory:", None)))
    with pytest.raises(Stop, match="expected memory:, sqlite"):
        storage_options("nonsense", None)


def test_the_store_of_a_configuration_can_be_filled(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text(f'[storage]\nurl = "sqlite:///{tmp_path}/mine.db"\nkeep_1m = 7200\n')
    found = storage_options("sqlite:///other.db", file)
    assert (found.path, found.keep_1m) == (tmp_path / "mine.db", 7200)


async def test_postgresql_holds_the_same_history(made, tmp_path, postgres):
    server = postgres.options(postgres.emptied(), readers=2)
    clock = FakeClock()
    assert run(options(None, storage=server))[0] == OK
    with pytest.raises(Stop, match="--add"):
        run(options(None, storage=server))
    path = tmp_path / "copy.db"
    path.write_bytes(made.read_bytes())
    stores = [open_store(each, clock) for each in (server, StorageOptions(url=f"sqlite:///{path}"))]
    try:
        for tier in TIERS:
            there, here = [await store.rollups.read(tier, None, 0, 2**40, list) for store in stores]
            assert sorted(there) == sorted(here)
            assert there
            assert await stores[0].rollups.last(tier) == await stores[1].rollups.last(tier)
        there, here = [await store.requests.search(RequestQuery(), 1000) for store in stores]
        assert [each.call_id for each in there] == [each.call_id for each in here]
    finally:
        for store in stores:
            await store.close()
