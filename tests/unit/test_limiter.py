"""The rate limiter: reservations in time, given back without breaking the limit."""

from __future__ import annotations

import pytest

from understudy.core.types import Mode
from understudy.resilience.limiter import RateLimiter, RateLimitOptions
from understudy.testing import FakeClock


def make(**options: object) -> tuple[RateLimiter, FakeClock]:
    """A limiter and its clock."""
    clock = FakeClock()
    return RateLimiter(RateLimitOptions(**options), clock), clock  # type: ignore[arg-type]  # real fields


def test_attempts_are_spaced_by_the_rate() -> None:
    limiter, _ = make(rate=10.0)
    assert [limiter.reserve() for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_burst_goes_at_once_and_fills_again_with_time() -> None:
    limiter, clock = make(rate=1.0, burst=3)
    assert [limiter.reserve() for _ in range(4)] == pytest.approx([0.0, 0.0, 0.0, 1.0])
    clock.tick(100.0)
    assert [limiter.reserve() for _ in range(4)] == pytest.approx([0.0, 0.0, 0.0, 1.0])


def test_asking_for_the_wait_takes_nothing() -> None:
    limiter, _ = make(rate=1.0)
    assert limiter.wait_time() == limiter.wait_time() == 0.0
    limiter.reserve()
    assert limiter.wait_time() == pytest.approx(1.0)


def test_the_last_reservation_can_be_given_back_whole() -> None:
    limiter, _ = make(rate=1.0)
    limiter.reserve()
    for _ in range(100):
        assert limiter.reserve() == pytest.approx(1.0)
        limiter.give_back()


def test_a_reservation_in_the_middle_goes_to_the_next_caller() -> None:
    limiter, clock = make(rate=1.0)
    moments = [clock.monotonic() + limiter.reserve() for _ in range(4)]
    limiter.give_back(moments[2])
    assert limiter.reserve() == pytest.approx(2.0)
    assert limiter.reserve() == pytest.approx(4.0)


def test_a_moment_that_is_over_is_not_handed_out_late() -> None:
    limiter, clock = make(rate=1.0)
    first = clock.monotonic() + limiter.reserve()
    limiter.reserve()
    clock.tick(0.5)
    limiter.give_back(first)
    assert limiter.reserve() == pytest.approx(1.5)


def test_giving_back_more_than_was_taken_changes_nothing() -> None:
    limiter, _ = make(rate=1.0)
    limiter.give_back()
    limiter.reserve()
    limiter.give_back()
    limiter.give_back()
    assert [limiter.reserve(), limiter.reserve()] == pytest.approx([0.0, 1.0])


def test_of_the_configured_and_the_told_limit_the_stricter_holds() -> None:
    limiter, clock = make(rate=10.0)
    limiter.learn(60, 60.0)
    limiter.reserve()
    assert limiter.wait_time() == pytest.approx(1.0)
    clock.tick(10.0)
    limiter.learn(1000, 1.0)
    limiter.reserve()
    assert limiter.wait_time() == pytest.approx(0.1)


def test_without_options_nothing_is_limited_until_a_limit_is_told() -> None:
    limiter = RateLimiter(None, FakeClock())
    assert [limiter.reserve() for _ in range(100)] == [0.0] * 100
    limiter.learn(2, 1.0)
    assert [limiter.reserve() for _ in range(3)] == pytest.approx([0.0, 0.5, 1.0])


@pytest.mark.parametrize(("limit", "per"), [(0, 60.0), (-5, 60.0), (60, 0.0), (float("nan"), 1.0)])
def test_a_told_limit_that_makes_no_sense_is_ignored(limit: float, per: float) -> None:
    limiter, _ = make(rate=10.0)
    limiter.learn(limit, per)
    limiter.reserve()
    assert limiter.wait_time() == pytest.approx(0.1)


def test_observing_never_waits_and_counts_what_would_have() -> None:
    limiter, _ = make(rate=1.0, mode=Mode.OBSERVE)
    assert [limiter.reserve() for _ in range(5)] == [0.0] * 5
    assert limiter.would_wait == 4 and limiter.wait_time() == 0.0


def test_off_never_waits() -> None:
    limiter, _ = make(rate=1.0, mode=Mode.OFF)
    assert [limiter.reserve() for _ in range(5)] == [0.0] * 5


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    limiter, clock = make(rate=1.0)
    limiter.reserve()
    clock.jump_wall(-3600.0)
    assert limiter.wait_time() == pytest.approx(1.0)
