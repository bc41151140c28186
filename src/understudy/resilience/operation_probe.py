"""Runs the probe of a wrapped operation, which has no URL that could be asked (rule R8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from understudy.core.types import Verdict

from .deadline import IDLE, DeadlineWheel, ended_by_us
from .healthcheck import ProbeResult
from .invoke import Invoker
from .registry import Api


async def probe_operation(api: Api, invoker: Invoker, wheel: DeadlineWheel, now: Callable[[], float]) -> ProbeResult:
    """What the probe of `api` found, within the limit of its health check; `now` is the monotonic clock."""
    if api.probe is None:
        return ProbeResult(None, 0.0, None, "no probe is declared")
    started = now()
    scope = wheel.enter()
    scope.limit = started + api.options.health_check.timeout
    wheel.arm()
    try:
        await invoker(api.probe)
    except asyncio.CancelledError:
        if not ended_by_us(scope, 0):
            raise
        return ProbeResult(False, now() - started, None, "no answer in time")
    except Exception as error:  # noqa: BLE001 - whatever a probe raises is its answer
        seconds = now() - started
        outcome = api.judge(error, elapsed=seconds)
        failed = outcome.verdict is Verdict.FAILURE
        return ProbeResult(False if failed else None, seconds, outcome.status, outcome.reason)
    finally:
        ended_by_us(scope, 0)  # of a probe that answered our limit with a value or an error
        scope.limit = IDLE
    return ProbeResult(True, now() - started, None, "")
