"""What each kind of rule finds: thresholds, conditions, missing traffic, events; and that nothing raises (A1, A2)."""

from __future__ import annotations

from math import nan

import pytest

from alert_numbers import Numbers
from understudy.alerts.evaluate import Evaluator
from understudy.alerts.model import Finding, Level, Rule, Verdict
from understudy.alerts.ports import Signal
from understudy.alerts.rules import rule_from
from understudy.core.notices import Severity


def judge(doc: dict | Rule, numbers: Numbers, now: float | None = None, labels=None, signal=None) -> Verdict:
    rule = doc if isinstance(doc, Rule) else rule_from({"name": "rule", "severity": "warning", **doc})
    numbers.now = numbers.now if now is None else now
    return Evaluator([rule]).judge(rule, numbers, {"api": "odds"} if labels is None else labels, numbers.now, signal)


# -- gauges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "operator", "threshold", "value", "finding"),
    [
        ("quota_remaining_ratio", "<", 0.1, 0.09, Finding.BREACH),
        ("quota_remaining_ratio", "<", 0.1, 0.11, Finding.DEADBAND),
        ("quota_remaining_ratio", "<", 0.1, 0.13, Finding.OK),
        ("keys_available", "==", 0, 0, Finding.BREACH),
        ("keys_available", "<", 2, 2, Finding.OK),
        ("coverage", "<", 99, 98.9, Finding.BREACH),
        ("breaker_open", "==", 1, 1, Finding.BREACH),
        ("cost_per_hour", ">", 5, 5.01, Finding.BREACH),
    ],
)
def test_a_gauge_is_compared_as_it_is(metric, operator, threshold, value, finding):
    doc = {"metric": metric, "operator": operator, "threshold": threshold}
    assert judge(doc, Numbers(gauges={metric: value})).finding is finding


def test_a_gauge_that_nobody_knows_is_no_data():
    doc = {"metric": "quota_remaining", "operator": "<", "threshold": 10}
    assert judge(doc, Numbers()) == Verdict(Finding.NO_DATA, reason="unknown")


# -- conditions ---------------------------------------------------------------------------------------

BUSY = {"kind": "expression", "when": "success_rate < 80 and requests_per_minute >= 10"}


def test_a_condition_wants_all_of_its_parts():
    numbers = Numbers(now=300.0)
    numbers.every(1.0, [True, False] * 30, start=200.0)
    assert judge(BUSY, numbers).finding is Finding.BREACH
    assert judge(BUSY, numbers).reason == "success_rate 50, requests_per_minute 12"
    quiet = Numbers(now=300.0)
    quiet.every(2.0, [True, False] * 10, start=200.0)
    assert judge(BUSY, quiet).finding is Finding.OK


def test_in_a_condition_few_calls_are_judged_with_the_same_care():
    doc = {"kind": "expression", "when": "error_rate > 20"}
    assert [judge(doc, _seen(good, bad)).finding for good, bad in ((0, 2), (0, 3), (3, 2), (8, 2), (7, 3))] == [
        Finding.NO_DATA, Finding.BREACH, Finding.NO_DATA, Finding.OK, Finding.BREACH,
    ]  # fmt: skip


def _seen(good: int, bad: int) -> Numbers:
    numbers = Numbers(now=300.0)
    numbers.call(290.0, True, times=good)
    numbers.call(291.0, False, times=bad)
    return numbers


def test_a_part_without_data_decides_only_where_the_others_do_not():
    doc = {"kind": "expression", "when": "quota_remaining_ratio < 0.1 or keys_available == 0"}
    assert judge(doc, Numbers(gauges={"keys_available": 0.0})).finding is Finding.BREACH
    found = judge(doc, Numbers(gauges={"keys_available": 2.0}))
    assert (found.finding, found.reason) == (Finding.NO_DATA, "quota_remaining_ratio unknown, keys_available 2")


def test_a_condition_compares_two_windows():
    doc = {"kind": "expression", "when": "response_time[1m] > 2 * response_time[1h]"}
    numbers = Numbers(now=3600.0)
    numbers.every(30.0, [True] * 110, seconds=1.0)
    assert judge(doc, numbers).finding is Finding.NO_DATA  # nothing in the last minute
    numbers.call(3590.0, True, seconds=4.0, times=10)
    assert judge(doc, numbers).finding is Finding.BREACH


def test_an_impossible_number_makes_a_condition_an_error():
    doc = {"kind": "expression", "when": "keys_available == 0 or failures > 5"}
    assert judge(doc, Numbers(gauges={"keys_available": nan})).finding is Finding.ERROR


# -- missing traffic ----------------------------------------------------------------------------------

SILENT = {"kind": "no_traffic", "window": 600}


def test_traffic_that_stops_is_missed_after_the_window():
    numbers = Numbers(since=0.0)
    numbers.every(10.0, [True] * 100)  # the last one at 990
    assert judge(SILENT, numbers, 1500.0).finding is Finding.OK
    assert judge(SILENT, numbers, 1590.5).finding is Finding.BREACH


def test_traffic_that_never_was_is_not_missed():
    assert judge(SILENT, Numbers(since=0.0), 5000.0).finding is Finding.NO_DATA
    few = Numbers(since=0.0)
    few.every(10.0, [True] * 9)
    assert judge(SILENT, few, 2000.0).finding is Finding.NO_DATA


def test_failing_traffic_is_traffic():
    numbers = Numbers(since=0.0)
    numbers.every(10.0, [False, None] * 200)
    assert judge(SILENT, numbers, 3999.0).finding is Finding.OK


def test_a_subject_younger_than_the_window_is_not_missed():
    numbers = Numbers(since=900.0)
    numbers.every(1.0, [True] * 20, start=900.0)
    assert judge(SILENT, numbers, 1400.0).finding is Finding.OK
    assert judge({**SILENT, "window": 100}, numbers, 1030.0).finding is Finding.BREACH


# -- events -------------------------------------------------------------------------------------------

DOWN = {
    "kind": "event", "event": "api_down", "metric": "standbys", "operator": "<",
    "levels": [{"severity": "warning", "threshold": 1000}, {"severity": "critical", "threshold": 1}],
}  # fmt: skip


def down(**gauges: float) -> Verdict:
    return judge(rule_from({"name": "down", **DOWN}), Numbers(gauges=gauges))


def test_a_covered_outage_is_a_warning_and_an_uncovered_one_critical():
    assert down(breaker_open=1, standbys=2).level == 0
    assert down(breaker_open=1, standbys=1).level == 0
    assert down(breaker_open=1, standbys=0).level == 1
    assert down(breaker_open=0, standbys=0).finding is Finding.OK


def test_what_is_not_known_to_be_covered_is_not_covered():
    assert down(breaker_open=1).level == 1


def test_an_event_whose_gauge_is_impossible_is_an_error():
    assert down(breaker_open=nan).finding is Finding.ERROR
    assert down(breaker_open=-1).finding is Finding.ERROR


def test_an_event_of_which_nothing_is_known_is_no_data():
    assert down(standbys=0).finding is Finding.NO_DATA


def test_a_signal_says_more_than_the_gauge():
    rule = rule_from({"name": "down", **DOWN})
    begun = Signal("api_down", {"api": "odds"}, True, 1.0)
    ended = Signal("api_down", {"api": "odds"}, False, 2.0)
    assert judge(rule, Numbers(gauges={"breaker_open": 0, "standbys": 0}), signal=begun).level == 1
    assert judge(rule, Numbers(gauges={"breaker_open": 1, "standbys": 0}), signal=ended).finding is Finding.OK


def test_an_event_with_one_level_has_that_severity():
    rule = rule_from({"name": "x", "kind": "event", "event": "hub_down", "subject": "hub", "severity": "critical"})
    verdict = judge(rule, Numbers(gauges={"hub_open": 1}), labels={"hub": "rapid"})
    assert (verdict.finding, verdict.level) == (Finding.BREACH, 0)


# -- whose rule it is, and what goes wrong -----------------------------------------------------------


def test_a_rule_is_about_the_subjects_that_it_names():
    rule = rule_from({"name": "x", "metric": "keys_available", "operator": "<", "threshold": 2, "severity": "info",
                      "match": ['api=~"odds.*"', "api!=odds2"]})  # fmt: skip
    evaluator, numbers = Evaluator([rule]), Numbers(gauges={"keys_available": 1})
    assert evaluator.judge(rule, numbers, {"api": "odds1"}, 0).finding is Finding.BREACH
    assert evaluator.judge(rule, numbers, {"api": "odds2"}, 0).reason == "not in force"
    assert evaluator.judge(rule, numbers, {"api": "scores"}, 0).reason == "not in force"


def test_a_disabled_rule_is_not_in_force():
    rule = rule_from({"name": "x", "metric": "failures", "threshold": 2, "severity": "info", "enabled": False})
    assert judge(rule, Numbers()).reason == "not in force"


@pytest.mark.parametrize(
    "rule",
    [
        Rule("x", metric="no_such_metric", levels=(Level(Severity.INFO, 1.0),)),
        Rule("x", metric="failures"),
        Rule("x", kind="expression", when="failures >"),
        Rule("x", metric="failures", levels=(Level(Severity.INFO, 1.0),), match=("???",)),
    ],
    ids=["metric", "levels", "when", "match"],
)
def test_a_rule_that_cannot_be_used_is_an_error_each_time(rule):
    assert judge(rule, Numbers()).finding is Finding.ERROR


class Broken(Numbers):
    """A source that fails, quoting a secret."""

    def sample(self, subject, labels, window):
        raise RuntimeError("cannot reach https://user:" + "hunter2" * 3 + "@db.example/stats")


def test_a_source_that_fails_is_an_error_and_tells_no_secret():
    verdict = judge({"metric": "failures", "threshold": 1}, Broken())
    assert verdict.finding is Finding.ERROR
    assert "RuntimeError" in verdict.reason
    assert "hunter2" not in verdict.reason


def test_a_subject_that_is_gone_is_no_data():
    doc = {"metric": "failures", "threshold": 1}
    assert judge(doc, Numbers(), labels={"api": "unknown"}) == Verdict(Finding.NO_DATA, reason="unknown")
