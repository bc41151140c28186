"""Rules as documents: there and back, every fault at once with its place, and the original document's names."""

from __future__ import annotations

import json
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.alerts.defaults import AlertThresholds, default_rules
from understudy.alerts.metrics import EVENTS, METRICS
from understudy.alerts.model import Level, Rule
from understudy.alerts.rule_faults import faults_of
from understudy.alerts.rules import FIELDS, RuleError, rule_from, rule_to_doc, seed_rule
from understudy.core.notices import Severity

GOOD = {"name": "slow", "metric": "response_time", "operator": ">", "threshold": 2, "severity": "warning"}


def faults(doc: dict) -> list[str]:
    with pytest.raises(RuleError) as caught:
        rule_from(doc)
    return [str(fault) for fault in caught.value.faults]


# -- there and back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", default_rules(), ids=lambda rule: rule.name)
def test_every_default_rule_is_right_and_survives_its_document(rule):
    assert faults_of(rule) == []
    assert rule_from(json.loads(json.dumps(rule_to_doc(rule)))) == rule


def test_a_document_says_only_what_differs_from_the_defaults():
    assert rule_to_doc(rule_from(GOOD)) == {
        "name": "slow", "metric": "response_time", "levels": [{"severity": "warning", "threshold": 2}],
    }  # fmt: skip


def test_one_level_may_stand_in_the_rule_itself():
    long = {**GOOD, "levels": [{"threshold": 2, "severity": "warning"}]}
    del long["threshold"], long["severity"]
    assert rule_from(GOOD) == rule_from(long)


def test_a_level_may_wait_longer_than_its_rule():
    rule = rule_from({"name": "x", "metric": "failures", "for": 10, "levels": [
        {"severity": "warning", "threshold": 5}, {"severity": "critical", "threshold": 9, "for": 0}]})  # fmt: skip
    assert (rule.for_, rule.levels[0].for_, rule.levels[1].for_) == (10, None, 0)
    assert rule_to_doc(rule)["levels"][1] == {"severity": "critical", "threshold": 9, "for": 0}


def test_a_burn_rate_without_levels_warns_and_pages():
    rule = rule_from({"name": "slo", "kind": "burn_rate", "objective": 99.5})
    assert [(level.severity.value, level.threshold) for level in rule.levels] == [("warning", 1), ("critical", 6)]


# -- faults -------------------------------------------------------------------------------------------


def test_every_fault_is_told_at_once():
    assert faults({"name": "x", "metrik": 1, "metric": "sucess_rate", "operator": "<<", "window": 1, "for": -1,
                   "threshold": 80, "severity": "bad", "match": ["api~x", 3], "labels": {"team": 5}}) == [
        "metrik: unknown key; did you mean 'metric'?",
        "match[1]: expected a text",
        "labels.team: expected a text",
        "levels[0].severity: expected one of 'info', 'warning', 'critical', found 'bad'",
        "operator: expected one of '>', '>=', '<', '<=', '==', '!=', found '<<'",
        "window: expected at least 10, found 1",
        "for: expected at least 0, found -1",
        "metric: expected the name of a metric, found 'sucess_rate'; did you mean 'success_rate'?",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"threshold": 101, "metric": "success_rate", "operator": "<"},
            "levels[0].threshold: expected a success_rate between 0 and 100, found 101",
        ),
        ({"threshold": -1}, "levels[0].threshold: expected a response_time between 0 upwards, found -1"),
        ({"threshold": float("nan")}, "levels[0].threshold: expected a number, found nan"),
        ({"threshold": float("inf")}, "levels[0].threshold: expected a response_time between 0 upwards, found inf"),
        ({"threshold": True}, "levels[0].threshold: expected a number, found True"),
        ({"threshold": "2"}, "levels[0].threshold: expected a number, found '2'"),
        ({"hysteresis": 3}, "hysteresis: could never resolve: response_time cannot reach -1"),
        ({"metric": ""}, "metric: expected the name of a metric"),
        ({"metric": "keys_available", "subject": "route"}, "metric: keys_available is known of api only, not of route"),
        ({"when": "failures > 1"}, "when: belongs to kind 'expression' only, and this is 'threshold'"),
        ({"event": "api_down"}, "event: belongs to kind 'event' only, and this is 'threshold'"),
        ({"levels": []}, "severity: stands in the levels, where there are levels"),
        ({"name": " "}, "name: expected a printable name"),
        ({"name": "a\nb"}, "name: expected a printable name"),
        ({"name": 5}, "name: expected a text, found 5"),
        ({"name": "n" * 201}, "name: expected at most 200 long, found"),
        ({"match": ["api"]}, "match[0]: expected a condition on labels"),
        ({"match": "api=x"}, "match: expected a list, found"),
        ({"labels": {"": "x"}}, "labels.: expected a name and a text"),
        ({"enabled": 1}, "enabled: expected true or false, found 1"),
        ({"count": 0}, "count: expected at least 1, found 0"),
        ({"no_data": "explode"}, "no_data: expected one of 'keep_last', 'resolve', 'alert', 'ok_after', found"),
        ({"name": None}, "name: required, but not there"),
        ({"kind": "expression"}, "metric: stands in the condition (when), where there is one"),
        ({"kind": "no_traffic"}, "metric: a rule about missing traffic has none"),
        ({"kind": "burn_rate"}, "metric: a burn rate is about the success rate; leave the metric out"),
        ({"kind": "event", "event": "api_dwn"}, "event: expected the name of an event, found 'api_dwn'; did you mean"),
        ({"kind": "event", "event": "hub_down"}, "subject: the event hub_down is about one hub, not api"),
    ],
)  # fmt: skip
def test_a_fault_names_its_place(changes, expected):
    assert any(fault.startswith(expected) for fault in faults({**GOOD, **changes})), faults({**GOOD, **changes})


@pytest.mark.parametrize(
    ("operator", "thresholds", "right"),
    [
        ("<", (80, 60), True), ("<", (60, 80), False), ("<", (80, 80), False), (">", (20, 40), True),
        (">", (40, 20), False), ("<=", (80, 60, 40), True), (">=", (20, 40, 30), False), ("==", (20, 40), False),
        ("==", (20,), True), ("!=", (20,), True),
    ],
)  # fmt: skip
def test_levels_climb_in_the_direction_of_the_operator(operator, thresholds, right):
    rule = Rule(
        "x", metric="success_rate", operator=operator, levels=tuple(Level(threshold=each) for each in thresholds)
    )
    assert (faults_of(rule) == []) is right


def test_a_worse_level_is_no_milder_than_the_one_before():
    levels = [{"severity": "critical", "threshold": 2}, {"severity": "warning", "threshold": 5}]
    assert faults({"name": "x", "metric": "response_time", "levels": levels}) == [
        "levels[1].severity: expected no milder severity than that of the level before"
    ]


def test_a_threshold_that_is_compared_with_must_be_said():
    assert faults({"name": "x", "metric": "failures", "severity": "critical"}) == [
        "levels[0].threshold: required, but not there"
    ]


def test_a_condition_that_cannot_be_read_is_told_with_a_caret():
    (fault,) = faults({"name": "x", "kind": "expression", "severity": "info", "when": "failures > 1 and falures > 2"})
    assert fault == (
        "when: expected the name of a metric; did you mean 'failures'?, at character 18\n"
        "failures > 1 and falures > 2\n                 ^"
    )


def test_a_condition_reads_only_what_is_known_of_its_subject():
    doc = {"name": "x", "kind": "expression", "severity": "info", "subject": "route", "when": "keys_available == 0"}
    assert faults(doc) == ["when: keys_available is known of api only, not of route"]


def test_the_levels_of_an_event_compare_a_number_of_the_present():
    levels = [{"severity": "warning", "threshold": 20}, {"severity": "critical", "threshold": 40}]
    doc = {"name": "x", "kind": "event", "event": "api_down", "metric": "error_rate", "levels": levels}
    assert faults(doc) == ["metric: expected a number of the present, which error_rate is not"]


def test_a_condition_reads_something():
    doc = {"name": "x", "kind": "expression", "severity": "info", "when": "1 < 2"}
    assert faults(doc) == ["when: expected at least one metric"]


def test_a_burn_rate_without_a_guard_against_few_failures_is_refused():
    assert faults({"name": "x", "kind": "burn_rate", "min_failures": 0})[0].startswith(
        "min_failures: expected at least 1"
    )
    assert faults({"name": "x", "kind": "burn_rate", "severity": "info", "threshold": 2}) == [
        "levels[0].threshold: expected one of the burn rates 1, 6 and 14.4"
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=10), below, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "severity", "threshold", "other"]), JSON, max_size=8))
def test_any_document_is_a_rule_or_an_error_that_says_why(doc):
    try:
        rule = rule_from(doc)
    except RuleError as error:
        assert error.faults
        assert all(fault.expected for fault in error.faults)
    else:
        assert faults_of(rule) == []
        assert rule_from(rule_to_doc(rule)) == rule


# -- defaults -----------------------------------------------------------------------------------------


def ladders(**thresholds: float) -> dict[str, list[tuple[str, float]]]:
    found = {rule.name: rule for rule in default_rules(AlertThresholds(**thresholds))}
    names = ("success_rate", "response_time", "error_rate")
    return {name: [(level.severity.value, level.threshold) for level in found[name].levels] for name in names}


def test_the_six_alerts_of_the_original_document_are_three_ladders():
    assert ladders() == {
        "success_rate": [("warning", 80.0), ("critical", 60.0)],
        "response_time": [("warning", 2.0), ("critical", 5.0)],
        "error_rate": [("warning", 20.0), ("critical", 40.0)],
    }
    for rule in default_rules()[:3]:
        assert (rule.for_, rule.keep_firing_for, rule.cooldown, rule.reminder) == (0, 60, 300, 3600)
        assert (rule.window, rule.min_samples, rule.escalation_threshold) == (300, 10, None)


def test_the_first_of_each_pair_is_configured_and_the_second_stays_beyond_it():
    assert ladders(success_rate=95, response_time=0.5, error_rate=5) == {
        "success_rate": [("warning", 95), ("critical", 60.0)],
        "response_time": [("warning", 0.5), ("critical", 5.0)],
        "error_rate": [("warning", 5), ("critical", 40.0)],
    }
    assert ladders(success_rate=50, response_time=6, error_rate=60) == {
        "success_rate": [("warning", 50), ("critical", 25.0)],
        "response_time": [("warning", 6), ("critical", 15.0)],
        "error_rate": [("warning", 60), ("critical", 80.0)],
    }


@pytest.mark.parametrize("rate", [0.0, 0.1, 40.0, 60.0, 99.9, 100.0])
@pytest.mark.parametrize("seconds", [0.001, 5.0, 3600.0])
def test_whatever_is_configured_the_defaults_are_right(rate, seconds):
    found = default_rules(AlertThresholds(success_rate=rate, response_time=seconds, error_rate=rate))
    assert [fault for rule in found for fault in faults_of(rule)] == []


def test_an_outage_is_one_episode_although_it_flaps_and_pages_only_when_uncovered():
    down = next(rule for rule in default_rules() if rule.name == "api_down")
    assert (down.kind, down.keep_firing_for, [level.severity for level in down.levels]) == (
        "event", 60, [Severity.WARNING, Severity.CRITICAL],
    )  # fmt: skip


def test_names_are_unique_and_every_event_has_its_gauge():
    names = [rule.name for rule in default_rules()]
    assert len(names) == len(set(names))
    assert all(subject in METRICS[gauge].subjects for subject, gauge in EVENTS.values())


# -- the original document's arguments ---------------------------------------------------------------


def custom(**changes) -> Rule:
    given = {"name": "custom", "metric": "response_time", "threshold": 3.0, "operator": ">", "severity": "warning"}
    return seed_rule(**{**given, **changes})


def test_a_custom_rule_is_a_rule():
    rule = custom(description="Slow.", cooldown_seconds=60, escalation_threshold=3)
    assert (rule.name, rule.metric, rule.operator, rule.levels) == (
        "custom", "response_time", ">", (Level(Severity.WARNING, 3.0),),
    )  # fmt: skip
    assert (rule.description, rule.cooldown, rule.escalation_threshold) == ("Slow.", 60, 3)


class Word(Enum):
    HIGH = "high"
    LESS_THAN = "less_than"


@pytest.mark.parametrize(
    ("operator", "sign"),
    [("gt", ">"), ("greater_than", ">"), (">=", ">="), ("LT", "<"), ("less_than", "<"), ("<=", "<="), ("=", "=="),
     ("eq", "=="), ("!=", "!="), ("menor_que", "<"), (Word.LESS_THAN, "<")],
)  # fmt: skip
def test_operators_may_be_words(operator, sign):
    assert custom(operator=operator).operator == sign


@pytest.mark.parametrize(
    ("severity", "meant"),
    [("info", "info"), ("low", "info"), ("medium", "warning"), ("WARNING", "warning"), ("high", "critical"),
     ("error", "critical"), ("critical", "critical"), ("crítico", "critical"), (Word.HIGH, "critical")],
)  # fmt: skip
def test_severities_may_be_words(severity, meant):
    assert custom(severity=severity).levels[0].severity == meant


def test_a_custom_rule_about_something_else_than_apis_finds_its_subject():
    assert custom(metric="dead_letters", threshold=0).subject == "all"


def test_everything_that_is_wrong_with_a_custom_rule_is_told():
    with pytest.raises(RuleError) as caught:
        custom(operator="greter_than", severity="grave", metric="respone_time", cooldown_seconds=-1)
    assert [str(fault) for fault in caught.value.faults] == [
        "operator: expected one of > >= < <= == !=, found 'greter_than'; did you mean 'greater_than'?",
        "severity: expected info, warning or critical, found 'grave'",
        "cooldown: expected at least 0, found -1",
        "metric: expected the name of a metric, found 'respone_time'; did you mean 'response_time'?",
    ]
