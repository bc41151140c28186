"""A value against levels: which is in breach, which is held, in every direction (edge case 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.alerts.ladder import COMPARE, Ladder
from understudy.alerts.metrics import METRICS
from understudy.alerts.model import Finding, Level
from understudy.core.notices import Severity


def ladder(metric: str, operator: str, *thresholds: float, hysteresis: float | None = None) -> Ladder:
    return Ladder(METRICS[metric], operator, [Level(Severity.WARNING, each) for each in thresholds], hysteresis)


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [
        (">", False, False, True),
        (">=", False, True, True),
        ("<", True, False, False),
        ("<=", True, True, False),
        ("==", False, True, False),
        ("!=", True, False, True),
    ],
)
def test_at_equality_the_operator_is_followed_exactly(operator, below, at, above):
    found = [ladder("failures", operator, 80).breached(value) == 0 for value in (79.999, 80.0, 80.001)]
    assert found == [below, at, above]


def test_both_directions_climb():
    success, slow = ladder("success_rate", "<", 80, 60), ladder("response_time", ">", 2, 5)
    assert [success.breached(value) for value in (90, 80, 79, 60, 59)] == [-1, -1, 0, 0, 1]
    assert [slow.breached(value) for value in (1, 2, 2.1, 5, 5.1)] == [-1, -1, 0, 0, 1]


def test_a_level_is_held_until_its_clear_point_is_reached():
    success = ladder("success_rate", "<", 80, 60)
    assert [success.held(value) for value in (59, 61.9, 62, 81.9, 82)] == [1, 1, 0, 0, -1]
    slow = ladder("response_time", ">=", 2)
    assert [slow.verdict(value).finding for value in (2.0, 1.9, 1.8, 1.79)] == [
        Finding.BREACH, Finding.DEADBAND, Finding.DEADBAND, Finding.OK,
    ]  # fmt: skip


def test_equality_is_left_on_both_sides():
    found = ladder("failures", "==", 10, hysteresis=2)
    assert [found.verdict(v).finding for v in (7, 8, 9, 10, 11, 12, 13)] == [
        Finding.OK, Finding.DEADBAND, Finding.DEADBAND, Finding.BREACH, Finding.DEADBAND, Finding.DEADBAND, Finding.OK,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "operator", "threshold", "best"),
    [
        ("success_rate", "<", 99.5, 100), ("success_rate", "<", 100, 100), ("error_rate", ">", 0.5, 0),
        ("error_rate", ">", 0, 0), ("quota_remaining_ratio", "<", 0.99, 1),
    ],
)  # fmt: skip
def test_the_default_hysteresis_never_asks_for_more_than_there_is(metric, operator, threshold, best):
    assert ladder(metric, operator, threshold).verdict(best).finding is Finding.OK


VALUES = st.floats(0, 200, allow_nan=False).map(lambda value: round(value, 1))


@given(st.sampled_from(sorted(COMPARE)), VALUES, VALUES, st.floats(0, 20))
def test_a_verdict_is_what_its_words_say(operator, threshold, value, hysteresis):
    found = ladder("failures", operator, threshold, hysteresis=hysteresis).verdict(value)
    breach = COMPARE[operator](value, threshold)
    assert (found.finding is Finding.BREACH) is breach
    assert found.held >= found.level
    if found.finding is Finding.DEADBAND:
        assert abs(value - threshold) <= hysteresis + 1e-9


@given(st.sampled_from(sorted(COMPARE)), st.lists(VALUES, min_size=1, max_size=4, unique=True), VALUES, VALUES,
       st.floats(0, 20))  # fmt: skip
def test_between_two_bounds_the_verdict_stays_the_same(operator, thresholds, one, other, hysteresis):
    found = ladder("failures", operator, *thresholds[: 1 if operator in ("==", "!=") else 4], hysteresis=hysteresis)
    low, high = min(one, other), max(one, other)
    if any(low <= bound <= high for bound in found.bounds()):
        return
    assert found.verdict(low).level == found.verdict(high).level
    assert found.verdict(low).held == found.verdict(high).held
