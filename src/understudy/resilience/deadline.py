"""Deadlines: one shared coarse wheel instead of a timer for each call (resilience rule R4)."""

from __future__ import annotations

import asyncio
import math
import sys
import traceback
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any

import annotated_types as at

from understudy.core.clock import Clock
from understudy.core.errors import AttemptTimeout
from understudy.core.http import is_unsent
from understudy.core.options import Doc, Options


@dataclass(frozen=True, slots=True)
class TimeoutOptions(Options):
    """Limits of one attempt."""

    attempt: Annotated[float, at.Gt(0), at.Le(3600), Doc("one attempt, its body included", "s")] = 10.0
    connect: Annotated[float, at.Gt(0), at.Le(600), Doc("DNS, TCP and TLS together", "s")] = 3.0
    idle: Annotated[float, at.Gt(0), at.Le(3600), Doc("between two pieces of a stream", "s")] = 15.0


#: A scope that is in no call.
IDLE = math.inf
#: The wheel ended the call of this scope; the handler of the cancellation turns it into an error.
EXPIRED = -1.0
#: At rest, but inside another task's call, whose limit binds every call made here.
BOUND = -2.0


#: Contexts of an error that are looked at; a chain may be a ring.
_LONGEST_CHAIN = 20


class Scope:
    """What one task is doing: the moment at which its present attempt must end.

    It is found through the context, so that a call made inside a call, or by a task that a call
    started, knows the time it has left. Writing `limit` is all that a call does to be watched.
    """

    __slots__ = ("limit", "marks", "outer", "outer_limit", "seen", "task", "wheel")

    def __init__(self, task: asyncio.Task[Any] | None, outer: Scope | None = None) -> None:
        self.task = task
        #: What watches it; a task that calls by another clock than before is handed over.
        self.wheel: DeadlineWheel | None = None
        self.limit = IDLE
        #: Cancellations that the task was marked with when the wheel first saw the present limit. A task may
        #: carry marks of old ones that nobody took back: up to Python 3.12 every failed TaskGroup leaves one.
        self.marks = 0
        self.seen = IDLE
        self.outer = outer
        # The outer call is told from the outer task's later calls by its limit, which no other has.
        self.outer_limit = IDLE if outer is None else outer.limit
        if self.outer_limit not in (IDLE, EXPIRED, BOUND):
            self.limit = BOUND
        else:
            self.outer = None

    def rest(self) -> float:
        """The value of `limit` while no call runs here; unbinds when the outer call is over."""
        if self.outer is not None and self.outer.limit != self.outer_limit:
            self.outer = None
        return IDLE if self.outer is None else BOUND

    def bound(self) -> float:
        """The moment that binds a call made here now, from a call around it; `IDLE` when none does."""
        if self.limit >= 0 and self.limit != IDLE:
            return self.limit
        return self.outer_limit if self.rest() == BOUND else IDLE


# CPython 3.11's `asyncio.current_task` is a Python function around this look-up, and costs three times as
# much; from 3.12 on it is written in C. Where the table is missing, the public function serves.
running_task: Callable[[asyncio.AbstractEventLoop | None], asyncio.Task[Any] | None] = (
    asyncio.tasks._current_tasks.get  # noqa: SLF001 - private; guarded by hasattr below
    if sys.version_info < (3, 12) and hasattr(asyncio.tasks, "_current_tasks")
    else asyncio.current_task
)

_NOWHERE = Scope(None)
# No running task is this one, so that outside of any call every look-up leads to `enter`.
_NOWHERE.task = object()  # type: ignore[assignment]  # a mark, never used as a task
#: Stands for a task of another loop: never at rest, so that no prepared path is taken there.
ELSEWHERE = Scope(None)
ELSEWHERE.limit = BOUND
#: With this many calls in flight the wheel turns at its own pace, and no sooner for the limit of one of them.
MANY = 1000
SCOPE: ContextVar[Scope] = ContextVar("understudy_scope", default=_NOWHERE)


class DeadlineWheel:
    """Cancels tasks whose scope is past its limit: one timer for all calls, none for each.

    Belongs to one event loop, and there to every application that reads the same clock (see `wheel_of`): a
    task has one scope, whichever of them it calls. It turns every `resolution` seconds while a call is in
    flight, sooner when a limit is about to pass, and stops when none is: a limit is kept to within
    `resolution` in any case, and an idle program has no timer.
    """

    def __init__(self, clock: Clock, resolution: float = 0.05) -> None:
        self._clock = clock
        self._resolution = resolution
        self._scopes: list[Scope] = []
        #: Whether a turn is scheduled; the hot path reads it and calls `arm` when it is not.
        self.armed = False

    def enter(self) -> Scope:
        """The scope of the running task, made and watched from now on when it has none."""
        task = asyncio.current_task()
        scope = SCOPE.get()
        if scope.task is not task or task is None:
            outer = None if scope is _NOWHERE or scope.task is None else scope
            scope = Scope(task, outer)
            SCOPE.set(scope)
        elif scope.limit == BOUND:
            scope.limit = scope.rest()
        if scope.wheel is not self and (scope.limit == IDLE or scope.limit == BOUND):
            if scope.wheel is not None:
                scope.wheel._scopes.remove(scope)  # noqa: SLF001 - a wheel as well
            scope.wheel = self
            self._scopes.append(scope)
        return scope

    def arm(self) -> None:
        """Turn again, as a call is about to be in flight."""
        if not self.armed:
            self.armed = True
            self._clock.call_later(self._resolution, self._turn)

    def let_go(self) -> None:
        """Forget tasks that have ended since the last turn; while the wheel stands still nothing else does."""
        if not self.armed and self._scopes:
            self._turn()

    def _turn(self) -> None:
        now = self._clock.monotonic()
        flying = False
        first = IDLE
        kept = []
        for scope in self._scopes:
            task = scope.task
            if task is None or task.done():
                scope.task = None  # breaks the cycle task -> context -> scope -> task
                continue
            kept.append(scope)
            if scope.limit == IDLE or scope.limit == BOUND:
                continue
            flying = True
            if 0.0 <= scope.limit <= now:
                scope.limit = EXPIRED
                task.cancel()
            elif scope.limit != EXPIRED:
                first = min(first, scope.limit)
                if scope.limit != scope.seen:
                    scope.seen, scope.marks = scope.limit, task.cancelling()
        self._scopes = kept
        self.armed = flying
        if flying:
            # The more there are, the more a turn costs and the nearer is always some limit: no sooner then.
            soonest = self._resolution * min(1.0, max(0.02, len(kept) / MANY))
            self._clock.call_later(min(self._resolution, max(soonest, first - now)), self._turn)


#: The wheels of each loop, one for each clock.
_WHEELS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, DeadlineWheel]] = weakref.WeakKeyDictionary()


def wheel_of(clock: Clock, loop: asyncio.AbstractEventLoop) -> DeadlineWheel:
    """The wheel of `loop` for what reads `clock`.

    One for all applications: the prepared path of each of them finds the task's scope, and asks not who watches it.
    """
    for closed in [known for known in list(_WHEELS) if known.is_closed()]:
        _WHEELS.pop(closed, None)  # its tasks hold it
    wheels = _WHEELS.setdefault(loop, {})
    wheel = wheels.get(id(clock))
    if wheel is None:
        wheel = wheels[id(clock)] = DeadlineWheel(clock)  # which keeps the clock, and so its id
    return wheel


def ended_by_us(scope: Scope, cancelling_before: int) -> bool:
    """Whether the wheel alone wanted the task cancelled; takes the wheel's request back, and ends the limit.

    The caller's own cancellation, when both came, wins and must go on. `cancelling_before` is
    `task.cancelling()` as it was when the call began.
    """
    if scope.limit != EXPIRED or scope.task is None:
        return False
    scope.limit = IDLE  # answered once: the second answer would take the caller's request back
    return scope.task.uncancel() <= cancelling_before


def prepared_fault(scope: Scope, error: BaseException, seconds: float) -> BaseException:
    """What ended an attempt of the prepared path, which does not count cancellations beforehand: the error
    itself, our time-out, or the caller's cancellation even where the operation made something else of it.
    """
    ours = ended_by_us(scope, scope.marks)
    scope.limit = IDLE
    if scope.task is not None and scope.task.cancelling() and _amid_cancellation(error):
        if isinstance(error, asyncio.CancelledError):
            return error
        cancelled = asyncio.CancelledError()
        cancelled.__cause__ = error
        return cancelled
    if ours and isinstance(error, asyncio.CancelledError):
        return AttemptTimeout(f"no answer within {seconds:.2f} s", sent=not is_unsent(error))
    return error


def unmark_groups(scope: Scope, error: BaseException) -> None:
    """Take back what failed task groups have left: up to Python 3.12 such a group cancels the task it runs in,
    and does not take that back, so that it would look like the caller's cancellation.
    """
    if scope.task is None or sys.version_info >= (3, 13):
        return
    link: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if link is None:
            return
        if isinstance(link, BaseExceptionGroup):
            for frame, _line in traceback.walk_tb(link.__traceback__):
                group = frame.f_locals.get("self") if frame.f_code.co_name == "__aexit__" else None
                if isinstance(group, asyncio.TaskGroup) and getattr(group, "_parent_cancel_requested", False):
                    scope.task.uncancel()
        link = link.__cause__ or link.__context__


def _amid_cancellation(error: BaseException) -> bool:
    """Whether the operation raised `error` while it handled a cancellation that it had been given.

    Not so for one that a time-out of its own had become, nor for one that is being handled outside, by a
    caller who makes this call while cleaning up: the handler's frame tells.
    """
    frames = {frame for frame, _ in traceback.walk_tb(error.__traceback__)}
    for _ in range(_LONGEST_CHAIN):
        cause = error.__context__
        if cause is None or isinstance(error, TimeoutError):
            return False
        if isinstance(cause, asyncio.CancelledError) and cause.__traceback__ is not None:
            return cause.__traceback__.tb_frame in frames
        error = cause
    return False
