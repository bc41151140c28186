"""Burn rates over two windows each: what pages, how soon, and what never does."""

from __future__ import annotations

import pytest

from alert_numbers import Numbers
from understudy.alerts.evaluate import Evaluator
from understudy.alerts.model import Finding
from understudy.alerts.rules import rule_from
from understudy.alerts.slo import PAIRS

HOUR = 3600.0
RULE = rule_from({"name": "slo", "kind": "burn_rate", "objective": 99.9})


def judge(numbers, now, rule=RULE):
    numbers.now = now
    return Evaluator([rule]).judge(rule, numbers, {"api": "odds"}, now)


def test_the_windows_are_those_of_the_workbook():
    assert [(pair.burn, pair.long, pair.short) for pair in PAIRS] == [
        (14.4, HOUR, 300.0), (6.0, 6 * HOUR, 1800.0), (1.0, 72 * HOUR, 6 * HOUR),
    ]  # fmt: skip
    assert all(pair.short == pair.long / 12 for pair in PAIRS)


@pytest.mark.parametrize("past", [True, False])
def test_a_total_outage_shows_after_52_seconds_with_or_without_a_past(past):
    numbers = Numbers(since=0.0 if past else HOUR)
    if past:
        numbers.every(1.0, [True] * 3600)
    numbers.every(1.0, [False] * 120, start=HOUR)
    found = next(second for second in range(120) if judge(numbers, HOUR + second + 0.5).level == 1)
    assert 50 <= found <= 54


def test_it_ends_soon_after_the_failures_do():
    numbers = Numbers(since=0.0)
    numbers.every(1.0, [True] * 3600 + [False] * 60 + [True] * 600)
    assert judge(numbers, 3660.5).level == 1
    assert judge(numbers, 3970.5).finding is Finding.OK


def test_few_failures_never_fire_however_much_they_burn():
    numbers = Numbers(since=-1e6)
    numbers.every(60.0, [True] * 19 + [False])
    assert judge(numbers, 1150.0).finding is Finding.OK
    numbers.every(1.0, [False] * 9, start=1151.0)
    assert judge(numbers, 1161.0).level == 1


def test_a_slow_burn_is_a_warning_only():
    numbers = Numbers(since=0.0)
    numbers.every(20.0, ([True] * 199 + [False]) * 64)  # 0.5 %: five times the budget
    assert judge(numbers, 71 * HOUR).level == 0


def test_what_burns_less_than_the_budget_is_good():
    numbers = Numbers(since=0.0)
    numbers.every(20.0, ([True] * 1999 + [False]) * 6)
    verdict = judge(numbers, 240_000.0)
    assert verdict.finding is Finding.OK
    assert verdict.value == pytest.approx(0.5, rel=0.2)


def test_nothing_is_known_of_an_api_without_calls():
    assert judge(Numbers(), 10.0).finding is Finding.NO_DATA


def test_only_the_levels_that_are_asked_for_are_raised():
    page = rule_from({"name": "page", "kind": "burn_rate", "severity": "critical", "threshold": 14.4})
    numbers = Numbers(since=0.0)
    numbers.every(20.0, ([True] * 99 + [False]) * 10)
    assert judge(numbers, 5.5 * HOUR, page).finding is Finding.OK
