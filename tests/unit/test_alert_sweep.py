"""Many rules at once: the same verdicts as one by one, told only when they change, from few questions."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_numbers import Numbers
from understudy.alerts.defaults import default_rules
from understudy.alerts.evaluate import Evaluator
from understudy.alerts.model import Finding, Rule
from understudy.alerts.ports import Sample
from understudy.alerts.rules import rule_from
from understudy.alerts.sweep import Memory, Sweeper

API = {"api": "odds"}


class Swept:
    """One subject whose rules are swept, and what was told of each last."""

    def __init__(self, rules: list[Rule], numbers: Numbers) -> None:
        self.rules, self.numbers = rules, numbers
        self.evaluator = Evaluator(rules)
        self.sweeper = Sweeper(self.evaluator)
        self.memory = Memory()
        self.told = {}
        self.times = 0

    def at(self, now: float) -> dict[str, Finding]:
        """Sweep; what was told this time."""
        self.numbers.now = now
        plan = self.sweeper.plan("api", API)
        found = self.sweeper.sweep(self.numbers, "api", API, now, plan, self.memory)
        self.times += len(found)
        self.told.update({rule.name: verdict for rule, verdict in found})
        return {rule.name: verdict.finding for rule, verdict in found}


def rules(*docs: dict) -> list[Rule]:
    return [rule_from({"name": f"r{index}", "severity": "warning", **doc}) for index, doc in enumerate(docs)]


MANY = [
    *(rule for rule in default_rules() if rule.subject == "api"),
    *rules(
        {"metric": "response_time_p95", "operator": ">=", "threshold": 1, "hysteresis": 0.5},
        {"metric": "response_time_p50", "operator": "<", "threshold": 0.2},
        {"metric": "error_rate", "operator": ">", "threshold": 30, "min_samples": 3},
        {"metric": "error_rate", "operator": "!=", "threshold": 0, "window": 60},
        {"metric": "success_rate", "operator": "<=", "threshold": 50, "window": 60, "min_samples": 20},
        {"metric": "requests_per_minute", "operator": "<", "threshold": 5},
        {"metric": "failures", "operator": ">=", "threshold": 3},
        {"metric": "quota_remaining_ratio", "operator": "<", "threshold": 0.5},
        {"kind": "expression", "when": "error_rate > 20 and failures > 4"},
        {"kind": "expression", "when": "not error_rate[1m] > 20 or 3 <= failures and breaker_open == 1"},
        {"kind": "expression", "when": "quota_remaining_ratio < 50% and requests_per_minute < 10"},
        {"kind": "expression", "when": "response_time_p95 > 1 and response_time_p95 < 2", "min_samples": 4},
        {"kind": "expression", "when": "failures > successes or error_rate > 90"},
        {"kind": "no_traffic", "window": 120},
        {"kind": "burn_rate", "severity": "critical", "threshold": 14.4},
    ),
]

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.5, 1.0, 5.0, 20.0, 61.0, 300.0, 2000.0, 3700.0]),
        st.sampled_from([0, 0, 1, 1, 2, 5, 12]),
        st.sampled_from([True, True, False, False, None]),
        st.sampled_from([0.1, 0.5, 1.0, 1.5, 6.0]),
        st.sampled_from([None, 0.0, 0.4, 0.505, 1.0, nan]),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


@settings(deadline=None)  # a busy machine is no fault
@given(STEPS)
def test_sweeping_tells_what_judging_one_by_one_finds(steps):
    numbers = Numbers(since=0.0)
    swept = Swept(MANY, numbers)
    now = 0.0
    for ahead, times, good, seconds, quota in steps:
        now += ahead
        numbers.call(now - 0.1, good, seconds, times)
        if quota is not None:
            numbers.gauges |= {"quota_remaining_ratio": quota, "breaker_open": float(quota == 0.0)}
            numbers.gauges["standbys"] = float(times)
        swept.at(now)
        for rule in MANY:
            told, found = swept.told.get(rule.name), swept.evaluator.judge(rule, numbers, API, now)
            if rule.enabled:
                assert (told.finding, told.level, told.held) == (found.finding, found.level, found.held), rule.name


def test_a_verdict_is_told_once_and_again_when_it_changes():
    numbers = Numbers()
    swept = Swept(rules({"metric": "error_rate", "operator": ">", "threshold": 20}), numbers)
    numbers.call(1.0, True, times=100)
    assert swept.at(2.0) == {"r0": Finding.OK}
    numbers.call(3.0, True, times=50)
    assert swept.at(4.0) == {}
    numbers.call(5.0, False, times=100)
    assert swept.at(6.0) == {"r0": Finding.BREACH}
    assert swept.at(7.0) == {}


def test_an_error_is_told_each_time_so_that_it_can_be_counted():
    swept = Swept(rules({"metric": "quota_remaining", "threshold": 1}), Numbers(gauges={"quota_remaining": nan}))
    assert [swept.at(1.0), swept.at(2.0), swept.at(3.0)] == [{"r0": Finding.ERROR}] * 3


def test_fifty_rules_over_one_window_ask_for_it_once():
    numbers = Numbers()
    numbers.call(1.0, True, times=100)
    many = [{"metric": metric, "threshold": t} for metric in ("error_rate", "failures") for t in range(1, 26)]
    swept = Swept(rules(*many), numbers)
    swept.at(2.0)
    assert numbers.asked == ["sample 300"]


def test_a_quantile_is_not_computed_where_all_calls_lie_on_one_side():
    numbers = Numbers()
    numbers.call(1.0, True, 0.1, times=100)
    swept = Swept(rules({"metric": "response_time_p95", "operator": ">", "threshold": 2}), numbers)
    swept.at(2.0)
    numbers.asked.clear()
    numbers.call(3.0, True, 0.3, times=100)
    swept.at(4.0)
    assert "quantile 0.95" not in numbers.asked
    numbers.call(5.0, True, 5.0, times=10)
    swept.at(6.0)
    assert "quantile 0.95" in numbers.asked


def test_a_rule_is_evaluated_again_only_when_its_own_values_are_passed():
    numbers = Numbers()
    conditions = [{"kind": "expression", "when": f"error_rate > {t} and keys_available < 5"} for t in (10, 30)]
    numbers.gauges["keys_available"] = 3.0
    swept = Swept(rules({"metric": "error_rate", "threshold": 20}, *conditions), numbers)
    numbers.call(1.0, True, times=85)
    numbers.call(1.0, False, times=15)
    assert swept.at(2.0) == {"r0": Finding.OK, "r1": Finding.BREACH, "r2": Finding.OK}
    numbers.call(3.0, False, times=15)  # 26 %
    assert swept.at(4.0) == {"r0": Finding.BREACH}
    numbers.gauges["keys_available"] = 6.0
    assert swept.at(5.0) == {"r1": Finding.OK}


class Failing(Numbers):
    """A source whose windows cannot be read, or hold what cannot be."""

    wrong = 0.0

    def sample(self, subject, labels, window):
        if self.wrong == 0.0:
            raise RuntimeError("no")
        return Sample(self.now, window, window, 5, 5, 0, 0, self.wrong, 0.1, 0.1)


@pytest.mark.parametrize("wrong", [0.0, nan, -1.0])
@pytest.mark.parametrize("metric", ["error_rate", "failures", "response_time_p95"])
def test_a_source_that_fails_is_an_error_each_time_until_it_works(metric, wrong):
    numbers = Failing()
    numbers.wrong = wrong
    swept = Swept(rules({"metric": metric, "threshold": 20}), numbers)
    assert [swept.at(1.0), swept.at(2.0), swept.at(3.0)] == [{"r0": Finding.ERROR}] * 3
    assert swept.times == 3
    numbers.wrong = 0.5
    assert swept.at(4.0)["r0"] is not Finding.ERROR


def test_a_rule_that_is_evaluated_each_time_is_told_of_once_a_time():
    swept = Swept(rules({"kind": "no_traffic"}), Failing())
    assert [swept.at(1.0), swept.at(2.0)] == [{"r0": Finding.ERROR}] * 2
    assert swept.times == 2


class Mute(Numbers):
    """A source that cannot say whether anything moved."""

    def moved(self, subject, labels):
        raise RuntimeError("no")


def test_a_source_that_cannot_say_whether_anything_moved_is_asked_for_everything():
    numbers = Mute()
    swept = Swept(rules({"metric": "error_rate", "threshold": 20}), numbers)
    swept.at(1000.0)
    numbers.call(1001.0, False, times=20)
    assert swept.at(1002.0) == {"r0": Finding.BREACH}


def test_an_idle_subject_is_not_sampled_again_until_something_moves():
    numbers = Numbers()
    swept = Swept(rules({"metric": "error_rate", "threshold": 20}), numbers)
    swept.at(1000.0)
    numbers.asked.clear()
    swept.at(1001.0)
    assert numbers.asked == []
    numbers.call(1002.0, False, times=20)
    assert swept.at(1002.5) == {"r0": Finding.BREACH}


def test_subjects_with_the_same_rules_share_a_plan():
    only_b = {"metric": "failures", "threshold": 2, "match": ["api=b"]}
    sweeper = Sweeper(Evaluator(rules({"metric": "failures", "threshold": 1}, only_b)))
    assert sweeper.plan("api", {"api": "a"}) is sweeper.plan("api", {"api": "c"})
    assert sweeper.plan("api", {"api": "a"}) is not sweeper.plan("api", {"api": "b"})


def test_other_rules_are_told_from_the_beginning():
    numbers = Numbers()
    numbers.call(1.0, False, times=100)
    swept = Swept(rules({"metric": "error_rate", "threshold": 20}), numbers)
    swept.at(2.0)
    swept.sweeper = Sweeper(Evaluator(rules({"metric": "error_rate", "threshold": 30})))
    assert swept.at(3.0) == {"r0": Finding.BREACH}
