"""A minute of `make soak`'s survival: every API fails in turn under 50 calls a second, over real HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from soak import survival
from understudy.core.types import AttemptRecord, Attribution, Candidate, Explanation, OutcomeClass


@pytest.fixture
def first_in_line() -> Iterator[None]:
    """The scheduler prefers this process, where it may: the other half of the suite is no part of the experiment."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, before - 10)
    except PermissionError:
        yield
        return
    yield
    os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("first_in_line")
async def test_calls_on_a_route_with_one_healthy_standby_survive_and_every_fallback_is_explained():
    report = await survival.sample(7)
    assert not report.broken, "\n".join(report.broken)


def record(**changes: object) -> Explanation:
    about: dict[str, object] = {
        "call_id": "c-1", "route": "r", "at": 0.0, "duration": 0.1, "outcome": "fallback", "chosen": "standby",
        "runner_up": "", "candidates": (Candidate("standby", cost=1.0),), "deadline": 5.0, "policy_version": 1,
        "attempts": (AttemptRecord("standby", "", 0.0, 0.1, OutcomeClass.SUCCESS, Attribution.NONE),),
    }  # fmt: skip
    return Explanation(**{**about, **changes})


def test_a_record_that_does_not_say_why_the_lead_did_not_serve_explains_nothing():
    assert survival.why_not(record(), "lead") == ""
    assert survival.why_not(record(candidates=(Candidate("lead", cost=9.0),)), "lead") == ""
    assert survival.why_not(record(candidates=(Candidate("lead", "tried"),)), "lead") == ""
    unsaid = AttemptRecord("lead", "", 0.0, 0.1, OutcomeClass.PROVIDER, Attribution.PROVIDER)
    assert survival.why_not(record(attempts=(unsaid,)), "lead") == ""


def test_a_failed_attempt_a_closed_gate_and_a_recovery_explain_a_fallback():
    failed = AttemptRecord("lead", "", 0.0, 0.1, OutcomeClass.PROVIDER, Attribution.PROVIDER, 503, "HTTP 503")
    assert survival.why_not(record(attempts=(failed,)), "lead") == "tried: provider"
    gated = record(candidates=(Candidate("lead", "breaker_open", "3 failures in a row"),))
    assert survival.why_not(gated, "lead") == "passed over: breaker_open"
    recovering = record(candidates=(Candidate("lead", detail="just closed; takes part of its share", cost=1.0),))
    assert survival.why_not(recovering, "lead") == "passed over: just closed; takes part of its share"


def test_the_experiment_breaks_its_promise_when_a_call_is_late_lost_or_unexplained():
    tally = survival.Tally(calls=1000, failed=2, stood_in=1, reached_deadline=1)
    assert len(survival.judge(tally, [], 0.0).broken) == 1
    late = survival.Tally(calls=1000, stood_in=1)
    late.timed("route", 5.11, 5.0)
    assert len(survival.judge(late, [], 0.0).broken) == 1
    unexplained = survival.Tally(calls=1000, stood_in=1, reached_deadline=1, unexplained=["c-1"])
    assert len(survival.judge(unexplained, [], 0.0).broken) == 1
    assert len(survival.judge(survival.Tally(calls=1000, stood_in=1, reached_deadline=1), ["a: 1"], 0.0).broken) == 1
