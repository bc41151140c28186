"""The retry budget against a model that remembers each attempt's time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from understudy.resilience.budget import Budget, BudgetOptions
from understudy.testing import FakeClock

WINDOW, RATIO, FLOOR = 10.0, 0.2, 3


class BudgetMachine(RuleBasedStateMachine):
    """The slices may be stricter than the exact window by one slice, never looser."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(start=0.0)
        self.budget = Budget(BudgetOptions(), self.clock)
        self.firsts: list[float] = []
        self.drawn: list[float] = []

    def allowed(self, firsts_within: float, drawn_within: float) -> float:
        now = self.clock.monotonic()
        firsts = sum(now - at < firsts_within for at in self.firsts)
        return FLOOR + RATIO * firsts - sum(now - at < drawn_within for at in self.drawn)

    @rule(pause=st.sampled_from([0.1, 0.5, 0.9, 1.0, 3.3, 8.6, 9.4]))
    def wait(self, pause: float) -> None:
        self.clock.tick(pause)

    @rule(n=st.integers(1, 40))
    def deposit(self, n: int) -> None:
        self.budget.deposit(n)
        self.firsts.extend([self.clock.monotonic()] * n)

    @rule(tries=st.integers(1, 12))
    def withdraw(self, tries: int) -> None:
        for _ in range(tries):
            loosest = self.allowed(WINDOW, WINDOW)
            strictest = self.allowed(WINDOW - 1.0, WINDOW + 1.0)
            granted = self.budget.withdraw()
            if granted:
                assert loosest >= 1.0 - 1e-6
                self.drawn.append(self.clock.monotonic())
            else:
                assert strictest < 1.0

    @rule()
    def left_is_never_negative(self) -> None:
        assert self.budget.left() >= 0.0


BudgetMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestBudgetMachine = BudgetMachine.TestCase
