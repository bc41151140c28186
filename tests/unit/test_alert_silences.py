"""Silences in time: once, or again and again in somebody's local time (edge case 27)."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.alerts.recurrence import Recurrence, RecurrenceError
from understudy.alerts.silences import PlannedSilence, Silence, SilenceError, Silences
from understudy.core.matchers import parse_list

ODDS = parse_list("api=odds")
NEW_YEAR = datetime.fromisoformat("2026-01-01T00:00")
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
LONDON, NEW_YORK, SAO_PAULO = ZoneInfo("Europe/London"), ZoneInfo("America/New_York"), ZoneInfo("America/Sao_Paulo")


def at(text: str, zone: ZoneInfo | None = None, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC, fold=fold).timestamp()


def weekly(rrule: str, starts: str, zone: str = "UTC", duration: float = 3600.0, **extra) -> Silence:
    begins = at(starts, ZoneInfo(zone))
    return Silence(ODDS, begins, rrule=rrule, duration=duration, time_zone=zone, reason="r", author="a", **extra)


def test_once_from_its_start_up_to_its_end():
    silence = Silence(ODDS, 1000.0, 2000.0, reason="r", author="a")
    assert [silence.active(moment) for moment in (999.9, 1000.0, 1999.9, 2000.0)] == [False, True, True, False]
    assert silence.window(1500.0) == (1000.0, 2000.0)
    assert (silence.over(1999.0), silence.over(2000.0)) == (False, True)
    assert silence.covers({"api": "odds", "severity": "info"})
    assert not silence.covers({"api": "scores"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"matchers": ()}, "at least one matcher"),
        ({"reason": " "}, "needs a reason"),
        ({"author": ""}, "needs an author"),
        ({"ends_at": 1000.0}, "ends after it starts"),
        ({"ends_at": None}, "needs an end"),
        ({"ends_at": 1000.0 + 367 * 86400}, "at most 366 days"),
        ({"duration": 60.0}, "a duration belongs to a recurrence rule"),
        ({"rrule": "FREQ=DAILY", "duration": 5.0}, "from one minute to 7 days"),
        ({"rrule": "FREQ=DAILY", "duration": 60.0, "time_zone": "Nowhere"}, "no time zone named 'Nowhere'"),
        ({"rrule": "FREQ=SECONDLY", "duration": 60.0}, "FREQ: expected one of DAILY"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, said):
    good = {"matchers": ODDS, "starts_at": 1000.0, "ends_at": 2000.0, "reason": "r", "author": "a"}
    with pytest.raises(SilenceError, match=said):
        Silence(**{**good, **changes})


def test_it_is_read_as_it_was_written():
    silence = weekly("FREQ=WEEKLY;BYDAY=SU", "2026-01-04T02:00", "America/Sao_Paulo", id="x", kind="maintenance")
    assert Silence.from_dict({**silence.as_dict(), "later": 1}) == silence


class TestRecurring:
    """Case 27: local time, across changes of the clocks and of the year."""

    def test_27_each_week_in_local_time(self):
        silence = weekly("FREQ=WEEKLY;BYDAY=SU", "2026-01-04T02:00", "America/New_York")
        assert silence.window(at("2026-01-11T02:30", NEW_YORK)) == (
            at("2026-01-11T02:00", NEW_YORK), at("2026-01-11T03:00", NEW_YORK),
        )  # fmt: skip
        assert not silence.active(at("2026-01-12T02:30", NEW_YORK))
        # In summer, an hour earlier in UTC.
        assert silence.active(at("2026-07-05T06:30"))
        assert not silence.active(at("2026-07-05T07:00"))
        assert silence.next_start(at("2026-07-05T06:30")) == at("2026-07-12T06:00")

    def test_27_nothing_before_its_beginning(self):
        silence = weekly("FREQ=DAILY", "2026-01-04T02:00")
        assert not silence.active(at("2026-01-03T02:30"))
        assert silence.next_start(at("2025-06-01T00:00")) == at("2026-01-04T02:00")

    def test_27_a_time_that_is_left_out_moves_forward(self):
        # On 8 March 2026, 02:00 becomes 03:00 in New York.
        silence = weekly("FREQ=DAILY", "2026-03-01T02:30", "America/New_York", 1800.0)
        assert silence.window(at("2026-03-08T07:40")) == (at("2026-03-08T07:30"), at("2026-03-08T08:00"))
        assert not silence.active(at("2026-03-08T06:59"))

    def test_27_a_time_that_comes_twice_is_covered_both_times(self):
        # On 25 October 2026, 02:00 becomes 01:00 in London.
        silence = weekly("FREQ=DAILY", "2026-10-01T01:10", "Europe/London", 1200.0)
        assert silence.window(at("2026-10-25T00:15")) == (at("2026-10-25T00:10"), at("2026-10-25T01:30"))
        assert not silence.active(at("2026-10-25T01:30"))

    def test_27_across_the_end_of_the_year(self):
        silence = weekly("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", "2020-12-31T22:00", "America/Sao_Paulo", 6 * 3600.0)
        assert silence.window(at("2027-01-01T03:59", SAO_PAULO)) == (
            at("2026-12-31T22:00", SAO_PAULO), at("2027-01-01T04:00", SAO_PAULO),
        )  # fmt: skip
        assert silence.next_start(at("2027-01-01T05:00")) == at("2027-12-31T22:00", SAO_PAULO)

    def test_27_windows_that_touch_are_one(self):
        silence = weekly("FREQ=DAILY", "2026-01-01T00:00", duration=86400.0, ends_at=at("2026-02-01T12:00"))
        assert silence.window(at("2026-01-15T10:00"))[1] == at("2026-02-01T12:00")
        assert not silence.active(at("2026-02-01T12:00"))

    def test_27_a_rule_that_names_no_day_costs_nothing(self):
        begins = time.perf_counter()
        silence = weekly("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "1990-01-01T00:00")
        assert not silence.active(at("2026-02-28T00:30"))
        assert silence.next_start(at("2026-02-28T00:30")) is None
        assert time.perf_counter() - begins < 1

    def test_of_several_the_longest_counts_and_ends_are_noticed(self):
        silences = Silences([
            Silence(ODDS, 0.0, 1000.0, reason="r", author="a", id="short"),
            Silence(ODDS, 0.0, 2000.0, reason="r", author="a", id="long"),
            Silence(ODDS, 2500.0, 3000.0, reason="r", author="a", id="later"),
            Silence(ODDS, 0.0, 9000.0, reason="r", author="a", id="m", kind="maintenance"),
        ])  # fmt: skip
        found = [silences.covering("silence", {"api": "odds"}, moment) for moment in (10.0, 1500.0, 2000.0, 2600.0)]
        assert [pair and (pair[0].id, pair[1]) for pair in found] == [
            ("long", 2000.0), ("long", 2000.0), None, ("later", 3000.0),
        ]  # fmt: skip
        assert silences.covering("maintenance", {"api": "odds"}, 2100.0)[0].id == "m"
        assert silences.covering("silence", {"api": "scores"}, 10.0) is None

    def test_ended_by_hand(self):
        silence = weekly("FREQ=DAILY", "2026-01-01T00:00")
        ended = silence.expired(at("2026-01-05T00:10"))
        assert ended.active(at("2026-01-05T00:05"))
        assert not ended.active(at("2026-01-05T00:10"))
        assert not ended.active(at("2026-01-06T00:10"))


class TestPlanned:
    """Silences of the configuration."""

    def test_local_times(self):
        plan = PlannedSilence(
            ("api=odds",), "2026-11-28T22:00", "2026-11-29T02:00", time_zone="America/Sao_Paulo", reason="they move"
        )
        silence = plan.silence("move")
        assert (silence.starts_at, silence.ends_at) == (at("2026-11-29T01:00"), at("2026-11-29T05:00"))
        assert (silence.id, silence.author) == ("file:move", "configuration")

    def test_recurring_without_a_beginning(self):
        plan = PlannedSilence(
            ("hub=rapid",), rrule="FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=0", duration=7200.0, reason="weekly upkeep",
            kind="maintenance",
        )  # fmt: skip
        assert plan.silence("upkeep").active(at("2026-11-29T03:59"))

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"starts": "tomorrow"}, "starts: expected local time"),
            ({"ends": "2026-11-29T02:00Z"}, "ends: give local time without an offset"),
            ({"match": ("api",)}, "expected one of"),
            ({"time_zone": "x"}, "no time zone named"),
            ({"reason": ""}, "needs a reason"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, changes, said):
        good = {"match": ("api=odds",), "starts": "2026-11-28T22:00", "ends": "2026-11-29T02:00", "reason": "r"}
        with pytest.raises(SilenceError, match=said):
            PlannedSilence(**{**good, **changes}).silence("x")


class TestRecurrence:
    """Recurrence rules name the days that they name elsewhere."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "FREQ: expected one of"),
            ("FREQ=HOURLY", "FREQ: expected one of DAILY, WEEKLY, MONTHLY, YEARLY, found 'HOURLY'"),
            ("FREQ=DAILY;COUNT=3", "COUNT is not supported; known are FREQ, INTERVAL"),
            ("FREQ=DAILY;FREQ=DAILY", "once each"),
            ("FREQ", "expected NAME=VALUE"),
            ("FREQ=DAILY;INTERVAL=0", "INTERVAL: expected a whole number from 1 to 1000"),
            ("FREQ=DAILY;BYHOUR=24", "BYHOUR: expected a whole number from 0 to 23"),
            ("FREQ=MONTHLY;BYMONTHDAY=0", "there is no day 0"),
            ("FREQ=WEEKLY;BYDAY=1SU", "counts days within a month or year"),
            ("FREQ=WEEKLY;BYDAY=XX", "BYDAY: expected days such as"),
            ("FREQ=DAILY;UNTIL=20261231T235959Z", "UNTIL: expected local time"),
            ("FREQ=DAILY;UNTIL=20261341", "UNTIL: expected local time"),
            ("FREQ=DAILY;" + "x" * 500, "at most 500 characters"),
            ("FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=0,10,20,30,40", "more than 96 times"),
        ],
    )
    def test_what_is_no_rule_is_refused(self, text, said):
        with pytest.raises(RecurrenceError, match=said):
            Recurrence(text, NEW_YEAR)

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_27_as_another_implementation_has_it(self, data):
        begins = data.draw(st.datetimes(NEW_YEAR - timedelta(days=1000), NEW_YEAR)).replace(second=0, microsecond=0)
        frequency = data.draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
        parts = [f"FREQ={frequency}"]
        if data.draw(st.booleans()):
            parts.append(f"INTERVAL={data.draw(st.integers(1, 5))}")
        if data.draw(st.booleans()):
            days = data.draw(
                st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, unique=True)
            )
            if frequency in ("MONTHLY", "YEARLY") and data.draw(st.booleans()):
                days = [f"{data.draw(st.sampled_from([1, 2, 5, -1, -2]))}{day}" for day in days]
            parts.append("BYDAY=" + ",".join(days))
        elif frequency != "WEEKLY" and data.draw(st.booleans()):
            numbers = st.integers(1, 31) | st.integers(-31, -1)
            parts.append("BYMONTHDAY=" + ",".join(map(str, data.draw(st.lists(numbers, min_size=1, max_size=4)))))
        if data.draw(st.booleans()):
            months = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
            parts.append("BYMONTH=" + ",".join(map(str, months)))
        if data.draw(st.booleans()):
            parts.append(f"BYHOUR={data.draw(st.integers(0, 23))},{data.draw(st.integers(0, 23))}")
        if data.draw(st.booleans()):
            parts.append("WKST=" + data.draw(st.sampled_from(["MO", "SU", "TH"])))
        if data.draw(st.booleans()):
            parts.append(f"UNTIL={data.draw(st.dates(date(2024, 1, 1), date(2026, 12, 31))):%Y%m%d}T120000")
        text = ";".join(parts)
        first = data.draw(st.dates(date(2023, 1, 1), date(2026, 12, 31)))
        days = [first + timedelta(days=offset) for offset in range(60)]
        recurrence = Recurrence(text, begins)
        ours = [found for day in days for found in recurrence.on(day)]
        start = datetime.combine(days[0], datetime.min.time())
        theirs = rrulestr(text, dtstart=begins).between(start, start + timedelta(days=60), inc=True)
        assert ours == [found for found in theirs if found < start + timedelta(days=60)]
