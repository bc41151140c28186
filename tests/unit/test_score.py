"""What is believed of an API's speed and reliability, and how that fades (rule R9)."""

from __future__ import annotations

import pytest

from understudy.resilience.score import Score


def test_a_new_api_is_believed_to_be_middling() -> None:
    score = Score(0.0)
    assert score.latency(0.0) == 0.5 and score.reliability(0.0) == pytest.approx(0.95)


def test_its_expected_latency_may_be_told() -> None:
    score = Score(0.0, 2.0)
    assert score.latency(0.0) == 2.0
    score.update([0.1], 1.0)
    assert score.latency(1.0) == pytest.approx(0.1)


def test_a_sample_over_twice_the_average_is_believed_at_once() -> None:
    score = Score(0.0)
    score.update([0.1] * 10, 1.0)
    score.update([0.9], 2.0)
    assert score.latency(2.0) == pytest.approx(0.9)


def test_better_samples_are_believed_slowly() -> None:
    score = Score(0.0)
    score.update([1.0], 1.0)
    score.update([0.6], 2.0)
    assert 0.95 < score.latency(2.0) < 1.0
    for second in range(3, 130):
        score.update([0.6], float(second))
    assert score.latency(129.0) == pytest.approx(0.6, abs=0.02)


def test_an_unobserved_latency_goes_back_to_the_baseline_by_half_each_minute() -> None:
    score = Score(0.0)
    for second in range(1, 60):
        score.update([0.1], float(second))
    score.update([2.1], 60.0)
    baseline = 0.1
    assert score.latency(60.0) == pytest.approx(2.1)
    assert score.latency(120.0) - baseline == pytest.approx((2.1 - baseline) / 2, rel=0.1)
    assert score.latency(3600.0) == pytest.approx(baseline, rel=0.1)


def test_reliability_mixes_ten_calls_of_prior_in() -> None:
    score = Score(0.0)
    score.update([-1.0] * 10, 1.0)
    assert score.reliability(1.0) == pytest.approx(9.5 / 20)


def test_successes_and_failures_fade_by_half_each_minute() -> None:
    score = Score(0.0)
    score.update([-1.0] * 20, 0.0)
    assert score.reliability(60.0) == pytest.approx(9.5 / 20)
    assert score.reliability(3600.0) == pytest.approx(0.95, abs=0.001)


def test_minus_zero_and_minus_infinity_are_failures_and_zero_is_a_success() -> None:
    score = Score(0.0)
    score.update([-0.0, float("-inf"), 0.0], 1.0)
    assert score.reliability(1.0) == pytest.approx((1 + 9.5) / 13)
    assert score.last_success_at == 1.0


def test_a_breaker_that_closes_starts_it_from_its_prior() -> None:
    score = Score(0.0)
    score.update([0.1, *[-1.0] * 50], 1.0)
    score.restart()
    assert score.reliability(1.0) == pytest.approx(0.95)
    assert score.latency(1.0) == pytest.approx(0.1)


def test_a_wall_of_failures_leaves_the_latency_alone() -> None:
    score = Score(0.0)
    score.update([0.2], 1.0)
    score.update([-9.0] * 100, 2.0)
    assert score.latency(2.0) == pytest.approx(0.2)
