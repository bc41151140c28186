"""The running side of what is registered: an API with its mechanisms, its bindings, its hub, a route."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from understudy.core.clock import Clock
from understudy.core.types import Mode, OutcomeClass

from .api import ApiOptions, RouteOptions
from .auth import SignHook, with_preset
from .breaker import Breaker, BreakerOptions
from .budget import Budget
from .bulkhead import Bulkhead, BulkheadOptions
from .directions import Direction
from .keys import KeyPool
from .outcome import Classifier, Outcome
from .ports import Series
from .score import Score

#: Time constant of the calls-a-second estimate, s.
RATE_TAU = 5.0
#: An API that never served is given another call this long after the last one, s.
UNPROVEN_AGAIN = 60.0

Operation = Callable[..., Any]
#: Says what an exception means, by a class of rule R16; None: as the table says.
ClassifyHook = Callable[[Exception], str | None]
Transition = Callable[["Breaker", str, str, str], None]


class Hub:
    """A failure domain: the host that several APIs share. Its breaker counts only the hub's own failures."""

    def __init__(self, name: str, clock: Clock, rng: random.Random, on_transition: Transition) -> None:
        self.name = name
        self.breaker = Breaker(f"hub:{name}", BreakerOptions(), clock, rng, on_transition=on_transition)
        self.apis: list[Api] = []
        #: Successes of its APIs matter to the breaker only while a failure is remembered.
        self.failed_at = float("-inf")


class Api:
    """One registered API and everything that protects it, apart from its breakers (see `Binding`)."""

    def __init__(
        self,
        name: str,
        options: ApiOptions,
        *,
        hub: Hub,
        order: int,
        classifier: Classifier,
        keys: KeyPool,
        clock: Clock,
    ) -> None:
        self.name = name
        self.options = options
        #: How it is signed in to: as configured, completed by what its preset knows.
        self.auth = with_preset(options)
        self.hub = hub
        self.order = order
        self.classifier = classifier
        self.keys = keys
        self.clock = clock
        self.bulkhead = _bulkhead(options, clock)
        self.budget = Budget(options.budget, clock)
        self.score = Score(clock.monotonic(), options.latency)
        #: The same of what other processes reported: for people, never for a choice of this one.
        self.heard: Score | None = None
        self.bindings: dict[str, Binding] = {}
        self.in_flight = 0
        #: When a call that left the prepared path was last sent to it, monotonic seconds.
        self.asked_at = float("-inf")
        #: Retries since the budget was last filled: they are attempts, but no first attempts.
        self.retries = 0
        self.failed_at = float("-inf")
        self.hold_until = float("-inf")
        self.hold_reason = ""
        #: Set while a person lets it run empty: no new calls, what runs ends.
        self.drain: Direction | None = None
        #: Set while a person has paused its health checks.
        self.quiet: Direction | None = None
        #: Set while a person holds its breakers in a state.
        self.forced: Direction | None = None
        self.removed = False
        #: The operation given at registration; None for HTTP APIs and for names that calls fill.
        self.operation: Operation | None = None
        #: A callable that raises while the API does not work; None for HTTP APIs, which have a path.
        self.probe: Operation | None = None
        #: The user's own hook that signs each request; None without one.
        self.sign: SignHook | None = None
        #: The user's own judgement of exceptions; None without one.
        self.classify: ClassifyHook | None = None
        #: The route it was registered for; empty: it stands in for nobody by itself.
        self.route = ""
        #: Made by `<name>.fallback` or by a call under an unknown name, not by the user.
        self.implicit = False

    @property
    def is_http(self) -> bool:
        """Whether calls are HTTP requests of ours rather than a wrapped operation."""
        return bool(self.options.base_url)

    @property
    def has_free_probe(self) -> bool:
        """Whether a probe that costs nothing is declared."""
        check = self.options.health_check
        return (bool(check.path) or self.probe is not None) and check.cost == "free"

    @property
    def uses_keys(self) -> bool:
        """Whether an attempt takes a key first.

        An operation without keys of ours does when it has a rate limit or a quota, and while the API has
        asked it to rest: its one anonymous key is what is held.
        """
        if self.is_http or self.options.rate_limit is not None or self.options.quota.limit is not None:
            return True
        return any(key.resting or self.keys.remaining(key) is not None for key in self.keys)

    @property
    def price(self) -> float:
        """The price of 1,000 calls now: that of what goes beyond the plan, once all its keys have spent theirs."""
        quota = self.options.quota
        if quota.overage_price is None or not quota.allow_overage:
            return self.options.price
        spent = all(self.keys.remaining(key) == 0 for key in self.keys)
        return quota.overage_price if spent else self.options.price

    def hear(self, ok: int, failed: int) -> None:
        """Another process had so many successes and failures with it just now."""
        if self.heard is None:
            self.heard = Score(self.clock.monotonic(), self.options.latency)
        # Beyond a thousand only the share counts.
        scale = min(1.0, 1000.0 / max(1, ok + failed))
        told = [0.0] * round(ok * scale) + [-1.0] * round(failed * scale)
        if told:
            self.heard.update(told, self.clock.monotonic())

    def unproven(self, now: float) -> bool:
        """Whether only a call can show what it is worth: it never served, and was not asked for a while.

        Until an API has served, its latency is an assumption, which might keep it out for ever.
        """
        return self.score.last_success_at is None and now - self.asked_at >= UNPROVEN_AGAIN

    def apply_bulkhead(self) -> None:
        """After a reload: keep the bulkhead and its queue, with the new limit."""
        fresh = _bulkhead(self.options, self.clock)
        if fresh is not None and self.bulkhead is not None:
            self.bulkhead.options = fresh.options
        else:
            self.bulkhead = fresh

    def judge(self, error: BaseException, *, elapsed: float, first_reuse_fault: bool = True) -> Outcome:
        """What an exception of an attempt means: as the user's own `classify` says, else as the table does."""
        outcome = self.classifier.error(error, elapsed=elapsed, first_reuse_fault=first_reuse_fault)
        if self.classify is None or not isinstance(error, Exception):
            return outcome
        try:
            row = self.classify(error)
            return outcome if row is None else self.classifier.overruled(row, outcome, error)
        except Exception as fault:  # noqa: BLE001 - user code: it must not decide by failing
            return replace(outcome, reason=f"{outcome.reason} (classify itself failed: {type(fault).__name__})")

    def hook(self, probe: Operation | None, sign: SignHook | None, classify: ClassifyHook | None) -> None:
        """Take the user's own functions; None leaves what there is."""
        self.probe = probe or self.probe
        self.sign = sign or self.sign
        self.classify = classify or self.classify
        for binding in self.bindings.values():
            binding.breaker.free_probe = self.has_free_probe

    def hold(self, seconds: float, reason: str) -> bool:
        """Send nothing before `seconds` have passed; False when a longer hold exists already."""
        until = self.clock.monotonic() + seconds
        if until <= self.hold_until:
            return False
        self.hold_until, self.hold_reason = until, reason
        return True


def _bulkhead(options: ApiOptions, clock: Clock) -> Bulkhead | None:
    chosen = options.bulkhead
    if chosen is None:
        return Bulkhead(BulkheadOptions(), clock) if options.base_url else None
    return None if chosen.mode is Mode.OFF else Bulkhead(chosen, clock)


class Binding:
    """An API in the service of one operation: the unit that a breaker and a series belong to."""

    def __init__(self, api: Api, operation: str, breaker: Breaker, series: Series) -> None:
        self.api = api
        self.operation = operation
        self.breaker = breaker
        self.series = series
        self._rate = 0.0
        self._settled_at = api.clock.monotonic()
        self._generation = breaker.generation
        series.listener = self.on_batch

    def hold(self, wanted: Direction, now: float) -> None:
        """Hold the breaker in the state that a person wants, for what is left of its time at `now`, epoch seconds."""
        left = wanted.left(now)
        if left is None or left > 0.0:
            self.breaker.force(wanted.state, reason=wanted.reason, actor=wanted.actor, expires_in=left)

    def on_batch(self, batch: Sequence[float]) -> None:
        """Let the attempts that came in since last time reach everybody who judges by them."""
        api = self.api
        now = api.clock.monotonic()
        firsts = len(batch) - api.retries
        api.retries = 0
        if firsts > 0:
            api.budget.deposit(firsts)
        api.score.update(batch, now)
        self._measure_rate(len(batch), now)
        if now - api.hub.failed_at < api.hub.breaker.options.window:
            api.hub.breaker.settle([seconds for seconds in batch if seconds > 0])
        self.breaker.settle(batch)

    def _measure_rate(self, count: int, now: float) -> None:
        elapsed = now - self._settled_at
        if elapsed >= 0.5:
            self._settled_at = now
            self._rate += (count / elapsed - self._rate) * min(1.0, elapsed / RATE_TAU)

    def rate(self, now: float) -> float:
        """Attempts a second lately; without any, it fades."""
        quiet = now - self._settled_at - 1.0  # a tick settles what there is once a second
        return self._rate if quiet <= 0.0 else self._rate * math.exp(-quiet / RATE_TAU)

    def neutral(self, outcome: Outcome, seconds: float) -> None:
        """Count an attempt that is neither success nor failure; one that its caller gave up on may have been slow."""
        self.series.neutral(outcome.kind, outcome.attribution, outcome.reason, outcome.status)
        if outcome.kind is OutcomeClass.CANCELLED and seconds >= self.breaker.options.slow_call:
            self.series.drain()  # what came before it is judged before it
            self.breaker.gave_up()

    def aside(self, record: Callable[[], None]) -> None:
        """Record something that reaches the statistics but not the breaker: the hub's fault, a late result."""
        self.series.drain()
        self.series.listener = None
        try:
            record()
            self.series.drain()
        finally:
            self.series.listener = self.on_batch

    def follow(self) -> None:
        """After a transition of the breaker, start a new list, so that late results cannot reach it."""
        if self._generation != self.breaker.generation:
            self._generation = self.breaker.generation
            self.series.rotate()


class Route:
    """Which APIs can stand in for one another, in order of registration, and the policy of their calls."""

    def __init__(self, name: str, options: RouteOptions, *, implicit: bool = False) -> None:
        self.name = name
        self.options = options
        self.apis: list[Api] = []
        #: Made for an API that has no route: it holds that API alone.
        self.implicit = implicit
        self.fallbacks = 0
        self.failures = 0
        self.incumbent = ""
        #: When panic last let a call past an open breaker.
        self.panicked_at = float("-inf")
        #: What a person has said of who leads; it may name an API that is not there now, and then means nothing.
        self.pin: Direction | None = None

    def pinned(self) -> Direction | None:
        """The pin that is in force: that of an API which serves this route."""
        pin = self.pin
        return pin if pin is not None and any(api.name == pin.api for api in self.apis) else None

    @property
    def operation(self) -> str:
        """What its breakers and series are kept by: its name; empty for the calls of an API by itself."""
        return "" if self.implicit else self.name

    def add(self, api: Api) -> None:
        """Let an API serve this route; its place follows priority, then registration."""
        if api not in self.apis:
            self.apis.append(api)
            self.sort()

    def sort(self) -> None:
        """Order the APIs by priority, then registration."""
        self.apis.sort(key=lambda entry: (entry.options.priority, entry.order))
