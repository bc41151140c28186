"""Escalation, grouping, incidents of hubs: who is told next, what is told together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alert_lab import API, BEGINS, PLAIN, Lab
from understudy.alerts.context import Context, EngineOptions, Grouping, Handling
from understudy.alerts.escalation import Escalation, Step
from understudy.alerts.grouping import Groups
from understudy.alerts.model import Finding, Level, Rule, Verdict
from understudy.alerts.tick import Judged, Telling
from understudy.core.errors import OptionError
from understudy.core.notices import Notice, NoticeKind, Severity

RULE = replace(PLAIN, escalation="duty")
DUTY = Escalation((Step(300.0, ("chat",)), Step(900.0, ("pager", "callback:wake"))))


class TestSteps:
    def lab(self, rule: Rule = RULE, policy: Escalation = DUTY, **extra) -> Lab:
        return Lab(rule, escalations={"duty": policy}, **extra)

    def steps(self, lab: Lab) -> list[tuple[tuple[str, ...], int, str]]:
        return [
            (each.targets, round(each.notice.at - BEGINS), each.notice.reason)
            for each in lab.tellings
            if each.notice.kind is NoticeKind.STEP
        ]

    def test_each_in_its_time_from_when_people_were_told(self):
        lab = self.lab()
        lab.breach(seconds=2000)
        assert self.steps(lab) == [(("chat",), 301, ""), (("pager", "callback:wake"), 901, "")]
        assert [each.notice.facts["step"] for each in lab.tellings[1:]] == ["1", "2"]

    def test_the_clock_does_not_run_while_nobody_was_told(self):
        lab = self.lab()
        lab.silence(600)
        lab.breach(seconds=899)
        assert self.steps(lab) == []
        lab.breach(seconds=2)
        assert self.steps(lab) == [(("chat",), 900, "")]

    def test_whoever_was_reached_is_told_of_the_end(self):
        lab = self.lab()
        lab.breach(seconds=1000)
        lab.ok(seconds=61)
        assert lab.tellings[-1].also == ("chat", "pager", "callback:wake")

    def test_an_acknowledgement_pauses_and_taking_it_back_goes_on_at_the_same_step(self):
        lab = self.lab()
        lab.breach(seconds=500)
        lab.acknowledge()
        lab.breach(seconds=5000)
        assert len(self.steps(lab)) == 1
        lab.unacknowledge()
        # 400 s were left of the 600 between the two.
        lab.breach(seconds=400)
        assert len(self.steps(lab)) == 1
        lab.breach(seconds=2)
        assert self.steps(lab)[1][0] == ("pager", "callback:wake")

    def test_so_does_a_snooze(self):
        lab = self.lab()
        lab.breach(seconds=100)
        lab.snooze(1000)
        lab.breach(seconds=1000)
        assert self.steps(lab) == []
        lab.breach(seconds=203)
        assert len(self.steps(lab)) == 1

    def test_it_starts_again_when_it_gets_worse(self):
        lab = self.lab()
        lab.breach(0, seconds=400)
        lab.breach(1, seconds=302)
        assert [when for _, when, _ in self.steps(lab)] == [301, 701]

    def test_a_restart_forgets_nothing_and_what_was_missed_is_told_once_as_late(self):
        lab = self.lab()
        lab.breach(seconds=100)
        lab.restart(outage=1900.0)
        lab.breach(seconds=100)
        assert self.steps(lab) == [(("chat",), 2001, "late"), (("pager", "callback:wake"), 2001, "late")]
        lab.restart(outage=10.0)
        lab.breach(seconds=100)
        assert len(self.steps(lab)) == 2

    def test_time_alone_is_enough(self):
        lab = self.lab()
        lab.breach()
        assert lab.wait(300.0) == ["step:warning"]

    def test_what_is_milder_is_left_out(self):
        policy = Escalation((Step(300.0, ("pager",), Severity.CRITICAL), Step(900.0, ("chat",))))
        lab = self.lab(policy=policy)
        lab.breach(0, seconds=1000)
        assert [targets for targets, _, _ in self.steps(lab)] == [("chat",)]

    def test_a_step_may_repeat_until_the_next(self):
        policy = Escalation((Step(300.0, ("chat",), repeat=200.0), Step(900.0, ("pager",))))
        lab = self.lab(policy=policy)
        lab.breach(seconds=1500)
        assert self.steps(lab) == [
            (("chat",), 301, ""), (("chat",), 501, "repeated"), (("chat",), 701, "repeated"), (("pager",), 901, ""),
        ]  # fmt: skip

    def test_what_is_milder_is_left_out_of_repetitions_too(self):
        policy = Escalation((Step(60.0, ("pager",), Severity.CRITICAL, repeat=60.0),))
        lab = self.lab(policy=policy)
        assert lab.breach(0, seconds=600) == ["fired:warning"]

    def test_a_silence_holds_a_step_back_and_is_recorded_once(self):
        lab = self.lab()
        lab.breach()
        lab.silence(600)
        lab.breach(seconds=600)
        assert self.steps(lab) == [(("chat",), 601, "late")]
        assert lab.timeline == ["fired", "step (silence:s1)", "step"]

    def test_by_the_number_of_notifications_that_nobody_answered(self):
        lab = self.lab(replace(RULE, escalation_threshold=3, reminder=60.0))
        lab.breach(seconds=60 + 119)
        assert self.steps(lab) == []
        # Fired, and reminded after one and two minutes more.
        lab.breach(seconds=4)
        assert [targets for targets, _, _ in self.steps(lab)] == [("chat",)]

    def test_the_policy_of_a_matching_notification_policy_is_used_where_the_rule_names_none(self):
        lab = self.lab(PLAIN, handling=lambda labels: Handling("duty" if labels["api"] == "odds" else ""))
        lab.breach(seconds=302)
        assert len(self.steps(lab)) == 1

    def test_a_policy_that_became_shorter_goes_on_with_its_last_step(self):
        lab = self.lab(policy=Escalation((Step(60.0, ("chat",)), Step(120.0, ("pager",), repeat=60.0))))
        lab.breach(seconds=150)
        lab.context.escalations = {"duty": Escalation((Step(60.0, ("chat",), repeat=300.0),))}
        lab.breach(seconds=400)
        assert [targets for targets, _, _ in self.steps(lab)] == [("chat",), ("pager",), ("chat",), ("chat",)]
        lab.context.escalations = {"duty": Escalation((Step(60.0, ("chat",)),))}
        assert lab.breach(seconds=400) == []

    def test_a_policy_that_is_gone_tells_nobody(self):
        lab = self.lab()
        lab.breach()
        lab.context.escalations = {}
        assert lab.breach(seconds=2000) == []

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: Escalation((Step(900.0, ("a",)), Step(300.0, ("b",)))), "at least as long as the one before"),
            (lambda: Escalation(()), "at least 1 long"),
            (lambda: Escalation((Step(1.0, (" ",)),)), "the names of channels"),
            (lambda: Step(1.0, ("a",), repeat=5.0), "0, or at least 60"),
            (lambda: Step(-1.0, ("a",)), "at least 0"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, make, said):
        with pytest.raises(OptionError, match=said):
            make()


class TestGroups:
    BY_RULE = EngineOptions(group_by=("rule",))

    def held(self, lab: Lab) -> list[float]:
        return [round(each.hold_until - each.notice.at, 3) if each.hold_until else 0.0 for each in lab.tellings]

    def breach(self, lab: Lab, *apis: str, level: int = 0, after: float = 1.0) -> list[Telling]:
        before = len(lab.tellings)
        verdict = Verdict(Finding.BREACH, level, level, 30.0)
        lab.find(*(Judged(lab.rule, {"api": api}, verdict) for api in apis), after=after, complete=False)
        return lab.tellings[before:]

    def test_what_is_not_critical_waits_for_others_of_its_group(self):
        lab = Lab(options=self.BY_RULE)
        first = self.breach(lab, "a", "b")
        later = self.breach(lab, "c", after=20.0)
        assert {each.hold_until for each in (*first, *later)} == {BEGINS + 31}
        assert {each.group for each in (*first, *later)} == {"rule=errors"}

    def test_what_is_critical_waits_for_nothing(self):
        lab = Lab(options=self.BY_RULE)
        assert [(each.group, each.hold_until) for each in self.breach(lab, "a", "b", level=1)] == [("", 0.0)] * 2

    def test_the_next_message_of_a_group_keeps_its_distance(self):
        lab = Lab(options=self.BY_RULE)
        self.breach(lab, "a")
        assert self.breach(lab, "b", after=60.0)[0].hold_until == BEGINS + 31 + 300
        assert self.breach(lab, "c", after=600.0)[0].hold_until == lab.now + 30

    def test_an_end_does_not_wait_for_that(self):
        lab = Lab(replace(PLAIN, keep_firing_for=0.0), options=self.BY_RULE)
        lab.breach()
        lab.breach(seconds=60)
        lab.ok()
        assert self.held(lab) == [30.0, 30.0]

    def test_groups_are_made_by_labels(self):
        lab = Lab(options=EngineOptions(group_by=("rule", "hub"), group_wait=10.0))
        one = Judged(lab.rule, {"api": "a", "hub": "x"}, Verdict(Finding.BREACH, 0, 0, 30.0))
        other = Judged(lab.rule, {"api": "b", "hub": "y"}, Verdict(Finding.BREACH, 0, 0, 30.0))
        lab.find(one)
        lab.find(other)
        assert [each.hold_until for each in lab.tellings] == [BEGINS + 11, BEGINS + 12]
        assert len({each.group for each in lab.tellings}) == 2

    def test_a_notification_policy_may_group_otherwise(self):
        often = Handling(grouping=Grouping(("api",), 5.0, 60.0))
        lab = Lab(options=self.BY_RULE, handling=lambda labels: often if labels["api"] == "a" else Handling())
        told = self.breach(lab, "a", "b")
        assert [(each.group, each.hold_until - lab.now) for each in told] == [("api=a", 5.0), ("rule=errors", 30.0)]

    def test_unasked_there_are_none(self):
        lab = Lab()
        assert [each.hold_until for each in self.breach(lab, "a")] == [0.0]

    @pytest.mark.parametrize("kind", [NoticeKind.ACKED, NoticeKind.STEP, NoticeKind.TEST, NoticeKind.MESSAGE])
    def test_what_somebody_did_or_asked_for_is_told_at_once(self, kind):
        groups = Groups(Context(ids=str, options=self.BY_RULE), {}, 100.0)
        assert groups.hold(Notice("e", kind, Severity.INFO, 100.0, "t"), {}) == ("", 0.0)


class TestIncidents:
    """Several APIs of one hub fail together."""

    DOWN = Rule("api_down", kind="event", event="api_down", levels=(Level(Severity.WARNING), Level(Severity.CRITICAL)),
                keep_firing_for=0.0, cooldown=0.0, reminder=0.0)  # fmt: skip

    def found(self, *apis: str, verdict: Verdict | None = None, hub: str = "rapid") -> list[Judged]:
        breach = verdict or Verdict(Finding.BREACH, 1, 1, 0.0)
        return [Judged(self.DOWN, {"api": api, "hub": hub}, breach) for api in apis]

    def told(self, lab: Lab) -> list[tuple[str, str]]:
        found = [(each.notice.kind.value, each.notice.labels.get("api") or "hub") for each in lab.tellings]
        lab.tellings.clear()
        return found

    def test_at_once_they_are_one_message_with_the_list(self):
        lab = Lab(self.DOWN)
        lab.find(*self.found("a", "b", "c", "d"))
        notice = lab.tellings[0].notice
        assert self.told(lab) == [("fired", "hub")]
        assert (notice.severity, notice.facts["apis"], notice.value) == (Severity.CRITICAL, "a, b, c, d", 4.0)

    def test_one_after_the_other_the_first_are_told_by_themselves(self):
        lab = Lab(self.DOWN)
        lab.find(*self.found("a"))
        lab.find(*self.found("a", "b"))
        lab.find(*self.found("a", "b", "c"))
        lab.find(*self.found("a", "b", "c", "d"))
        assert self.told(lab) == [("fired", "a"), ("fired", "b"), ("fired", "hub")]

    def test_so_is_the_end(self):
        lab = Lab(self.DOWN)
        apis = ("a", "b", "c", "d")
        lab.find(*self.found(*apis))
        self.told(lab)
        fine = Verdict(Finding.OK)
        for _ in range(61):
            lab.find(*self.found(*apis, verdict=fine))
        assert self.told(lab) == [("resolved", "hub")]
        assert not lab.standing.firing()

    def test_one_that_stays_is_told_when_the_incident_is_over(self):
        lab = Lab(self.DOWN)
        lab.find(*self.found("a", "b", "c"))
        self.told(lab)
        for _ in range(122):
            lab.find(*self.found("a"), *self.found("b", "c", verdict=Verdict(Finding.OK)))
        assert self.told(lab) == [("resolved", "hub"), ("fired", "a")]

    def test_what_began_long_ago_is_not_together(self):
        lab = Lab(self.DOWN)
        lab.find(*self.found("a"))
        lab.find(*self.found("a", "b"), after=400.0)
        lab.find(*self.found("a", "b", "c"))
        assert self.told(lab) == [("fired", "a"), ("fired", "b"), ("fired", "c")]

    def test_apis_of_different_hubs_have_nothing_to_do_with_each_other(self):
        lab = Lab(self.DOWN)
        lab.find(
            *self.found("a", "b"), *self.found("c", hub="other"), Judged(self.DOWN, API, Verdict(Finding.BREACH, 1, 1))
        )
        assert len(self.told(lab)) == 4

    def test_it_may_be_turned_off(self):
        lab = Lab(self.DOWN, options=EngineOptions(incident_apis=0))
        lab.find(*self.found("a", "b", "c"))
        assert len(self.told(lab)) == 3

    def test_a_restart_goes_on_with_it(self):
        lab = Lab(self.DOWN)
        lab.find(*self.found("a", "b", "c"))
        self.told(lab)
        lab.restart(outage=5.0)
        lab.find(*self.found("a", "b", "c", "d"))
        assert self.told(lab) == []

    def test_that_all_are_covered_makes_it_a_warning(self):
        lab = Lab(self.DOWN)
        lab.find(*self.found("a", "b", "c", verdict=Verdict(Finding.BREACH, 0, 0, 1.0)))
        assert lab.tellings[0].notice.severity is Severity.WARNING
        assert self.told(lab) == [("fired", "hub")]

    def test_long_lists_say_how_many_more_there_are(self):
        lab = Lab(self.DOWN)
        lab.find(*self.found(*(f"api-{n:02}" for n in range(25))))
        assert lab.tellings[0].notice.facts["apis"].endswith("api-19 +5")
