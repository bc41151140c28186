"""The breaker against a model that counts one attempt at a time and keeps every one of them."""

from __future__ import annotations

import random
from itertools import pairwise
from math import copysign, inf

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from understudy.core.errors import BreakerOpen
from understudy.core.types import Verdict
from understudy.resilience.breaker import Breaker, BreakerOptions, BreakerState, Permit
from understudy.testing import FakeClock

OPTIONS = BreakerOptions(window=10.0, buckets=5, jitter=0.0, slow_call=1.0, open_cap=100.0)
SLICE = OPTIONS.window / OPTIONS.buckets
LEASE = 15.0

seconds = st.sampled_from([0.1, 0.5, 2.0, 9.0, -0.1, -0.0, -inf, -2.0, -10.0])
batches = st.lists(seconds, max_size=15)


class Model:
    """The same rules in the slowest possible way."""

    def __init__(self) -> None:
        self.state, self.generation, self.n = "closed", 0, 0
        self.seen: list[tuple[int, bool, bool]] = []
        self.row = self.failed_checks = 0
        self.until = self.closed_since = 0.0
        self.given = self.done = 0
        self.leases: dict[int, tuple[float, bool]] = {}

    def enter(self, state: str) -> None:
        self.state, self.generation = state, self.generation + 1
        self.seen, self.row, self.failed_checks = [], 0, 0
        self.given = self.done = 0
        self.leases = {}

    def open(self, n: int, now: float) -> None:
        self.n = n
        self.until = now + min(OPTIONS.open_cap, OPTIONS.open_for * 2 ** (n - 1))
        self.enter("open")

    def trip(self, now: float) -> None:
        self.open(max(0, self.n - int((now - self.closed_since) / OPTIONS.decay)) + 1, now)

    def close(self, now: float) -> None:
        self.closed_since = now
        self.enter("closed")

    def attempt(self, value: float, now: float, standby: bool) -> None:
        if self.state != "closed":
            return
        failed = copysign(1, value) < 0
        slow = abs(value) != inf and abs(value) >= OPTIONS.slow_call
        self.seen.append((int(now / SLICE), failed, slow))
        self.seen = [entry for entry in self.seen if entry[0] > int(now / SLICE) - OPTIONS.buckets]
        self.row = self.row + 1 if failed else 0
        self.failed_checks = self.failed_checks if failed else 0
        calls = len(self.seen)
        failures, slows = sum(entry[1] for entry in self.seen), sum(entry[2] for entry in self.seen)
        enough = calls >= OPTIONS.min_calls
        if (
            self.row >= (OPTIONS.consecutive_with_standby if standby else OPTIONS.consecutive)
            or (enough and failed and failures / calls >= OPTIONS.failure_ratio)
            or (enough and slow and slows / calls >= OPTIONS.slow_ratio)
        ):
            self.trip(now)

    def look(self, now: float) -> None:
        if self.state == "half_open" and any(end <= now for end, _ in self.leases.values()):
            self.open(self.n, now)


class BreakerMachine(RuleBasedStateMachine):
    """Random operations on both; they must agree after each."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(start=0.0)
        self.told: list[tuple[str, str]] = []
        self.breaker = Breaker(
            "x", OPTIONS, self.clock, random.Random(0), on_transition=lambda _, old, new, cause: self.tell(old, new)
        )
        self.model = Model()
        self.permits: list[tuple[int, Permit]] = []
        self.count = 0

    def tell(self, old: str, new: str) -> None:
        self.told.append((old, new))

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    @rule(batch=batches, standby=st.booleans())
    def settle(self, batch: list[float], standby: bool) -> None:
        self.breaker.standby = standby
        self.breaker.free_probe = True
        self.breaker.settle(batch)
        for value in batch:
            self.model.attempt(value, self.now, standby)

    @rule(pause=st.sampled_from([0.25, 1.0, 2.5, 14.0, 31.0, 120.0]))
    def wait(self, pause: float) -> None:
        self.clock.tick(pause)

    @rule()
    def tick(self) -> None:
        self.breaker.tick()
        self.model.look(self.now)

    @rule(panic=st.booleans())
    def admit(self, panic: bool) -> None:
        model, now = self.model, self.now
        blocked = self.breaker.blocked()
        model.look(now)
        early = model.state == "open" and now < model.until
        allowed = (
            model.state == "closed"
            or (model.state == "open" and (panic or not early))
            or (model.state == "half_open" and not panic and not model.leases and model.given < 3)
        )
        try:
            permit = self.breaker.panic() if panic else self.breaker.admit()
        except BreakerOpen:
            assert not allowed
            assert panic or blocked
            return
        assert allowed
        assert panic or not blocked
        if model.state == "closed" or permit is None:
            assert model.state == "closed"
            return
        if model.state == "open":
            model.enter("half_open")
        model.given += 1
        self.count += 1
        model.leases[self.count] = (now + LEASE, panic and early)
        self.permits.append((self.count, permit))

    @precondition(lambda self: self.permits)
    @rule(which=st.integers(0, 1000), verdict=st.sampled_from(list(Verdict)), keep=st.booleans())
    def release(self, which: int, verdict: Verdict, keep: bool) -> None:
        number, permit = self.permits[which % len(self.permits)]
        if not keep:  # a kept permit is released again later, which must change nothing
            self.permits.remove((number, permit))
        model = self.model
        released_before = number not in model.leases
        permit.release(verdict)
        if permit.generation != model.generation and released_before:
            return
        model.look(self.now)
        lease = model.leases.pop(number, None)
        if lease is None:
            return
        if verdict is Verdict.NEUTRAL:
            model.given -= 1
        elif verdict is Verdict.SUCCESS:
            model.done += 1
            if model.done >= 3:
                model.close(self.now)
        elif lease[1]:
            model.enter("open")
        else:
            model.open(model.n + 1, self.now)

    @rule(verdicts=st.lists(st.sampled_from([*Verdict, Verdict.SUCCESS]), min_size=1, max_size=4))
    def outage(self, verdicts: list[Verdict]) -> None:
        """The whole story at once, which single steps seldom tell: trip, wait, trials one after the other."""
        self.settle([-0.1] * 5, standby=False)
        for verdict in verdicts:
            self.clock.set(max(self.now, self.model.until))
            held = len(self.permits)
            self.admit(panic=False)
            if len(self.permits) > held:
                self.release(len(self.permits) - 1, verdict, keep=False)

    @precondition(lambda self: self.permits)
    @rule(which=st.integers(0, 1000))
    def renew(self, which: int) -> None:
        number, permit = self.permits[which % len(self.permits)]
        if number in self.model.leases and self.model.leases[number][0] > self.now:
            permit.renew()
            self.model.leases[number] = (self.now + LEASE, self.model.leases[number][1])

    @rule(ok=st.booleans())
    def check(self, ok: bool) -> None:
        model = self.model
        self.breaker.check(ok)
        model.look(self.now)
        if model.state == "open" and ok:
            model.enter("half_open")
        elif model.state == "closed":
            model.failed_checks = 0 if ok else model.failed_checks + 1
            if model.failed_checks >= 3:
                model.trip(self.now)

    @rule(sure=st.integers(0, 4).map(lambda number: number == 4))
    def reset(self, sure: bool) -> None:
        if not sure:  # seldom, because it ends every story
            return
        self.breaker.reset()
        self.model.n = 0
        self.model.close(self.now)

    @invariant()
    def they_agree(self) -> None:
        view = self.breaker.view()
        assert (view.state.value, view.generation) == (self.model.state, self.model.generation)
        assert self.breaker.closed == (self.model.state == "closed")
        if view.state is BreakerState.OPEN:
            assert view.retry_after == max(0.0, self.model.until - self.now)
        if view.state is BreakerState.HALF_OPEN:
            assert view.permits_left == 3 - self.model.given

    @invariant()
    def transitions_join(self) -> None:
        assert all(old != new for old, new in self.told)
        assert not self.told or self.told[-1][1] == self.model.state


BreakerMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase


@given(attempts=st.lists(seconds, max_size=80), cuts=st.lists(st.integers(0, 80), max_size=8), standby=st.booleans())
@settings(max_examples=150, deadline=None)
def test_batches_are_counted_exactly_as_one_by_one(attempts: list[float], cuts: list[int], standby: bool) -> None:
    eager = Breaker("eager", OPTIONS, FakeClock(), random.Random(0))
    batched = Breaker("batched", OPTIONS, FakeClock(), random.Random(0))
    eager.standby = batched.standby = standby
    for value in attempts:
        eager.settle([value])
    edges = [0, *sorted(cuts), len(attempts)]
    for start, end in pairwise(edges):
        batched.settle(attempts[start:end])
    assert eager.view() == batched.view()
