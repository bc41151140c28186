"""Tests of rules as a file has them: what passes, how a difference is told, and every fault of a file at once."""

from __future__ import annotations

import tomllib
from textwrap import dedent

import pytest

from understudy.alerts.defaults import default_rules
from understudy.alerts.rule_test_files import BEGIN, RuleTestError, read
from understudy.alerts.rule_tests import run

OUTAGE = """
interval = "10s"

[rules.odds_fail]
metric = "error_rate"
operator = ">"
window = 60
for = 20
levels = [{ severity = "warning", threshold = 20 }, { severity = "critical", threshold = 60 }]

[[tests]]
name = "an outage of two minutes"
notices = [
  { at = "1m", rule = "odds_fail", kind = "fired" },
  { at = "1m30s", rule = "odds_fail", kind = "escalated" },
  { at = "4m20s", rule = "odds_fail", kind = "resolved" },
]

[[tests.series]]
labels = { api = "odds" }
success = "100x3 0x12 100x15"
failure = "0x3 100x12 0x15"
latency = "0.2x30"

[[tests.expect]]
at = "50s"
alerts = []

[[tests.expect]]
at = "2m"
alerts = [{ rule = "odds_fail", labels = { api = "odds" }, severity = "critical" }]

[[tests.expect]]
at = "5m"
alerts = []
"""


def outcomes(text: str, configured=()):
    return list(run(read(tomllib.loads(dedent(text)), configured), BEGIN))


def test_an_outage_of_two_minutes_is_told_as_the_file_says():
    [outcome] = outcomes(OUTAGE)
    assert outcome.differences == ()
    assert outcome.passed
    assert outcome.name == "an outage of two minutes"


def test_a_difference_says_what_was_expected_and_what_came():
    wrong = OUTAGE.replace('severity = "critical" }]', 'severity = "warning" }]').replace('at = "1m", ', 'at = "90s", ')
    [outcome] = outcomes(wrong)
    assert outcome.differences == (
        "at 2m: - odds_fail {api=odds} warning\nat 2m: + odds_fail {api=odds} critical",
        "notice 1: - 1m30s odds_fail fired\nnotice 1: + 1m odds_fail {api=odds} fired",
    )


def test_an_alert_that_is_missing_or_too_many_is_told():
    wrong = OUTAGE.replace('at = "2m"\nalerts = [{', 'at = "2m"\nalerts = [] #').replace(
        'at = "5m"\nalerts = []', 'at = "5m"\nalerts = [{ rule = "odds_fail", labels = { api = "other" } }]'
    )
    [outcome] = outcomes(wrong)
    assert outcome.differences == (
        "at 2m: + odds_fail {api=odds} critical  (fires, not expected)",
        "at 5m: - odds_fail {api=other} of any severity  (expected, does not fire)",
    )


def test_configured_rules_are_under_test_too_and_events_begin_and_end_them():
    [outcome] = outcomes(
        """
        [[tests]]
        notices = [
          { at = "30s", rule = "api_down", kind = "fired", labels = { api = "odds" } },
          { at = "2m30s", rule = "api_down", kind = "resolved" },
        ]

        [[tests.gauges]]
        metric = "standbys"
        labels = { api = "odds" }
        values = "0x100"

        [[tests.events]]
        at = "25s"
        event = "api_down"
        labels = { api = "odds" }

        [[tests.events]]
        at = "85s"
        event = "api_down"
        labels = { api = "odds" }
        active = false

        [[tests.expect]]
        at = "1m"
        alerts = [{ rule = "api_down", labels = { api = "odds" }, severity = "critical" }]
        """,
        default_rules(),
    )
    assert outcome.differences == ()


def test_latencies_of_steps_make_quantiles():
    [outcome] = outcomes(
        """
        [rules.slow]
        metric = "response_time_p95"
        operator = ">"
        threshold = 2
        window = 60

        [[tests]]
        [[tests.series]]
        labels = { api = "odds" }
        success = "10x12"
        latency = "0.2x6 3x6"

        [[tests.expect]]
        at = "1m"
        alerts = []

        [[tests.expect]]
        at = "1m10s"
        alerts = [{ rule = "slow", labels = { api = "odds" } }]
        """
    )
    assert outcome.differences == ()


def test_every_fault_of_a_file_is_told_at_once_with_its_place():
    with pytest.raises(RuleTestError) as caught:
        outcomes(
            """
            interval = "ten"
            extra = 1

            [rules.broken]
            metric = "sucess_rate"

            [[tests]]
            [[tests.series]]
            labels = { apis = "odds" }
            success = "1x"
            failure = "0.5"

            [[tests.gauges]]
            metric = "success_rate"
            values = "1"

            [[tests.events]]
            at = "1m"
            event = "api_up"

            [[tests.expect]]
            at = -1
            alerts = [{ rule = "nobody" }]
            """
        )
    told = caught.value.faults
    for words in (
        "extra: unknown key",
        "rules.broken: metric: ",
        "interval: expected a time",
        "tests[0].series[0].labels.apis: expected one of",
        "tests[0].series[0].success, column 1: ",
        "tests[0].series[0].failure: expected whole numbers",
        "tests[0].gauges[0].metric: expected one of",
        "tests[0].events[0].event: expected one of",
        "tests[0].expect[0].at: expected a time",
        "tests[0].expect[0].alerts[0].rule: no rule under test is named 'nobody'",
    ):
        assert any(each.startswith(words) for each in told), words


@pytest.mark.parametrize(
    "document",
    [
        {}, {"tests": 1}, {"tests": [1]}, {"tests": [{}]}, {"rules": 3, "tests": [{}]}, {"tests": [{"series": {}}]},
        {"tests": [{"name": "", "expect": [{}]}]}, {"interval": float("nan"), "tests": [{"expect": []}]},
        {"tests": [{"interval": 0, "expect": [{"at": 1e300}]}]}, {"rules": {"a": []}, "tests": []},
        {"tests": [{"notices": [{"at": True, "kind": ["x"]}]}]},
    ],
)  # fmt: skip
def test_a_document_of_any_shape_ends_in_that_error(document):
    with pytest.raises(RuleTestError):
        read(document)


def test_two_series_of_the_same_labels_are_refused():
    series = {"labels": {"api": "odds"}, "success": "1"}
    with pytest.raises(RuleTestError, match="already"):
        read({"rules": {}, "tests": [{"series": [series, series], "notices": []}]})
