"""What one attempt takes before it may start, and gives back when it ends (rule R0)."""

from __future__ import annotations

from collections.abc import Callable

from understudy.core.clock import Clock
from understudy.core.errors import RateLimited
from understudy.core.types import Attribution, Verdict

from .breaker import Breaker, Permit
from .breaker_state import BreakerState
from .call import Call
from .ending import ABANDONED
from .keys import Key
from .outcome import Outcome
from .registry import Binding


class Admission:
    """Key, place in the bulkhead and permits of one attempt: taken in order, each given back once."""

    __slots__ = ("_binding", "_clock", "_held", "_hub_permit", "_permit", "_sent", "generation", "key")

    def __init__(self, binding: Binding, clock: Clock) -> None:
        self._binding = binding
        self._clock = clock
        self._held = False
        self._sent = False
        self._permit: Permit | None = None
        self._hub_permit: Permit | None = None
        self.key: Key | None = None
        #: The breaker's generation at admission.
        self.generation = binding.breaker.generation

    async def enter(self, call: Call, *, panic: bool) -> None:
        """Take everything, or raise `Rejected` with nothing held."""
        api = self._binding.api
        try:
            if api.uses_keys:
                # Neither held nor out of tokens; a token of its rate limit is taken with it.
                self.key = api.keys.pick(call.critical)
            bulkhead = api.bulkhead
            if bulkhead is not None and not bulkhead.try_acquire():
                await self._queue(call)
                self._held = True
                self._look_again(call)
            self._held = bulkhead is not None
            self._hub_permit = _permit(api.hub.breaker, panic=panic)
            self._permit = _permit(self._binding.breaker, panic=panic)
            self.generation = self._binding.breaker.generation
        except BaseException:
            self.leave(ABANDONED)
            raise

    async def _queue(self, call: Call) -> None:
        bulkhead = self._binding.api.bulkhead
        assert bulkhead is not None  # noqa: S101 - the caller has just tested it; for the type checker
        remaining = call.deadline_at - self._clock.monotonic()
        longest = bulkhead.options.max_wait
        await bulkhead.acquire(remaining if longest is None else min(longest, remaining))

    def _look_again(self, call: Call) -> None:
        """What may have changed while the call stood in the line: a hold of the API, or of the key it was given."""
        api = self._binding.api
        left = api.hold_until - self._clock.monotonic()
        if left > 0:
            raise RateLimited(f"{api.name}: asked to be left alone for {left:.1f} s: {api.hold_reason}", left)
        if self.key is not None:
            key, self.key = self.key, None
            api.keys.give_back(key)
            self.key = api.keys.pick(call.critical)

    def hand_over(self) -> Callable[[], None] | None:
        """Mark the attempt as sent; for a wrapped operation, pass its place to whoever learns of its return.

        A blocking operation keeps its place in the bulkhead until its function returns, which may
        be after its caller was told that time is up.
        """
        self._sent = True
        if not self._held or self._binding.api.is_http:
            return None
        self._held = False
        bulkhead = self._binding.api.bulkhead
        return bulkhead.release if bulkhead is not None else None

    def renew(self) -> None:
        """The attempt has shown a sign of life: the leases of its permits start again."""
        for permit in (self._permit, self._hub_permit):
            if permit is not None:
                permit.renew()

    def leave(self, outcome: Outcome) -> None:
        """Give everything back; a half-open permit learns how the attempt ended. Idempotent."""
        api = self._binding.api
        of_hub = outcome.attribution is Attribution.HUB
        if self._permit is not None:
            # A failure of the hub says nothing about the API behind it.
            self._permit.release(Verdict.NEUTRAL if of_hub else outcome.verdict)
            self._permit = None
        if self._hub_permit is not None:
            self._hub_permit.release(_verdict_on_hub(outcome))
            self._hub_permit = None
        if self._held and api.bulkhead is not None:
            self._held = False
            api.bulkhead.release()
        if self.key is not None and not self._sent:
            api.keys.give_back(self.key)
            self.key = None


def _verdict_on_hub(outcome: Outcome) -> Verdict:
    """Any answer that is not the hub's own failure proves that the hub works; no answer proves nothing."""
    if outcome.attribution is Attribution.HUB:
        return Verdict.FAILURE
    answered = outcome.status is not None or outcome.verdict is Verdict.SUCCESS
    return Verdict.SUCCESS if answered else Verdict.NEUTRAL


def _permit(breaker: Breaker, *, panic: bool) -> Permit | None:
    """Leave to try, where the breaker asks for one; in panic an open breaker gives it before its wait is over."""
    if breaker.closed:
        return None
    if panic and breaker.state is BreakerState.OPEN:
        return breaker.panic()
    return breaker.admit()
