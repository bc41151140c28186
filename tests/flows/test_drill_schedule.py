"""Drills by a schedule: played once, by whoever delivers, marked in every message, and their result is kept."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from alerted import Alerted, memory_store, settings_of

from understudy.alerting.drills import next_after
from understudy.app import Understudy
from understudy.core.errors import OptionError
from understudy.drilling import play
from understudy.notifications.message import Rejected
from understudy.notifications.options import NotificationOptions
from understudy.notifications.ports import Traits
from understudy.testing import FakeClock, MemoryChannel
from understudy.testing.memory_channel import UNBOUNDED
from understudy.web.views.told import NotificationsView

WEEKLY = NotificationOptions(drill="weekly", drill_at="tue 10:00")


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes")[:16] if at is not None else "never"


@pytest.mark.parametrize(
    ("options", "after", "due"),
    [
        (NotificationOptions(), "2027-01-01T00:00", "never"),
        (WEEKLY, "2027-01-04T00:00", "2027-01-05T10:00"),
        (WEEKLY, "2027-01-05T09:59", "2027-01-05T10:00"),
        (WEEKLY, "2027-01-05T10:00", "2027-01-12T10:00"),
        (dataclasses.replace(WEEKLY, drill="monthly"), "2027-01-06T00:00", "2027-02-02T10:00"),
        (dataclasses.replace(WEEKLY, drill="monthly"), "2027-02-01T00:00", "2027-02-02T10:00"),
        (dataclasses.replace(WEEKLY, drill_zone="America/Sao_Paulo"), "2027-01-04T00:00", "2027-01-05T13:00"),
        # New York springs forward on Sunday the 14th of March 2027: half past two is not there, and shifts forward.
        (NotificationOptions(drill="weekly", drill_at="sun 02:30", drill_zone="America/New_York"),
         "2027-03-13T00:00", "2027-03-14T07:30"),
    ],
)  # fmt: skip  # a table
def test_a_schedule_says_when_the_next_drill_is(options, after, due):
    assert shown(next_after(options, moment(after))) == due


@pytest.mark.parametrize("wrong", [
    {"drill_at": "10:00"}, {"drill_at": "tue 24:00"}, {"drill_at": "Tuesday 10:00"}, {"drill_zone": "Mars/Olympus"},
    {"drill_zone": "../zone"}, {"drill": "hourly"},
])  # fmt: skip  # a list of them
def test_a_schedule_that_cannot_be_read_is_refused(wrong):
    with pytest.raises(OptionError):
        NotificationOptions(**wrong)


def at_nine() -> FakeClock:
    return FakeClock(epoch=moment("2027-01-05T09:58"))


async def test_a_drill_is_played_once_and_every_message_says_what_it_is():
    clock = at_nine()
    store = memory_store(clock)
    pager = MemoryChannel(Traits("memory", "pager", UNBOUNDED, pager=True), clock=clock)
    settings = settings_of(notifications=WEEKLY)
    async with Alerted(clock, store, settings) as world:
        world.app.add_channel("pager", pager)
        await clock.advance(60)
        assert world.app.alerting.drills.as_dict()["next_at"] == moment("2027-01-05T10:00")
        assert world.channel.delivered == []
        await clock.advance(240)
        told = world.channel.delivered
        assert [str(each.notice.kind) for each in told] == ["fired", "resolved"]
        for each in told:
            assert each.card.title.startswith("[DRILL] ")
            assert each.card.subject.startswith("[DRILL] ")
            assert any("nothing is wrong" in note for note in each.card.notes)
            assert each.notice.title.startswith("[DRILL] ")
        assert pager.delivered == []
        # Nothing of the application itself is touched.
        assert world.app.alerts.active() == []
        assert await world.app.alerts.history() == []
        view = (await NotificationsView.of(world.app, 0.0, clock.time())).as_dict()["drill"]
        assert (view["last"]["state"], view["last"]["report"]["spared"]) == ("good", ["pager"])
        assert view["last"]["report"]["channels"]["people"]["delivered"] < 5
        assert view["next_at"] == moment("2027-01-12T10:00")
        assert world.app.alerting.problems() == []
    # Nor again after a restart within the hour.
    async with Alerted(clock, store, settings) as again:
        await clock.advance(300)
        assert again.channel.delivered == []
        assert again.app.alerting.drills.as_dict()["last"]["state"] == "good"


async def test_each_message_says_so_in_its_channels_language():
    clock = FakeClock()
    channel = MemoryChannel(Traits("memory", "room", UNBOUNDED, language="pt-BR"), clock=clock)
    report = await play(Understudy.build, {"sala": channel}, clock)
    assert report.good
    for each in channel.delivered:
        assert each.card.title.startswith("[SIMULADO] ")
        assert any("simulado" in note for note in each.card.notes)
        assert "drill" not in each.card.title.replace("understudy_drill", "").lower()


async def test_of_two_services_one_plays_it():
    clock = at_nine()
    store = memory_store(clock)
    settings = settings_of(notifications=WEEKLY)
    async with Alerted(clock, store, settings) as one, Alerted(clock, store, settings, seed=2) as other:
        await clock.advance(400)
        assert sorted(map(len, (one.channel.delivered, other.channel.delivered))) == [0, 2]


async def test_a_channel_that_does_not_tell_is_a_problem_until_a_drill_goes_well():
    clock = at_nine()
    store = memory_store(clock)
    settings = settings_of(notifications=WEEKLY)
    async with Alerted(clock, store, settings) as world:
        dumb = MemoryChannel(script=[Rejected("no such room", status=404)] * 10, clock=clock)
        world.app.add_channel("dumb", dumb)
        await clock.advance(500)
        [problem] = world.app.alerting.drills.problems()
        assert "dumb" in problem
        assert "people" not in problem
        dumb.script.clear()
        clock.tick(7 * 86400.0 - 700.0)
        await clock.advance(600)
        assert world.app.alerting.drills.problems() == []


async def test_a_drill_that_is_hours_late_is_left_out_and_a_pager_rings_only_when_asked():
    clock = FakeClock(epoch=moment("2027-01-05T12:00"))
    pager = MemoryChannel(Traits("memory", "pager", UNBOUNDED, pager=True), clock=clock)
    settings = settings_of(notifications=dataclasses.replace(WEEKLY, drill_pagers=True))
    async with Alerted(clock, memory_store(clock), settings) as world:
        world.app.add_channel("pager", pager)
        await clock.advance(300)
        assert (world.channel.delivered, pager.delivered) == ([], [])
        clock.tick(moment("2027-01-12T09:59") - clock.time())
        await clock.advance(300)
        assert [str(each.notice.kind) for each in pager.delivered] == ["fired", "resolved"]
