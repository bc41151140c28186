"""Backoff and method safety (rule R3)."""

from __future__ import annotations

import random

import pytest

from understudy.resilience.retry import RetryOptions, backoff, is_safe


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "get"])
def test_methods_that_may_be_repeated(method: str) -> None:
    assert is_safe(method)


@pytest.mark.parametrize("method", ["POST", "PATCH", "CONNECT", "BREW"])
def test_other_methods_are_repeated_only_when_declared(method: str) -> None:
    assert not is_safe(method)
    assert is_safe(method, idempotent=True)
    assert is_safe(method, has_idempotency_key=True)


def test_full_jitter_stays_between_zero_and_the_doubling_ceiling() -> None:
    rng = random.Random(1)
    options = RetryOptions()
    for attempt in range(10):
        waits = [backoff(options, attempt, rng) for _ in range(200)]
        ceiling = min(8.0, 0.25 * 2**attempt)
        assert 0 <= min(waits) < ceiling * 0.1
        assert ceiling * 0.9 < max(waits) <= ceiling


def test_equal_jitter_waits_at_least_half() -> None:
    rng = random.Random(2)
    waits = [backoff(RetryOptions(jitter="equal"), 2, rng) for _ in range(200)]
    assert min(waits) >= 0.5
    assert max(waits) <= 1.0


def test_decorrelated_jitter_grows_from_the_wait_before_up_to_the_cap() -> None:
    rng = random.Random(3)
    options = RetryOptions(jitter="decorrelated", cap=5.0)
    assert 0.25 <= backoff(options, 1, rng, previous=1.0) <= 3.0
    assert max(backoff(options, 1, rng, previous=100.0) for _ in range(100)) == 5.0


def test_without_jitter_the_wait_is_the_ceiling() -> None:
    assert [backoff(RetryOptions(jitter="none"), k, random.Random(0)) for k in range(7)] == [0.25, 0.5, 1, 2, 4, 8, 8]


def test_a_throttled_attempt_waits_from_a_larger_base() -> None:
    assert backoff(RetryOptions(jitter="none"), 0, random.Random(0), throttled=True) == 1.0


@pytest.mark.parametrize("jitter", ["full", "equal", "decorrelated", "none"])
def test_ten_thousand_attempts_do_not_overflow(jitter: str) -> None:
    wait = backoff(RetryOptions(jitter=jitter), 10_000, random.Random(4), previous=8.0)  # type: ignore[arg-type]  # parametrised
    assert 0 <= wait <= 8.0


def test_a_base_of_zero_means_no_wait() -> None:
    assert backoff(RetryOptions(base=0), 5, random.Random(0)) == 0.0
