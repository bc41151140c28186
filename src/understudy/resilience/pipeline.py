"""The way of a call that has left the prepared path: choose, try, judge, again or next (rule R0).

A clean first attempt never comes here (see `fallback`). Order of one attempt, outermost first:
total deadline, choice of an API, retry budget, key, rate limit, bulkhead, breaker permit, attempt
limit, transport, validation. Whatever is taken on the way in is given back exactly once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from understudy.core.clock import Clock
from understudy.core.errors import AttemptTimeout, DeadlineExceeded, Rejected
from understudy.core.http import is_unsent
from understudy.core.types import AttemptRecord, Attribution, Candidate, Explanation, OutcomeClass, Verdict

from .admission import Admission
from .breaker_state import BreakerState
from .call import Attempt, Call, First, Result
from .deadline import IDLE, DeadlineWheel, Scope, ended_by_us, unmark_groups
from .ending import ABANDONED, CUT, decision_record, final_error, rejected, rejection_gate
from .http_source import HeldStream
from .next_step import REPEATED, NextStep
from .outcome import SUCCESS, Outcome
from .registry import Api, Binding, Route
from .standing import NOT_PINNED, Gatekeeper

#: An API that failed that short a time before the call is not asked twice while another could serve, s.
RECENT_FAILURE = 10.0
#: An attempt cut short after less than this, or 4 medians, says nothing about the API, s.
TELLING = 0.5
#: Panic sends at most one call of a route in this time, s.
PANIC_EVERY = 1.0
#: Gates that an API's own record has closed, and no operator, hold or key.
_BY_STATISTICS = frozenset({"breaker_open", "hub_open"})
#: Refusals at the door that may have passed a moment later.
_MAY_PASS = frozenset({"breaker_open", "rate_limited", "keys_unavailable", "quota_exhausted"})


class Pipeline:
    """Serves calls of one application on its event loop."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        gates: Gatekeeper,
        report: Callable[[Call, Explanation, BaseException | None], None],
        emit: Callable[..., None],
    ) -> None:
        self._clock = clock
        self._now = clock.monotonic
        self._rng = rng
        self._gates = gates
        self._report = report
        self._emit = emit
        self._next = NextStep(clock, rng, gates, emit)
        self.policy_version = 1
        #: Called when an API has been asked to rest: what was prepared may send calls there.
        self.on_hold: Callable[[], None] = _nobody
        #: Calls let through although our own code failed (rule R19).
        self.self_failures = 0

    async def run(self, call: Call, wheel: DeadlineWheel, first: First | None = None) -> Result:
        """Serve `call`, or raise what it ended with.

        `first` hands over an attempt that the prepared path made and that did not succeed.
        """
        scope = wheel.enter()
        task = scope.task
        cancelling = task.cancelling() if task is not None else 0
        resting = scope.limit
        bound = scope.bound()
        call.deadline_at = min(call.deadline_at, bound)
        call.policy_version = self.policy_version
        scope.limit = call.deadline_at
        wheel.arm()
        try:
            return await self._guarded(call, scope, cancelling, first)
        except asyncio.CancelledError:
            if not ended_by_us(scope, cancelling):
                self._finish(call, "cancelled", "", None)
                raise
            call.timed_out = True
        finally:
            scope.limit = resting if resting == IDLE or resting > 0 else scope.rest()
            if resting != IDLE:
                wheel.arm()
        return await self._last_resort(call)

    async def _guarded(self, call: Call, scope: Scope, cancelling: int, first: First | None) -> Result:
        """Serve the call; a fault of our own code lets it through once, if nothing was sent (rule R19)."""
        try:
            result = await self._serve(call, scope, cancelling, first)
        except Exception as error:
            self.own_fault(call.route, error)
            if call.answer is not None:
                value, api = call.answer
                return Result(value, api, lambda: self._record(call, "success", api))
            if call.total or not call.apis:
                raise
            return await self._let_through(call)
        return result if result is not None else await self._last_resort(call)

    def own_fault(self, route: Route, error: Exception) -> None:
        """Count and tell an exception of our own code, which no call should have met."""
        self.self_failures += 1
        self._emit("self.failure", route=route.name, error=type(error).__name__)

    async def _let_through(self, call: Call) -> Result:
        """One plain attempt on the lead, past everything of ours that may be broken."""
        lead = call.apis[0]
        binding = self._gates.binding(lead, call.route)
        try:
            key = lead.keys.pick() if lead.is_http else None
        except Rejected:
            key = None
        value, _ = await call.source.attempt(Attempt(binding, key, call.deadline_at, 1))
        return Result(value, lead.name, lambda: self._record(call, "success", lead.name))

    async def _serve(self, call: Call, scope: Scope, cancelling: int, first: First | None) -> Result | None:
        """Try APIs until one serves; None when nothing is left to try."""
        step = "next"
        binding: Binding | None = None
        while True:
            if first is not None:
                binding = first.binding
                value, outcome = self._adopt(call, first)
                first = None
            else:
                if step == "next":
                    binding = await self._choose(call)
                if binding is None or step == "stop":
                    return None
                value, outcome = await self._attempt(call, binding, scope, cancelling, fresh=step == "fresh")
            if outcome.verdict is Verdict.SUCCESS:
                return self._served(call, binding, value)
            step = self._next.after(call, binding.api, outcome)
            readable = value is not None and outcome.attribution is Attribution.CALLER
            if readable and (step != "next" or not self._gates.others(call, binding.api, self._now())):
                # It is the caller's to read (404, 422, …), unless a rule sends it on and somebody is left.
                return self._served(call, binding, value)
            if value is not None:
                await call.source.discard(value)
            if call.waited > 0:
                wait, call.waited = call.waited, 0.0
                await self._pause(call, wait)
                if self._gates.barred(binding.api, self._now()):
                    step = "next"  # taken out of service, or asked to rest, meanwhile: another, or the end of the hold

    def _adopt(self, call: Call, first: First) -> tuple[Any, Outcome]:
        """Book an attempt of the prepared path as the call's first."""
        api = first.binding.api
        call.total += 1
        call.tries[api.name] = 1
        if first.error is not None:
            return None, self._judge(
                call, first.binding, first.error, first.seconds, call.started, first, 0.0, ours=first.ours
            )
        outcome = first.outcome
        assert outcome is not None  # noqa: S101 - a First has an error or an outcome; for the type checker
        self._note(call, first.binding, outcome, first.seconds, 0.0, first, 0.0)
        call.causes[api.name] = call.source.refused(api, first.value, outcome)
        return first.value, outcome

    # -- choosing -------------------------------------------------------------------------------

    async def _choose(self, call: Call) -> Binding | None:
        """The binding to try next; waits for a hold that ends in time, or panics; None when nothing is left."""
        while True:
            now = self._now()
            if call.total >= call.policy.max_attempts:
                call.notes.append(f"all {call.total} attempts of the call are used")
                return None
            ranked = self._gates.rank(call, now)
            call.candidates = ranked
            eligible = [candidate for candidate in ranked if not candidate.gate]
            if eligible:
                binding = self._gates.among(call, eligible[0].api)
                if not call.tries.get(binding.api.name) or self._next.repeats(call, binding.api):
                    return binding
                continue
            wait = self._gates.release_after(call, now)
            if wait is not None and wait <= call.deadline_at - now:
                self._note_wait(call)
                await self._pause(call, max(wait, 0.001))
                continue
            return self._panic(call, ranked, now)

    async def _pause(self, call: Call, seconds: float) -> None:
        """Let time pass before the next attempt, whose record tells it."""
        call.paused += seconds
        await self._clock.sleep(seconds)

    def _note_wait(self, call: Call) -> None:
        note = "waited: no API was free"
        if note not in call.notes:
            call.notes.append(note)

    def _panic(self, call: Call, ranked: list[Candidate], now: float) -> Binding | None:
        """When statistics alone keep every API out, the one that is open longest gets one call (Envoy's panic mode)."""
        gates = {candidate.gate for candidate in ranked}
        if not gates & _BY_STATISTICS or not gates <= _BY_STATISTICS | {"tried", NOT_PINNED}:
            return None
        if call.panics or now - call.route.panicked_at < PANIC_EVERY:
            return None
        out = [c.api for c in ranked if c.gate in _BY_STATISTICS and not call.tries.get(c.api)]
        bindings = [self._gates.among(call, name) for name in out]
        open_ones = [(since, binding) for binding in bindings if (since := _open_since(binding)) is not None]
        if not open_ones:
            return None
        _, oldest = min(open_ones, key=lambda entry: entry[0])
        call.route.panicked_at = now
        call.notes.append(f"panic: every breaker is open, {oldest.api.name} gets one call")
        call.panics = True
        call.panic_on = oldest.api.name
        return oldest

    # -- one attempt ----------------------------------------------------------------------------

    async def _admit(self, call: Call, binding: Binding) -> Admission | Outcome:
        """All that an attempt needs before it starts; or, when it may not start, the outcome of that."""
        api = binding.api
        panic, call.panic_on = call.panic_on == api.name, ""
        admission = Admission(binding, self._clock)
        try:
            await admission.enter(call, panic=panic)
        except Rejected as rejection:
            gate = rejection_gate(rejection)
            times = call.turned_away[api.name] = call.turned_away.get(api.name, 0) + 1
            # A hold that others placed meanwhile may be waited for; who is turned away twice goes on.
            if times > 1 or gate not in _MAY_PASS:
                call.spent[api.name] = gate
            call.causes.setdefault(api.name, rejection)
            return rejected(str(rejection))
        if call.deadline_at - self._now() < self._gates.least_time(api):
            admission.leave(ABANDONED)
            call.spent[api.name] = "deadline"
            return rejected("too little time is left for an attempt")
        return admission

    async def _attempt(
        self, call: Call, binding: Binding, scope: Scope, cancelling: int, *, fresh: bool
    ) -> tuple[Any, Outcome]:
        api = binding.api
        queued = self._now() - call.paused
        call.paused = 0.0
        admission = await self._admit(call, binding)
        if isinstance(admission, Outcome):
            return None, admission
        begun = self._now()
        waited = begun - queued
        api.asked_at = self._now()
        limit = min(begun + api.options.timeout.attempt, call.deadline_at - self._gates.reserve(call, api, begun))
        call.total += 1
        call.tries[api.name] = call.tries.get(api.name, 0) + 1
        scope.limit = limit

        def first_byte() -> None:
            if scope.limit == limit:  # from here on, the stream's own limits hold
                scope.limit = call.deadline_at

        attempt = Attempt(binding, admission.key, limit, call.total, fresh, admission.hand_over(), first_byte)
        outcome = ABANDONED
        value: Any = None
        repeated = REPEATED.set(True) if call.total > 1 else None
        try:
            try:
                value, outcome = await call.source.attempt(attempt)
                seconds = self._now() - begun
                if outcome.verdict is not Verdict.SUCCESS:
                    call.causes[api.name] = call.source.refused(api, value, outcome)
                streaming = isinstance(value, HeldStream) and value.pending and outcome.verdict is Verdict.SUCCESS
                self._note(call, binding, outcome, seconds, begun - call.started, admission, waited, book=not streaming)
                if streaming:
                    value.on_end = self._stream_end(binding, admission, begun)
                    value.on_chunk = admission.renew
                    return value, outcome
            except BaseException as error:
                seconds = self._now() - begun
                caught = self._our_time_out(call, scope, cancelling, error, limit, seconds)
                ours = caught is not error and isinstance(caught, Exception)
                outcome = self._judge(call, binding, caught, seconds, begun, admission, waited, ours=ours)
                if isinstance(caught, Exception):
                    return value, outcome
                if caught is not error:
                    raise caught from error
                raise
        finally:
            if repeated is not None:
                REPEATED.reset(repeated)
            ended_by_us(scope, cancelling)  # of an operation that took our limit for a reason to return
            scope.limit = call.deadline_at
            if not (isinstance(value, HeldStream) and value.on_end is not None):
                admission.leave(outcome)
        return value, outcome

    def _our_time_out(
        self, call: Call, scope: Scope, cancelling: int, error: BaseException, limit: float, seconds: float
    ) -> BaseException:
        """The error itself, or our own time-out when the wheel ended the attempt, or the caller's cancellation
        when the operation made an error of its own out of it: who has gone is served by nobody.
        """
        cancelled = isinstance(error, asyncio.CancelledError)
        unmark_groups(scope, error)
        ours = ended_by_us(scope, cancelling) and cancelled
        if not cancelled and scope.task is not None and scope.task.cancelling() > cancelling:
            return asyncio.CancelledError()
        nested = isinstance(error, DeadlineExceeded) and self._now() >= limit
        if ours or nested:
            return AttemptTimeout(f"no answer within {seconds:.2f} s", sent=not is_unsent(error))
        return error

    def _stream_end(
        self, binding: Binding, admission: Admission, begun: float
    ) -> Callable[[BaseException | None, bool], None]:
        """What happens when a streamed body ends: only then is the attempt's outcome known and booked."""

        def ended(error: BaseException | None, complete: bool) -> None:
            seconds = self._now() - begun
            if error is not None:
                outcome = binding.api.judge(error, elapsed=seconds)
            elif complete:
                outcome = SUCCESS
            else:
                outcome = ABANDONED
            self._gates.book(binding, outcome, seconds, admission.generation)
            admission.leave(outcome)

        return ended

    def _judge(
        self,
        call: Call,
        binding: Binding,
        error: BaseException,
        seconds: float,
        begun: float,
        admission: Admission | First,
        waited: float,
        *,
        ours: bool = False,
    ) -> Outcome:
        """Classify how an attempt ended, and book it; `ours` says that our own limit ended it."""
        api = binding.api
        first = api.name not in call.refreshed
        judge = api.classifier.error if ours else api.judge  # our own limit is not the user's to judge
        outcome = judge(error, elapsed=seconds, first_reuse_fault=first)
        if ours:
            outcome = self._cut(call, api, outcome, seconds)
        outcome = self._gates.local_network(call, api, error, outcome)
        call.causes[api.name] = error
        if outcome.kind is OutcomeClass.REJECTED:
            call.spent[api.name] = "tried"  # a mechanism of ours inside the operation refused: not again here
        self._note(call, binding, outcome, seconds, begun - call.started, admission, waited)
        return outcome

    def _cut(self, call: Call, api: Api, outcome: Outcome, seconds: float) -> Outcome:
        """An attempt that our deadline cut short is the provider's fault only when it had time enough.

        The time kept back for the next API is that API's all the same.
        """
        median = self._gates.p50(api) or 0.0
        if seconds >= api.options.timeout.attempt * 0.99 or seconds > max(TELLING, 4.0 * median):
            return outcome
        return ABANDONED if self._now() >= call.deadline_at else CUT

    def _note(
        self,
        call: Call,
        binding: Binding,
        outcome: Outcome,
        seconds: float,
        begun: float,
        admission: Admission | First,
        waited: float,
        *,
        book: bool = True,
    ) -> None:
        """Book an attempt: series, holds, record, event. Order matters: the series before the permit."""
        api, key = binding.api, admission.key
        if call.tries.get(api.name, 0) <= 1 and api.failed_at >= call.started - RECENT_FAILURE:
            call.failed_lately.add(api.name)  # for another call: this one's own failure is booked below
        call.source.settle(api, key, outcome)
        if book:
            self._gates.book(binding, outcome, seconds, admission.generation)
        if outcome.verdict is Verdict.FAILURE:
            call.failed_hubs.add(api.hub.name)
            if outcome.retry_after is not None and api.hold(outcome.retry_after, outcome.reason):
                self._emit("hold.placed", api=api.name, seconds=outcome.retry_after, reason=outcome.reason)
                self.on_hold()
        elif outcome.hold:
            self.on_hold()  # on the key, or on an operation's API
        call.attempts.append(
            AttemptRecord(
                api=api.name,
                key=key.alias if key is not None else "",
                started_at=max(0.0, begun),
                duration=seconds,
                outcome=outcome.kind,
                attribution=outcome.attribution,
                status=outcome.status,
                reason=outcome.reason,
                waited=waited,
                budget_left=api.budget.left(),
                quota_left=api.keys.remaining(key) if key is not None else None,
            )
        )
        if outcome.verdict is not Verdict.SUCCESS:
            self._emit(
                "attempt.failed",
                api=api.name,
                route=call.route.name,
                outcome=outcome.kind.value,
                attribution=outcome.attribution.value,
                status=outcome.status,
                reason=outcome.reason,
            )

    # -- the end ---------------------------------------------------------------------------------

    def _served(self, call: Call, binding: Binding, value: Any) -> Result:
        api = binding.api.name
        call.answer = (value, api)
        lead = call.apis[0].name
        # Whoever serves by a person's word stands in for nobody.
        passed_over = any((c.gate or c.detail) and c.gate != NOT_PINNED and c.api == lead for c in call.candidates)
        fallback = (api != lead and passed_over) or any(record.api != api for record in call.attempts)
        record = self._finish(call, "fallback" if fallback else "success", api, None)
        return Result(value, api, lambda: record)

    async def _last_resort(self, call: Call) -> Result:
        """The default that the caller gave, or the error with the full history."""
        error = final_error(call, self._gates, self._now())
        record = self._finish(call, "deadline" if isinstance(error, DeadlineExceeded) else "failed", "", error)
        if call.has_default:
            value = call.default
            return Result(value, "", lambda: record)
        raise error

    def _finish(self, call: Call, outcome: str, api: str, error: BaseException | None) -> Explanation:
        record = self._record(call, outcome, api)
        if error is not None and hasattr(error, "explanation"):
            error.explanation = record
        self._report(call, record, error)
        return record

    def _record(self, call: Call, outcome: str, api: str) -> Explanation:
        return decision_record(call, outcome, api, self._now(), self._clock.time())


def _nobody() -> None:
    """Nothing was prepared by anybody."""


def _open_since(binding: Binding) -> float | None:
    """Since when an open breaker, its own or its hub's, keeps the API out; None when it does not, or is on trial.

    A trial under way belongs to another call.
    """
    found = []
    for breaker in (binding.breaker, binding.api.hub.breaker):
        if breaker.blocked():
            if breaker.state is not BreakerState.OPEN:
                return None
            found.append(breaker.view().since_at)
    return min(found, default=None)
