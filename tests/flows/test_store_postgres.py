"""PostgreSQL as a store: what is refused, what it may suffer, and how several services share it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import psycopg
import pytest

from servers import PASSWORD
from soak.storage_alerts import alert
from understudy.core.audit import AuditEntry
from understudy.core.errors import LeaseLost, StoreUnavailable, StoreUnusable
from understudy.core.secrets import Secret
from understudy.monitor.requests import ErrorGroup, RequestEntry, RequestQuery
from understudy.monitor.rollup import Bucket, Row, SeriesName
from understudy.storage import StorageOptions, open_store, partitions
from understudy.storage.postgres_store import PostgresStore
from understudy.storage.postgres_upgrade import upgrade
from understudy.storage.schema import REVISIONS, drift
from understudy.storage.tables import HEAD
from understudy.testing import FakeClock

NOON = 1_800_000_000
DAY = 86_400
NAMES = tuple(SeriesName("api", f"api {number}") for number in range(20))
ODDS, REPORTED = NAMES[0], SeriesName("api", "reported")


def row(ts: int, times: int = 1, series: SeriesName = ODDS) -> Row:
    made = Bucket()
    for _ in range(times):
        made.add_one(0.1)
    return made.row(ts, series)


@asynccontextmanager
async def opened(options: StorageOptions, clock: FakeClock | None = None) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(options, clock or FakeClock(epoch=NOON))
    store._writer.upkeep_rest = 0.0
    try:
        yield store
    finally:
        await store.close(2.0)


async def eventually(condition: Callable[[], bool], within: float = 20.0) -> None:
    for _ in range(round(within / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def history(store: PostgresStore, tier: int = 10) -> int:
    return await store.rollups.read(tier, None, 0, NOON * 2, lambda rows: sum(each.n for each in rows))


@pytest.fixture
def options(postgres) -> StorageOptions:
    return postgres.options(postgres.with_tables(), patience=2.0)


# -- what is refused --------------------------------------------------------------------------------


def refusal(options: StorageOptions, kind: type[Exception] = StoreUnusable) -> str:
    with pytest.raises(kind) as caught:
        open_store(options, FakeClock(epoch=NOON))
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    assert "hunter2" not in message
    assert caught.value.__cause__ is None, "nothing more is shown"
    return message


def test_a_wrong_password_is_told_in_one_line_that_does_not_show_it(options):
    assert "storage.password" in refusal(replace(options, password=Secret("hunter2")))


def test_a_missing_password_is_told(options):
    assert "storage.password" in refusal(replace(options, password=None))


def test_an_unknown_database_is_told(postgres, options):
    assert "nowhere does not exist" in refusal(replace(options, url=postgres.url("nowhere")))


def test_an_unknown_user_is_told(postgres, options):
    assert "refuses the user" in refusal(replace(options, url=postgres.url("postgres", user="nobody")))


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid:5432"])
def test_a_server_that_is_not_there_is_not_available(options, host):
    message = refusal(replace(options, url=f"postgresql://tester@{host}/x"), StoreUnavailable)
    assert f"postgresql://{host}/x cannot be reached" in message


def test_a_database_without_tables_names_the_command(postgres):
    assert "understudy db upgrade" in refusal(postgres.options(postgres.new_database()))


def test_a_database_of_a_newer_version_is_left_alone(postgres, options):
    database = options.server()["dbname"]
    postgres.execute("UPDATE alembic_version SET version_num = '9999'", database=database)
    assert "9999" in refusal(options)
    with pytest.raises(StoreUnusable, match="9999"):
        upgrade(options)


def test_a_database_of_an_older_version_names_the_command(options):
    newer = replace(REVISIONS, head="9998")
    told = f"revision {HEAD}, and this version needs 9998: run understudy db upgrade"
    with pytest.raises(StoreUnusable, match=told):
        PostgresStore(options, FakeClock(epoch=NOON), newer)


# -- tables -----------------------------------------------------------------------------------------


def test_two_upgrades_at_once_make_the_tables_once(postgres):
    options = postgres.options(postgres.new_database())
    results = []
    threads = [threading.Thread(target=lambda: results.append(upgrade(options))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [("", HEAD), (HEAD, HEAD), (HEAD, HEAD)]


async def test_the_tables_are_as_they_are_described(options):
    async with opened(options) as store:
        assert store._backend.once(drift) == []


async def test_parts_are_made_ahead_and_dropped_when_they_are_too_old(options):
    clock = FakeClock(epoch=NOON)
    async with opened(options, clock) as store:
        assert len(store._backend.once(lambda connection: partitions.existing(connection, 10))) == 4
        lease = await store.leases.claim("upkeep", "me", 60.0)
        await store.rollups.write({10: [row(NOON + day * DAY) for day in range(-40, 1)]})
        assert await history(store) == 41
        await store.upkeep(lease)
        names = [part.name for part in store._backend.once(lambda connection: partitions.existing(connection, 10))]
        assert names[0] == "roll_10s_p20270113"
        assert await history(store) == 3, "two days and what is left of the day before"
        clock.tick(DAY)
        await store.upkeep(lease)
        names = [part.name for part in store._backend.once(lambda connection: partitions.existing(connection, 10))]
        assert (names[0], names[-1]) == ("roll_10s_p20270114", "roll_10s_p20270119")


async def test_of_two_services_that_make_the_same_parts_at_once_the_second_waits_and_finds_them(options):
    wanted = partitions.wanted(NOON + 100 * DAY)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with opened(options) as first, opened(options) as second:
        engine = first._backend.engine("control")
        with engine.connect() as making, making.begin():
            partitions.make(making, wanted)
            other = asyncio.create_task(
                asyncio.to_thread(second._backend.once, lambda connection: partitions.make(connection, wanted))
            )
            with first._backend.engine("reader").connect() as looking:
                await eventually(lambda: looking.exec_driver_sql(waiting).scalar_one() == 1)
        await other
        assert {each.start for each in wanted if each.tier == 10} <= {
            each.start for each in second._backend.once(lambda connection: partitions.existing(connection, 10))
        }


async def test_whoever_reads_sees_one_state_of_the_store_whatever_others_write_meanwhile(options):
    async with opened(options) as first, opened(options) as second:
        await first.rollups.write({10: [row(NOON)]})

        def twice(connection):
            found = []
            for turn in range(2):
                found.append(connection.exec_driver_sql("SELECT sum(n) FROM roll_10s").scalar_one())
                if not turn:
                    with second._backend.engine("control").connect() as other, other.begin():
                        other.exec_driver_sql("UPDATE roll_10s SET n = n + 1")
            return found

        before, after = await first._readers.read(twice)
        assert before == after
        assert await history(first) == before + 1


async def test_a_read_in_progress_holds_nobody_up_who_makes_a_part(options):
    async with opened(options) as first:
        await first.rollups.write({10: [row(NOON)]})
        with first._backend.engine("reader").connect() as reading, reading.begin():
            reading.exec_driver_sql("SELECT count(*) FROM roll_10s").scalar()
            await first.rollups.write({10: [row(NOON + 30 * DAY)]})
            assert first.health().waiting == 0


# -- several services -------------------------------------------------------------------------------


async def test_services_write_beside_each_other_and_read_all(options):
    async with opened(options) as one, opened(options) as two:
        assert {one.health().details["number"], two.health().details["number"]} == {0, 1}
        for store, times in ((one, 2), (two, 3)):
            await store.rollups.write({10: [row(NOON, times)]})
            await store.deltas.apply("reporter", f"boot {times}", 1, [row(NOON, 10 * times)])
        assert await history(one) == await history(two) == 55
        assert [each.n for each in await one.rollups.own(10, NOON, NOON + 10)] == [2]
        for store, elsewhere in ((one, 20 + 3 + 30), (two, 2 + 20 + 30)):
            told = await store.rollups.others(10, NOON, NOON + 10, lambda rows: sum(each.n for each in rows))
            assert told == elsewhere, "what the other does, and what was reported to either"
        assert (await two.rollups.totals(10, "api", NOON, NOON + 10))[ODDS.name].n == 55
        assert not await two.deltas.apply("reporter", "boot 2", 1, [row(NOON)]), "one service is enough to know it"


async def test_one_report_that_reaches_two_services_at_once_counts_once(options):
    async with opened(options) as one, opened(options) as two:
        for seq in range(30):
            report = [row(NOON, 1, name) for name in NAMES]
            taken = await asyncio.gather(*(store.deltas.apply("r", "b", seq, report) for store in (one, two)))
            assert sorted(taken) == [False, True]
        assert await history(one) == 30 * len(NAMES)


async def test_acts_of_two_services_form_one_chain(options):
    async with opened(options) as one, opened(options) as two:
        await asyncio.gather(*(store.audit.append(AuditEntry(1.0, "ana", "act")) for store in (one, two) * 20))
        assert await one.audit.verify() == ""
        assert len(await two.audit.read(limit=100)) == 40


async def test_two_services_that_see_the_same_event_tell_it_once(options):
    async with opened(options) as one, opened(options) as two:
        for number in range(20):
            # The same event, with rows of its own of each: their ids differ.
            first, second = (
                replace(change, rows=[replace(row, id=f"{row.id} of {name}") for row in change.rows])
                for change, name in ((alert(f"alert {number}", NOON), name) for name in ("one", "two"))
            )
            told = await asyncio.gather(one.alerts.commit(first), two.alerts.commit(second))
            assert sorted(row.channel for rows in told for row in rows) == ["chat", "mail"]
        assert len(await two.outbox.pending(100)) == 40
        assert len(await two.alerts.events()) == 20


async def test_of_two_services_that_send_each_message_is_claimed_by_one(options):
    async with opened(options) as one, opened(options) as two:
        for number in range(100):
            await one.alerts.commit(alert(f"alert {number}", NOON))
        ids = [row.id for row in await one.outbox.pending(1000)]
        claimed: dict[str, list[str]] = {}
        for start in range(0, 200, 20):
            some = ids[start : start + 20]
            both = await asyncio.gather(
                one.outbox.claim(some, "one", 30), two.outbox.claim(some[::-1], "two", 30),
                two.outbox.claim(some[5:], "three", 30),
            )  # fmt: skip
            for owner, tokens in zip(("one", "two", "three"), both, strict=True):
                for each in tokens:
                    claimed.setdefault(each, []).append(owner)
        # What one was just claiming is left to it, so nothing waits for it; by now everything is somebody's.
        assert all(len(owners) == 1 for owners in claimed.values())
        assert sorted(claimed) == sorted(ids)


async def test_a_service_that_lost_the_role_in_the_middle_keeps_nothing(options):
    async with opened(options) as one, opened(options) as two:
        old = await one.leases.claim("alerts", "one", 30.0)
        await one.leases.release(old)
        new = await two.leases.claim("alerts", "two", 30.0)
        done = await asyncio.gather(
            *(one.alerts.commit(alert(f"late {number}", NOON), old) for number in range(5)),
            *(two.alerts.commit(alert(f"alert {number}", NOON), new) for number in range(5)),
            return_exceptions=True,
        )
        assert [isinstance(each, LeaseLost) for each in done] == [True] * 5 + [False] * 5
        assert {row.event_id for row in await one.outbox.pending(100)} == {f"alert {number}" for number in range(5)}
        assert len(await one.alerts.states()) == 5


async def test_a_number_that_was_given_back_is_taken_up_with_what_was_written_under_it(options):
    async with opened(options) as store:
        await store.rollups.write({10: [row(NOON, 4)]})
        number = store.health().details["number"]
    async with opened(options) as again:
        assert again.health().details["number"] == number
        assert [each.n for each in await again.rollups.own(10, NOON, NOON + 10)] == [4]
        assert await again.rollups.last(10) == NOON


async def test_the_last_periods_of_a_service_that_was_killed_are_added_up_by_the_others(postgres, options):
    clock = FakeClock(epoch=NOON)
    killed = PostgresStore(options, FakeClock(epoch=NOON))
    await killed.rollups.write({10: [row(NOON + 10 * number) for number in range(3)]})
    await killed.rollups.write({60: [row(NOON - 60, 5)], 3600: [row(NOON - 3600, 7)]})
    await killed.deltas.apply("r", "b", 1, [row(NOON, 9)])
    database = options.server()["dbname"]
    killed._number = -1  # it does not give its number back
    await killed.close()
    postgres.execute("UPDATE instance SET until_ms = until_ms - 3600000", database=database)
    async with opened(options, clock) as other:
        assert other.health().details["number"] == 1
        lease = await other.leases.claim("upkeep", "other", 60.0)
        clock.tick(2 * 3600)
        await other.upkeep(lease)
        for tier, told in ((60, 5 + 3 + 9), (3600, 7 + 3 + 9)):
            assert await history(other, tier) == told
        assert await history(other, DAY) == 0, "the day is not over"
        clock.tick(DAY)
        await other.upkeep(lease)
        assert await history(other, DAY) == 3 + 7 + 9


async def test_a_service_whose_number_was_taken_goes_on_under_another_and_says_so(postgres, options):
    async with opened(options) as store:
        await store.rollups.write({10: [row(NOON, 4)]})
        postgres.execute("UPDATE instance SET holder = 'somebody else'", database=options.server()["dbname"])
        await store.rollups.write({10: [row(NOON + 10, 5)]})
        await eventually(lambda: store.health().waiting == 0)
        assert store.health().details["number"] == 1
        assert any("another took over its number" in problem for problem in store.health().problems)
        assert [each.n for each in await store.rollups.own(10, NOON, NOON + 20)] == [5]
        assert await history(store) == 9


async def test_who_has_lost_the_role_changes_nothing(options):
    clock = FakeClock(epoch=NOON)
    async with opened(options, clock) as store:
        await store.rollups.write({10: [row(NOON - 10 * DAY)]})
        paused = await store.leases.claim("upkeep", "paused", 0.2)
        await asyncio.sleep(0.3)
        assert await store.leases.claim("upkeep", "other", 60.0)
        with pytest.raises(LeaseLost):
            await store.upkeep(paused)
        assert await history(store) == 1
        assert store.health().writable


async def test_without_the_role_only_what_is_its_own_is_done(options):
    async with opened(options) as store:
        await store.rollups.write({10: [row(NOON - 10 * DAY)]})
        await store.upkeep()
        assert await history(store) == 1


# -- what it may suffer -----------------------------------------------------------------------------


class Load:
    """Everything that a service does with its store, all the time; and for how long in all the loop stood still."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._stopped = asyncio.Event()
        self.recorded: dict[int, int] = {}
        self.errors = self.reports = self.acts = 0
        self.state: dict[str, int] = {}
        self.late = 0.0
        self.refused = 0

    async def run(self, disturb: Callable[[], object]) -> None:
        tasks = [asyncio.create_task(each()) for each in (self._history, self._requests, self._control, self._watch)]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(disturb)
        await asyncio.sleep(0.5)
        self._stopped.set()
        await asyncio.gather(*tasks)

    async def _history(self) -> None:
        turn, written = 0, []
        while not self._stopped.is_set():
            turn += 1
            ts = NOON + turn // 3 * 10
            self.recorded[ts] = turn % 50 + 1
            written.append(
                asyncio.create_task(self._store.rollups.write({10: [row(ts, turn % 50 + 1, n) for n in NAMES]}))
            )
            await asyncio.sleep(0.03)
        await asyncio.gather(*written)

    async def _requests(self) -> None:
        turn = 0
        while not self._stopped.is_set():
            turn += 1
            entry = RequestEntry(NOON + turn / 100, f"c{turn}", "route", "api 1", "failed", 0.1, 1)
            await self._store.requests.append([entry], [ErrorGroup("f", "api 1", "provider", "x", NOON, NOON, 3)])
            self.errors += 3
            taken = None
            while taken is None:  # as a reporter does: the same again until it is acknowledged
                with suppress(StoreUnavailable):
                    await self._store.deltas.apply(
                        "reporter", "boot", turn, [row(NOON, 1, SeriesName("api", "reported"))]
                    )
                    taken = True
            self.reports += 1
            await asyncio.sleep(0.02)

    async def _control(self) -> None:
        turn = 0
        while not self._stopped.is_set():
            turn += 1
            act = AuditEntry(float(turn), "ana", "act")
            while True:
                try:
                    await self._store.state.save({"turn": turn})
                    await self._store.audit.append(act)
                except StoreUnavailable:
                    self.refused += 1
                    continue
                break
            self.acts += 1
            self.state = {"turn": turn}
            await asyncio.sleep(0.02)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopped.is_set():
            began = loop.time()
            await asyncio.sleep(0.005)
            late = loop.time() - began - 0.005
            self.late += late if late > 0.05 else 0.0

    async def check(self) -> None:
        await eventually(lambda: self._store.health().waiting == 0 and self._store.health().writable)
        await self._store.requests.append(
            [], [ErrorGroup("g", "", "x", "x", NOON, NOON, 1)]
        )  # everything before is done
        rows = await self._store.rollups.own(10, NOON, NOON * 2)
        assert {(each.ts, each.series): each.n for each in rows} == {
            (ts, name): times for ts, times in self.recorded.items() for name in NAMES
        }
        groups = {group.fingerprint: group.count for group in await self._store.requests.groups(0, NOON * 2)}
        assert groups["f"] == self.errors
        assert len(await self._store.requests.search(RequestQuery(), 10_000)) == self.errors // 3
        reported = SeriesName("api", "reported")
        assert await self._store.rollups.read(10, [reported], 0, NOON * 2, lambda rows: [r.n for r in rows]) == [
            self.reports
        ]
        assert await self._store.state.load() == self.state
        assert await self._store.audit.verify() == ""
        acts = await self._store.audit.read(limit=10_000)
        assert len(acts) == self.acts, "each act once"


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_is_away_under_load_costs_nothing_but_patience(postgres, options, mode, caplog):
    async with opened(replace(options, patience=1.0)) as store:
        load = Load(store)

        def disturb() -> None:
            postgres.stop(mode)
            try:
                threading.Event().wait(2.5)
                health = store.health()
                assert (health.writable, health.trouble) == (False, "away")
                assert "cannot be reached" in health.problems[0]
                assert health.waiting > 0
            finally:
                postgres.start()

        with caplog.at_level(logging.INFO):
            await load.run(disturb)
        await load.check()
        assert load.refused > 0, "control writes were told"
        assert store.health().problems == ()
        # The server was away for 2.5 s. What other tests take of the processor comes in single stalls; a loop that
        # waited for the server would wait at every try.
        assert load.late < 0.75, "the loop never waits for the server"
        assert PASSWORD not in caplog.text


async def test_reading_goes_on_at_once_when_the_server_is_back(postgres, options):
    async with opened(options) as store:
        await store.rollups.write({10: [row(NOON)]})
        for _ in range(6):
            assert await history(store) == 1
        postgres.stop("fast")
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await history(store)
        postgres.start()
        for _ in range(6):
            assert await history(store) == 1


async def test_a_store_works_behind_a_pooler_in_transaction_mode_and_survives_its_end(postgres, options, pgbouncer):
    behind = postgres.options(options.server()["dbname"], port=pgbouncer.port, patience=1.0)
    async with opened(behind) as store, opened(behind) as other:
        await other.state.save({"other": 1})
        load = Load(store)

        def disturb() -> None:
            pgbouncer.kill()
            threading.Event().wait(0.5)
            pgbouncer.start()

        await load.run(disturb)
        load.state["other"] = 1
        await load.check()
        lease = await store.leases.claim("upkeep", "me", 60.0)
        await store.upkeep(lease)
        assert await other.leases.claim("upkeep", "you", 60.0) is None


async def test_the_disk_of_the_server_and_the_password_of_the_role_may_change(postgres, options):
    async with opened(replace(options, patience=0.5)) as store:
        try:
            postgres.execute("ALTER ROLE tester PASSWORD 'another'")
            store._writer.control(lambda _: store._backend.drop())
            with pytest.raises(StoreUnavailable, match=r"storage\.password"):
                await store.state.save({"a": 1})
            assert any("storage.password" in problem for problem in store.health().problems)
        finally:
            where = f"host=127.0.0.1 port={postgres.port} user=tester dbname=postgres"
            with psycopg.connect(where, password="another", autocommit=True) as connection:
                connection.execute(f"ALTER ROLE tester PASSWORD '{PASSWORD}'")
        await eventually(lambda: store.health().writable or store._writer.flush().done())
        await store.state.save({"a": 2})
        assert await store.state.load() == {"a": 2}
