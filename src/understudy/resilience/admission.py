"""What one attempt takes before it may start, and gives back when it ends (rule R0)."""

from __future__ import annotations

from collections.abc import Callable

from understudy.core.clock import Clock
from understudy.core.errors import RateLimited
from understudy.core.types import Mode, Verdict

from .breaker import Permit
from .call import Call
from .keys import Key
from .limiter import RateLimiter
from .registry import Binding


class Admission:
    """Key, place in the bulkhead and permits of one attempt: taken in order, each given back once."""

    __slots__ = ("_binding", "_clock", "_held", "_hub_permit", "_limiter", "_permit", "_sent", "generation", "key")

    def __init__(self, binding: Binding, clock: Clock) -> None:
        self._binding = binding
        self._clock = clock
        self._held = False
        self._sent = False
        self._limiter: RateLimiter | None = None
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
                self._take_key(call)
            bulkhead = api.bulkhead
            if bulkhead is not None and not bulkhead.try_acquire():
                await self._queue(call)
            self._held = bulkhead is not None
            if not api.hub.breaker.closed:
                self._hub_permit = api.hub.breaker.admit()
            if panic:
                self._permit = self._binding.breaker.panic()
            elif not self._binding.breaker.closed:
                self._permit = self._binding.breaker.admit()
            self.generation = self._binding.breaker.generation
        except BaseException:
            self.leave(Verdict.NEUTRAL)
            raise

    def _take_key(self, call: Call) -> None:
        """A key that is neither held nor out of tokens; its token is taken with it."""
        api = self._binding.api
        if api.options.rate_limit is None:
            self.key = api.keys.pick(call.critical)
            return
        enforced = api.options.rate_limit.mode is Mode.ENFORCE
        spent = [key for key in api.keys if enforced and _wait(api.limiter(key.alias)) > 0]
        if spent and len(spent) == len(api.keys):
            raise RateLimited(f"{api.name}: the rate limit of every key is reached", api.rate_wait())
        self.key = api.keys.pick(call.critical, spent)
        self._limiter = api.limiter(self.key.alias)
        if self._limiter is not None:
            self._limiter.reserve()

    async def _queue(self, call: Call) -> None:
        bulkhead = self._binding.api.bulkhead
        assert bulkhead is not None  # noqa: S101 - the caller has just tested it; for the type checker
        if bulkhead.options.mode is Mode.OBSERVE:
            return
        remaining = call.deadline_at - self._clock.monotonic()
        longest = bulkhead.options.max_wait
        await bulkhead.acquire(remaining if longest is None else min(longest, remaining))

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

    def leave(self, verdict: Verdict) -> None:
        """Give everything back; a half-open permit learns the verdict. Idempotent."""
        api = self._binding.api
        if self._permit is not None:
            self._permit.release(verdict)
            self._permit = None
        if self._hub_permit is not None:
            # Any answer that is not the hub's own failure proves that the hub works; that failure
            # itself was told to the permit when it was booked.
            self._hub_permit.release(Verdict.NEUTRAL if verdict is Verdict.NEUTRAL else Verdict.SUCCESS)
            self._hub_permit = None
        if self._held and api.bulkhead is not None:
            self._held = False
            api.bulkhead.release()
        if self.key is not None and not self._sent:
            api.keys.give_back(self.key)
            self.key = None
            if self._limiter is not None:
                self._limiter.give_back()

    def hub_failed(self) -> None:
        """The hub itself failed: its permit learns it."""
        if self._hub_permit is not None:
            self._hub_permit.release(Verdict.FAILURE)
            self._hub_permit = None


def _wait(limiter: RateLimiter | None) -> float:
    return 0.0 if limiter is None else limiter.wait_time()
