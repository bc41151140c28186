"""What keeps alerts from being told, and what is told when that ends (edge cases 25 to 35)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alert_lab import API, BEGINS, PLAIN, Lab, kinds
from understudy.alerts.context import EngineOptions
from understudy.alerts.inhibition import Inhibition, inhibitors
from understudy.alerts.model import Finding, Level, Rule, Verdict
from understudy.alerts.silences import Silences
from understudy.alerts.tick import Judged
from understudy.alerts.timings import MuteTiming, Timing
from understudy.core.errors import OptionError
from understudy.core.notices import Severity

BREACH, OK = Verdict(Finding.BREACH, 0, 0, 30.0), Verdict(Finding.OK, value=1.0)
CALM = EngineOptions(flap_changes=50)


def when(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class TestSilences:
    """Cases 25 and 26."""

    def test_25_the_end_of_what_was_told_passes_a_silence(self):
        lab = Lab()
        lab.breach()
        lab.silence(3600)
        assert lab.breach(1) == []
        assert lab.ok(seconds=61) == ["resolved:warning"]
        assert lab.timeline == ["fired", "escalated (silence:s1)", "resolved"]

    def test_25_a_silence_that_ends_while_it_fires_tells_nothing_that_is_known(self):
        lab = Lab()
        lab.breach()
        lab.silence(60)
        assert lab.breach(seconds=120) == []
        assert lab.timeline == ["fired"]

    def test_25_what_became_worse_in_the_silence_is_told_at_its_end(self):
        lab = Lab()
        lab.breach()
        lab.silence(60)
        assert lab.breach(1, seconds=59) == []
        assert lab.breach(1) == ["escalated:critical"]
        assert lab.tellings[-1].notice.previous is Severity.WARNING

    def test_25_unless_it_is_better_again(self):
        lab = Lab()
        lab.breach()
        lab.silence(200)
        lab.breach(1)
        lab.breach(0, seconds=61)
        assert lab.breach(0, seconds=300) == []
        assert lab.timeline == ["fired", "escalated (silence:s1)", "downgraded (silence:s1)"]

    def test_25_by_choice_only_pagers_hear_of_the_end_in_a_silence(self):
        lab = Lab(options=EngineOptions(resolved_when_quiet=False))
        lab.breach()
        lab.silence(3600)
        lab.ok(seconds=61)
        assert [each.pagers_only for each in lab.tellings] == [False, True]

    def test_26_what_fires_within_a_silence_is_told_at_its_end(self):
        lab = Lab()
        lab.silence(60)
        assert lab.breach(seconds=59) == []
        assert lab.breach() == ["fired:warning"]
        assert lab.tellings[-1].notice.reason == "silence:s1"
        assert lab.timeline == ["fired (silence:s1)", "fired"]
        assert lab.ok(seconds=61) == ["resolved:warning"]

    def test_26_what_began_and_ended_within_a_silence_is_not_told(self):
        lab = Lab()
        lab.silence(3600)
        lab.breach()
        assert lab.ok(seconds=61) == []
        assert lab.timeline == ["fired (silence:s1)", "resolved (silence:s1)"]

    def test_26_what_is_recovering_when_the_silence_ends_is_told_only_if_it_fires_again(self):
        lab = Lab()
        lab.silence(60)
        lab.breach(seconds=50)
        assert lab.ok(seconds=30) == []
        assert lab.breach() == ["fired:warning"]

    def test_26_a_silence_that_is_ended_by_hand_lets_it_through_at_once(self):
        lab = Lab()
        lab.silence(3600)
        lab.breach(seconds=10)
        lab.context.silences = Silences(each.expired(lab.now) for each in lab.context.silences.items)
        lab.context.changed()
        assert lab.breach() == ["fired:warning"]

    def test_26_time_alone_is_enough(self):
        lab = Lab()
        lab.silence(60)
        lab.breach()
        assert lab.wait(58.0) == []
        assert lab.wait(1.0) == ["fired:warning"]

    def test_26_a_restart_within_the_silence_forgets_nothing(self):
        lab = Lab()
        lab.silence(60)
        lab.breach()
        lab.restart(outage=30.0)
        assert lab.breach(seconds=28) == []
        assert lab.breach() == ["fired:warning"]

    def test_a_silence_is_about_those_it_matches_only(self):
        lab = Lab(replace(PLAIN, labels={"team": "data"}))
        for match in ("api=scores", "severity=critical", "rule!=errors", "team=web", "metric=response_time"):
            lab.silence(60, match)
        assert lab.breach() == ["fired:warning"]
        lab = Lab(replace(PLAIN, labels={"team": "data"}))
        lab.silence(60, "team=data, severity=warning, metric=~error.*, kind=threshold, subject=api")
        assert lab.breach() == []

    def test_reminders_wait_for_the_end_of_the_silence_and_are_recorded_once(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach()
        lab.silence(600)
        assert lab.breach(seconds=599) == []
        assert lab.breach() == ["reminder:warning"]
        assert lab.timeline == ["fired", "reminder (silence:s1)", "reminder"]
        assert lab.tellings[-1].notice.nth == 1

    def test_people_are_reminded_of_its_end_while_it_keeps_something_quiet(self):
        lab = Lab()
        lab.silence(36_000)
        lab.breach()
        lab.find(after=32_000)
        assert lab.tellings == []
        assert lab.find(Judged(lab.rule, API, BREACH), after=500.0) == ["message:info"]
        notice = lab.tellings[0].notice
        assert (notice.reason, notice.actor, notice.counts) == ("silence_ends", "ana", {"warning": 1})
        assert lab.breach(seconds=100) == []

    def test_nobody_is_reminded_of_a_silence_that_keeps_nothing_quiet(self):
        lab = Lab()
        lab.silence(36_000)
        assert lab.find(after=35_000) == []


class TestInhibition:
    """Cases 29 to 31."""

    CAUSE = Rule("api_down", kind="event", event="api_down", levels=(Level(Severity.CRITICAL),), keep_firing_for=0.0)

    def lab(self, **extra) -> Lab:
        return Lab(replace(PLAIN, name="error_rate", keep_firing_for=0.0), self.CAUSE, **extra)

    def tick(self, lab: Lab, cause: Verdict, effect: Verdict, seconds: int = 1) -> list[str]:
        both = (Judged(lab.rule, API, effect), Judged(self.CAUSE, API, cause))
        return [kind for _ in range(seconds) for kind in lab.find(*both)]

    def test_29_both_at_once_tell_only_the_cause(self):
        lab = self.lab()
        assert self.tick(lab, BREACH, BREACH) == ["fired:critical"]
        assert lab.timeline == ["fired (inhibition:api_down)", "fired"]

    def test_29_the_cause_ends_first_and_the_effect_that_lasts_is_told_after_a_while(self):
        lab = self.lab()
        self.tick(lab, BREACH, BREACH, 10)
        assert self.tick(lab, OK, BREACH) == ["resolved:critical"]
        # The window of the measured rule still holds what happened before.
        assert self.tick(lab, OK, BREACH, 299) == []
        assert self.tick(lab, OK, BREACH) == ["fired:warning"]

    def test_29_without_lingering_it_is_told_in_the_same_tick(self):
        lab = self.lab(
            inhibitors=inhibitors({"api_down": Inhibition(("event=api_down",), ("kind=threshold",), ("api",))})
        )
        self.tick(lab, BREACH, BREACH)
        assert sorted(self.tick(lab, OK, BREACH)) == ["fired:warning", "resolved:critical"]

    def test_29_the_effect_ends_first_and_is_not_told(self):
        lab = self.lab()
        self.tick(lab, BREACH, BREACH, 10)
        assert self.tick(lab, BREACH, OK) == []
        assert lab.timeline[-1] == "resolved (inhibition:api_down)"

    def test_29_what_was_told_before_the_cause_is_told_to_end(self):
        lab = self.lab()
        assert self.tick(lab, OK, BREACH) == ["fired:warning"]
        assert self.tick(lab, BREACH, BREACH) == ["fired:critical"]
        assert self.tick(lab, BREACH, OK) == ["resolved:warning"]

    def test_29_another_api_is_not_inhibited(self):
        lab = self.lab()
        other = Judged(lab.rule, {"api": "scores"}, BREACH)
        assert lab.find(Judged(self.CAUSE, API, BREACH), other) == ["fired:critical", "fired:warning"]

    def test_29_a_restart_knows_the_cause(self):
        lab = self.lab()
        self.tick(lab, BREACH, OK)
        lab.restart()
        assert self.tick(lab, BREACH, BREACH) == []

    def test_30_a_circle_is_refused(self):
        one = Inhibition(("rule=a",), ("rule=b",))
        other = Inhibition(("rule=b",), ("rule=a",))
        with pytest.raises(OptionError, match="one → other → one"):
            inhibitors({"one": one, "other": other})
        third = Inhibition(("rule=b",), ("rule=c",))
        with pytest.raises(OptionError, match="circle"):
            inhibitors({"one": one, "third": third, "back": Inhibition(("rule=c",), ("rule=a",))})

    def test_30_what_only_looks_like_a_circle_is_not(self):
        inhibitors({
            "one": Inhibition(("rule=a", "severity=critical"), ("rule=b",)),
            "other": Inhibition(("rule=b",), ("rule=a", "severity=warning")),
            "chain": Inhibition(("rule=b",), ("rule=c",)),
        })  # fmt: skip
        # The hub ties the two together, and differs.
        inhibitors({
            "one": Inhibition(("rule=a", "hub=x"), ("rule=b",), ("hub",)),
            "other": Inhibition(("rule=b",), ("rule=a", "hub=y"), ("hub",)),
        })  # fmt: skip

    def test_30_two_that_would_keep_each_other_quiet_are_both_told(self):
        both = inhibitors({"any": Inhibition(("kind=threshold",), ("kind=threshold",))})
        lab = Lab(inhibitors=both)
        first, second = Judged(lab.rule, API, BREACH), Judged(lab.rule, {"api": "scores"}, BREACH)
        assert lab.find(first) == ["fired:warning"]
        assert lab.find(first, second) == ["fired:warning"]

    def test_31_a_silenced_cause_still_inhibits(self):
        lab = self.lab()
        lab.silence(3600, "rule=api_down")
        assert self.tick(lab, BREACH, BREACH) == []
        assert lab.timeline == ["fired (inhibition:api_down)", "fired (silence:s1)"]

    def test_the_success_ladder_speaks_for_the_error_ladder(self):
        levels = PLAIN.levels
        success, error = (
            Rule("success_rate", metric="success_rate", operator="<", levels=levels, reminder=0.0),
            Rule("error_rate", metric="error_rate", operator=">", levels=levels, reminder=0.0),
        )
        lab = Lab(success, error)
        assert lab.find(Judged(error, API, BREACH), Judged(success, API, BREACH)) == ["fired:warning"]
        assert lab.tellings[0].notice.rule == "success_rate"
        assert len(lab.standing.firing()) == 2

    def test_a_rule_of_ones_own_is_told_whatever_the_rules_of_the_program_say(self):
        own = replace(PLAIN, name="own", keep_firing_for=0.0)
        lab = Lab(own, self.CAUSE)
        found = lab.find(Judged(own, API, BREACH), Judged(self.CAUSE, API, BREACH))
        assert sorted(found) == ["fired:critical", "fired:warning"]

    def test_two_rules_about_one_number_are_both_told(self):
        mild = Rule("mild", metric="error_rate", operator=">", levels=(Level(Severity.WARNING, 10.0),))
        severe = Rule("severe", metric="error_rate", operator=">", levels=(Level(Severity.CRITICAL, 50.0),))
        slow = Rule("slow", metric="response_time", operator=">", levels=(Level(Severity.WARNING, 1.0),))
        lab = Lab(mild, severe, slow)
        found = lab.find(Judged(mild, API, BREACH), Judged(severe, API, BREACH), Judged(slow, API, BREACH))
        assert sorted(found) == ["fired:critical", "fired:warning", "fired:warning"]
        assert {each.notice.rule for each in lab.tellings} == {"mild", "severe", "slow"}

    def test_our_own_network_speaks_for_all_third_parties(self):
        network = Rule(
            "network_down", kind="event", event="network_down", subject="all", levels=(Level(Severity.CRITICAL),)
        )
        ours = Rule("dead_letters", kind="event", event="dead_letters", subject="all", levels=(Level(),))
        lab = Lab(PLAIN, self.CAUSE, network, ours)
        found = [Judged(PLAIN, API, BREACH), Judged(self.CAUSE, API, BREACH)]
        assert lab.find(*found, Judged(network, {}, BREACH), Judged(ours, {}, BREACH))
        assert sorted(each.notice.rule for each in lab.tellings) == ["dead_letters", "network_down"]

    def test_a_hub_that_is_down_speaks_for_its_apis(self):
        hub = Rule("hub_down", kind="event", event="hub_down", subject="hub", levels=(Level(Severity.CRITICAL),))
        lab = Lab(PLAIN, self.CAUSE, hub)
        inside, outside = {"api": "odds", "hub": "rapid"}, {"api": "scores"}
        down = [Judged(self.CAUSE, labels, BREACH) for labels in (inside, outside)]
        lab.find(Judged(hub, {"hub": "rapid"}, BREACH), *down)
        assert sorted((each.notice.rule, each.notice.labels) for each in lab.tellings) == [
            ("api_down", outside), ("hub_down", {"hub": "rapid"}),
        ]  # fmt: skip


class TestFlapping:
    """Case 32."""

    RULE = replace(PLAIN, keep_firing_for=0.0)

    def flap(self, lab: Lab, times: int) -> list[str]:
        return [kind for _ in range(times) for kind in (*lab.breach(), *lab.ok(seconds=60))]

    def test_32_in_and_out(self):
        lab = Lab(self.RULE)
        assert self.flap(lab, 3) == [
            "fired:warning", "resolved:warning", "fired:warning", "flapping_started:warning",
        ]  # fmt: skip
        assert lab.timeline == [
            "fired", "resolved", "fired", "flapping_started", "resolved (flapping)", "fired (flapping)",
            "resolved (flapping)",
        ]  # fmt: skip
        # 60 s have passed since the last change.
        assert lab.ok(seconds=1739) == []
        assert lab.wait(2.0) == ["flapping_ended:warning"]
        notice = lab.tellings[-1].notice
        assert (notice.reason, notice.ended_at) == ("resolved", lab.state.resolved_at)
        assert self.flap(lab, 1) == ["fired:warning", "resolved:warning"]

    def test_32_out_while_it_fires_tells_that_it_does(self):
        lab = Lab(replace(self.RULE, reminder=600.0))
        self.flap(lab, 3)
        assert lab.breach(seconds=1800) == []
        assert lab.breach() == ["flapping_ended:warning"]
        assert (lab.tellings[-1].notice.reason, lab.tellings[-1].notice.ended_at) == ("firing", None)
        assert lab.breach(seconds=600) == ["reminder:warning"]
        assert lab.ok() == ["resolved:warning"]

    def test_32_returning_while_it_recovers_counts_too(self):
        lab = Lab()
        lab.breach()
        told = [kind for _ in range(3) for kind in (*lab.ok(), *lab.breach())]
        assert told == ["flapping_started:warning"]

    def test_32_changes_that_lie_far_apart_are_none(self):
        lab = Lab(self.RULE)
        for _ in range(4):
            assert kinds([*lab.breach(), *lab.ok()]) == ["fired", "resolved"]
            lab.wait(3600.0)

    def test_32_worse_than_known_is_told_all_the_same(self):
        lab = Lab(self.RULE)
        self.flap(lab, 2)
        assert lab.breach(0) == []
        assert lab.breach(1) == ["escalated:critical"]

    def test_32_flapping_within_a_silence_is_not_told_nor_is_its_end(self):
        lab = Lab(self.RULE)
        lab.silence(86_400)
        assert self.flap(lab, 3) == []
        assert lab.wait(2000.0) == []
        assert lab.timeline[-1] == "flapping_ended (untold)"

    def test_32_an_alert_that_comes_and_goes_for_hours_is_remembered_in_few_words(self):
        lab = Lab(replace(PLAIN, keep_firing_for=60.0))
        for _ in range(200):
            lab.breach()
            lab.ok()
        assert lab.timeline == ["fired", "flapping_started"]
        assert len(lab.state.flips) <= 50

    def test_32_what_follows_from_something_that_flaps_is_not_told_to_flap_too(self):
        success = replace(PLAIN, name="success_rate", metric="success_rate", operator="<", keep_firing_for=0.0)
        errors = replace(PLAIN, name="error_rate", keep_firing_for=0.0)
        lab = Lab(success, errors)
        for _ in range(4):
            lab.find(*(Judged(rule, API, BREACH) for rule in (success, errors)))
            lab.find(*(Judged(rule, API, OK) for rule in (success, errors)))
        assert lab.wait(2000.0) == ["flapping_ended:warning"]
        assert {each.notice.rule for each in lab.tellings} == {"success_rate"}

    def test_32_it_survives_a_restart(self):
        lab = Lab(self.RULE)
        self.flap(lab, 2)
        lab.restart(outage=60.0)
        assert lab.breach() == []
        assert lab.timeline[-1] == "fired (flapping)"


class TestCooldown:
    """Cases 10 and 33."""

    RULE = replace(PLAIN, keep_firing_for=0.0, cooldown=300.0)

    def lab(self) -> Lab:
        lab = Lab(self.RULE, options=CALM)
        assert lab.breach() == ["fired:warning"]
        lab.ok()
        return lab

    def test_an_episode_within_the_cooldown_waits_and_is_told_if_it_lasts(self):
        lab = self.lab()
        assert lab.breach(seconds=298) == []
        assert lab.timeline[-1] == "fired (cooldown)"
        assert lab.breach() == ["fired:warning"]
        assert lab.tellings[-1].notice.reason == "cooldown"
        assert lab.ok() == ["resolved:warning"]

    def test_it_is_dropped_if_it_ends_before_but_recorded(self):
        lab = self.lab()
        lab.breach(seconds=100)
        assert lab.ok() == []
        assert lab.wait(400.0) == []
        assert lab.timeline == ["fired", "resolved", "fired (cooldown)", "resolved (cooldown)"]
        assert [row.number for row in lab.episodes.values()] == [1, 2]

    def test_33_the_end_at_the_very_end_of_the_cooldown_wins(self):
        lab = self.lab()
        lab.breach(seconds=298)
        assert lab.ok() == []
        assert lab.timeline[-2:] == ["fired (cooldown)", "resolved (cooldown)"]

    def test_10_worse_than_what_was_told_last_passes_it(self):
        lab = self.lab()
        assert lab.breach(1) == ["fired:critical"]
        lab = self.lab()
        assert lab.breach(0) == []
        assert lab.breach(1) == ["escalated:critical"]
        assert lab.ok() == ["resolved:critical"]

    def test_10_as_bad_as_what_was_told_last_does_not(self):
        lab = Lab(self.RULE, options=CALM)
        lab.breach(1)
        lab.ok()
        assert lab.breach(1, seconds=100) == []

    def test_it_counts_from_what_was_told(self):
        lab = self.lab()
        lab.breach(seconds=299)  # told at its end
        lab.ok()
        assert lab.breach(seconds=297) == []
        assert lab.breach(seconds=2) == ["fired:warning"]

    def test_it_survives_a_restart(self):
        lab = self.lab()
        lab.restart(outage=100.0)
        assert lab.breach(seconds=198) == []
        assert lab.breach(seconds=2) == ["fired:warning"]


class TestMuteTimings:
    """Case 34."""

    NIGHT = MuteTiming(match=("severity!=critical",), times=("22:00-06:00",), time_zone="America/Sao_Paulo")

    def lab(self, at: str, timing: MuteTiming = NIGHT) -> Lab:
        lab = Lab(timings=(Timing("night", timing),))
        lab.now = when(at) - 1
        return lab

    def test_34_over_midnight_in_another_zone(self):
        # 22:00 in São Paulo is 01:00 UTC of the next day.
        lab = self.lab("2026-11-29T00:59:59")
        assert lab.breach() == ["fired:warning"]
        lab = self.lab("2026-11-29T01:00:00")
        assert lab.breach() == []
        assert lab.timeline == ["fired (mute:night)"]
        assert lab.wait(8 * 3600.0 - 1) == []
        assert lab.wait(1.0) == ["fired:warning"]
        assert lab.now == when("2026-11-29T09:00:00")

    def test_34_what_does_not_match_is_told(self):
        assert self.lab("2026-11-29T03:00:00").breach(1) == ["fired:critical"]

    def test_34_a_span_over_midnight_belongs_to_the_day_on_which_it_begins(self):
        weekend = replace(self.NIGHT, days=("sat-sun",), time_zone="UTC")
        assert self.lab("2026-11-28T23:00:00", weekend).breach() == []  # a Saturday
        assert self.lab("2026-11-30T05:00:00", weekend).breach() == []  # Monday, of Sunday's night
        assert self.lab("2026-11-28T05:00:00", weekend).breach() == ["fired:warning"]  # of Friday's night

    def test_34_months_and_days_of_the_month(self):
        holidays = MuteTiming(days_of_month=("24-26",), months=("12",))
        assert self.lab("2026-12-24T00:00:00", holidays).breach() == []
        assert self.lab("2026-11-24T00:00:00", holidays).breach() == ["fired:warning"]
        until = Timing("x", holidays).until(when("2026-12-24T13:00:00"))
        assert until == when("2026-12-27T00:00:00")

    def test_34_an_hour_that_comes_twice_is_muted_twice(self):
        timing = Timing("x", MuteTiming(times=("01:30-01:45",), time_zone="America/New_York"))
        muted = [
            timing.until(when(f"2026-11-01T{clock}")) is not None for clock in ("05:29:59", "05:30:00", "06:44:59")
        ]
        assert muted == [False, True, True]
        assert timing.until(when("2026-11-01T06:45:00")) is None

    def test_34_an_hour_that_is_left_out_is_muted_later(self):
        timing = Timing("x", MuteTiming(times=("02:15-02:45",), time_zone="America/New_York"))
        assert timing.until(when("2026-03-08T07:20:00")) == when("2026-03-08T07:45:00")  # 03:20 there

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("days", ("someday",), "one of mon"),
            ("times", ("25:00-26:00",), "a span of the day"),
            ("times", ("8-9",), "a span of the day"),
            ("times", ("08:00-08:00",), "a span of the day"),
            ("months", ("13",), "from 1 to 12"),
            ("days_of_month", ("1-2-3",), "one value or a range"),
            ("time_zone", "Mars/Olympus", "no time zone named"),
            ("match", ("severity",), "expected one of"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, field, value, said):
        with pytest.raises(OptionError, match=f"MuteTiming.{field}: expected .*{said}"):
            MuteTiming(**{field: value})


class TestMaintenance:
    """Case 35."""

    def test_35_windows_that_overlap_are_one(self):
        lab = Lab()
        lab.silence(100, kind="maintenance")
        lab.silence(100, starts=50.0, kind="maintenance")
        lab.silence(300, starts=500.0, kind="maintenance")
        lab.breach()
        assert lab.breach(seconds=148) == []
        assert lab.breach() == ["fired:warning"]
        assert lab.now == BEGINS + 150

    def test_35_it_is_recorded_before_a_silence(self):
        lab = Lab()
        lab.silence(100)
        lab.silence(50, kind="maintenance")
        lab.breach()
        assert lab.timeline == ["fired (maintenance:s2)"]
        assert lab.breach(seconds=98) == []
        assert lab.breach() == ["fired:warning"]


class TestOrder:
    """The first reason counts, in this order."""

    def test_all_at_once(self):
        cause = TestInhibition.CAUSE
        lab = Lab(replace(PLAIN, name="error_rate", keep_firing_for=0.0, cooldown=1e5), cause)
        lab.breach()
        lab.ok()
        down, fine = Judged(cause, API, BREACH), Judged(lab.rule, API, OK)
        lab.find(down)

        def reason(seconds: float = 1.0) -> str:
            lab.context.changed()
            lab.find(Judged(lab.rule, API, BREACH), after=seconds)
            found = lab.events[-1].suppressed_by.partition(":")[0]
            lab.find(fine)
            return found

        lab.context.timings = (Timing("always", MuteTiming(match=("rule=error_rate",))),)
        lab.silence(1e6, "rule=error_rate")
        lab.silence(1e6, "rule=error_rate", kind="maintenance")
        assert reason() == "maintenance"
        lab.context.silences = Silences(lab.context.silences.items[:1])
        assert reason() == "silence"
        lab.context.silences = Silences()
        assert reason() == "inhibition"
        lab.find(Judged(cause, API, OK))
        assert reason(400.0) == "mute"
        lab.context.timings = ()
        assert reason() == "flapping"
        # It is quiet for long enough.
        lab.wait(2000.0)
        assert reason() == "cooldown"
        assert reason(1e5) == ""
