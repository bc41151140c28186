"""What few calls may say: neither mute nor noisy (A2, evidence; edge cases 4, 5, 6)."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_numbers import Numbers
from understudy.alerts.evaluate import Evaluator
from understudy.alerts.evidence import wilson
from understudy.alerts.model import Finding, Level, Rule, Verdict
from understudy.alerts.ports import Sample
from understudy.core.notices import Severity

LADDER = (Level(Severity.WARNING, 20.0), Level(Severity.CRITICAL, 40.0))
ERRORS = Rule("errors", metric="error_rate", operator=">", levels=LADDER)
SUCCESS = Rule(
    "success", metric="success_rate", operator="<", levels=(Level(Severity.WARNING, 80), Level(Severity.CRITICAL, 60))
)
SLOW = Rule(
    "slow", metric="response_time", operator=">", levels=(Level(Severity.WARNING, 2), Level(Severity.CRITICAL, 5))
)


def judge(rule: Rule, numbers: Numbers, now: float | None = None) -> Verdict:
    numbers.now = numbers.now if now is None else now
    return Evaluator([rule]).judge(rule, numbers, {"api": "odds"}, numbers.now)


def seen(good: int, failed: int) -> Numbers:
    """So many calls within the last minute."""
    numbers = Numbers(now=100.0)
    numbers.call(60.0, True, times=good)
    numbers.call(61.0, False, times=failed)
    return numbers


@pytest.mark.parametrize(
    ("failed", "of", "level"),
    [
        (3, 3, 1),
        (2, 3, 0),
        (2, 5, -1),
        (3, 5, 0),
        (1, 3, -1),
        (1, 1, -1),
        (2, 2, -1),
        (9, 9, 1),
        (0, 3, -1),
        (4, 9, -1),
    ],
)
def test_of_few_calls_only_what_is_beyond_doubt_breaches(failed, of, level):
    assert judge(ERRORS, seen(of - failed, failed)).level == level


@pytest.mark.parametrize(("failed", "of"), [(3, 3), (2, 3), (2, 5), (3, 5), (1, 3), (2, 2), (9, 9), (5, 12), (3, 100)])
def test_success_and_failure_are_judged_alike(failed, of):
    numbers = seen(of - failed, failed)
    one, other = judge(ERRORS, numbers), judge(SUCCESS, numbers)
    assert (one.finding, one.level, one.held) == (other.finding, other.level, other.held)


def test_the_bounds_are_those_of_the_specification():
    assert wilson(3, 3)[0] == pytest.approx(0.439, abs=0.001)
    assert wilson(2, 3)[0] == pytest.approx(0.208, abs=0.001)
    assert wilson(0, 3) == (0.0, pytest.approx(0.561, abs=0.001))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_is_mirrored(case):
    good, total = case
    low, high = wilson(good, total)
    assert 0 <= low <= good / total <= high <= 1
    assert wilson(total - good, total) == pytest.approx((1 - high, 1 - low))


def test_with_min_samples_the_plain_value_is_compared():
    assert judge(ERRORS, seen(7, 3)).level == 0
    assert judge(ERRORS, seen(8, 2)).level == -1  # 20 is not above 20
    assert judge(SUCCESS, seen(8, 2)).level == -1  # 80 is not below 80
    assert judge(SUCCESS, seen(79, 21)).level == 0


def test_hysteresis_holds_a_level_until_the_value_is_well_on_the_good_side():
    assert judge(SUCCESS, seen(81, 19)) == Verdict(Finding.DEADBAND, -1, 0, 81.0, 100)
    assert judge(SUCCESS, seen(82, 18)).finding is Finding.OK
    assert judge(SUCCESS, seen(61, 39)) == Verdict(Finding.BREACH, 0, 1, 61.0, 100)
    assert judge(SUCCESS, seen(62, 38)) == Verdict(Finding.BREACH, 0, 0, 62.0, 100)


def test_an_api_called_once_a_minute_that_always_fails_alerts_within_three_calls():
    numbers = Numbers()
    for index in range(3):
        numbers.call(index * 60.0, False)
        verdict = judge(ERRORS, numbers, index * 60.0 + 0.1)
        assert (verdict.finding is Finding.BREACH) is (index == 2), index
    assert verdict.level == 1


def test_so_does_one_that_went_well_before():
    numbers = Numbers()
    numbers.every(60.0, [True] * 30 + [False] * 3)
    assert judge(ERRORS, numbers, 32 * 60.0 + 0.1).finding is Finding.BREACH


def test_one_called_each_ten_minutes_reaches_back():
    numbers = Numbers()
    numbers.every(600.0, [False] * 3)
    verdict = judge(ERRORS, numbers, 1200.5)
    assert (verdict.level, verdict.samples) == (1, 3)


def test_it_resolves_again_although_an_hour_never_holds_min_samples():
    numbers = Numbers()
    numbers.every(600.0, [False] * 3 + [True] * 7)
    assert judge(ERRORS, numbers, 9 * 600.0 + 0.5).finding is Finding.OK


def test_the_window_reaches_back_one_hour_at_most():
    numbers = Numbers()
    numbers.call(0.0, False)
    numbers.call(1900.0, False)
    numbers.call(3599.0, False)
    assert judge(ERRORS, numbers, 3599.5).finding is Finding.BREACH
    assert judge(ERRORS, numbers, 3600.5) == Verdict(Finding.NO_DATA, samples=2, reason="insufficient")


def test_what_few_calls_neither_prove_nor_clear_is_no_data():
    verdict = judge(ERRORS, seen(3, 2))
    assert (verdict.finding, verdict.reason, verdict.value) == (Finding.NO_DATA, "insufficient", 40.0)


@pytest.mark.parametrize("rule", [ERRORS, SUCCESS, SLOW])
def test_an_idle_api_is_not_down(rule):
    numbers = Numbers()
    numbers.every(1.0, [False] * 50, seconds=9.0)
    assert judge(rule, numbers, 1000.0) == Verdict(Finding.NO_DATA, reason="idle")


def test_neutral_attempts_are_no_evidence():
    numbers = seen(0, 2)
    numbers.call(62.0, None, times=50)
    assert judge(ERRORS, numbers).finding is Finding.NO_DATA


@pytest.mark.parametrize(
    ("seconds", "level"),
    [([3, 3, 3], 0), ([6, 6, 6], 1), ([6, 6, 3], 0), ([9, 9, 1], -1), ([9, 9], -1), ([2, 2, 2], -1), ([2.1, 3, 9], 0)],
)
def test_few_latencies_breach_only_if_all_lie_beyond(seconds, level):
    numbers = Numbers(now=100.0)
    for each in seconds:
        numbers.call(60.0, True, each)
    assert judge(SLOW, numbers).level == level


def test_a_latency_is_left_a_tenth_below_its_threshold():
    def at(seconds: float) -> Finding:
        numbers = Numbers(now=100.0)
        numbers.call(60.0, True, seconds, times=10)
        return judge(SLOW, numbers).finding

    assert [at(2.01), at(2.0), at(1.81), at(1.79)] == [
        Finding.BREACH, Finding.DEADBAND, Finding.DEADBAND, Finding.OK,
    ]  # fmt: skip


class Wrong(Numbers):
    """A source that says impossible things."""

    def __init__(self, **values: float) -> None:
        super().__init__(now=100.0)
        self.values = values

    def sample(self, subject, labels, window):
        given = {"total": 20, "successes": 20, "seconds": 10.0, "fastest": 0.5, "slowest": 0.5, **self.values}
        return Sample(100.0, window, window, **given)


@pytest.mark.parametrize(
    "values",
    [
        {"seconds": nan}, {"seconds": inf}, {"seconds": -1.0}, {"failures": -1}, {"successes": -5}, {"fastest": nan},
        {"slowest": inf}, {"slowest": -2.0},
    ],
)  # fmt: skip
@pytest.mark.parametrize("rule", [ERRORS, SUCCESS, SLOW])
def test_impossible_numbers_are_an_error_and_no_breach(rule, values):
    verdict = judge(rule, Wrong(**values))
    assert verdict.finding is Finding.ERROR
    assert verdict.reason


@pytest.mark.parametrize("value", [nan, inf, -1.0, 2.0])
def test_an_impossible_gauge_is_an_error(value):
    rule = Rule("quota", metric="quota_remaining_ratio", operator="<", levels=(Level(threshold=0.1),))
    assert judge(rule, Numbers(gauges={"quota_remaining_ratio": value})).finding is Finding.ERROR


def test_a_quota_that_outlives_its_reset_is_no_error():
    rule = Rule("forecast", metric="quota_exhausted_in", operator="<", levels=(Level(threshold=3600.0),))
    assert judge(rule, Numbers(gauges={"quota_exhausted_in": inf})).finding is Finding.OK


def test_too_few_requests_are_known_only_when_the_whole_window_has_been_seen():
    rule = Rule("quiet", metric="requests_per_minute", operator="<", levels=(Level(threshold=1.0),))
    young = Numbers(since=0.0)
    assert judge(rule, young, 100.0).finding is Finding.NO_DATA
    assert judge(rule, young, 301.0).finding is Finding.BREACH


def test_one_call_in_the_first_second_is_no_flood():
    rule = Rule("flood", metric="requests_per_minute", operator=">", levels=(Level(threshold=10.0),))
    numbers = Numbers(since=0.0)
    numbers.call(0.5)
    assert judge(rule, numbers, 1.0).value == 1.0
    numbers.call(0.6, times=20)
    assert judge(rule, numbers, 1.0).finding is Finding.BREACH


def _oracle(good: int, failed: int, threshold: float) -> Finding:
    """The specification again, in the plainest words, for calls that all lie in the window."""
    n = good + failed
    if n == 0 or n < 3:
        return Finding.NO_DATA
    rate = 100 * failed / n
    beyond = rate > threshold if n >= 10 else 100 * wilson(failed, n)[0] > threshold
    if beyond:
        return Finding.BREACH
    clear = threshold - min(2.0, threshold / 2)
    if rate <= clear:
        return Finding.OK
    return Finding.DEADBAND if n >= 10 else Finding.NO_DATA


@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.0, 1.0, 5.0, 20.0, 40.0, 90.0, 99.0, 100.0]))
def test_every_mixture_is_judged_as_the_specification_says(good, failed, threshold):
    rule = Rule("errors", metric="error_rate", operator=">", levels=(Level(threshold=threshold),))
    assert judge(rule, seen(good, failed)).finding is _oracle(good, failed, threshold)
