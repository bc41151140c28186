"""Reports that are made by themselves: when, once, also after a restart, and not lost when nobody takes them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from understudy.core.errors import StoreUnavailable
from understudy.reports.folder import FolderDeliverer
from understudy.reports.model import Report, Section
from understudy.reports.schedule import MOST_LATE, SETTLED, ReportSchedule, Scheduler, latest_span
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("every", "now", "start", "end"),
    [
        ("day", "2026-03-01T00:00:00", "2026-02-28", "2026-03-01"),
        ("day", "2026-03-01T23:59:59", "2026-02-28", "2026-03-01"),
        ("week", "2026-11-25T12:00:00", "2026-11-16", "2026-11-23"),
        ("week", "2026-11-23T00:00:00", "2026-11-16", "2026-11-23"),
        ("month", "2026-01-01T00:00:00", "2025-12-01", "2026-01-01"),
        ("month", "2024-03-31T10:00:00", "2024-02-01", "2024-03-01"),
    ],
)
def test_the_last_stretch_that_is_over(every, now, start, end):
    assert latest_span(every, at(now)) == (at(start), at(end))


class Maker:
    def __init__(self):
        self.asked = []
        self.fails = False

    async def make(self, kind, start, end, *, api="", target=99.9, language="en"):
        if self.fails:
            raise StoreUnavailable("away")
        self.asked.append((kind, start, end, api, target, language))
        return Report(kind, "A report", start, end, end, (Section("s"),))


class Taker:
    def __init__(self):
        self.taken = []

    async def deliver(self, name, schedule, report):
        self.taken.append((name, report.start))


@pytest.fixture
def clock():
    return FakeClock(epoch=at("2026-11-25T12:00:00"))


@pytest.fixture
def store(clock):
    return MemoryStore(clock)


async def test_a_new_schedule_begins_with_the_stretch_that_runs_now_and_each_is_delivered_once(clock, store):
    maker, taker = Maker(), Taker()
    scheduler = Scheduler({"daily": ReportSchedule(every="day", api="odds")}, maker, store.state, clock, taker)
    for _ in range(3 * 48):
        await scheduler.look()
        clock.tick(1800)
    assert taker.taken == [("daily", at(f"2026-11-{day}")) for day in (25, 26, 27)]
    assert maker.asked[0] == ("summary", at("2026-11-25"), at("2026-11-26"), "odds", 99.9, "en")


async def test_what_fell_due_while_nothing_ran_is_made_at_the_next_start_once(clock, store):
    schedules = {"daily": ReportSchedule(every="day")}
    await Scheduler(schedules, Maker(), store.state, clock, Taker()).look()
    clock.tick(86400)
    taker = Taker()
    for _ in range(2):
        await Scheduler(schedules, Maker(), store.state, clock, taker).look()
    assert taker.taken == [("daily", at("2026-11-25"))]


async def test_every_stretch_that_was_missed_is_made_up_for_in_order_within_limits(clock, store):
    schedules = {"daily": ReportSchedule(every="day")}
    await Scheduler(schedules, Maker(), store.state, clock, Taker()).look()
    clock.tick(3 * 86400)
    taker = Taker()
    await Scheduler(schedules, Maker(), store.state, clock, taker).look()
    assert [start for _, start in taker.taken] == [at(f"2026-11-{day}") for day in (25, 26, 27)]
    clock.tick(400 * 86400)
    await Scheduler(schedules, Maker(), store.state, clock, taker).look()
    assert len(taker.taken) == 3 + MOST_LATE
    assert taker.taken[-1] == ("daily", at("2028-01-01"))


async def test_a_stretch_is_reported_on_only_when_its_last_numbers_are_written(clock, store):
    taker = Taker()
    scheduler = Scheduler({"daily": ReportSchedule(every="day")}, Maker(), store.state, clock, taker)
    await scheduler.look()
    clock.tick(12 * 3600 + SETTLED - 1)
    assert await scheduler.look() == []
    clock.tick(2)
    assert await scheduler.look() == ["daily"]


@pytest.mark.parametrize("kept", ["junk", 7.0, {"every": "day"}, {"every": "day", "end": "soon"}, [1]])
async def test_a_place_in_time_that_cannot_be_read_is_that_of_a_new_schedule(clock, store, kept):
    await store.state.save({"reports/daily": kept})
    taker = Taker()
    scheduler = Scheduler({"daily": ReportSchedule(every="day")}, Maker(), store.state, clock, taker)
    assert await scheduler.look() == []
    clock.tick(86400)
    assert await scheduler.look() == ["daily"]


async def test_a_schedule_that_covers_another_stretch_now_begins_anew(clock, store):
    taker = Taker()
    await Scheduler({"it": ReportSchedule(every="month")}, Maker(), store.state, clock, taker).look()
    scheduler = Scheduler({"it": ReportSchedule(every="day")}, Maker(), store.state, clock, taker)
    assert await scheduler.look() == []
    clock.tick(86400)
    await scheduler.look()
    assert taker.taken == [("it", at("2026-11-25"))]


async def test_of_several_services_on_one_store_only_the_chosen_one_makes_reports(clock, store):
    taker = Taker()
    chosen = {"first": True, "second": False}
    schedules = {"daily": ReportSchedule(every="day")}
    running = [
        asyncio.ensure_future(
            Scheduler(schedules, Maker(), store.state, clock, taker, chosen=lambda name=name: chosen[name]).run()
        )
        for name in chosen
    ]
    await clock.advance(1)
    clock.tick(86400)
    await clock.advance(60)
    assert taker.taken == [("daily", at("2026-11-25"))]
    chosen.update(first=False, second=True)
    clock.tick(86400)
    await clock.advance(60)
    assert taker.taken == [("daily", at("2026-11-25")), ("daily", at("2026-11-26"))]
    for task in running:
        task.cancel()
    await asyncio.wait(running)


async def test_a_report_that_cannot_be_made_or_taken_waits_and_is_told(clock, store, tmp_path):
    maker = Maker()
    (tmp_path / "reports").write_text("a file in the folder's place")
    scheduler = Scheduler({"daily": ReportSchedule(every="day")}, maker, store.state, clock, FolderDeliverer(tmp_path))
    await scheduler.look()
    clock.tick(86400)
    assert await scheduler.look() == []
    assert scheduler.problems["daily"] == f"report daily waits: {tmp_path / 'reports'}: File exists"
    maker.fails = True
    assert await scheduler.look() == []
    maker.fails = False
    (tmp_path / "reports").unlink()
    assert await scheduler.look() == ["daily"]
    assert scheduler.problems == {}


async def test_the_folder_gets_each_format_whole(clock, store, tmp_path):
    schedule = ReportSchedule(every="month", formats=("html", "json", "csv"), folder="kept/here")
    report = Report("summary", "A report", at("2026-10-01"), at("2026-11-01"), at("2026-11-01"), (Section("s"),))
    for _ in range(2):
        await FolderDeliverer(tmp_path).deliver("../evil name", schedule, report)
    names = sorted(path.name for path in (tmp_path / "kept/here").iterdir())
    assert names == [f"---evil-name-2026-10-01.{ending}" for ending in ("html", "json", "zip")]
