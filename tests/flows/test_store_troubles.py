"""What a SQLite file may suffer in use: history waits, nothing of control data is lost, and it recovers by itself."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
from mounts import fill, small_disk

from soak.storage_alerts import alert, sent
from understudy.alerts.ports import EpisodeQuery
from understudy.core.audit import AuditEntry
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import StoreUnavailable, StoreUnusable
from understudy.monitor.requests import ErrorGroup, RequestEntry, RequestQuery
from understudy.monitor.rollup import Bucket, Row, SeriesName
from understudy.notifications.ports import OutboxQuery
from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.testing import FakeClock

NOON = 1_800_000_000
ODDS = SeriesName("api", "odds")


def row(ts: int, series: SeriesName = ODDS, times: int = 1) -> Row:
    made = Bucket()
    for _ in range(times):
        made.add_one(0.1)
    return made.row(ts, series)


def entry(at: float) -> RequestEntry:
    return RequestEntry(at, "call", "route", "odds", "failed", 0.1, 1, error="x" * 200)


@asynccontextmanager
async def opened(path: Path, **options: object) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(StorageOptions(url=f"sqlite:///{path}", **options), FakeClock(epoch=NOON))
    store._writer.upkeep_rest = 0.0
    try:
        yield store
    finally:
        await store.close(1.0)


async def eventually(condition: Callable[[], bool], within: float = 15.0) -> None:
    """Wait for what another thread will have done soon."""
    for _ in range(round(within / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def history(store: SqliteStore, tier: int = 10) -> int:
    return await store.rollups.read(tier, None, 0, NOON * 2, lambda rows: sum(each.n for each in rows))


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("PRAGMA integrity_check").fetchone()[0]


LOCKER = """
import sqlite3, sys
raw = sqlite3.connect(sys.argv[1], isolation_level=None)
raw.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
raw.execute("COMMIT")
"""


class Locker:
    """Another process that holds the lock of a file until it is told to let go."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOCKER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "locked\n"

    def let_go(self) -> None:
        self._process.communicate("\n", timeout=10)


# -- locked by another process ----------------------------------------------------------------------


async def test_while_another_process_holds_the_lock_history_waits_and_control_waits_with_a_bound(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path, patience=1.0) as store:
        await store.rollups.write({10: [row(NOON)]})
        locker = Locker(path)
        try:
            await store.rollups.write({10: [row(NOON + 10)]})
            await store.rollups.write({10: [row(NOON + 10, times=3), row(NOON + 20)]})
            await store.requests.append([entry(1.0)], [ErrorGroup("f", "odds", "provider", "x", 1.0, 1.0, 2)])
            with pytest.raises(StoreUnavailable, match="locked by another process"):
                await store.state.save({"given up": 1})
            health = store.health()
            assert (health.writable, health.statistics, health.waiting, health.trouble) == (False, True, 2, "busy")
            assert "locked by another process" in health.problems[0]
            assert await history(store) == 1, "reading goes on"
            assert len(await store.rollups.own(10, NOON, NOON + 30)) == 3, "what waits counts as written"
            waiting = asyncio.ensure_future(store.audit.append(AuditEntry(1.0, "ana", "act")))
            await asyncio.sleep(0.1)
        finally:
            locker.let_go()
        await waiting
        await eventually(lambda: store.health().waiting == 0 and store.health().writable)
        assert store.health().problems == ()
        assert await history(store) == 5
        assert len(await store.requests.search(RequestQuery(), 10)) == 1
        assert [each.count for each in await store.requests.groups(0, 10)] == [2]
        assert await store.state.load() == {}, "what was told to have failed was not done later"
        assert await store.audit.verify() == ""
        assert len(await store.audit.read()) == 1


async def test_an_act_that_is_entered_again_after_a_failure_is_entered_once(tmp_path):
    path = tmp_path / "understudy.db"
    act = AuditEntry(1.0, "ana", "act", after={"a": 1})
    async with opened(path, patience=0.3) as store:
        locker = Locker(path)
        try:
            with pytest.raises(StoreUnavailable):
                await store.audit.append(act)
        finally:
            locker.let_go()
        await asyncio.gather(store.audit.append(act))
        assert [record.entry for record in await store.audit.read()] == [act]
        await store.audit.append(act)
        assert len(await store.audit.read()) == 2, "the same act on another occasion is another"


async def test_what_waits_is_bounded_and_the_finest_goes_first(tmp_path, caplog):
    path = tmp_path / "understudy.db"
    async with opened(path, waiting_rows=1000) as store:
        locker = Locker(path)
        try:
            names = [SeriesName("api", str(number)) for number in range(300)]
            for place in range(4):
                await store.rollups.write({10: [row(NOON + 10 * place, name) for name in names]})
            await store.rollups.write({60: [row(NOON, name, 4) for name in names]})
            assert (store.health().waiting, store.health().dropped) == (1000, 500)
        finally:
            locker.let_go()
        await eventually(lambda: store.health().waiting == 0)
        assert await history(store) == 700
        assert await history(store, 60) == 1200


async def test_closing_while_the_file_is_locked_ends_in_time_and_says_what_is_lost(tmp_path, caplog):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        locker = Locker(path)
        await store.rollups.write({10: [row(NOON)]})
        begun = SYSTEM_CLOCK.monotonic()
        with caplog.at_level(logging.ERROR):
            await store.close(0.5)
        assert SYSTEM_CLOCK.monotonic() - begun < 8.0
        locker.let_go()
        assert "1 rows of history could not be written" in caplog.text
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.state.save({"a": 1})
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.state.load()


# -- a full disk ------------------------------------------------------------------------------------


async def test_on_a_full_disk_history_stops_and_control_data_goes_on_until_there_is_room_again(tmp_path):
    with small_disk(tmp_path / "disk", "12m") as disk:
        path = disk / "understudy.db"
        async with opened(path) as store:
            await store.state.save({"before": 1})
            assert (disk / "understudy.db.reserve").stat().st_size == 1 << 20
            ballast = fill(disk)
            written = 0
            while store.health().statistics and written < 200:
                names = [SeriesName("api", f"{written}.{number}") for number in range(100)]
                await store.rollups.write({10: [row(NOON + 10 * written, name) for name in names]})
                written += 1
            health = store.health()
            assert health.trouble == "full"
            assert (health.writable, health.statistics) == (False, False)
            assert "disk is full" in health.problems[0]
            for number in range(100):
                await store.state.save({f"during/{number}": "x" * 200})
                await store.audit.append(AuditEntry(1.0, "ana", "act"))
                [chat, _] = await store.alerts.commit(alert(f"alert {number}", NOON))
                tokens = await store.outbox.claim([chat.id], "a sender", 30)
                assert await store.outbox.settle([sent(chat, tokens[chat.id], NOON)]) == []
            assert not (disk / "understudy.db.reserve").exists()
            assert not store.health().statistics
            assert store.health().waiting > 0
            ballast.unlink()
            await eventually(lambda: store.health().waiting == 0 and store.health().statistics)
            assert store.health().problems == ()
            assert (disk / "understudy.db.reserve").exists()
            assert await history(store) == 100 * written
            assert len(await store.state.load("during/")) == 100
            assert len(await store.alerts.states()) == 100
            assert (await store.outbox.counts(0, NOON * 2))["chat"].states == {"delivered": 100}
            assert len(await store.outbox.pending(1000)) == 100
        assert integrity(path) == "ok"


async def test_a_store_can_be_opened_on_a_full_disk_and_keeps_control_data(tmp_path):
    with small_disk(tmp_path / "disk", "12m") as disk:
        path = disk / "understudy.db"
        async with opened(path) as store:
            await store.state.save({"before": 1})
        fill(disk)
        async with opened(path) as store:
            assert await store.state.load() == {"before": 1}
            await store.state.save({"during": 2})
            assert await store.state.load() == {"before": 1, "during": 2}


# -- damage -----------------------------------------------------------------------------------------


async def filled(store: SqliteStore) -> None:
    names = [SeriesName("api", f"api {number}") for number in range(40)]
    for tier in (10, 60, 3600, 86400):
        for place in range(40):
            start = (NOON // tier - 50 + place) * tier
            await store.rollups.write({tier: [row(start, name) for name in names]})
    await store.state.save({f"key {number}": "x" * 100 for number in range(50)})
    for number in range(10):
        await store.audit.append(AuditEntry(float(number), "ana", "act"))
    await store.requests.append([entry(NOON - float(number)) for number in range(50)], [])
    for number in range(30):
        [chat, _] = await store.alerts.commit(alert(f"alert {number:02}", NOON))
        token = (await store.outbox.claim([chat.id], "a sender", 30))[chat.id]
        await store.outbox.settle([sent(chat, token, NOON)])
    await store.documents.put("rule", "slow", {"n": 1}, actor="ana")
    store._clock.tick(60)
    await store.upkeep()


def damage(path: Path, places: list[int]) -> None:
    """Destroy pages of a file."""
    with path.open("r+b") as file:
        for page in places:
            file.seek(4096 * page)
            file.write(b"\xa5" * 4096)


def pages_of(path: Path, table: str) -> list[int]:
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT pageno - 1 FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,))
        return [row[0] for row in rows]


@pytest.mark.parametrize("when", ["before it is opened", "while it is in use"])
async def test_a_damaged_file_is_set_aside_and_what_can_be_read_of_it_goes_into_a_new_one(tmp_path, caplog, when):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        await filled(store)
    leaves = pages_of(path, "roll_10s")
    assert len(leaves) > 10
    if when == "before it is opened":
        damage(path, [*leaves[4:6], *pages_of(path, "alembic_version")])
    async with opened(path) as store:
        if when == "while it is in use":
            assert await history(store) == 1600
            damage(path, leaves[4:6])
            store._backend.generation += 1  # the readers open it anew, so that they see it as it is
            with pytest.raises(StoreUnavailable, match="damaged"):
                await history(store)
            for each in range(40):  # the writer meets the damage when it has to touch those pages
                await store.rollups.write({10: [row((NOON // 10 - 30) * 10, SeriesName("api", f"api {each}"))]})
                with suppress(StoreUnavailable):
                    await store.upkeep()
        await eventually(lambda: bool(store.health().quarantined))
        await eventually(lambda: "copied from the damaged file" in caplog.text)
        [aside] = store.health().quarantined
        assert Path(aside).exists()
        assert any("set aside" in problem for problem in store.health().problems)
        assert len(await store.state.load("key ")) == 50
        assert await store.audit.verify() == ""
        assert len(await store.audit.read()) == 10
        assert len(await store.alerts.states()) == len(await store.alerts.episodes(EpisodeQuery(open=True), 100)) == 30
        assert [row.notice.title for row in await store.outbox.pending(100)] == [f"alert {n:02}" for n in range(30)]
        assert len(await store.alerts.events()) == len(await store.outbox.attempts(100)) == 30
        assert len(await store.outbox.rows(OutboxQuery(), 100)) == 60
        assert await store.outbox.receipt("chat", "alert 07")
        assert [each.doc for each in await store.documents.newest("rule")] == [{"n": 1}]
        assert [await history(store, tier) for tier in (60, 3600, 86400)] == [1600, 1600, 1600]
        assert len(await store.requests.search(RequestQuery(apis=("odds",)), 100)) == 50
        lost = 1600 - await history(store)
        assert 0 < lost < 200
        await store.rollups.write({10: [row(NOON, SeriesName("api", "new"))]})
        assert await store.leases.claim("upkeep", "me", 6.0)
    assert integrity(path) == "ok"


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_bytes_are_flipped_the_store_opens_and_works(tmp_path, seed):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        await filled(store)
    rng = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 8, 64))):
        # Half of the flips hit the first pages, where the header, the schema and the roots are.
        place = rng.randrange(len(content) if rng.random() < 0.5 else 40 * 4096)
        content[place] ^= 1 << rng.randrange(8)
    if seed == 0:
        content[:100] = bytes(100)
    if seed == 1:
        del content[rng.randrange(len(content)) :]
    path.write_bytes(content)
    async with opened(path) as store:
        for number in range(10):
            await store.rollups.write({10: [row(NOON + 10 * number, SeriesName("api", f"{seed} {number}"))]})
        await store.state.save({"works": seed})
        for _ in range(3):
            with suppress(StoreUnavailable):  # it meets the damage: by the next round the file is another
                await store.upkeep()
        await store.state.save({"works still": seed})
        found = await store.state.load("works")
        assert found == {"works": seed, "works still": seed}
        await eventually(lambda: store.health().waiting == 0)


async def test_of_a_damaged_outbox_every_message_on_a_sound_page_is_still_sent(tmp_path, caplog):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        for number in range(200):
            await store.alerts.commit(alert(f"alert {number:03}", NOON))
    damage(
        path, [pages_of(path, "outbox")[3], *pages_of(path, "ix_outbox_pending"), *pages_of(path, "alembic_version")]
    )
    async with opened(path) as store:
        assert store.health().quarantined
        waiting = await store.outbox.pending(1000)
        assert 330 < len(waiting) < 400
        assert len(await store.outbox.claim([row.id for row in waiting], "a sender", 30)) == len(waiting)
        await eventually(lambda: "copied from the damaged file" in caplog.text)
        assert len(await store.alerts.episodes(EpisodeQuery(open=True), 1000)) == 200
        assert len(await store.alerts.events()) == 200
    assert integrity(path) == "ok"


async def test_what_damage_made_unreadable_keeps_nothing_else_from_being_read(tmp_path, caplog):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        for name in ("a", "b"):
            await store.alerts.commit(alert(name, NOON))
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE outbox SET kind = 'firee' WHERE id = 'a chat'")
        raw.execute("UPDATE outbox_notice SET notice = x'78ff00' WHERE id = 'b chat'")
        raw.execute("DELETE FROM outbox_notice WHERE id = 'b mail'")
        raw.execute("UPDATE alert_state SET doc = '{' WHERE fingerprint = 'a'")
        raw.commit()
    async with opened(path) as store:
        for _ in range(2):
            found = {row.id: row.notice.title for row in await store.outbox.pending(10)}
            assert set(found) == {"a mail", "b chat", "b mail"}
            assert found["a mail"] == "a"
            assert "lost" in found["b chat"]
            assert "lost" in found["b mail"]
            assert [row.id for row in await store.outbox.pending(2)] == ["a mail", "b chat"], "a page is a page"
            assert set(await store.alerts.states()) == {"b"}
    assert caplog.text.count("a chat for chat cannot be read") == 1
    assert "alert a is damaged" in caplog.text


async def test_a_deleted_log_loses_nothing_while_the_store_is_open(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        await store.state.save({"a": 1})
        await store.rollups.write({10: [row(NOON)]})
        await store.state.save({"b": 2})
        Path(f"{path}-wal").unlink()
        await store.state.save({"c": 3})
        await store.rollups.write({10: [row(NOON + 10)]})
        assert await store.state.load() == {"a": 1, "b": 2, "c": 3}
        assert await history(store) == 2
    assert integrity(path) == "ok"
    async with opened(path) as store:
        assert await store.state.load() == {"a": 1, "b": 2, "c": 3}
        assert await history(store) == 2


async def test_a_log_that_is_deleted_between_two_runs_leaves_a_sound_file(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        await filled(store)
        copy = tmp_path / "copy.db"
        copy.write_bytes(path.read_bytes())  # as a machine that lost the log would find it
    async with opened(copy) as store:
        await store.state.save({"works": 1})
        assert (await store.state.load("works")) == {"works": 1}


async def test_a_file_that_is_deleted_while_in_use_is_made_anew_and_told(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        await store.state.save({"a": 1})
        path.unlink()
        await store.state.save({"b": 2})
        await store.rollups.write({10: [row(NOON)]})
        assert await store.state.load() == {"b": 2}
        assert any("deleted or exchanged" in problem for problem in store.health().problems)
    async with opened(path) as store:
        assert await store.state.load() == {"b": 2}
        assert await history(store) == 1


async def test_a_file_that_is_exchanged_for_something_else_is_not_written_and_nothing_of_history_is_given_up(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path, patience=0.5) as store:
        await store.state.save({"a": 1})
        path.rename(tmp_path / "elsewhere.db")
        path.write_text("something else entirely " * 500)
        with pytest.raises((StoreUnavailable, StoreUnusable)):
            await store.state.save({"b": 2})
        await store.rollups.write({10: [row(NOON)]})
        assert store.health().waiting == 1
        assert path.read_text().startswith("something else")
        path.unlink()
        (tmp_path / "elsewhere.db").rename(path)
        await eventually(lambda: store.health().waiting == 0)
        assert await store.state.load() == {"a": 1}


# -- the cap ----------------------------------------------------------------------------------------


async def test_at_the_cap_the_oldest_of_the_finest_goes_and_health_says_so(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path, max_bytes=2 << 20, waiting_rows=1_000_000) as store:
        names = [SeriesName("api", str(number)) for number in range(20)]
        for hour in range(10):
            start = NOON - 3600 * (12 - hour)
            for tier in (10, 60):
                times = range(start, start + 3600, tier)
                await store.rollups.write({tier: [row(ts, name) for ts in times for name in names]})
            await store.upkeep()
        await store.requests.append([entry(NOON - 5.0)], [])
        await store.upkeep()
        health = store.health()
        assert path.stat().st_size <= 2 << 20
        assert health.fill <= 1.0
        assert set(health.capped) == {"10s"}
        assert any("max_bytes" in problem for problem in health.problems)
        kept = await store.rollups.read(10, None, 0, NOON, lambda rows: sorted({each.ts for each in rows}))
        assert kept[0] >= health.capped["10s"]
        assert kept[-1] == NOON - 3 * 3600 + 3590, "the newest are there"
        assert await history(store, 60) == 10 * 60 * 20, "the coarser are all there"
        assert len(await store.requests.search(RequestQuery(), 10)) == 1
        store._clock.tick(3 * 86400)  # by now it would all be gone anyway
        await store.upkeep()
        assert (store.health().capped, store.health().problems) == ({}, ())


async def test_pages_that_became_free_are_given_back(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path, keep_10s=3600, waiting_rows=1_000_000) as store:
        names = [SeriesName("api", str(number)) for number in range(200)]
        for place in range(800):
            await store.rollups.write({10: [row(NOON - 90_000 + 10 * place, name) for name in names]})
        store._clock.tick(-80_000)  # as if that were the present, so that nothing is too old yet
        await store.upkeep()
        large = path.stat().st_size
        assert large > 2400 * 4096
        store._clock.tick(80_000)
        store._retained_at = -1
        await store.upkeep()
        assert await history(store) == 0
    assert path.stat().st_size < 2100 * 4096


# -- a restart --------------------------------------------------------------------------------------


async def test_after_a_restart_roles_are_free_at_once_whatever_the_clock_says_and_tokens_go_on(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        before = await store.leases.claim("upkeep", "before", 60.0)
    async with opened(path) as store:
        store._clock.jump_wall(-1800.0)
        after = await store.leases.claim("upkeep", "after", 6.0)
        assert after is not None
        assert after.token > before.token


async def test_after_a_restart_what_was_being_sent_is_free_at_once_and_it_can_be_seen_that_it_was(tmp_path):
    path = tmp_path / "understudy.db"
    async with opened(path) as store:
        [chat, mail] = await store.alerts.commit(alert("a", NOON))
        before = await store.outbox.claim([chat.id], "before", 3000.0)
    async with opened(path) as store:
        store._clock.jump_wall(-1800.0)
        [chat, mail] = await store.outbox.pending(10)
        assert (chat.owner, mail.owner) == ("before", "")
        after = await store.outbox.claim([chat.id, mail.id], "after", 30.0)
        assert after[chat.id] > before[chat.id]
        assert await store.outbox.settle([sent(chat, before[chat.id], NOON)]) == [chat.id]
