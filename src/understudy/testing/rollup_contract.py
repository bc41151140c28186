# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `RollupStore` and `DeltaStore` promise, as suites: a subclass named `Test…` provides the fixtures.

`store` is the `RollupStore`, `deltas` the `DeltaStore` that writes into it; `upkeep(seconds)` lets time
pass and does what the store does by itself from time to time. The store's clock begins at `NOON`.

class TestMine(RollupStoreContract):
    @pytest.fixture
    def store(self): return MyStore()

    @pytest.fixture
    def upkeep(self, store): …
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from understudy.monitor.rollup import TIERS, Bucket, Row, SeriesName, Total

if TYPE_CHECKING:
    from understudy.monitor.ports import DeltaStore, RollupStore

#: The start of an hour, but not of a day.
NOON = 1_800_000_000
DAY = 86_400
FAR = NOON + 400 * DAY

ODDS, NEWS, ROUTE = SeriesName("api", "odds"), SeriesName("api", "news"), SeriesName("route", "odds")

Upkeep = Callable[[float], Awaitable[None]]


def bucket(*seconds: float, failures: int = 0) -> Bucket:
    """A bucket with these successes, and so many failures by the provider."""
    made = Bucket()
    for each in seconds:
        made.add_one(each)
    made.n += failures
    made.err += failures
    made.err_lat_sum_us = failures * 1000
    if failures:
        made.classes[False, "provider"] = failures
    return made


def row(ts: int, series: SeriesName, *seconds: float, failures: int = 0) -> Row:
    """That bucket as a row."""
    return bucket(*seconds, failures=failures).row(ts, series)


async def everything(store: RollupStore, tier: int, *names: SeriesName, start: int = 0, end: int = FAR) -> list[Row]:
    """The rows of a tier; of every series without names."""
    return await store.read(tier, list(names) or None, start, end, list)


def added(rows: Iterable[Row]) -> dict[SeriesName, tuple[int, int, int, int, Counter[int]]]:
    """What rows say together, by series: n, ok, the extremes and the histogram."""
    sums: dict[SeriesName, Bucket] = {}
    for each in rows:
        sums.setdefault(each.series, Bucket()).take_in(each)
    return {name: (one.n, one.ok, one.lat_min_us, one.lat_max_us, one.hist) for name, one in sums.items()}


class RollupStoreContract:
    """The promises of `monitor.ports.RollupStore`."""

    async def test_where_nothing_was_written_nothing_is_read(self, store: RollupStore) -> None:
        for tier in TIERS:
            assert await everything(store, tier) == []
            assert await everything(store, tier, ODDS) == []
            assert await store.totals(tier, "api", 0, FAR) == {}
            assert await store.own(tier, 0, FAR) == []
            assert await store.last(tier) is None

    async def test_a_row_comes_back_as_it_was_written_in_its_tier_only(self, store: RollupStore) -> None:
        for tier in TIERS:
            start = NOON // tier * tier
            full = Row(start, ODDS, 9, 5, 3, 2, 1, 2**40, 17, 2**33, 2**41, 12_345, b"\x01\x04\x03", b"\x01\x05\x05")
            await store.write({tier: [full]})
            assert await everything(store, tier) == [full]
            assert await store.own(tier, start, start + 1) == [full]
            assert await store.last(tier) == start

    async def test_what_was_never_counted_comes_back_as_none(self, store: RollupStore) -> None:
        empty = Bucket().row(NOON, ODDS)
        await store.write({10: [empty]})
        assert await everything(store, 10) == [empty]
        assert empty.hist is None

    async def test_writing_again_replaces(self, store: RollupStore) -> None:
        await store.write({10: [row(NOON, ODDS, 0.1), row(NOON, NEWS, 0.1)], 60: [row(NOON, ODDS, 0.1)]})
        again = row(NOON, ODDS, 0.1, 0.2, failures=1)
        await store.write({10: [again]})
        await store.write({10: [again]})
        assert await everything(store, 10, ODDS) == [again]
        assert await everything(store, 10, NEWS) == [row(NOON, NEWS, 0.1)]
        assert await everything(store, 60) == [row(NOON, ODDS, 0.1)]

    async def test_a_span_has_its_start_and_not_its_end(self, store: RollupStore) -> None:
        await store.write({10: [row(NOON + 10 * number, ODDS, 0.1) for number in range(6)]})
        found = await everything(store, 10, ODDS, start=NOON + 10, end=NOON + 40)
        assert [each.ts - NOON for each in found] == [10, 20, 30]
        assert [each.ts - NOON for each in await everything(store, 10, start=NOON + 11, end=NOON + 40)] == [20, 30]
        assert [each.ts - NOON for each in await store.own(10, NOON + 50, FAR)] == [50]
        assert await everything(store, 10, ODDS, start=NOON + 10, end=NOON + 10) == []

    async def test_rows_come_by_series_and_start(self, store: RollupStore) -> None:
        times = [NOON + 30, NOON, NOON + 20, NOON + 10]
        for ts in times:
            await store.write({10: [row(ts, name, 0.1) for name in (NEWS, ROUTE, ODDS)]})
        found = await everything(store, 10)
        groups: dict[SeriesName, list[int]] = {}
        for each in found:
            groups.setdefault(each.series, []).append(each.ts)
        assert groups == {name: sorted(times) for name in (NEWS, ROUTE, ODDS)}
        together = [name for place, name in enumerate(e.series for e in found) if name != found[place - 1].series]
        assert len(together) == 3, "the rows of one series stand together"

    async def test_only_the_series_that_are_asked_for_are_read(self, store: RollupStore) -> None:
        await store.write({10: [row(NOON, name, 0.1) for name in (ODDS, NEWS, ROUTE)]})
        assert {each.series for each in await everything(store, 10, ODDS, NEWS)} == {ODDS, NEWS}
        assert await everything(store, 10, SeriesName("api", "nobody")) == []
        assert [each.series for each in await everything(store, 10, SeriesName("api", "nobody"), ROUTE)] == [ROUTE]
        assert await store.read(10, [], 0, FAR, list) == []

    async def test_many_series_can_be_asked_for_at_once(self, store: RollupStore) -> None:
        names = [SeriesName("api", f"number {number}") for number in range(700)]
        await store.write({60: [row(NOON, name, 0.1) for name in names]})
        assert {each.series for each in await everything(store, 60, *names[:650])} == set(names[:650])
        assert len(await everything(store, 60)) == 700

    async def test_the_result_of_folding_is_what_a_read_answers(self, store: RollupStore) -> None:
        await store.write({10: [row(NOON + 10 * number, ODDS, 0.1, 0.2) for number in range(3)]})
        assert await store.read(10, [ODDS], 0, FAR, lambda rows: sum(each.n for each in rows)) == 6

    async def test_names_may_be_in_any_language(self, store: RollupStore) -> None:
        name = SeriesName("api", "odds ✓ “São Paulo” 東京 %_'\"\\")
        await store.write({10: [row(NOON, name, 0.1)]})
        assert [each.series for each in await everything(store, 10, name)] == [name]

    async def test_totals_add_up_each_series_of_a_kind(self, store: RollupStore) -> None:
        rows = [row(NOON, ODDS, 0.2, failures=1), row(NOON + 60, ODDS, 0.1, 0.4), row(NOON + 120, ODDS, failures=2)]
        await store.write({60: [*rows, row(NOON, NEWS, 0.3), row(NOON, ROUTE, 0.1)]})
        found = await store.totals(60, "api", NOON, NOON + 180)
        assert set(found) == {"odds", "news"}
        sums = [sum(getattr(each, field) for each in rows) for field in Total._fields]
        assert found["odds"] == Total._make(sums)
        assert (found["odds"].n, found["odds"].ok, found["odds"].lat_sum_us) == (6, 3, 700_000)
        assert (await store.totals(60, "api", NOON, NOON + 60))["odds"].n == 2
        assert set(await store.totals(60, "route", NOON, NOON + 180)) == {"odds"}

    async def test_the_latest_start_is_that_of_all_series(self, store: RollupStore) -> None:
        await store.write({10: [row(NOON + 50, ODDS, 0.1), row(NOON, NEWS, 0.1)]})
        assert await store.last(10) == NOON + 50
        assert await store.last(60) is None

    async def test_more_than_one_transaction_can_hold_is_written_whole(self, store: RollupStore) -> None:
        names = [SeriesName("api", str(number)) for number in range(1300)]
        rows = {tier: [row(NOON // tier * tier, name, 0.1) for name in names] for tier in TIERS}
        await store.write(rows)
        for tier in TIERS:
            assert len(await everything(store, tier)) == 1300

    async def test_hours_later_everything_is_still_where_it_was(self, store: RollupStore, upkeep: Upkeep) -> None:
        names = (ODDS, NEWS, ROUTE)
        for hour in range(3):
            start = NOON + 3600 * hour
            for tier in (10, 60):
                times = range(start, start + 3600, tier)
                await store.write({tier: [row(ts, name, ts % 7 / 10) for ts in times for name in names]})
            for tier in (10, 60):
                assert len(await everything(store, tier, ODDS)) == 3600 * (hour + 1) // tier
            before = {tier: await everything(store, tier) for tier in (10, 60)}
            totals = await store.totals(10, "api", NOON + 1800, NOON + 9000)
            await upkeep(3600 + 60 * (hour == 0))
            assert {tier: await everything(store, tier) for tier in (10, 60)} == before
            assert await store.totals(10, "api", NOON + 1800, NOON + 9000) == totals
            # A span over the border of two hours, and one that holds none.
            found = await everything(store, 10, NEWS, start=start - 100, end=start + 100)
            assert [each.ts for each in found] == list(range(max(NOON, start - 100), start + 100, 10))
            assert await store.last(10) == start + 3590

    async def test_a_late_row_of_a_past_hour_replaces_too(self, store: RollupStore, upkeep: Upkeep) -> None:
        await store.write({10: [row(NOON + 10 * number, ODDS, 0.1) for number in range(360)]})
        await upkeep(3 * 3600)
        late = row(NOON + 50, ODDS, 0.1, 0.5)
        unknown = row(NOON + 50, NEWS, 0.7)
        await store.write({10: [late, unknown]})
        assert await everything(store, 10, ODDS, start=NOON + 50, end=NOON + 60) == [late]
        assert await everything(store, 10, NEWS) == [unknown]
        await upkeep(3600)
        assert await everything(store, 10, ODDS, start=NOON + 50, end=NOON + 60) == [late]
        assert await everything(store, 10, NEWS) == [unknown]

    async def test_each_tier_forgets_in_its_own_time(self, store: RollupStore, upkeep: Upkeep) -> None:
        for tier in TIERS:
            start = NOON // tier * tier
            await store.write({tier: [row(start + number * tier, ODDS, 0.1) for number in range(3)]})
        for days, left in ((1, (3, 3, 3, 3)), (2, (0, 3, 3, 3)), (31, (0, 0, 3, 3)), (800, (0, 0, 0, 3))):
            await upkeep(days * DAY)
            assert tuple([len(await everything(store, tier)) for tier in TIERS]) == left


class DeltaStoreContract:
    """The promises of `monitor.ports.DeltaStore`."""

    async def test_reports_add_up(self, deltas: DeltaStore, store: RollupStore) -> None:
        assert await deltas.apply("i", "b", 1, [row(NOON, ODDS, 0.2), row(NOON, ROUTE, 0.2)])
        assert await deltas.apply("i", "b", 2, [row(NOON, ODDS, 0.1, failures=2), row(NOON + 10, ODDS, 0.3)])
        assert added(await everything(store, 10)) == added(
            [row(NOON, ODDS, 0.2, 0.1, 0.3, failures=2), row(NOON, ROUTE, 0.2)]
        )
        first = (await everything(store, 10, ODDS))[0]
        assert (first.ts, first.n, first.err, first.lat_min_us) == (NOON, 4, 2, 100_000)
        assert first.classes == row(NOON, ODDS, failures=2).classes

    async def test_a_report_counts_once_however_often_it_comes(self, deltas: DeltaStore, store: RollupStore) -> None:
        report = [row(NOON, ODDS, 0.2)]
        assert [await deltas.apply("i", "b", 1, report) for _ in range(3)] == [True, False, False]
        assert await deltas.apply("i", "b", 5, report), "a gap is no fault: the reporter gave something up"
        assert not await deltas.apply("i", "b", 4, report), "what came before it is late for ever"
        assert (await everything(store, 10))[0].n == 2

    async def test_another_reporter_and_another_start_of_it_have_their_own_numbers(
        self, deltas: DeltaStore, store: RollupStore
    ) -> None:
        for reporter, boot in (("i", "b"), ("i", "c"), ("j", "b")):
            assert await deltas.apply(reporter, boot, 1, [row(NOON, ODDS, 0.2)])
            assert not await deltas.apply(reporter, boot, 1, [row(NOON, ODDS, 0.2)])
        assert sum(each.n for each in await everything(store, 10)) == 3

    async def test_what_is_reported_stands_beside_what_the_service_did_itself(
        self, deltas: DeltaStore, store: RollupStore
    ) -> None:
        own = row(NOON, ODDS, 0.4)
        await store.write({10: [own]})
        await deltas.apply("i", "b", 1, [row(NOON, ODDS, 0.2)])
        await store.write({10: [own]})
        assert added(await everything(store, 10)) == added([row(NOON, ODDS, 0.2, 0.4)])
        assert await store.own(10, 0, FAR) == [own]
        assert (await store.totals(10, "api", NOON, NOON + 10))["odds"].n == 2

    async def test_what_others_did_is_told_without_what_the_service_did_itself(
        self, deltas: DeltaStore, store: RollupStore, upkeep: Upkeep
    ) -> None:
        async def others(tier: int, start: int = 0, end: int = FAR) -> list[Row]:
            return await store.others(tier, start, end, list)

        await store.write({10: [row(NOON, ODDS, 0.4), row(NOON, NEWS, 0.4)], 60: [row(NOON, ODDS, 0.4)]})
        assert await others(10) == []
        reported = [row(NOON, ODDS, 0.2), row(NOON + 10, NEWS, 0.1, failures=1)]
        await deltas.apply("i", "b", 1, reported)
        assert sorted(await others(10)) == sorted(reported)
        assert await others(10, NOON + 10) == reported[1:]
        assert await others(10, 0, NOON) == []
        assert await store.others(10, 0, FAR, lambda rows: sum(each.n for each in rows)) == 3
        await upkeep(2 * 3600)
        assert sorted(await others(10)) == sorted(reported), "wherever rows lie by now"
        assert added(await others(60)) == added(reported)

    async def test_a_report_of_nothing_is_a_report(self, deltas: DeltaStore, store: RollupStore) -> None:
        assert await deltas.apply("i", "b", 1, [])
        assert not await deltas.apply("i", "b", 1, [])
        assert await everything(store, 10) == []

    async def test_the_coarser_tiers_follow_when_their_time_is_over(
        self, deltas: DeltaStore, store: RollupStore, upkeep: Upkeep
    ) -> None:
        reported = [row(NOON + at, name, 0.1, failures=at % 3) for at in range(0, 7200, 600) for name in (ODDS, NEWS)]
        passed = 0
        for number, start in enumerate(range(0, len(reported), 2), 1):
            some = reported[start : start + 2]
            await upkeep(some[0].ts - NOON - passed)
            passed = some[0].ts - NOON
            await deltas.apply("i", "b", number, some)
        await upkeep(7200 + 60 - passed)
        for tier in (60, 3600):
            found = await everything(store, tier)
            assert added(found) == added(reported)
            assert {each.ts % tier for each in found} == {0}
        assert len(await everything(store, 3600, ODDS)) == 2
        await upkeep(DAY)
        assert added(await everything(store, DAY)) == added(reported)

    async def test_a_late_report_reaches_the_periods_that_are_over(
        self, deltas: DeltaStore, store: RollupStore, upkeep: Upkeep
    ) -> None:
        await deltas.apply("i", "b", 1, [row(NOON, ODDS, 0.2)])
        await upkeep(DAY + 60)
        late = [row(NOON + 30, ODDS, 0.4), row(NOON + 30, NEWS, 0.4), row(NOON - DAY // 2, ODDS, 0.4)]
        await deltas.apply("i", "b", 2, late)
        await upkeep(60)
        whole = added([row(NOON, ODDS, 0.2), *late])
        for tier in TIERS:
            found = await everything(store, tier)
            assert added(found) == whole
        assert len(await everything(store, 3600, ODDS)) == 2
