"""The rate limiter: whatever is reserved and given back, what is used never breaks the limit."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from understudy.resilience.limiter import RateLimiter, RateLimitOptions
from understudy.testing import FakeClock


class LimiterMachine(RuleBasedStateMachine):
    """A limiter of one attempt a second and a burst; `used` are the moments that were not given back."""

    @initialize(burst=st.integers(1, 4))
    def begin(self, burst: int) -> None:
        self.clock = FakeClock(start=0.0)
        self.burst = burst
        self.limiter = RateLimiter(RateLimitOptions(rate=1.0, burst=burst), self.clock)
        self.used: list[float] = []

    @rule(pause=st.sampled_from([0.25, 0.5, 1.0, 2.75, 20.0]))
    def wait(self, pause: float) -> None:
        self.clock.tick(pause)

    @rule()
    def reserve(self) -> None:
        expected = self.limiter.wait_time()
        wait = self.limiter.reserve()
        assert wait == expected >= 0.0
        self.used.append(self.clock.monotonic() + wait)

    @rule()
    def reserve_and_give_back(self) -> None:
        before = self.limiter.wait_time()
        self.limiter.reserve()
        self.limiter.give_back()
        assert abs(self.limiter.wait_time() - before) < 1e-6

    @precondition(lambda self: self.used)
    @rule(which=st.integers(0, 1000))
    def give_back(self, which: int) -> None:
        moment = self.used[which % len(self.used)]
        if moment < self.clock.monotonic() - 1.0:
            return  # long sent
        self.used.remove(moment)
        self.limiter.give_back(moment)

    @invariant()
    def the_limit_holds(self) -> None:
        used = sorted(getattr(self, "used", []))
        level = at = 0.0
        for moment in used:  # a bucket that leaks one a second and must never hold more than the burst
            level = max(0.0, level - (moment - at)) + 1.0
            at = moment
            assert level <= self.burst + 1e-6, used


LimiterMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLimiterMachine = LimiterMachine.TestCase
