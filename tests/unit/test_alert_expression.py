"""The language of conditions: what it means, what it refuses and where, and that nothing of it is unknown to it."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from understudy.alerts.expression import DEEPEST, LONGEST, ExpressionError, parse
from understudy.alerts.ladder import COMPARE
from understudy.alerts.metrics import METRICS


class Given:
    """Values of metrics; those that are not given are unknown."""

    def __init__(self, **values: float) -> None:
        self.values = values
        self.compared: list[str] = []

    def value(self, metric, window):
        return self.values.get(metric.name if window is None else f"{metric.name}_{window:g}")

    def holds(self, metric, window, operator, threshold):
        self.compared.append(f"{metric.name}{'' if window is None else f'[{window:g}]'} {operator} {threshold:g}")
        value = self.value(metric, window)
        return None if value is None else COMPARE[operator](value, threshold)


def holds(text: str, **values: float) -> bool | None:
    return parse(text).evaluate(Given(**values))


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("success_rate < 80", {"success_rate": 79}, True),
        ("success_rate < 80%", {"success_rate": 80}, False),
        ("success_rate < 80 and requests_per_minute >= 10", {"success_rate": 79, "requests_per_minute": 9}, False),
        ("success_rate < 80 or requests_per_minute >= 10", {"success_rate": 90, "requests_per_minute": 10}, True),
        ("not success_rate < 80", {"success_rate": 79}, False),
        ("not success_rate < 80 and failures > 1", {"success_rate": 90, "failures": 2}, True),
        ("failures > 1 or failures > 2 and failures < 0", {"failures": 2}, True),
        ("(failures > 1 or failures > 2) and failures < 0", {"failures": 2}, False),
        ("response_time > 500ms", {"response_time": 0.6}, True),
        ("response_time > 2s", {"response_time": 2.0}, False),
        ("quota_exhausted_in < 2h", {"quota_exhausted_in": 7199}, True),
        ("quota_exhausted_in < 1d", {"quota_exhausted_in": math.inf}, False),
        ("quota_remaining_ratio < 10%", {"quota_remaining_ratio": 0.09}, True),
        ("10% > quota_remaining_ratio", {"quota_remaining_ratio": 0.11}, False),
        ("80 > success_rate", {"success_rate": 79}, True),
        ("response_time_p95 > 2 * response_time_p95[1h]", {"response_time_p95": 3, "response_time_p95_3600": 1}, True),
        ("failures / total_requests > 0.5", {"failures": 6, "total_requests": 10}, True),
        ("failures - 2 - 1 == 3", {"failures": 6}, True),
        ("failures / 2 / 3 == 1", {"failures": 6}, True),
        ("2 + 3 * 2 == 8 and failures == 6", {"failures": 6}, True),
        ("-failures < -5", {"failures": 6}, True),
        ("failures > 1e1", {"failures": 11}, True),
        ("failures != 3", {"failures": 3}, False),
        ("response_time > 1m + 30s", {"response_time": 91}, True),
        ("success_rate<80and failures>1", {"success_rate": 70, "failures": 2}, None),
    ],
)
def test_a_condition_means_what_it_says(text, values, expected):
    if expected is None:
        with pytest.raises(ExpressionError):
            parse(text)
    else:
        assert holds(text, **values) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("success_rate < 80", None),
        ("not success_rate < 80", None),
        ("success_rate < 80 and failures > 1", None),
        ("success_rate < 80 and failures > 9", False),
        ("failures > 9 and success_rate < 80", False),
        ("success_rate < 80 or failures > 1", True),
        ("success_rate < 80 or failures > 9", None),
        ("failures / neutral > 1", None),
        ("failures / 0 > 1", None),
        ("failures + total_requests > 1", None),
        ("1 / 0 > failures", None),
    ],
)
def test_what_is_unknown_stays_unknown_unless_the_rest_decides(text, expected):
    assert holds(text, failures=5, neutral=0) is expected


def test_a_metric_against_a_number_asks_for_evidence_whichever_side_it_stands_on():
    scope = Given(success_rate=70, response_time_p95=1)
    parse("success_rate < 80 and 2s >= response_time_p95[15m] and success_rate + 0 < 80").evaluate(scope)
    assert scope.compared == ["success_rate < 80", "response_time_p95[900] <= 2"]


def test_a_condition_says_what_it_reads():
    found = parse("success_rate < 80 and (failures > 1 or failures[1h] > 5)")
    assert [(metric.name, window) for metric, window in found.reads] == [
        ("success_rate", None), ("failures", None), ("failures", 3600.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "a metric or a number"),
        ("success_rate", 0, "a comparison"),
        ("80", 0, "a comparison"),
        ("sucess_rate < 80", 0, "did you mean 'success_rate'?"),
        ("success_rate < ", 15, "a metric or a number"),
        ("success_rate < 80 adn failures > 1", 18, "did you mean 'and'?"),
        ("success_rate = 80", 13, "'==' where '=' stands"),
        ("failures > 1 && failures > 2", 13, "'and' where '&&' stands"),
        ("!failures > 1", 0, "'not' where '!' stands"),
        ("1 < failures < 3", 13, "'and' between two comparisons"),
        ("(failures > 1", 13, "')' for the '(' at character 1"),
        ("failures > 1)", 12, "the end"),
        ("failures > 1 + (failures > 2)", 16, "a number on both sides"),
        ("failures and failures > 2", 0, "a comparison"),
        ("success_rate < 2s", 15, "'%'"),
        ("response_time > 80%", 16, "'s'"),
        ("response_time + success_rate > 1", 16, "'s'"),
        ("response_time > 2parsecs", 17, "units"),
        ("response_time[3] > 2", 14, "a window such as 15m"),
        ("response_time[1s] > 2", 14, "between 10s and 30d"),
        ("response_time[15m > 2", 18, "']' after the window"),
        ("keys_available[15m] > 2", 14, "no window"),
        ("failures > 1" + "0" * 400, 11, "a smaller number"),
        ("failures > 1 ; import os", 13, "a metric, a number or a sign"),
        ("__import__('os')", 11, "a metric, a number or a sign"),
        ("__import__ > 1", 0, "the name of a metric"),
        ("(" * 100 + "failures > 1" + ")" * 100, DEEPEST, "levels"),
        ("not " * 100 + "failures > 1", 4 * DEEPEST, "levels"),
        ("failures > " + "-" * 100 + "1", 11 + DEEPEST, "levels"),
        ("failures > 1 or " * 1000, LONGEST, f"at most {LONGEST} characters"),
    ],
)
def test_what_is_no_condition_is_told_with_its_place(text, position, expected):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.position == position
    assert expected in str(caught.value)


def test_the_caret_stands_below_the_mistake():
    with pytest.raises(ExpressionError) as caught:
        parse("failures > 1 and sucess_rate < 80")
    text, caret = caught.value.pointed().split("\n")
    assert text[caret.index("^") :].startswith("sucess_rate")


def test_in_a_long_condition_only_its_surroundings_are_shown():
    with pytest.raises(ExpressionError) as caught:
        parse("failures > 1 or " * 100 + "\x1b[31mx > 1")
    text, caret = caught.value.pointed().split("\n")
    assert len(text) <= 100
    assert len(caret) == 51
    assert text.isprintable()


SIGNS = (*"()[]+-*/=&|!x0", "80", "2s", "500ms", "80%", "1e308", ".5", "[15m]", "[1h]")
WORDS = st.sampled_from([*METRICS, *COMPARE, "and", "or", "not", *SIGNS])


@given(st.lists(WORDS, max_size=60).map(" ".join) | st.text(max_size=200))
@example("success_rate < 1e308 * 1e308 - 1e308 * 1e308")
@example("(" * LONGEST)
@example("failures > 1 + " + "1 + " * 900 + "1")
@example("failures > 1" + " and failures > 1" * 200)
def test_any_text_is_a_condition_or_an_error_with_a_place(text):
    try:
        condition = parse(text)
    except ExpressionError as error:
        assert 0 <= error.position <= max(len(text), LONGEST)
        assert error.pointed()
        return
    full = Given(
        success_rate=50.0, failures=0.0, response_time_p95=1e308, keys_available=2.0, quota_remaining_ratio=0.5
    )
    assert condition.evaluate(Given()) in (None, True, False)
    assert condition.evaluate(full) in (None, True, False)


# -- against an oracle: Python itself, over conditions of which every part is known ------------------

NUMBERS = st.sampled_from(["failures", "successes", "1", "2", "3.5", "0"])
SUMS = st.recursive(
    NUMBERS,
    lambda below: st.tuples(below, st.sampled_from("+-*"), below).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
    max_leaves=6,
)
TRUTHS = st.recursive(
    st.tuples(SUMS, st.sampled_from(sorted(COMPARE)), SUMS).map(" ".join),
    lambda below: st.one_of(
        below.map(lambda inner: f"not ({inner})"),
        st.tuples(below, st.sampled_from(["and", "or"]), below).map(lambda p: f"({p[0]}) {p[1]} {p[2]}"),
    ),
    max_leaves=6,
)


@given(TRUTHS, st.integers(0, 5), st.integers(0, 5))
def test_known_numbers_come_to_what_python_makes_of_them(text, failures, successes):
    assert holds(text, failures=failures, successes=successes) is eval(
        text, {"failures": failures, "successes": successes}
    )
