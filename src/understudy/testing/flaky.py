"""An API that fails when you say so, for tests of your own fallback paths.

main = FlakyApi(clock, answer={"odds": 1.9})
app.fallback.register_api("main", priority=1, route="odds", operation=main)
main.fail(30)  # from now on, for half a minute
...
assert main.calls == 3
"""

from __future__ import annotations

import asyncio
import inspect
import math
import random
from collections.abc import Iterable
from enum import Enum
from types import CodeType
from typing import Any, Final, TypeAlias

from understudy.core.clock import SYSTEM_CLOCK, Clock


class ApiDown(Exception):
    """What a `FlakyApi` raises while it fails, unless it was told another error; the fault of the API."""

    def __init__(self, message: str = "the API is down") -> None:
        super().__init__(message)


class _Hang(Enum):
    HANG = "hang"

    def __repr__(self) -> str:
        return "HANG"


#: A step that never ends by itself: the caller's time limit or cancellation does.
HANG: Final = _Hang.HANG

#: What one call meets. An exception, or a class of exceptions, is raised; a callable is called with the
#: arguments of the call and awaited where that is possible; anything else is returned as it is.
Step: TypeAlias = Any


class FlakyApi:
    """An operation that answers, fails, hangs or takes its time as told, and counts its calls.

    It is an asynchronous callable: hand it to `register_api(operation=…)`, to `execute_with_fallback`
    as operation or fallback, or call it from your own coroutine; it takes any arguments. A call meets,
    of these, the first that applies when it begins: an outage (`fail`), the next step of `script`, an
    `error` by `failure_ratio` (a share of calls from 0 to 1, drawn from `seed`), the `answer`.
    `latency` seconds of the clock pass before it ends. `answer`, `error`, `failure_ratio` and `latency`
    may be changed at any time.

    Raises:
        ValueError: `failure_ratio` is no share, or `latency` no time.
    """

    __slots__ = (
        "_clock", "_outages", "_rng", "_script", "answer", "calls", "cancelled", "error", "failed", "failure_ratio",
        "latency", "running", "started",
    )  # fmt: skip

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        *,
        answer: Step = None,
        script: Iterable[Step] = (),
        error: Step = ApiDown,
        failure_ratio: float = 0.0,
        latency: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not 0.0 <= failure_ratio <= 1.0:
            raise ValueError(f"failure_ratio: expected a share of the calls, 0 to 1, found {failure_ratio!r}")
        if not 0.0 <= latency < math.inf:
            raise ValueError(f"latency: expected seconds, 0 or more, found {latency!r}; a HANG never ends")
        self._clock = clock
        self._script = iter(script)
        self._rng = random.Random(seed)  # noqa: S311 - a repeatable choice of failures, nothing secret
        self._outages: list[tuple[float, float, Step]] = []
        self.answer = answer
        self.error = error
        self.failure_ratio = failure_ratio
        self.latency = latency
        #: Calls that have begun; of these, those that raised, that were cancelled, and that still run.
        self.calls = self.failed = self.cancelled = self.running = 0
        #: When each call began, in seconds of the clock's `monotonic`.
        self.started: list[float] = []

    def fail(self, lasting: float = math.inf, *, after: float = 0.0, how: Step = None) -> None:
        """An outage: calls that begin within it raise `error`, or meet `how` (`HANG`, another exception).

        It begins `after` seconds from now and lasts `lasting` seconds, or until `recover`. Of outages
        that overlap, the one that was told last counts.
        """
        begins = self._clock.monotonic() + after
        self._outages.append((begins, begins + lasting, self.error if how is None else how))

    def recover(self) -> None:
        """End every outage, those that have not begun as well; calls that hang go on hanging."""
        self._outages.clear()

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """One call."""
        now = self._clock.monotonic()
        step = self._step(now)
        self.calls += 1
        self.started.append(now)
        self.running += 1
        try:
            await self._clock.sleep(self.latency)
            return await _outcome(step, args, kwargs)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        except BaseException:
            self.failed += 1
            raise
        finally:
            self.running -= 1

    @property
    def __code__(self) -> CodeType:
        """The code of a call. By it the front door recognises coroutine functions, and treats this as one."""
        return _CODE

    def _step(self, now: float) -> Step:
        for begins, ends, how in reversed(self._outages):
            if begins <= now < ends:
                return how
        for step in self._script:
            return step
        if self.failure_ratio and self._rng.random() < self.failure_ratio:
            return self.error
        return self.answer


_CODE: Final = FlakyApi.__call__.__code__


async def _outcome(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if step is HANG:
        await asyncio.get_running_loop().create_future()
    if isinstance(step, BaseException):
        raise step.with_traceback(None)  # the same error may be raised many times
    if isinstance(step, type) and issubclass(step, BaseException):
        raise step
    if not callable(step):
        return step
    made = step(*args, **kwargs)
    return await made if inspect.isawaitable(made) else made
