"""What follows a failed attempt: the same API again, the next one, or the end (rules R1 to R3)."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace

from understudy.core.clock import Clock
from understudy.core.types import Mode, OutcomeClass

from .call import Call
from .outcome import Again, Next, Outcome
from .registry import Api
from .retry import backoff
from .standing import Gatekeeper

#: With another API eligible, a 5xx is repeated only when the wait before it, and what was never sent only when the
#: attempt itself, was no longer than this, s.
FAST_RETRY = 0.5

#: Whether what runs here is itself the repeat of an outer call's attempt: then nothing in it is repeated
#: again, because the outer call multiplies it already.
REPEATED: ContextVar[bool] = ContextVar("understudy_repeated", default=False)


class NextStep:
    """Decides after each failed attempt of a call, and books what the decision costs."""

    def __init__(self, clock: Clock, rng: random.Random, gates: Gatekeeper, emit: Callable[..., None]) -> None:
        self._now = clock.monotonic
        self._rng = rng
        self._gates = gates
        self._emit = emit

    def after(self, call: Call, api: Api, outcome: Outcome) -> str:
        """`again`, `fresh`, `next` or `stop`; a wait before the repeat is left in `call.waited`."""
        if outcome.kind is OutcomeClass.REJECTED:
            return "next"
        if call.total >= call.policy.max_attempts:
            return "stop"
        if not call.source.replayable:
            call.notes.append("the body of the request is used up, so that it cannot be sent again")
            return "stop"
        if self._another_key(call, api, outcome):
            call.tries[api.name] -= 1  # a change of key counts in the attempts of the call only
            return "again"
        if outcome.again is Again.FRESH and self._may_refresh(call, api, outcome):
            call.refreshed.add(api.name)
            call.tries[api.name] -= 1  # the transport's affair, not a try of the API
            return "fresh"
        now = self._now()
        call.spent[api.name] = "tried"
        may_move = self._may_move(call, api, outcome)
        others = self._gates.others(call, api, now) if may_move else 0
        wait = self._same_again(call, api, outcome, others, now)
        if wait is not None:
            del call.spent[api.name]
            call.waited = call.backoff = wait
            self._emit("retry.scheduled", api=api.name, route=call.route.name, wait=wait)
            return "again"
        if self._waits_for_release(call, api, outcome, now):
            del call.spent[api.name]
            return "next"
        return "next" if may_move else "stop"

    def repeats(self, call: Call, api: Api) -> bool:
        """Whether an API that was tried and has come free again may be asked once more; draws on its budget."""
        if api.budget.withdraw():
            api.retries += 1
            return True
        self._denied(call, api)
        call.spent[api.name] = "budget_spent"
        return False

    def _may_refresh(self, call: Call, api: Api, outcome: Outcome) -> bool:
        """Once for each API; a request that was written may have been executed before the connection closed."""
        return api.name not in call.refreshed and (outcome.never_sent or call.source.safe_again(api))

    def _may_move(self, call: Call, api: Api, outcome: Outcome) -> bool:
        """Whether another API may be asked; if only safety forbids it, the record says so of each."""
        if outcome.next is Next.NO:
            return False
        if not outcome.executed or call.source.safe_elsewhere(api):
            return True
        why = f"{api.name} may have executed the request, and it is not safe to repeat"
        call.candidates = [
            candidate if candidate.gate or candidate.api == api.name else replace(candidate, gate="unsafe", detail=why)
            for candidate in call.candidates
        ]
        return False

    def _another_key(self, call: Call, api: Api, outcome: Outcome) -> bool:
        """Whether the same API is asked at once with another key; that draws on no budget."""
        if outcome.kind not in (OutcomeClass.KEY, OutcomeClass.QUOTA, OutcomeClass.BILLING, OutcomeClass.RATE):
            return False
        now = self._now()
        if not api.is_http or len(api.keys) < 2 or api.keys.usable(now, call.critical):
            return False
        return self._attempts_left(call, self._gates.others(call, api, now))

    def _attempts_left(self, call: Call, others: int) -> bool:
        """Whether the API may be asked again without taking the attempt of one that was not asked yet."""
        return call.total + others < call.policy.max_attempts

    def _waits_for_release(self, call: Call, api: Api, outcome: Outcome, now: float) -> bool:
        """Whether a short hold (429 with a near reset) may be waited for by `_choose`, when no other API serves."""
        options = api.options.retry
        if outcome.kind is not OutcomeClass.RATE or not api.uses_keys or options.mode is not Mode.ENFORCE:
            return False
        if call.tries.get(api.name, 0) >= self._most_tries(call, api):
            return False
        after = api.keys.release_after(call.critical)
        return after is not None and after <= min(options.max_wait, call.deadline_at - now)

    def _most_tries(self, call: Call, api: Api) -> int:
        return 1 if REPEATED.get() or call.source.repeated else api.options.retry.max_attempts_per_api

    def _same_again(self, call: Call, api: Api, outcome: Outcome, others: int, now: float) -> float | None:
        """Seconds to wait before the same API is asked again; None when it is not."""
        options = api.options.retry
        tries = call.tries.get(api.name, 0)
        allowed = outcome.again is Again.ANY or (
            outcome.again in (Again.SAFE, Again.ONCE_SAFE) and call.source.safe_again(api)
        )
        if not allowed or options.mode is Mode.OFF or tries >= self._most_tries(call, api):
            return None
        if outcome.again is Again.ONCE_SAFE and tries > 1:
            return None
        wait = backoff(options, tries - 1, self._rng, call.backoff, outcome.kind is OutcomeClass.RATE)
        told = self._told(call, api, outcome)
        if told > 0.0:
            if told > options.max_wait:
                return None
            wait = max(wait, told * (1.0 + 0.1 * self._rng.random()))
        if others and not self._worth_repeating(call, api, outcome, wait, tries):
            return None
        if not self._attempts_left(call, others):
            return None
        if told > 0.0 and not others and outcome.kind is OutcomeClass.RATE:
            elsewhere = self._gates.release_after(call, now)
            if elsewhere is not None and elsewhere < wait:
                return None  # another held API comes free earlier
        if wait + self._gates.least_time(api) > call.deadline_at - now:
            return None
        if options.mode is Mode.OBSERVE:
            self._emit("retry.observed", api=api.name, route=call.route.name, wait=wait)
            return None
        if not api.budget.withdraw():
            self._denied(call, api)
            return None
        api.retries += 1
        return wait

    def _told(self, call: Call, api: Api, outcome: Outcome) -> float:
        """How long this answer, or another that came meanwhile, asks to wait; infinite: nobody knows."""
        said = max(outcome.retry_after or 0.0, api.hold_until - self._now())
        if outcome.kind is not OutcomeClass.RATE or not api.uses_keys:
            return said
        held = api.keys.release_after(call.critical)
        return max(said, held if held is not None else float("inf"))

    def _denied(self, call: Call, api: Api) -> None:
        call.notes.append(f"retry budget of {api.name} is spent")
        self._emit("budget.spent", api=api.name, route=call.route.name)

    def _worth_repeating(self, call: Call, api: Api, outcome: Outcome, wait: float, tries: int) -> bool:
        """With another API at hand, only what is quick and likely is repeated on the same one."""
        patient = call.policy.wait_for_lead
        if outcome.retry_after is not None:
            return bool(patient) and api is call.apis[0] and outcome.retry_after <= patient
        if api.name in call.failed_lately:
            return False
        fast = outcome.status is not None and outcome.status >= 500 and tries == 1 and wait <= FAST_RETRY
        # What was never sent is repeated, but not what has kept the caller waiting for a connection.
        silent = getattr(call.causes.get(api.name), "stage", "") == "timeout"
        return fast or (outcome.never_sent and not silent and call.attempts[-1].duration <= FAST_RETRY)
