"""The retry budget: a share of first attempts plus a floor, over a sliding window."""

from __future__ import annotations

import pytest

from understudy.core.types import Mode
from understudy.resilience.budget import Budget, BudgetOptions
from understudy.testing import FakeClock


def drain(budget: Budget, tries: int = 1000) -> int:
    """How many of `tries` retries are allowed."""
    return sum(budget.withdraw() for _ in range(tries))


def test_the_floor_is_allowed_without_any_traffic() -> None:
    assert drain(Budget(BudgetOptions(), FakeClock())) == 3


def test_a_fifth_of_first_attempts_comes_on_top() -> None:
    budget = Budget(BudgetOptions(), FakeClock())
    budget.deposit(100)
    assert drain(budget) == 23


def test_five_single_first_attempts_make_one_retry() -> None:
    budget = Budget(BudgetOptions(floor=0), FakeClock())
    for _ in range(5):
        assert not budget.withdraw()
        budget.deposit()
    assert drain(budget) == 1


def test_a_hundred_concurrent_failures_get_no_more_than_the_budget() -> None:
    budget = Budget(BudgetOptions(), FakeClock())
    budget.deposit(100)
    assert drain(budget, 100) == 23 and budget.denied == 77


def test_first_attempts_and_retries_are_forgotten_after_the_window() -> None:
    clock = FakeClock()
    budget = Budget(BudgetOptions(), clock)
    budget.deposit(1000)
    drain(budget)
    clock.tick(12.0)
    assert budget.left() == pytest.approx(3.0)


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    clock = FakeClock()
    budget = Budget(BudgetOptions(), clock)
    drain(budget)
    clock.jump_wall(3600.0)
    assert not budget.withdraw()


def test_observing_allows_all_and_counts_what_it_would_refuse() -> None:
    budget = Budget(BudgetOptions(mode=Mode.OBSERVE), FakeClock())
    assert drain(budget, 10) == 10
    assert (budget.would_deny, budget.denied) == (7, 0)


def test_off_allows_all_and_counts_nothing() -> None:
    budget = Budget(BudgetOptions(mode=Mode.OFF), FakeClock())
    assert drain(budget, 10) == 10 and budget.left() == 3.0


def test_other_options_keep_what_was_drawn_unless_the_window_changes() -> None:
    budget = Budget(BudgetOptions(), FakeClock())
    drain(budget)
    budget.options = BudgetOptions(floor=5)
    assert drain(budget) == 2
    budget.options = BudgetOptions(floor=5, window=20.0)
    assert drain(budget) == 5
