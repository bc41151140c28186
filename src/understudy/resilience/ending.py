"""How a call ends: the error that tells what every API said, and the decision record (rule R9)."""

from __future__ import annotations

from dataclasses import replace

from understudy.core.errors import AllApisFailed, BreakerOpen, DeadlineExceeded, NoEligibleApi, Rejected
from understudy.core.types import AttemptRecord, Attribution, Explanation, OutcomeClass, Verdict

from .call import Call
from .outcome import Again, Next, Outcome
from .plan import Plan
from .registry import Route
from .standing import Gatekeeper

#: Characters of one API's error that the error about all of them repeats.
MOST_SAID = 1000
#: Nobody's fault but the caller's own time or will.
ABANDONED = Outcome(
    kind=OutcomeClass.CANCELLED,
    attribution=Attribution.CALLER,
    verdict=Verdict.NEUTRAL,
    again=Again.NO,
    next=Next.NO,
    reason="ended by the caller, or by a deadline that left too little time",
)
#: The same, cut short so that the next API has the time that was kept for it.
CUT = replace(ABANDONED, next=Next.SAFE, reason="cut short early, to leave the next API its time")


def final_error(call: Call, gates: Gatekeeper, now: float) -> BaseException:
    """The error with the full history of a call that nobody served; `now` is monotonic seconds."""
    tried = list(dict.fromkeys(record.api for record in call.attempts))
    too_late = any(candidate.gate == "deadline" for candidate in call.candidates)
    if call.timed_out or too_late or now >= call.deadline_at:
        told = "; ".join(f"{api}: {_say(call.causes[api])}" for api in tried if api in call.causes)
        seconds = call.deadline_at - call.started
        text = f"{call.route.name}: time ran out after {call.total} attempts ({seconds:.2f} s)"
        return DeadlineExceeded(f"{text}: {told}" if told else text, call.total, causes=call.causes)
    if not tried:
        rejections = [cause for cause in call.causes.values() if isinstance(cause, Rejected)]
        if len(call.apis) == 1 and rejections:
            return rejections[0]
        return _nothing_eligible(call, gates)
    if len(tried) == 1:
        return call.causes.get(tried[0]) or NoEligibleApi(f"{call.route.name}: no API could serve the call")
    told = "; ".join(f"{api}: {_say(call.causes[api])}" for api in tried if api in call.causes)
    return AllApisFailed(f"{call.route.name}: every API failed: {told}", call.causes)


def _nothing_eligible(call: Call, gates: Gatekeeper) -> BaseException:
    for candidate in call.candidates:
        if candidate.gate in ("breaker_open", "hub_open", "forced_open"):
            binding = gates.among(call, candidate.api)
            breaker = binding.breaker if binding.breaker.blocked() else binding.api.hub.breaker
            view = breaker.view()
            whose = "circuit breaker" if breaker is binding.breaker else f"circuit breaker of {binding.api.hub.name}"
            why = f"{view.reason} ({view.actor})" if view.reason else view.last_cause
            call.causes[candidate.api] = BreakerOpen(
                f"{candidate.api}: the {whose} is {view.state.value.replace('_', ' ')}: {why}",
                view.retry_after,
                view.state.value,
                why,
            )
    if len(call.apis) == 1 and len(call.causes) == 1:
        return next(iter(call.causes.values()))
    reasons = "; ".join(f"{c.api}: {c.gate} {c.detail}".rstrip() for c in call.candidates)
    return NoEligibleApi(
        f"{call.route.name}: no API can serve this call now: {reasons or 'none is registered'}", call.causes
    )


def decision_record(call: Call, outcome: str, api: str, now: float, wall: float) -> Explanation:
    """The record of a call as it stands; `now` is monotonic seconds, `wall` the same moment as Unix time."""
    eligible = [candidate.api for candidate in call.candidates if not candidate.gate and candidate.api != api]
    return Explanation(
        call_id=call.call_id,
        route=call.route.name,
        at=wall - (now - call.started),
        duration=now - call.started,
        outcome=outcome,
        chosen=api,
        runner_up=eligible[0] if eligible else "",
        candidates=tuple(call.candidates),
        attempts=tuple(call.attempts),
        deadline=call.deadline_at - call.started,
        policy_version=call.policy_version,
        mode=call.policy.mode,
        notes=(*_pin_of(call.route), *call.notes),
    )


def _pin_of(route: Route) -> tuple[str, ...]:
    """That a person said who leads: without it nobody would understand why this API was chosen."""
    pin = route.pinned()
    if pin is None:
        return ()
    return (f"{pin.api} is pinned{' and serves alone' if pin.only else ''}: {pin.reason} ({pin.actor})",)


def clean_record(plan: Plan, route: Route, at: float, seconds: float, policy_version: int) -> Explanation:
    """The record of a call that succeeded at once; `at` is Unix time, `seconds` its duration."""
    name = plan.api.name
    return Explanation(
        call_id="",
        route=route.name,
        at=at,
        duration=seconds,
        outcome="success",
        chosen=name,
        runner_up=next((c.api for c in plan.candidates if not c.gate and c.api != name), ""),
        candidates=plan.candidates,
        attempts=(AttemptRecord(name, "", 0.0, seconds, OutcomeClass.SUCCESS, Attribution.NONE),),
        deadline=route.options.deadline,
        policy_version=policy_version,
        mode=route.options.mode,
        notes=_pin_of(route),
    )


def abandoned_record(plan: Plan, call_id: str, at: float, seconds: float, policy_version: int) -> Explanation:
    """The record of a call that its caller gave up during the first attempt, made on the prepared path."""
    attempt = AttemptRecord(
        plan.api.name, "", 0.0, seconds, ABANDONED.kind, ABANDONED.attribution, reason=ABANDONED.reason
    )
    clean = clean_record(plan, plan.route, at, seconds, policy_version)
    return replace(clean, call_id=call_id, outcome="cancelled", chosen="", attempts=(attempt,))


def _say(error: BaseException) -> str:
    """What an API said, for a sentence about several: a page of it helps nobody, and the error itself has it whole."""
    text = str(error)
    if len(text) > MOST_SAID:
        text = f"{text[:MOST_SAID]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def rejection_gate(rejection: Rejected) -> str:
    """The gate that a refusal at the door shows in the decision record."""
    return {
        "BreakerOpen": "breaker_open",
        "BulkheadFull": "bulkhead_full",
        "RateLimited": "rate_limited",
        "KeysUnavailable": "keys_unavailable",
        "QuotaExhausted": "quota_exhausted",
    }.get(type(rejection).__name__, "rejected")


def rejected(reason: str) -> Outcome:
    """The outcome of an attempt that was refused before anything was sent."""
    return Outcome(
        kind=OutcomeClass.REJECTED,
        attribution=Attribution.SELF,
        verdict=Verdict.NEUTRAL,
        again=Again.NO,
        next=Next.ANY,
        reason=reason,
        executed=False,
    )
