"""What follows a failed attempt: the same API again, the next one, or the end (rules R1 to R3)."""

from __future__ import annotations

import random
from collections.abc import Callable

from understudy.core.clock import Clock
from understudy.core.types import Mode, OutcomeClass, Verdict

from .call import Call
from .outcome import Again, Next, Outcome
from .registry import Api
from .retry import backoff
from .standing import Gatekeeper

#: With another API eligible, a 5xx is repeated at once only when the wait is no longer than this, s.
FAST_RETRY = 0.5


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
        if call.total >= call.route.options.max_attempts:
            return "stop"
        if self._another_key(call, api, outcome):
            return "again"
        if outcome.again is Again.FRESH and api.name not in call.refreshed:
            call.refreshed.add(api.name)
            call.tries[api.name] -= 1  # the transport's affair, not a try of the API
            return "fresh"
        now = self._now()
        call.spent[api.name] = "tried"
        may_move = outcome.next is not Next.NO and (call.source.safe_elsewhere or not outcome.executed)
        others = may_move and self._gates.others(call, api, now)
        if outcome.retry_after is not None and outcome.verdict is Verdict.FAILURE:
            api.hold(outcome.retry_after, outcome.reason)
        wait = self._same_again(call, api, outcome, others, now)
        if wait is not None:
            del call.spent[api.name]
            api.retries += 1
            call.waited = wait
            self._emit("retry.scheduled", api=api.name, route=call.route.name, wait=wait)
            return "again"
        if self._waits_for_release(call, api, outcome, now):
            del call.spent[api.name]
            return "next"
        return "next" if may_move else "stop"

    def _another_key(self, call: Call, api: Api, outcome: Outcome) -> bool:
        """Whether the same API is asked at once with another key; that draws on no budget."""
        if outcome.kind not in (OutcomeClass.KEY, OutcomeClass.QUOTA, OutcomeClass.BILLING, OutcomeClass.RATE):
            return False
        return api.uses_keys and len(api.keys) > 1 and not api.keys.usable(self._now(), call.critical)

    def _waits_for_release(self, call: Call, api: Api, outcome: Outcome, now: float) -> bool:
        """A short hold of the only API (429 with a near reset) is waited for by `_choose`."""
        if outcome.kind is not OutcomeClass.RATE or not api.uses_keys:
            return False
        after = api.keys.release_after()
        return after is not None and after <= min(api.options.retry.max_wait, call.deadline_at - now)

    def _same_again(self, call: Call, api: Api, outcome: Outcome, others: bool, now: float) -> float | None:
        """Seconds to wait before the same API is asked again; None when it is not."""
        options = api.options.retry
        tries = call.tries.get(api.name, 0)
        allowed = outcome.again is Again.ANY or (
            outcome.again in (Again.SAFE, Again.ONCE_SAFE) and call.source.safe_again
        )
        if not allowed or options.mode is Mode.OFF or tries >= options.max_attempts_per_api:
            return None
        if outcome.again is Again.ONCE_SAFE and tries > 1:
            return None
        wait = backoff(options, tries - 1, self._rng)
        if outcome.retry_after is not None:
            if outcome.retry_after > options.max_wait:
                return None
            wait = max(wait, outcome.retry_after * (1.0 + 0.1 * self._rng.random()))
        if others and not self._worth_repeating(call, api, outcome, wait, tries):
            return None
        if wait >= call.deadline_at - now:
            return None
        if options.mode is Mode.OBSERVE:
            self._emit("retry.observed", api=api.name, route=call.route.name, wait=wait)
            return None
        if not api.budget.withdraw():
            call.notes.append(f"retry budget of {api.name} is spent")
            self._emit("budget.spent", api=api.name, route=call.route.name)
            return None
        if outcome.retry_after is not None:
            # The hold placed for others must not keep this call, which waits it out, away.
            api.hold_until = min(api.hold_until, now + wait)
        return wait

    def _worth_repeating(self, call: Call, api: Api, outcome: Outcome, wait: float, tries: int) -> bool:
        """With another API at hand, only what is quick and likely is repeated on the same one."""
        patient = call.route.options.wait_for_lead
        if outcome.retry_after is not None:
            return bool(patient) and api is call.apis[0] and outcome.retry_after <= patient
        if api.name in call.failed_lately:
            return False
        fast = outcome.status is not None and outcome.status >= 500 and tries == 1 and wait <= FAST_RETRY
        return outcome.never_sent or fast
