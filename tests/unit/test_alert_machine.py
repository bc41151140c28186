"""The state machine of an alert: when it fires, changes its level, recovers and ends (edge cases 1 to 23)."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from alert_lab import API, BEGINS, LADDER, PLAIN, Lab
from understudy.alerts.engine import evaluate
from understudy.alerts.identity import event_id, fingerprint, question
from understudy.alerts.model import Finding, Level, Rule, Verdict
from understudy.alerts.standing import Standing
from understudy.alerts.state import AlertState
from understudy.alerts.tick import Judged
from understudy.alerts.timekeeping import Timekeeper
from understudy.core.errors import NotActive
from understudy.core.notices import Severity
from understudy.testing import FakeClock

SLOW = replace(PLAIN, for_=10.0)
ONE = replace(PLAIN, levels=LADDER[:1])


def test_01_without_a_for_the_first_breach_fires():
    assert Lab().breach() == ["fired:warning"]


def test_02_one_good_finding_within_the_for_begins_anew_without_a_word():
    lab = Lab(SLOW)
    assert lab.breach(seconds=9) == []
    assert lab.ok() == []
    assert lab.phase == "inactive"
    assert lab.breach(seconds=10) == []
    assert lab.breach() == ["fired:warning"]


def test_02_so_does_one_within_the_hysteresis():
    lab = Lab(SLOW)
    lab.breach(seconds=9)
    lab.deadband()
    assert lab.phase == "inactive"


def test_03_exactly_the_for_is_long_enough():
    lab = Lab(replace(PLAIN, for_=1.1))
    assert lab.breach() == []
    assert lab.find(Judged(lab.rule, API, Verdict(Finding.BREACH, 0, 0, 30.0)), after=1.1) == ["fired:warning"]


def test_a_count_of_breaches_in_a_row_is_asked_for_besides():
    lab = Lab(replace(PLAIN, count=3))
    assert lab.breach(seconds=2) == []
    assert lab.breach() == ["fired:warning"]


def test_looks_between_two_rounds_do_not_count_as_breaches_of_their_own():
    lab = Lab(replace(PLAIN, count=3))
    breach = Judged(lab.rule, API, Verdict(Finding.BREACH, 0, 0, 30.0))
    assert [lab.find(breach, after=0.25) for _ in range(8)] == [[]] * 8
    assert lab.find(breach, after=0.25) == ["fired:warning"]


class TestNoData:
    """Case 7: nothing is known while it is pending, firing or recovering, under each policy."""

    def test_07_pending_stands_still_and_goes_on_where_it_was(self):
        lab = Lab(SLOW)
        lab.breach(seconds=6)  # 5 s have passed
        assert lab.blank(seconds=100) == []
        assert lab.phase == "pending"
        assert lab.breach(seconds=4) == []
        assert lab.breach() == ["fired:warning"]

    def test_07_pending_is_given_up_after_one_window(self):
        lab = Lab(replace(SLOW, window=30.0))
        lab.breach(seconds=5)
        lab.blank(seconds=31)
        assert lab.phase == "pending"
        lab.blank()
        assert lab.phase == "inactive"

    @pytest.mark.parametrize(("policy", "after"), [("resolve", 1), ("ok_after", 21)])
    def test_07_other_policies_give_pending_up_sooner(self, policy, after):
        lab = Lab(replace(SLOW, no_data=policy, no_data_after=20.0))
        lab.breach(seconds=5)
        lab.blank(seconds=after)
        assert lab.phase == ("inactive" if policy == "resolve" else "pending")
        lab.blank()
        assert lab.phase == "inactive"

    def test_07_alert_takes_it_for_a_breach(self):
        lab = Lab(replace(SLOW, no_data="alert"))
        assert lab.blank(seconds=10) == []
        assert lab.blank() == ["fired:warning"]
        assert lab.blank(seconds=200) == []
        assert lab.phase == "firing"

    @pytest.mark.parametrize("policy", ["keep_last", "alert"])
    def test_07_firing_goes_on(self, policy):
        lab = Lab(replace(PLAIN, no_data=policy))
        lab.breach()
        assert lab.blank(seconds=7200) == []
        assert lab.phase == "firing"

    def test_07_firing_ends_at_once_under_resolve(self):
        lab = Lab(replace(PLAIN, no_data="resolve"))
        lab.breach()
        assert lab.blank() == ["resolved:warning"]
        assert lab.tellings[-1].notice.reason == "no_data"

    def test_07_firing_ends_after_a_while_under_ok_after(self):
        lab = Lab(replace(PLAIN, no_data="ok_after", no_data_after=300.0))
        lab.breach()
        assert lab.blank(seconds=300) == []
        assert lab.blank() == ["resolved:warning"]

    @pytest.mark.parametrize("policy", ["keep_last", "ok_after"])
    def test_07_recovering_goes_on_for_what_was_known_last_was_good(self, policy):
        lab = Lab(replace(PLAIN, no_data=policy))
        lab.breach()
        lab.ok()
        assert lab.blank(seconds=59) == []
        assert lab.blank() == ["resolved:warning"]

    def test_07_recovering_ends_at_once_under_resolve_and_fires_again_under_alert(self):
        lab = Lab(replace(PLAIN, no_data="resolve"))
        lab.breach()
        lab.ok()
        assert lab.blank() == ["resolved:warning"]
        lab = Lab(replace(PLAIN, no_data="alert"))
        lab.breach()
        lab.ok()
        assert lab.blank() == []
        assert lab.phase == "firing"


def test_08_swinging_within_the_hysteresis_never_resolves():
    lab = Lab()
    lab.breach()
    for _ in range(20):
        assert lab.ok(seconds=59) == []
        assert lab.deadband() == []
    assert lab.phase == "recovering"
    assert lab.ok(seconds=60) == ["resolved:warning"]


def test_08_in_firing_the_hysteresis_keeps_firing():
    lab = Lab()
    lab.breach()
    assert lab.deadband(seconds=1000) == []
    assert lab.phase == "firing"


def test_09_a_breach_while_recovering_goes_on_silently():
    lab = Lab()
    lab.breach()
    lab.ok(seconds=30)
    assert lab.breach() == []
    assert lab.phase == "firing"
    assert lab.timeline == ["fired"]
    assert lab.ok(seconds=60) == []
    assert lab.ok() == ["resolved:warning"]


def test_without_keep_firing_for_the_first_good_finding_resolves():
    lab = Lab(replace(PLAIN, keep_firing_for=0.0))
    lab.breach()
    assert lab.ok() == ["resolved:warning"]
    assert lab.phase == "inactive"


def test_10_worse_is_told_at_once_and_better_after_keep_firing_for():
    lab = Lab(replace(PLAIN, cooldown=300.0))
    lab.breach(0)
    assert lab.breach(1) == ["escalated:critical"]
    assert lab.tellings[-1].notice.previous is Severity.WARNING
    assert lab.breach(0, seconds=60) == []
    assert lab.breach(0) == ["downgraded:warning"]
    assert lab.state.peak is Severity.CRITICAL
    assert lab.episodes[lab.state.episode].peak == "critical"


def test_10_the_hysteresis_of_the_upper_level_keeps_it_there():
    lab = Lab()
    lab.breach(1)
    held = Judged(lab.rule, API, Verdict(Finding.BREACH, 0, 1, 39.0))
    assert [kind for _ in range(600) for kind in lab.find(held)] == []
    assert lab.state.severity is Severity.CRITICAL


def test_10_an_upper_level_has_a_for_of_its_own():
    lab = Lab(replace(PLAIN, levels=(LADDER[0], replace(LADDER[1], for_=30.0))))
    assert lab.breach(1) == ["fired:warning"]
    assert lab.breach(1, seconds=29) == []
    assert lab.breach(1) == ["escalated:critical"]


def test_11_straight_to_the_upper_level_is_one_event():
    lab = Lab()
    assert lab.breach(1) == ["fired:critical"]
    assert lab.timeline == ["fired"]


def test_12_an_episode_that_was_told_is_told_to_end():
    lab = Lab()
    lab.breach(1)
    assert lab.ok(seconds=61) == ["resolved:critical"]
    row = lab.episodes[lab.state.episode]
    assert (row.number, row.started_at, row.resolved_at) == (1, BEGINS + 1, lab.now)
    assert lab.tellings[-1].notice.ended_at == lab.now


def test_12_the_end_reaches_those_who_were_told_at_its_worst():
    lab = Lab()
    lab.breach(1)
    lab.breach(0, seconds=61)
    assert lab.ok(seconds=61) == ["resolved:critical"]


class TestRestart:
    """Case 13: in every state, timers go on."""

    def test_13_pending_goes_on_but_must_be_seen_afresh(self):
        lab = Lab(replace(PLAIN, for_=120.0))
        lab.breach(seconds=100)
        lab.restart(outage=30.0)
        # 130 s have passed, which is more than its for, but all of it must be seen again.
        assert lab.breach(seconds=119) == []
        assert lab.breach() == ["fired:warning"]

    def test_13_at_most_ten_minutes_are_seen_afresh(self):
        lab = Lab(replace(PLAIN, for_=3600.0))
        lab.breach(seconds=3000)
        lab.restart(outage=60.0)
        assert lab.breach(seconds=599) == []
        assert lab.breach() == ["fired:warning"]

    def test_13_after_a_long_outage_pending_begins_anew(self):
        lab = Lab(replace(PLAIN, for_=120.0))
        lab.breach(seconds=100)
        lab.restart(outage=3700.0)
        assert lab.phase == "inactive"
        assert lab.breach(seconds=120) == []
        assert lab.breach() == ["fired:warning"]

    @pytest.mark.parametrize("outage", [5.0, 3500.0, 100_000.0])
    def test_13_firing_stays_firing(self, outage):
        lab = Lab()
        lab.breach()
        lab.restart(outage)
        assert lab.phase == "firing"
        assert lab.breach() == []
        assert lab.ok(seconds=61) == ["resolved:warning"]
        assert lab.timeline == ["fired", "resolved"]

    def test_13_recovering_goes_on(self):
        lab = Lab()
        lab.breach()
        lab.ok(seconds=40)
        lab.restart(outage=5.0)
        assert lab.phase == "recovering"
        assert lab.ok(seconds=14) == []
        assert lab.ok(seconds=2) == ["resolved:warning"]

    def test_13_after_a_long_outage_recovering_is_seen_afresh(self):
        lab = Lab()
        lab.breach()
        lab.ok(seconds=40)
        lab.restart(outage=4000.0)
        assert lab.ok(seconds=59) == []
        assert lab.ok() == ["resolved:warning"]

    def test_13_what_was_not_kept_is_found_again(self):
        lab = Lab()
        lab.breach(seconds=300)
        lab.restart()
        assert lab.breach(seconds=300) == []
        assert lab.state.episode == "E0000000000000000000000001"

    @pytest.mark.parametrize(("outage", "afresh"), [(1800.0, 600), (7200.0, 900)])
    def test_13_a_severer_level_is_not_reached_on_what_nobody_saw(self, outage, afresh):
        lab = Lab(replace(PLAIN, levels=(LADDER[0], replace(LADDER[1], for_=900.0))))
        lab.breach(1, seconds=100)
        lab.restart(outage)
        assert lab.breach(1, seconds=afresh - 1) == []
        assert lab.breach(1) == ["escalated:critical"]

    def test_13_nor_left_after_a_long_outage(self):
        lab = Lab()
        lab.breach(1)
        lab.breach(0, seconds=30)
        lab.restart(7200.0)
        assert lab.breach(0, seconds=59) == []
        assert lab.breach(0) == ["downgraded:warning"]


class TestClock:
    """Case 15: the wall clock is set while alerts wait."""

    def step(self, lab: Lab, seconds: float) -> None:
        lab.now += seconds
        lab.standing.shifted(seconds)

    @pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
    def test_15_pending_gains_and_loses_nothing(self, seconds):
        lab = Lab(SLOW)
        lab.breach(seconds=6)
        self.step(lab, seconds)
        assert lab.breach(seconds=4) == []
        assert lab.breach() == ["fired:warning"]

    @pytest.mark.parametrize("seconds", [-86400.0, 86400.0])
    def test_15_firing_and_recovering_stay_what_they_are(self, seconds):
        lab = Lab(replace(PLAIN, reminder=3600.0, cooldown=300.0))
        lab.breach()
        self.step(lab, seconds)
        assert lab.breach() == []
        assert lab.phase == "firing"
        lab.ok()
        self.step(lab, seconds)
        assert lab.ok(seconds=59) == []
        assert lab.ok() == ["resolved:warning"]

    def test_15_that_the_clock_was_set_survives_a_restart(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach(seconds=30)
        self.step(lab, -7200.0)
        lab.breach()
        lab.restart()
        assert lab.breach(seconds=29) == []
        assert lab.breach() == ["reminder:warning"]

    def test_15_a_snooze_ends_when_somebody_said(self):
        lab = Lab()
        lab.breach()
        lab.snooze(7200)
        self.step(lab, 3600.0)
        assert lab.wait(3599.0) == []
        assert lab.wait(1.0) == ["reminder:warning"]

    def test_15_missed_evaluations_count_for_nothing(self):
        lab = Lab(SLOW)
        lab.breach(seconds=6)
        assert lab.find(Judged(lab.rule, API, Verdict(Finding.BREACH, 0, 0, 30.0)), after=500.0) == []
        assert lab.breach(seconds=4) == []
        assert lab.breach() == ["fired:warning"]

    def test_15_steps_are_told_from_time_that_passes(self):
        clock = FakeClock()
        keeper = Timekeeper(clock)
        clock.tick(5.0)
        assert keeper.now() == (clock.time(), 0.0)
        assert keeper.now().at < keeper.now().at
        clock.jump_wall(-3600.0)
        clock.tick(1.0)
        moment = keeper.now()
        assert moment.at == clock.time()
        assert moment.stepped == pytest.approx(-3600.0, abs=0.01)
        clock.tick(1.0)
        assert keeper.now().stepped == 0.0


@pytest.mark.parametrize("back", [0.0, -0.5, -600.0])
def test_16_a_finding_that_is_not_newer_is_left_out(back):
    lab = Lab(replace(PLAIN, count=3))
    lab.breach(seconds=2)
    assert lab.find(Judged(lab.rule, API, Verdict(Finding.BREACH, 0, 0, 30.0)), after=back) == []
    assert lab.state.breaches == 2
    lab.now -= back
    assert lab.breach() == ["fired:warning"]
    lab.find(Judged(lab.rule, API, Verdict(Finding.OK)), after=back)
    assert lab.phase == "firing"


class TestRules:
    """Case 17: the rule is edited, deleted or disabled while its alert fires."""

    def test_17_another_threshold_or_time_goes_on_with_the_alert(self):
        lab = Lab()
        lab.breach()
        lab.edit(levels=(Level(Severity.WARNING, 10.0),), for_=60.0, keep_firing_for=5.0)
        assert lab.breach() == []
        assert lab.phase == "firing"
        assert lab.ok(seconds=6) == ["resolved:warning"]

    def test_17_a_level_that_is_gone_becomes_the_worst_that_is_left(self):
        lab = Lab()
        lab.breach(1)
        lab.edit(levels=LADDER[:1])
        assert lab.breach(0) == ["downgraded:warning"]

    def test_17_another_severity_of_the_same_level_is_told(self):
        lab = Lab(ONE)
        lab.breach(seconds=3)
        lab.edit(levels=(Level(Severity.CRITICAL, 20.0),))
        assert lab.breach() == ["escalated:critical"]
        lab.edit(levels=(Level(Severity.INFO, 20.0),))
        assert lab.breach() == ["downgraded:info"]

    @pytest.mark.parametrize(
        ("changes", "reason"), [({"metric": "response_time"}, "rule_changed"), ({"enabled": False}, "rule_disabled")]
    )
    def test_17_another_question_or_none_at_all_ends_it(self, changes, reason):
        lab = Lab()
        lab.breach()
        lab.edit(**changes)
        assert lab.find() == ["resolved:warning"]
        assert lab.tellings[-1].notice.reason == reason
        assert lab.episodes["E0000000000000000000000001"].reason == reason

    def test_17_another_question_is_asked_from_the_beginning(self):
        lab = Lab()
        lab.breach()
        lab.edit(metric="response_time")
        assert lab.breach() == ["resolved:warning"]
        assert lab.breach() == ["fired:warning"]

    def test_17_a_rule_that_is_deleted_ends_its_alerts_and_is_forgotten(self):
        lab = Lab()
        lab.breach(1)
        lab.context.set_rules([])
        assert lab.find() == ["resolved:critical"]
        assert lab.tellings[-1].notice.reason == "rule_deleted"
        lab.find()
        assert lab.standing.states == {}
        assert lab.documents == {}

    def test_17_a_pending_alert_of_a_deleted_rule_is_forgotten_silently(self):
        lab = Lab(SLOW)
        lab.breach()
        lab.context.set_rules([])
        assert lab.find() == []
        assert lab.documents == {}


def test_18_an_alert_whose_labels_are_found_no_more_ends():
    lab = Lab()
    lab.breach()
    moved = Judged(lab.rule, {"api": "odds", "hub": "rapid"}, Verdict(Finding.BREACH, 0, 0, 30.0))
    assert lab.find(moved) == ["fired:warning"]
    assert [kind for _ in range(60) for kind in lab.find(moved)] == ["resolved:warning"]
    assert lab.tellings[-1].notice.reason == "subject_gone"
    assert lab.tellings[-1].notice.labels == API


def test_18_a_subject_that_is_away_for_a_moment_is_not_gone():
    lab = Lab()
    lab.breach()
    for _ in range(59):
        assert lab.find() == []
    assert lab.breach() == []
    for _ in range(59):
        assert lab.find() == []
    assert lab.phase == "firing"


def test_19_ten_thousand_alerts_in_one_tick():
    lab = Lab()
    judged = [Judged(PLAIN, {"api": f"api-{n}"}, Verdict(Finding.BREACH, 1, 1, 50.0)) for n in range(10_000)]
    begins = time.perf_counter()
    assert len(lab.find(*judged)) == 10_000
    # Well under a second on a free core; the bound leaves room for a busy machine.
    assert time.perf_counter() - begins < 8
    begins = time.perf_counter()
    assert lab.find(*judged) == []
    assert time.perf_counter() - begins < 2
    assert len({each.event_id for each in lab.events}) == 10_000


def test_20_two_evaluators_give_the_same_events_the_same_names():
    one, other = Lab(), Lab()
    for lab in (one, other):
        lab.breach()
    other.documents = dict(one.documents)
    other.restart()
    assert one.breach(1) == other.breach(1) == ["escalated:critical"]
    assert one.events[-1].event_id == other.events[-1].event_id


class TestByHand:
    """Case 21: resolved by hand while the breach goes on."""

    def test_21_it_comes_again_after_the_hold_as_another_episode(self):
        lab = Lab()
        lab.breach()
        assert lab.resolve(reason="known") == ["resolved:warning"]
        assert (lab.events[-1].actor, lab.tellings[-1].notice.reason) == ("ana", "known")
        assert lab.breach(seconds=299) == []
        assert lab.breach() == ["fired:warning"]
        assert lab.state.number == 2
        assert lab.episodes[lab.state.episode].doc["reopened"] is True
        assert lab.tellings[-1].notice.reason == "reopened"

    def test_21_the_hold_is_at_least_the_rules_for(self):
        lab = Lab(replace(PLAIN, for_=400.0))
        lab.breach(seconds=401)
        lab.resolve()
        assert lab.breach(seconds=399) == []
        assert lab.breach(seconds=3) == ["fired:warning"]

    def test_21_a_good_finding_ends_the_hold(self):
        lab = Lab()
        lab.breach()
        lab.resolve()
        lab.ok()
        assert lab.breach() == ["fired:warning"]
        assert "reopened" not in lab.episodes[lab.state.episode].doc

    def test_21_the_hold_survives_a_restart(self):
        lab = Lab()
        lab.breach()
        lab.resolve()
        lab.restart(outage=60.0)
        assert lab.breach(seconds=239) == []
        assert lab.breach() == ["fired:warning"]


class TestAnswers:
    """Cases 22 and 23: acknowledged, snoozed."""

    def test_22_acknowledged_and_resolved(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach()
        assert lab.acknowledge(comment="on it") == ["acked:warning"]
        assert (lab.events[-1].actor, lab.tellings[-1].notice.reason) == ("ana", "on it")
        assert lab.breach(seconds=4000) == []
        assert lab.ok(seconds=61) == ["resolved:warning"]
        assert lab.state.ack is None

    def test_22_acknowledged_and_escalated_ends_the_acknowledgement(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach()
        lab.acknowledge()
        assert lab.breach(1) == ["escalated:critical"]
        assert lab.state.ack is None
        assert lab.breach(1, seconds=60) == ["reminder:critical"]

    def test_22_acknowledging_twice_changes_nothing(self):
        lab = Lab()
        lab.breach()
        lab.acknowledge()
        before = lab.state
        assert lab.acknowledge() == []
        assert lab.state is before
        assert lab.timeline == ["fired", "acked"]

    @pytest.mark.parametrize("act", ["acknowledge", "unacknowledge", "resolve"])
    def test_22_what_does_not_fire_cannot_be_answered(self, act):
        lab = Lab(SLOW)
        lab.breach()
        with pytest.raises(NotActive):
            getattr(lab, act)()
        with pytest.raises(NotActive):
            lab.snooze(60)
        assert lab.events == []

    def test_22_an_acknowledgement_may_end_by_itself(self):
        lab = Lab(replace(PLAIN, reminder=60.0, ack_timeout=600.0))
        lab.breach()
        lab.acknowledge()
        assert lab.breach(seconds=599) == []
        assert lab.breach() == ["unacked:warning"]
        assert lab.tellings[-1].notice.reason == "timeout"
        assert lab.breach(seconds=59) == []
        assert lab.breach() == ["reminder:warning"]

    def test_22_taking_it_back_lets_reminders_go_on(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach()
        lab.acknowledge()
        lab.breach(seconds=300)
        assert lab.unacknowledge() == ["unacked:warning"]
        assert lab.unacknowledge() == []
        assert lab.breach(seconds=60)[:1] == ["reminder:warning"]

    def test_22_a_downgrade_is_not_told_to_those_who_know(self):
        lab = Lab()
        lab.breach(1)
        lab.acknowledge()
        assert lab.breach(0, seconds=61) == []
        assert lab.timeline[-1] == "downgraded (acknowledged)"

    def test_23_what_fires_at_the_end_of_a_snooze_is_told_again(self):
        lab = Lab()
        lab.breach()
        assert lab.snooze(600) == ["snoozed:warning"]
        assert lab.tellings[-1].notice.ended_at == lab.now + 600
        assert lab.snooze(600) == []
        assert lab.breach(seconds=599) == []
        assert lab.breach() == ["reminder:warning"]

    def test_23_a_snooze_that_ends_exactly_at_the_end_tells_only_that(self):
        lab = Lab(replace(PLAIN, keep_firing_for=0.0))
        lab.breach()
        lab.snooze(60)
        lab.breach(seconds=59)
        assert lab.ok() == ["resolved:warning"]
        assert lab.ok(seconds=60) == []
        assert lab.timeline == ["fired", "snoozed", "resolved"]

    def test_23_a_snooze_survives_a_restart(self):
        lab = Lab()
        lab.breach()
        lab.snooze(600)
        lab.restart(outage=300.0)
        assert lab.breach(seconds=299) == []
        assert lab.breach() == ["reminder:warning"]

    def test_23_a_snooze_into_the_past_is_refused(self):
        lab = Lab()
        lab.breach()
        with pytest.raises(ValueError, match="future"):
            lab.snooze(0)


class TestErrors:
    """An evaluation that fails changes nothing, and is told after three in a row."""

    def test_errors_change_no_state(self):
        lab = Lab(replace(PLAIN, no_data="resolve"))
        lab.breach()
        assert lab.error(seconds=600) == []
        assert lab.phase == "firing"
        lab.ok()
        assert lab.error(seconds=600) == []
        assert lab.phase == "recovering"

    def test_three_in_a_row_are_told(self):
        lab = Lab()
        signals = []
        for finding in ("error", "error", "ok", "error", "error", "error", "error", "ok"):
            lab.now += 1
            verdict = Verdict(Finding.ERROR, reason="not a number") if finding == "error" else Verdict(Finding.OK)
            result = evaluate([Judged(lab.rule, API, verdict)], lab.standing, lab.now, lab.context)
            lab.take(result)
            signals.append([(each.active, each.detail["rule"]) for each in result.signals])
        assert signals == [[], [], [], [], [], [(True, "errors")], [], [(False, "errors")]]
        assert lab.documents == {}


class TestReminders:
    """Reminders lie further and further apart, and count from the last notification."""

    def test_reminders_double_up_to_a_day(self):
        lab = Lab(replace(PLAIN, reminder=3600.0))
        lab.breach()
        told_at = [lab.now]
        for _ in range(4 * 86400 // 600):
            if lab.find(Judged(lab.rule, API, Verdict(Finding.BREACH, 0, 0, 30.0)), after=600.0):
                told_at.append(lab.now)
        hours = [round((later - sooner) / 3600) for sooner, later in pairwise(told_at)]
        assert hours == [1, 2, 4, 8, 16, 24, 24]
        assert [each.notice.nth for each in lab.tellings[1:]] == [1, 2, 3, 4, 5, 6, 7]

    def test_after_a_restart_none_is_told_twice(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach()
        assert lab.breach(seconds=60) == ["reminder:warning"]
        lab.restart(outage=10.0)
        assert lab.breach(seconds=109) == []
        assert lab.breach() == ["reminder:warning"]

    def test_what_fell_due_while_nothing_ran_is_told_once(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach()
        lab.restart(outage=3000.0)
        assert lab.breach(seconds=119) == ["reminder:warning"]

    def test_time_alone_is_enough(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach()
        assert lab.wait(59.0) == []
        assert lab.wait(1.0) == ["reminder:warning"]


class TestIdentity:
    """What makes an alert, or an event, the same."""

    def test_the_order_of_labels_and_what_is_empty_count_for_nothing(self):
        found = fingerprint("r", {"api": "a", "hub": "h"})
        assert found == fingerprint("r", {"hub": "h", "api": "a", "route": "", "value": "12.5"})
        assert len(found) == 32
        assert (
            len({fingerprint("r", {"api": "ab"}), fingerprint("ra", {"api": "b"}), fingerprint("r", {"hub": "ab"})})
            == 3
        )

    def test_events_differ_by_all_their_parts(self):
        names = [("f", "e", "fired", 0), ("f", "e", "fired", 1), ("f", "e2", "fired", 0), ("f", "e", "resolved", 0)]
        assert len({event_id(*parts) for parts in names}) == 4

    def test_thresholds_and_times_are_no_part_of_the_question(self):
        assert question(PLAIN) == question(replace(PLAIN, for_=9.0, levels=LADDER[:1], description="x", version=9))
        assert question(PLAIN) != question(replace(PLAIN, match=("api=x",)))
        assert question(Rule("x", when="a > 1")) != question(Rule("x", when="a > 2"))

    def test_a_state_is_read_as_it_was_written(self):
        lab = Lab(replace(PLAIN, reminder=60.0))
        lab.breach(1)
        lab.snooze(600)
        lab.ok()
        found = AlertState.from_dict({**lab.state.as_dict(), "of a later version": 1})
        assert found == lab.state

    def test_words_of_people_are_no_times(self):
        lab = Lab()
        lab.breach()
        lab.acknowledge(comment="never")
        assert AlertState.from_dict(lab.state.as_dict()).ack == lab.state.ack

    @pytest.mark.parametrize(
        "broken",
        [{"fingerprint": "of another"}, {"phase": "sleeping"},
         {"step": "two"}, {"flips": "abc"}, {"ack": {"at": "x"}}, {"remind_at": None},
         {"told": True, "severity": ""}, {"labels": 5}],
    )  # fmt: skip
    def test_what_cannot_be_read_is_named_and_begins_anew(self, broken):
        lab = Lab()
        lab.breach()
        ((name, document),) = ((key, json.loads(text)) for key, text in lab.documents.items())
        standing = Standing(lab.context)
        assert standing.load(
            {name: {**document, **broken}, "other": {**document, "fingerprint": "other"}}, lab.now
        ) == [name]
        assert list(standing.states) == ["other"]
