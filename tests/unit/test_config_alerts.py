"""`[alerts]`: rules as files write them, what lies beneath them, and every fault at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.alerts.defaults import default_rules
from understudy.alerts.model import Level, Rule
from understudy.config import load
from understudy.config.explain import rows
from understudy.config.schema import schema
from understudy.config.templates import toml_template
from understudy.core.errors import ConfigError
from understudy.core.notices import Severity


def loaded(folder: Path, text: str, env=None, **options):
    (folder / "understudy.toml").write_text(text, "utf-8")
    return load(cwd=folder, env=env or {}, secret_dirs=(), **options)


def rule(folder: Path, text: str, name: str = "slow", env=None, **options) -> Rule:
    return loaded(folder, text, env, **options).settings.alerts.rules[name]


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return [str(fault) for fault in caught.value.faults]


def test_without_a_table_the_defaults_are_what_they_were(tmp_path):
    alerts = loaded(tmp_path, "").settings.alerts
    assert alerts.rules == {}
    assert default_rules(alerts) == default_rules()


def test_the_variables_of_the_original_document_set_the_first_of_each_pair(tmp_path):
    alerts = loaded(
        tmp_path, "", {"ALERT_SUCCESS_RATE_THRESHOLD": "95", "ALERT_RESPONSE_TIME_THRESHOLD": "1.5"}
    ).settings.alerts
    found = {each.name: each for each in default_rules(alerts)}
    assert [found[name].levels[0].threshold for name in ("success_rate", "response_time", "error_rate")] == [
        95,
        1.5,
        20,
    ]


SLOW = """[alerts.rules.slow]
metric = "response_time_p95"
threshold = 1.5
severity = "critical"
for = 60
"""


def test_a_rule_is_called_as_its_table_and_may_have_one_level_in_itself(tmp_path):
    assert rule(tmp_path, SLOW) == Rule(
        "slow", metric="response_time_p95", levels=(Level(Severity.CRITICAL, 1.5),), for_=60
    )


def test_a_level_may_have_a_time_of_its_own(tmp_path):
    text = '[alerts.rules.slow]\nmetric = "failures"\nlevels = [{severity = "info", threshold = 3, for = 30}]\n'
    assert rule(tmp_path, text).levels == (Level(Severity.INFO, 3.0, 30.0),)


def test_a_table_of_a_defaults_name_says_only_what_is_different(tmp_path):
    text = "[alerts.rules.success_rate]\nwindow = 600\n[alerts.rules.error_rate]\nenabled = false\n"
    found = loaded(tmp_path, text).settings.alerts.rules
    defaults = {each.name: each for each in default_rules()}
    assert found["success_rate"].levels == defaults["success_rate"].levels
    assert (found["success_rate"].operator, found["success_rate"].window) == ("<", 600)
    assert (found["error_rate"].levels, found["error_rate"].enabled) == (defaults["error_rate"].levels, False)


@pytest.mark.parametrize("default", default_rules(), ids=lambda each: each.name)
def test_every_default_can_be_turned_off(tmp_path, default):
    found = rule(tmp_path, f"[alerts.rules.{default.name}]\nenabled = false\n", default.name)
    assert found == Rule(**{name: getattr(default, name) for name in Rule.__slots__} | {"enabled": False})


def test_the_threshold_of_a_variable_lies_beneath_such_a_table_too(tmp_path):
    text = "[alerts]\nsuccess_rate = 90\n[alerts.rules.success_rate]\nwindow = 600\n"
    assert rule(tmp_path, text, "success_rate").levels[0].threshold == 90


def test_the_two_keys_of_one_level_may_come_from_two_sources(tmp_path):
    found = rule(tmp_path, SLOW, env={"UNDERSTUDY__ALERTS__RULES__SLOW__THRESHOLD": "3"})
    assert found.levels == (Level(Severity.CRITICAL, 3.0),)
    found = rule(tmp_path, SLOW, overrides=["alerts.rules.slow.severity=info", "alerts.rules.slow.for=5"])
    assert (found.levels, found.for_) == ((Level(Severity.INFO, 1.5),), 5)


def test_an_environment_has_rules_of_its_own(tmp_path):
    text = SLOW + "[environments.production.alerts.rules.slow]\nthreshold = 9\n"
    assert rule(tmp_path, text).levels[0].threshold == 1.5
    assert rule(tmp_path, text, environment="production").levels == (Level(Severity.CRITICAL, 9.0),)


def test_a_rule_of_another_environment_is_judged_too(tmp_path):
    (fault,) = faults(tmp_path, SLOW + '[environments.production.alerts.rules.slow]\nmetric = "latency"\n')
    assert fault.startswith("understudy.toml:7: environments.production.alerts.rules.slow.metric: expected the name")


def test_a_burn_rate_needs_no_levels(tmp_path):
    found = rule(tmp_path, '[alerts.rules.slow]\nkind = "burn_rate"\nobjective = 99.5\n')
    assert [level.threshold for level in found.levels] == [1.0, 6.0]


def test_every_value_says_where_it_came_from(tmp_path):
    found = loaded(tmp_path, SLOW + "[alerts.rules.success_rate]\nwindow = 600\n", {"ALERT_ERROR_RATE_THRESHOLD": "9"})
    told = {row["path"]: row["origin"] for row in rows(found, "alerts") if row["origin"] != "default"}
    assert told == {
        "alerts.error_rate": "env:ALERT_ERROR_RATE_THRESHOLD",
        "alerts.rules.slow.metric": "understudy.toml:2",
        "alerts.rules.slow.levels[0].severity": "understudy.toml:4",
        "alerts.rules.slow.levels[0].threshold": "understudy.toml:3",
        "alerts.rules.slow.for": "understudy.toml:5",
        "alerts.rules.success_rate.window": "understudy.toml:7",
    }


def test_every_fault_is_told_at_once_with_its_line(tmp_path):
    text = """[alerts]
success_rte = 90
[alerts.rules.success_rate]
windw = 600
[alerts.rules.slow]
metric = "response_tme_p95"
operator = "<<"
threshold = "x"
severity = "criticl"
for = -60
name = "x"
[alerts.rules.combined]
kind = "expression"
when = "success_rate < 80 adn requests_per_minute >= 10"
severity = "warning"
match = ['api~odds']
escalation = "nigt"
[alerts.rules.order]
metric = "success_rate"
operator = "<"
levels = [{severity = "critical", threshold = 60}, {severity = "warning", threshold = 80}]
[alerts.rules.nothing]
metric = "failures"
severity = "info"
[alerts.rules.both]
metric = "failures"
severity = "info"
levels = [{threshold = 3}]
[alerts.escalations.night]
steps = [{after = 300, targets = ["pager"]}]
[alerts.mute_timings.weekend]
days = ["someday"]
[alerts.silences.window]
match = ["api=x"]
rrule = "FREQ=SOMETIMES"
duration = 600
reason = "planned"
"""
    found = faults(tmp_path, text)
    expected = [
        (2, "success_rte", "unknown key; did you mean 'success_rate'?"),
        (4, "rules.success_rate.windw", "unknown key; did you mean 'window'?"),
        (6, "rules.slow.metric", "expected the name of a metric, found 'response_tme_p95'; did you mean 'response_t"),
        (7, "rules.slow.operator", "expected '>', '>=', '<', '<=', '==' or '!=', found '<<'; did you mean '<'?"),
        (8, "rules.slow.levels[0].threshold", "expected a number, found 'x'"),
        (9, "rules.slow.levels[0].severity", "expected 'info', 'warning' or 'critical', found 'criticl'; did you me"),
        (10, "rules.slow.for", "expected at least 0, found -60"),
        (11, "rules.slow.name", "unknown key; the table's own name is the rule's"),
        (14, "rules.combined.when", "expected 'and', 'or' or the end of the condition; did you mean 'and'?, at char"),
        (16, "rules.combined.match[0]", "expected a condition on labels (expected one of = != =~ !~, at character 4"),
        (17, "rules.combined.escalation", "no escalation policy of that name is configured, found 'nigt'; did you m"),
        (21, "rules.order.levels[1].severity", "expected no milder severity than that of the level before"),
        (21, "rules.order.levels[1].threshold", "expected a threshold beyond that of the level before, in the direc"),
        (24, "rules.nothing.levels[0].threshold", "required, but not there"),
        (27, "rules.both.severity", "stands in the levels, where there are levels"),
        (30, "escalations.night.steps[0].targets[0]", "no channel of that name is configured, found 'pager'"),
        (32, "mute_timings.weekend.days", "expected one of mon, tue, wed, thu, fri, sat, sun, not 'someday'"),
        (33, "silences.window", "FREQ: expected one of DAILY, WEEKLY, MONTHLY, YEARLY, found 'SOMETIMES'"),
    ]  # fmt: skip
    assert len(found) == len(expected)
    for fault, (line, path, beginning) in zip(found, expected, strict=True):
        assert fault.startswith(f"understudy.toml:{line}: alerts.{path}: {beginning}")


def test_what_could_never_match_or_reach_anybody_is_told(tmp_path):
    text = """[channels.pager]
kind = "slack"
url = "https://hooks.slack.com/services/T0/B0/words"
[alerts.rules.slow]
metric = "response_time"
threshold = 2
severity = "warning"
match = ["apis=odds"]
[alerts.escalations]
night.steps = [{targets = ["pager", "callback:wake"]}, {targets = ["pagr"]}]
"""
    label, target = faults(tmp_path, text)
    assert label == (
        "understudy.toml:8: alerts.rules.slow.match[0]: no subject has a label 'apis'; did you mean 'api'?"
    )
    assert target == (
        "understudy.toml:10: alerts.escalations.night.steps[1].targets[0]: no channel of that name is configured, "
        "found 'pagr'; did you mean 'pager'?"
    )


def test_circles_of_inhibitions_are_refused(tmp_path):
    text = """[alerts.inhibitions]
one = {source = ["team=a"], target = ["team=b"]}
two = {source = ["team=b"], target = ["team=a"]}
"""
    (fault,) = faults(tmp_path, text)
    assert fault.startswith("understudy.toml:1: alerts.inhibitions: expected inhibitions that cannot go around")


def test_what_the_template_shows_can_be_used_as_it_stands(tmp_path):
    template = toml_template()
    shown = template[template.index("#   [alerts.rules.error_rate]") : template.index("# One table for each way")]
    channels = """[channels.slack]
kind = "slack"
url = "https://hooks.slack.com/services/T0/B0/words"
[channels.pagerduty]
kind = "pagerduty"
routing_key = "0123456789abcdef0123456789abcdef"
"""
    alerts = loaded(tmp_path, "\n".join(line[4:] for line in shown.splitlines()) + "\n" + channels).settings.alerts
    assert (alerts.rules["slow"].for_, alerts.rules["error_rate"].enabled) == (60, False)
    assert list(alerts.escalations) == ["night"]
    assert list(alerts.silences) == ["maintenance"]
    assert list(alerts.mute_timings) == ["nights"]


def test_the_schema_knows_rules_as_files_write_them():
    definitions = schema()["$defs"]
    properties = definitions["Rule"]["properties"]
    assert {"for", "threshold", "severity", "metric", "when"} <= set(properties)
    assert not {"for_", "name", "version"} & set(properties)
    assert "for" in definitions["Level"]["properties"]
