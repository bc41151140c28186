"""Escalation policies: who is told next while nobody answers. The steps' due times are kept in the alert's state.

The clock of a policy starts when people are first told of an episode. It stands still while somebody has
acknowledged or snoozed the alert, goes on at the same step after that, and starts again when the severity rises. A
step that fell due while nothing ran is told once, as late. All functions change the state that they are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Annotated

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.notices import Severity
from understudy.core.options import Doc, Options, check

from .state import AlertState

#: A step that is told that much after its time says so, s.
LATE = 60.0


@dataclass(frozen=True, slots=True)
class Step(Options):
    """One step: whom to tell, and when. `callback:NAME` is a function of the program's own."""

    after: Annotated[float, at.Ge(0), at.Le(604800), Doc("so long after people were first told", "s")] = 900.0
    targets: Annotated[tuple[str, ...], at.MinLen(1), at.MaxLen(50), Doc("channels, or callback:NAME")] = ("",)
    min_severity: Annotated[Severity, Doc("left out for what is milder")] = Severity.INFO
    repeat: Annotated[
        float, at.Ge(0), at.Le(604800), Doc("told again each time, until the next step; 0: once", "s")
    ] = 0.0

    def __post_init__(self) -> None:
        check(self)
        if self.repeat and self.repeat < 60:
            raise OptionError("Step", "repeat", self.repeat, "0, or at least 60")


@dataclass(frozen=True, slots=True)
class Escalation(Options):
    """An escalation policy: steps in the order in which they are taken."""

    steps: Annotated[tuple[Step, ...], at.MinLen(1), at.MaxLen(20), Doc("whom to tell next, in order")] = (Step(),)

    def __post_init__(self) -> None:
        check(self)
        times = [step.after for step in self.steps]
        if times != sorted(times):
            raise OptionError("Escalation", "steps", times, "each `after` at least as long as the one before")
        for step in self.steps:
            if not all(target.strip() for target in step.targets):
                raise OptionError("Escalation", "steps", step.targets, "the names of channels")


@dataclass(frozen=True, slots=True)
class Due:
    """A step that is to be told now. `repeated` says that it has been told before."""

    number: int
    step: Step
    late: float = 0.0
    repeated: bool = False


def start(state: AlertState, name: str, policy: Escalation | None, now: float) -> None:
    """Start the clock: people have just been told, or the severity has risen."""
    state.escalation, state.step, state.step_left, state.repeat_at = name, 0, None, inf
    state.step_at = now + policy.steps[0].after if policy is not None else inf


def stop(state: AlertState) -> None:
    """No further step: the episode is over."""
    state.step_at, state.step_left, state.repeat_at = inf, None, inf


def pause(state: AlertState, now: float) -> None:
    """Stand still: somebody has answered."""
    if state.step_left is None and state.step_at < inf:
        state.step_left, state.step_at = max(0.0, state.step_at - now), inf
    state.repeat_at = inf


def resume(state: AlertState, now: float) -> None:
    """Go on at the same step."""
    if state.step_left is not None:
        state.step_at, state.step_left = now + state.step_left, None


def waits(state: AlertState, policy: Escalation | None, now: float, threshold: int | None = None) -> bool:
    """Whether a step is to be taken now."""
    if policy is None or state.step_left is not None:
        return False
    if state.step < len(policy.steps) and (
        now >= state.step_at if threshold is None else state.unanswered >= threshold
    ):
        return True
    return now >= state.repeat_at


def due(state: AlertState, policy: Escalation | None, now: float, threshold: int | None = None) -> Iterator[Due]:
    """The steps that are due, in order; each is taken as it is answered.

    With `threshold`, not time decides, but how many notifications since the last step went unanswered.
    """
    if policy is None or state.step_left is not None:
        return
    while state.step < len(policy.steps):
        if (now < state.step_at) if threshold is None else (state.unanswered < threshold):
            break
        number, step = state.step, policy.steps[state.step]
        late = max(0.0, now - state.step_at) if threshold is None else 0.0
        _take(state, policy, step, now)
        if state.severity.rank >= step.min_severity.rank:
            yield Due(number, step, late if late > LATE else 0.0)
    if now >= state.repeat_at and state.step > 0:
        # An edit may have made the policy shorter than it was when the step was taken.
        number = min(state.step, len(policy.steps)) - 1
        step = policy.steps[number]
        state.repeat_at = now + step.repeat if step.repeat else inf
        if step.repeat and state.severity.rank >= step.min_severity.rank:
            yield Due(number, step, repeated=True)


def _take(state: AlertState, policy: Escalation, step: Step, now: float) -> None:
    state.step += 1
    state.unanswered = 0
    # Steps keep their distance from the first one's time, also where one of them was late.
    further = state.step < len(policy.steps)
    state.step_at = state.step_at + policy.steps[state.step].after - step.after if further else inf
    state.repeat_at = now + step.repeat if step.repeat else inf
