"""Options that are made in code are checked as strictly as those of a file, and say what is wrong in one line."""

from __future__ import annotations

import pytest

from understudy import (
    ApiOptions,
    BreakerOptions,
    BulkheadOptions,
    ConfigError,
    OptionError,
    OutcomeRule,
    QuotaOptions,
    RateLimitOptions,
    RouteOptions,
    SuccessOptions,
    TimeoutOptions,
    Understudy,
)
from understudy.core.types import Mode


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (ApiOptions, {"priority": 0}, "ApiOptions.priority: expected at least 1, found 0"),
        (ApiOptions, {"priority": "1"}, "ApiOptions.priority: expected a whole number, found '1'"),
        (ApiOptions, {"priority": True}, "ApiOptions.priority: expected a number, found True"),
        (ApiOptions, {"safe": "no"}, "ApiOptions.safe: expected true or false, found 'no'"),
        (ApiOptions, {"bulkhead": 5}, "ApiOptions.bulkhead: expected BulkheadOptions, found <class 'int'>"),
        (RouteOptions, {"deadline": float("nan")}, "RouteOptions.deadline: expected a number, found nan"),
        (
            BreakerOptions,
            {"mode": "of"},
            "BreakerOptions.mode: expected one of 'off', 'observe', 'enforce', found 'of'",
        ),
        (RouteOptions, {"mode": "fastset"}, "RouteOptions.mode: expected one of 'priority', 'balanced', "),
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_told(kind, settings, said):
    with pytest.raises(OptionError) as caught:
        kind(**settings)
    assert str(caught.value).startswith(said)


def test_what_stands_in_the_place_of_a_group_is_not_shown_as_it_may_be_a_key():
    with pytest.raises(OptionError, match="expected AuthOptions") as caught:
        ApiOptions(auth={"kind": "bearer", "keys": ["k3y-0f-the-user"]})
    assert "k3y" not in str(caught.value)


def test_numbers_lists_and_nothing_are_taken_where_they_may_stand():
    assert ApiOptions(price=1, bulkhead=None, headers=None).price == 1
    assert RouteOptions(apis=["a", "b"], deadline=3).apis == ["a", "b"]


def registered(**settings):
    return Understudy.build().fallback.register_api("api", base_url="http://api.example", **settings).options


def test_code_may_write_options_in_plain_values_as_a_file_does():
    rule = {"class": "quota", "status": 429, "pattern": "plan"}
    options = registered(
        timeout=3,
        bulkhead=5,
        quota=1000,
        rate_limit="10/2s",
        breaker={"open_for": 60, "mode": "observe"},
        success={"status": "200, 204", "json": "ok"},
        auth={"kind": "bearer", "keys": ["key-one", {"value": "key-two", "alias": "spare"}]},
        outcomes=[rule],
    )
    assert options.timeout == TimeoutOptions(attempt=3) and options.bulkhead == BulkheadOptions(limit=5)
    assert options.quota == QuotaOptions(limit=1000, window="month")
    assert options.rate_limit == RateLimitOptions(rate=10.0, per=2.0)
    assert options.breaker == BreakerOptions(open_for=60, mode="observe")
    assert options.breaker.mode is Mode.OBSERVE
    assert options.success == SuccessOptions(status=("200", "204"), json="ok")
    assert options.outcomes == (OutcomeRule("quota", status="429", pattern="plan"),)
    assert [(key.value.reveal(), key.alias) for key in options.auth.keys] == [("key-one", ""), ("key-two", "spare")]
    assert rule == {"class": "quota", "status": 429, "pattern": "plan"}, "what the caller gave is not changed"


def test_a_key_in_code_may_name_where_it_stands_as_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ODDS_KEY", "from-the-environment")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OTHER_KEY=from-dotenv\n")
    (tmp_path / "key").write_text("from-a-file\n")
    keys = registered(auth={"kind": "bearer", "keys": ["env:ODDS_KEY", "env:OTHER_KEY", "file:key"]}).auth.keys
    assert [key.value.reveal() for key in keys] == ["from-the-environment", "from-dotenv", "from-a-file"]
    with pytest.raises(
        ConfigError, match=r"^auth\.keys: the variable NOWHERE is not set; set NOWHERE or NOWHERE_FILE$"
    ):
        registered(auth={"kind": "bearer", "keys": "env:NOWHERE"})
    with pytest.raises(ConfigError, match="nowhere cannot be read: no such file"):
        registered(auth={"kind": "bearer", "keys": "file:nowhere"})


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"timeout": {"atempt": 2}}, TypeError, "TimeoutOptions has no setting 'atempt'; did you mean 'attempt'?"),
        ({"breaker": {"open_for": -1}}, OptionError, "BreakerOptions.open_for: expected more than 0, found -1"),
        ({"outcomes": [{"status": 429}]}, TypeError, "OutcomeRule needs 'class'"),
        (
            {"preset": "rapidap"},
            OptionError,
            "ApiOptions.preset: expected the name of a preset (did you mean 'rapidapi'",
        ),
        ({"auth": {"keys": ["k3y-0f-the-user"]}}, OptionError, "AuthOptions.kind: expected how the keys are sent"),
        ({"success": {"json": "ok ["}}, OptionError, "success.json: expected a JMESPath expression (Invalid jmespath"),
        ({"rate_limit": "often"}, OptionError, "ApiOptions.rate_limit: expected RateLimitOptions"),
    ],
)
def test_a_mistake_in_plain_values_is_told_in_one_line(settings, error, said):
    with pytest.raises(error) as caught:
        registered(**settings)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value) and "k3y" not in str(caught.value)
