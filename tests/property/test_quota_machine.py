"""The quota of one account against a model: a server with a fixed window, and calls that overlap.

Responses arrive in any order, and some tell nothing. Without the latter no call goes out that is known to
be too many; each of them may hide one unit (an older response that comes later cannot count it), never
more. Inside a window what is known only falls.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from understudy.resilience.limits import LimitInfo
from understudy.resilience.quota import Account, QuotaLedger, QuotaOptions
from understudy.testing.clock import FakeClock

WINDOW = 600.0


class QuotaMachine(RuleBasedStateMachine):
    """The real account beside a server that counts."""

    @initialize(limit=st.integers(1, 12))
    def start(self, limit: int) -> None:
        self.clock = FakeClock()
        self.account: Account = QuotaLedger(self.clock).account("hub", "api", "key", QuotaOptions(reserve=0))
        self.limit = limit
        self.left = limit
        #: Responses of this window that told nothing.
        self.silent = 0
        self.ends_at = self.clock.monotonic() + WINDOW
        #: What the server will answer to each call in flight: what was left after it, when its window ends.
        self.flying: list[tuple[int, float]] = []
        self.last_observed: tuple[float, float] | None = None

    @rule()
    def dispatch(self) -> None:
        """A call goes out when the account lets it, and the server counts it."""
        if self.account.refusal(self.clock.monotonic())[0]:
            return
        if self.known():
            assert self.left > -self.silent, "a call went out although the last unit was known to be taken"
        self.account.begin()
        self.left -= 1
        self.flying.append((max(0, self.left), self.ends_at))

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 100), tells=st.booleans())
    def respond(self, which: int, tells: bool) -> None:
        """Any call in flight comes back; its response may tell nothing."""
        remaining, ends_at = self.flying.pop(which % len(self.flying))
        self.silent += not tells
        limits = [LimitInfo("", self.limit, remaining, ends_at - self.clock.monotonic())] if tells else []
        self.account.end(executed=True, limits=limits)

    @rule()
    def never_sent(self) -> None:
        """A unit is reserved and given back."""
        if not self.account.refusal(self.clock.monotonic())[0]:
            before = self.account.remaining(self.clock.monotonic())
            self.account.begin()
            self.account.end(executed=False)
            assert self.account.remaining(self.clock.monotonic()) == before

    @precondition(lambda self: not self.flying)
    @rule(share=st.floats(0.01, 1.2))
    def pass_time(self, share: float) -> None:
        """Time passes, perhaps beyond the window; the wall clock jumps about and changes nothing."""
        self.clock.tick(share * WINDOW)
        self.clock.jump_wall(3600.0 if share > 0.5 else -3600.0)
        if self.clock.monotonic() >= self.ends_at:
            self.left = self.limit
            self.silent = 0
            self.ends_at = self.clock.monotonic() + WINDOW
            self.last_observed = None

    def known(self) -> bool:
        """Whether the account knows anything about this window."""
        bucket = self.account.buckets.get(("", 0.0))
        return bucket is not None and bucket.observed is not None

    @invariant()
    def no_unit_is_lost(self) -> None:
        if hasattr(self, "account"):
            assert self.account.in_flight == len(self.flying)

    @invariant()
    def what_is_known_only_falls_inside_a_window(self) -> None:
        if not hasattr(self, "account") or not self.known():
            return
        bucket = self.account.buckets["", 0.0]
        assert bucket.observed is not None
        if bucket.reset_at is not None and self.clock.monotonic() >= bucket.reset_at:
            return
        if self.last_observed is not None and self.last_observed[0] == self.ends_at:
            assert bucket.observed <= self.last_observed[1]
        self.last_observed = (self.ends_at, bucket.observed)

    @invariant()
    def it_never_believes_in_more_than_the_server_has(self) -> None:
        if hasattr(self, "account") and self.known() and self.clock.monotonic() < self.ends_at:
            remaining = self.account.remaining(self.clock.monotonic())
            assert remaining is None or remaining <= max(0, self.left + self.silent)


TestQuotaMachine = QuotaMachine.TestCase
TestQuotaMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
