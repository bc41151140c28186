"""The numbers that justify the breaker's defaults: what a dead lead costs, and how soon it serves again."""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass

import pytest

from understudy.core.errors import BreakerOpen
from understudy.core.types import Verdict
from understudy.resilience.breaker import Breaker, BreakerOptions
from understudy.resilience.budget import Budget, BudgetOptions
from understudy.testing import FakeClock

DOWN_FOR = 60.0
RUNS = 200


@dataclass
class Story:
    """What 20 calls, 4 s apart, saw of a lead that was down for the first minute."""

    attempts_at_the_dead_lead: int = 0
    back_after: float | None = None


class Lead:
    """An API that is down for a minute, behind breaker and budget, with a standby that always serves."""

    def __init__(self, seed: int, free_probe: bool) -> None:
        self.clock = FakeClock(start=0.0)
        self.rng = random.Random(seed)
        self.breaker = Breaker("lead", BreakerOptions(), self.clock, self.rng)
        self.breaker.standby, self.breaker.free_probe = True, free_probe
        self.budget = Budget(BudgetOptions(), self.clock)
        self.failed_at = -1e9
        self.next_probe = self.rng.uniform(0.0, 5.0)
        self.story = Story()

    @property
    def works(self) -> bool:
        """Whether the outage is over."""
        return self.clock.monotonic() >= DOWN_FOR

    def pass_until(self, moment: float) -> None:
        """Let time pass, with a probe each 5 s while the breaker is open."""
        while self.breaker.free_probe and self.next_probe <= moment:
            self.clock.set(self.next_probe)
            self.next_probe += 5.0 * self.rng.uniform(0.9, 1.1)
            if self.breaker.blocked():
                self.breaker.check(self.works)
        self.clock.set(moment)

    def call(self) -> None:
        """One call: the lead if it may, once more after a fast failure (R3), then the standby."""
        recently = self.clock.monotonic() - self.failed_at <= 10.0
        if self.attempt(first=True) is False and not recently and self.budget.withdraw():
            self.clock.tick(self.rng.uniform(0.0, 0.25))
            self.attempt(first=False)

    def attempt(self, *, first: bool) -> bool | None:
        """Whether the lead answered; None when the breaker kept the call away."""
        try:
            permit = self.breaker.admit()
        except BreakerOpen:
            return None
        if first:
            self.budget.deposit()
        if self.works:
            self.story.back_after = self.story.back_after or self.clock.monotonic() - DOWN_FOR
        else:
            self.story.attempts_at_the_dead_lead += 1
            self.failed_at = self.clock.monotonic()
        if permit is None:
            self.breaker.settle([0.1 if self.works else -0.1])
        else:
            permit.release(Verdict.SUCCESS if self.works else Verdict.FAILURE)
        return self.works


def play(seed: int, *, free_probe: bool) -> Story:
    """Twenty calls 4 s apart, and those after them, until the lead serves again."""
    lead = Lead(seed, free_probe)
    phase = lead.rng.uniform(0.0, 0.001)
    for number in range(30):
        lead.pass_until(phase + 4.0 * number)
        lead.call()
    return lead.story


def test_with_a_free_probe_a_dead_lead_costs_four_attempts_and_serves_again_within_ten_seconds() -> None:
    stories = [play(seed, free_probe=True) for seed in range(RUNS)]
    assert max(story.attempts_at_the_dead_lead for story in stories) <= 4
    back = [story.back_after for story in stories if story.back_after is not None]
    assert len(back) == RUNS and max(back) <= 10.0
    assert statistics.median(back) <= 5.0


def test_without_a_probe_a_dead_lead_costs_at_most_seven_attempts_and_serves_again_within_25_seconds() -> None:
    stories = [play(seed, free_probe=False) for seed in range(RUNS)]
    assert {story.attempts_at_the_dead_lead for story in stories} <= {5, 6, 7}
    assert statistics.mean(story.attempts_at_the_dead_lead for story in stories) >= 5.5
    back = [story.back_after for story in stories if story.back_after is not None]
    assert len(back) == RUNS and max(back) <= 25.0


@pytest.mark.parametrize("rate", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(("standby", "lost"), [(False, 5), (True, 3)])
def test_a_sudden_outage_after_a_healthy_hour_costs_the_same_few_calls_at_any_rate(
    rate: float, standby: bool, lost: int
) -> None:
    clock = FakeClock()
    breaker = Breaker("lead", BreakerOptions(), clock, random.Random(1))
    breaker.standby = standby
    for _ in range(int(3600 * rate)):
        clock.tick(1 / rate)
        breaker.settle([0.1])
    failed = 0
    while breaker.closed:
        clock.tick(1 / rate)
        breaker.settle([-0.1])
        failed += 1
    assert failed == lost


def test_thirty_percent_errors_leave_it_closed_except_for_five_in_a_row() -> None:
    clock, rng = FakeClock(), random.Random(4)
    breaker = Breaker("lead", BreakerOptions(), clock, rng)
    breaker.settle([0.1] * 600)  # the healthy minute before
    calls, trips = 20_000, 0
    for _ in range(calls):
        clock.tick(0.1)
        breaker.settle([-0.1 if rng.random() < 0.3 else 0.1])
        if not breaker.closed:
            assert "in a row" in breaker.view().last_cause
            trips += 1
            breaker.reset()
            breaker.settle([0.1] * 600)
    assert 300 <= calls / trips <= 1200
