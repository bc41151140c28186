"""The circuit breaker: when it trips, how it lets trials through, how it closes, what an operator may do."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from math import inf

import pytest

from understudy.core.errors import BreakerOpen
from understudy.core.types import Mode, Verdict
from understudy.resilience.breaker import Breaker, BreakerOptions, BreakerState, Permit
from understudy.testing import FakeClock

FAIL, OK = -0.1, 0.1
Told = list[tuple[str, str, str]]


def make(clock: FakeClock | None = None, told: Told | None = None, **options: object) -> tuple[Breaker, FakeClock]:
    """A breaker without jitter, unless told otherwise, and its clock."""
    clock = clock or FakeClock()
    options.setdefault("jitter", 0.0)
    record = [] if told is None else told
    breaker = Breaker(
        "fixtures",
        BreakerOptions(**options),  # type: ignore[arg-type]  # the test names real fields
        clock,
        random.Random(1),
        on_transition=lambda _, old, new, cause: record.append((old, new, cause)),
    )
    return breaker, clock


def opened(**options: object) -> tuple[Breaker, FakeClock]:
    """A breaker that five failures have opened."""
    breaker, clock = make(**options)
    breaker.settle([FAIL] * 5)
    assert breaker.state is BreakerState.OPEN
    return breaker, clock


def half_open(**options: object) -> tuple[Breaker, FakeClock]:
    """A breaker whose wait has elapsed."""
    breaker, clock = opened(**options)
    clock.tick(30.0)
    return breaker, clock


def permit_of(breaker: Breaker) -> Permit:
    """The permit that must be given now."""
    permit = breaker.admit()
    assert permit is not None
    return permit


# -- tripping -----------------------------------------------------------------------------------


def test_five_failures_in_a_row_open_it_and_four_do_not() -> None:
    breaker, _ = make()
    breaker.settle([FAIL] * 4)
    assert breaker.closed and breaker.admit() is None
    breaker.settle([FAIL])
    assert breaker.state is BreakerState.OPEN and not breaker.closed
    assert breaker.view().last_cause == "5 failures in a row"


def test_three_failures_in_a_row_open_it_while_a_standby_exists() -> None:
    breaker, _ = make()
    breaker.standby = True
    breaker.settle([OK, FAIL, FAIL])
    assert breaker.closed
    breaker.settle([FAIL])
    assert not breaker.closed


def test_a_success_between_failures_starts_the_row_again() -> None:
    breaker, _ = make(min_calls=100)
    breaker.settle([FAIL] * 4 + [OK] + [FAIL] * 4)
    assert breaker.closed


def test_minus_zero_and_minus_infinity_are_failures_and_zero_is_a_success() -> None:
    breaker, _ = make()
    breaker.settle([-0.0, -inf, -0.0, -inf, 0.0])
    assert breaker.closed
    breaker.settle([-0.0, -inf, -0.0, -inf, -0.0])
    assert not breaker.closed
    assert breaker.view().slow == 0


def test_half_of_ten_attempts_failing_opens_it() -> None:
    breaker, _ = make()
    breaker.settle([OK, FAIL] * 4 + [OK])
    assert breaker.closed
    breaker.settle([FAIL])
    assert breaker.view().last_cause == "5 of 10 attempts failed"


def test_no_good_outcome_ever_trips_it() -> None:
    breaker, _ = make()
    breaker.settle([FAIL, OK] * 4 + [FAIL])
    breaker.settle([OK])
    assert breaker.closed
    breaker.reset()
    breaker.settle([6.0] * 9 + [OK])
    assert breaker.closed


def test_slow_answers_open_it_although_they_succeed() -> None:
    breaker, _ = make()
    breaker.settle([6.0] * 9)
    assert breaker.closed
    breaker.settle([6.0])
    assert breaker.view().last_cause == "10 of 10 attempts took 5 s or more"


def test_what_is_older_than_the_window_is_forgotten() -> None:
    breaker, clock = make()
    breaker.settle([FAIL, OK] * 4)
    clock.tick(61.0)
    breaker.settle([OK, FAIL])
    view = breaker.view()
    assert breaker.closed and (view.calls, view.failures) == (2, 1)


def test_a_failing_attempt_after_the_trip_in_the_same_batch_changes_nothing() -> None:
    breaker, _ = make()
    breaker.settle([FAIL] * 50)
    assert breaker.generation == 1 and breaker.view().opened_count == 1


def test_a_threshold_lowered_below_the_counts_is_judged_at_the_next_outcome() -> None:
    breaker, _ = make()
    breaker.settle([FAIL] * 4)
    breaker.reconfigure(BreakerOptions(consecutive=2))
    assert breaker.closed
    breaker.settle([FAIL])
    assert not breaker.closed


def test_counts_survive_other_options_unless_the_window_changes_its_shape() -> None:
    breaker, _ = make()
    breaker.settle([FAIL, OK, OK])
    breaker.reconfigure(BreakerOptions(open_for=5.0))
    assert breaker.view().calls == 3
    breaker.reconfigure(BreakerOptions(window=30.0))
    assert breaker.view().calls == 0


# -- open ---------------------------------------------------------------------------------------


def test_an_open_breaker_tells_when_to_come_back_and_why() -> None:
    breaker, clock = opened()
    clock.tick(10.0)
    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    assert caught.value.retry_after == pytest.approx(20.0)
    assert caught.value.state == "open" and caught.value.last_cause == "5 failures in a row"
    assert "20.0 s" in breaker.blocked()


def test_the_wait_doubles_up_to_its_cap_and_never_overflows() -> None:
    breaker, clock = opened()
    waits = []
    for _ in range(1100):
        wait = breaker.view().retry_after
        assert wait is not None
        waits.append(wait)
        clock.tick(wait + 0.001)
        permit_of(breaker).release(Verdict.FAILURE)
    assert waits[:6] == pytest.approx([30, 60, 120, 240, 300, 300])
    assert max(waits) == pytest.approx(300.0)


def test_a_standby_without_a_free_probe_caps_the_wait_at_fifteen_seconds() -> None:
    breaker, _ = opened()
    breaker.standby = True
    assert breaker.view().retry_after == pytest.approx(15.0)
    breaker.free_probe = True
    assert breaker.view().retry_after == pytest.approx(30.0)


def test_the_wait_is_jittered_by_a_fifth_either_way() -> None:
    waits = []
    for seed in range(200):
        breaker = Breaker("a", BreakerOptions(), FakeClock(), random.Random(seed))
        breaker.settle([FAIL] * 5)
        waits.append(breaker.view().retry_after or 0.0)
    assert 24.0 <= min(waits) < 25.0 and 35.0 < max(waits) <= 36.0


def test_each_minute_closed_takes_one_doubling_back() -> None:
    breaker, clock = opened()
    for _ in range(2):
        clock.tick(300.0)
        permit_of(breaker).release(Verdict.FAILURE)
    assert breaker.view().opened_count == 3
    clock.tick(300.0)
    for _ in range(3):
        permit_of(breaker).release(Verdict.SUCCESS)
    clock.tick(119.0)
    assert breaker.view().opened_count == 2
    clock.tick(2.0)
    assert breaker.view().opened_count == 1
    breaker.settle([FAIL] * 5)
    assert breaker.view().opened_count == 2 and breaker.view().retry_after == pytest.approx(60.0)


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    breaker, clock = opened()
    for jump in (3600.0, -7200.0):
        clock.jump_wall(jump)
        assert breaker.view().retry_after == pytest.approx(30.0)
    clock.tick(30.0)
    assert breaker.admit() is not None


def test_attempts_that_end_while_it_is_open_are_not_counted() -> None:
    breaker, _ = opened()
    breaker.settle([OK] * 100)
    assert breaker.state is BreakerState.OPEN and breaker.view().calls == 0


# -- half-open ----------------------------------------------------------------------------------


def test_fifty_callers_at_a_half_open_breaker_leave_one_in_flight() -> None:
    breaker, _ = half_open()
    admitted = []
    for _ in range(50):
        try:
            admitted.append(breaker.admit())
        except BreakerOpen:
            continue
    assert len(admitted) == 1


def test_asking_whether_it_blocks_changes_nothing() -> None:
    breaker, _ = half_open()
    assert breaker.blocked() == ""
    assert breaker.state is BreakerState.OPEN and breaker.generation == 1


def test_three_successes_close_it() -> None:
    told: Told = []
    breaker, clock = make(told=told)
    breaker.settle([FAIL] * 5)
    clock.tick(30.0)
    for _ in range(3):
        assert not breaker.closed
        permit_of(breaker).release(Verdict.SUCCESS)
    assert breaker.state is BreakerState.CLOSED and breaker.admit() is None
    assert [(old, new) for old, new, _ in told] == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert breaker.generation == 3


def test_one_provider_failure_reopens_it_for_longer() -> None:
    breaker, _ = half_open()
    permit_of(breaker).release(Verdict.SUCCESS)
    permit_of(breaker).release(Verdict.FAILURE)
    assert breaker.state is BreakerState.OPEN and breaker.view().retry_after == pytest.approx(60.0)


def test_a_neutral_outcome_returns_the_permit() -> None:
    breaker, _ = half_open()
    for _ in range(1000):
        permit_of(breaker).release(Verdict.NEUTRAL)
    assert breaker.state is BreakerState.HALF_OPEN and breaker.view().permits_left == 3


def test_a_permit_counts_once_however_often_it_is_released() -> None:
    breaker, _ = half_open()
    permit = permit_of(breaker)
    permit.release(Verdict.SUCCESS)
    for verdict in Verdict:
        permit.release(verdict)
    assert breaker.state is BreakerState.HALF_OPEN and breaker.view().permits_left == 2


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_late_result_of_an_old_generation_changes_nothing(verdict: Verdict) -> None:
    breaker, clock = half_open(half_open_concurrent=2)
    late = permit_of(breaker)
    permit_of(breaker).release(Verdict.FAILURE)
    clock.tick(60.0)
    current = permit_of(breaker)
    late.release(verdict)
    assert breaker.state is BreakerState.HALF_OPEN and breaker.view().permits_left == 2
    current.release(Verdict.NEUTRAL)


def test_more_successes_than_permits_are_never_asked_for() -> None:
    breaker, _ = half_open(half_open_permits=2, half_open_successes=5)
    for _ in range(2):
        permit_of(breaker).release(Verdict.SUCCESS)
    assert breaker.closed


def test_a_lost_trial_reopens_it_without_a_longer_wait() -> None:
    told: Told = []
    breaker, clock = make(told=told)
    breaker.settle([FAIL] * 5)
    clock.tick(30.0)
    lost = permit_of(breaker)
    clock.tick(14.9)
    breaker.tick()
    assert breaker.state is BreakerState.HALF_OPEN
    clock.tick(0.2)
    assert breaker.blocked() == "probe_lost"
    breaker.tick()
    assert told[-1] == ("half_open", "open", "probe_lost")
    assert breaker.view().retry_after == pytest.approx(30.0)
    lost.release(Verdict.SUCCESS)
    assert breaker.state is BreakerState.OPEN


def test_a_lost_trial_is_noticed_by_the_next_caller_too() -> None:
    breaker, clock = half_open()
    permit_of(breaker)
    clock.tick(3600.0)  # as after a suspended night
    with pytest.raises(BreakerOpen):
        breaker.admit()
    assert breaker.view().last_cause == "probe_lost"


def test_a_sign_of_life_renews_the_lease() -> None:
    breaker, clock = half_open()
    permit = permit_of(breaker)
    for _ in range(10):
        clock.tick(14.0)
        permit.renew()
        breaker.tick()
    assert breaker.state is BreakerState.HALF_OPEN
    permit.release(Verdict.SUCCESS)
    permit.renew()
    assert breaker.view().permits_left == 2


def test_without_traffic_it_stays_half_open_and_never_closes_by_itself() -> None:
    breaker, clock = half_open()
    permit_of(breaker).release(Verdict.NEUTRAL)
    clock.tick(86_400.0)
    breaker.tick()
    assert breaker.state is BreakerState.HALF_OPEN and breaker.blocked() == ""


def test_a_thousand_neutral_answers_leave_it_unhealed() -> None:
    breaker, _ = half_open()
    for _ in range(1000):
        permit_of(breaker).release(Verdict.NEUTRAL)
    assert not breaker.closed


# -- panic --------------------------------------------------------------------------------------


def test_a_panic_call_that_fails_leaves_the_wait_as_it_was() -> None:
    breaker, clock = opened()
    clock.tick(10.0)
    permit = breaker.panic()
    assert breaker.state is BreakerState.HALF_OPEN and permit.generation == 2
    permit.release(Verdict.FAILURE)
    view = breaker.view()
    assert view.state is BreakerState.OPEN and view.opened_count == 1
    assert view.retry_after == pytest.approx(20.0) and view.last_cause == "5 failures in a row"


def test_panic_never_passes_a_half_open_or_forced_breaker() -> None:
    breaker, _ = half_open()
    permit_of(breaker)
    with pytest.raises(BreakerOpen):
        breaker.panic()
    breaker.force(BreakerState.FORCED_OPEN, reason="maintenance", actor="ana")
    with pytest.raises(BreakerOpen):
        breaker.panic()


def test_a_call_in_panic_goes_alone_however_many_trials_are_allowed_at_a_time() -> None:
    breaker, _ = opened(half_open_concurrent=3)
    permit = breaker.panic()
    assert breaker.blocked()
    with pytest.raises(BreakerOpen):
        breaker.admit()
    permit.release(Verdict.SUCCESS)
    assert permit_of(breaker) and permit_of(breaker)


def test_panic_successes_count_as_trials() -> None:
    breaker, _ = opened()
    breaker.panic().release(Verdict.SUCCESS)
    for _ in range(2):
        permit_of(breaker).release(Verdict.SUCCESS)
    assert breaker.closed


def test_a_panic_permit_of_a_breaker_that_has_closed_meanwhile_changes_nothing() -> None:
    breaker, _ = make()
    breaker.panic().release(Verdict.FAILURE)
    assert breaker.closed and breaker.generation == 0


# -- active checks ------------------------------------------------------------------------------


def test_one_good_check_ends_the_open_phase_early_but_only_for_trials() -> None:
    breaker, _ = opened()
    breaker.check(True)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.check(True)
    assert breaker.state is BreakerState.HALF_OPEN


def test_failed_checks_do_not_lengthen_an_open_phase() -> None:
    breaker, _ = opened()
    for _ in range(10):
        breaker.check(False)
    assert breaker.view().opened_count == 1 and breaker.view().retry_after == pytest.approx(30.0)


def test_three_failed_checks_open_it_unless_real_traffic_succeeds_meanwhile() -> None:
    breaker, _ = make()
    breaker.check(False)
    breaker.check(False)
    breaker.settle([OK])
    breaker.check(False)
    breaker.check(False)
    assert breaker.closed
    breaker.check(False)
    assert breaker.view().last_cause == "3 failed checks"


# -- the operator, and modes --------------------------------------------------------------------


def test_forcing_needs_a_reason_an_actor_and_a_state_that_can_be_forced() -> None:
    breaker, _ = make()
    with pytest.raises(ValueError, match="forced to"):
        breaker.force(BreakerState.HALF_OPEN, reason="r", actor="a")
    with pytest.raises(ValueError, match="reason"):
        breaker.force(BreakerState.FORCED_OPEN, reason=" ", actor="a")
    with pytest.raises(ValueError, match="expires_in"):
        breaker.force(BreakerState.FORCED_OPEN, reason="r", actor="a", expires_in=0.0)
    assert breaker.closed


def test_forced_open_admits_nobody_until_it_expires() -> None:
    breaker, clock = make()
    breaker.force(BreakerState.FORCED_OPEN, reason="maintenance", actor="ana", expires_in=60.0)
    assert breaker.blocked() == "forced open by ana: maintenance"
    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    assert caught.value.retry_after == pytest.approx(60.0)
    clock.tick(60.0)
    assert breaker.blocked() == "" and breaker.admit() is None
    assert breaker.state is BreakerState.CLOSED


def test_forced_closed_admits_everybody_whatever_happens() -> None:
    breaker, _ = make()
    breaker.force(BreakerState.FORCED_CLOSED, reason="trust me", actor="ana")
    breaker.settle([FAIL] * 100)
    assert breaker.closed and breaker.admit() is None


def test_lifting_a_force_returns_to_the_open_phase_it_interrupted() -> None:
    breaker, clock = opened()
    clock.tick(10.0)
    breaker.force(BreakerState.FORCED_CLOSED, reason="try", actor="ana")
    breaker.unforce()
    assert breaker.state is BreakerState.OPEN and breaker.view().retry_after == pytest.approx(20.0)


def test_forced_state_or_reset_during_a_trial_makes_its_result_late() -> None:
    for interfere in (
        lambda b: b.force(BreakerState.FORCED_OPEN, reason="r", actor="a"),
        lambda b: b.reset(),
    ):
        breaker, _ = half_open()
        permit = permit_of(breaker)
        interfere(breaker)
        state, generation = breaker.state, breaker.generation
        permit.release(Verdict.FAILURE)
        assert (breaker.state, breaker.generation) == (state, generation)


def test_a_trial_that_was_due_is_due_again_after_a_force() -> None:
    breaker, _ = half_open()
    permit_of(breaker)
    breaker.force(BreakerState.FORCED_OPEN, reason="r", actor="a")
    breaker.unforce()
    assert breaker.blocked() == ""


def test_the_same_forced_state_again_tells_nobody() -> None:
    told: Told = []
    breaker, _ = make(told=told)
    breaker.force(BreakerState.FORCED_OPEN, reason="one", actor="ana")
    breaker.force(BreakerState.FORCED_OPEN, reason="two", actor="bob")
    assert len(told) == 1 and breaker.view().reason == "two"


def test_reset_forgets_everything_and_makes_results_under_way_late() -> None:
    told: Told = []
    breaker, _ = make(told=told)
    breaker.settle([FAIL] * 4)
    breaker.reset()
    assert told == [] and breaker.generation == 1 and breaker.view().calls == 0
    breaker.settle([FAIL] * 4)
    assert breaker.closed


@pytest.mark.parametrize("how", ["mode", "forced"])
def test_an_observing_breaker_says_once_per_episode_that_it_would_open_and_admits(how: str) -> None:
    told: Told = []
    breaker, clock = make(told=told, mode=Mode.OBSERVE if how == "mode" else Mode.ENFORCE)
    if how == "forced":
        breaker.force(BreakerState.OBSERVE, reason="watch", actor="ana")
        told.clear()
    breaker.settle([FAIL] * 50)
    assert [new for _, new, _ in told] == ["would_open"]
    assert breaker.view().would_open and breaker.closed and breaker.admit() is None
    clock.tick(31.0)
    breaker.settle([OK] * 3)
    assert not breaker.view().would_open
    breaker.settle([FAIL] * 5)
    assert [new for _, new, _ in told] == ["would_open", "would_open"]


def test_mode_off_counts_nothing_and_admits() -> None:
    breaker, _ = make(mode=Mode.OFF)
    breaker.settle([FAIL] * 100)
    for _ in range(5):
        breaker.check(False)
    assert breaker.closed and breaker.view().calls == 0


def test_an_open_breaker_that_may_no_longer_act_closes() -> None:
    breaker, _ = opened()
    breaker.reconfigure(BreakerOptions(mode=Mode.OBSERVE))
    assert breaker.closed and breaker.state is BreakerState.CLOSED


def test_the_view_is_ready_for_json_and_in_epoch_seconds() -> None:
    breaker, clock = opened()
    clock.tick(5.0)
    view = breaker.view().as_dict()
    assert json.loads(json.dumps(view)) == view
    assert view["since_at"] == pytest.approx(clock.time() - 5.0) and view["state"] == "open"


def test_each_transition_is_told_after_the_state_has_changed_and_joins_the_one_before() -> None:
    told: Told = []
    breaker, clock = make(told=told)
    rng = random.Random(3)
    for _ in range(300):
        clock.tick(rng.choice((1.0, 20.0)))
        breaker.settle([rng.choice((OK, FAIL))])
        try:
            permit = breaker.admit()
        except BreakerOpen:
            continue
        if permit is not None:
            permit.release(rng.choice(list(Verdict)))
    assert all(before[1] == after[0] for before, after in pairwise(told))
    assert all(old != new for old, new, _ in told) and told[-1][1] == breaker.state.value
