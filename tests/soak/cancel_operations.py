"""The stages of a call of a wrapped operation at which it may be cancelled, and operations that take it badly."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from understudy.app import Understudy
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.limiter import RateLimitOptions
from understudy.resilience.retry import RetryOptions

from .cancellations import Stage, Swallowed

_CALM = BreakerOptions(consecutive=10_000, consecutive_with_standby=10_000, failure_ratio=1.0, min_calls=100_000)
_QUICK = BreakerOptions(consecutive=1, consecutive_with_standby=1, open_for=0.02, open_cap=0.02, jitter=0.0)


class Boom(Exception):
    """What a failing operation raises."""


def furnish(app: Understudy) -> None:
    """The APIs of the stages, each with the mechanism that it is about."""
    register = app.fallback.register_api
    retry = RetryOptions(base=0.05, cap=0.1)
    limits = TimeoutOptions(attempt=1.0)
    common: dict[str, Any] = {"timeout": limits, "retry": retry, "breaker": _CALM}
    register("plain", **common)
    register("narrow", bulkhead=BulkheadOptions(limit=3), **common)
    register("threads", bulkhead=BulkheadOptions(limit=8), **common)
    register("trial", **{**common, "breaker": _QUICK})
    register("paced", rate_limit=RateLimitOptions(rate=300.0, burst=1), **common)
    register("short", **{**common, "timeout": TimeoutOptions(attempt=0.08)})


def stages(app: Understudy) -> dict[str, Stage]:
    """Every stage by name."""
    run = app.fallback.execute_with_fallback

    def sleeping(chance: random.Random, longest: float = 0.06) -> Any:
        async def operation() -> str:
            await asyncio.sleep(chance.uniform(0.0, longest))
            return "value"

        return operation

    @app.guard("plain")
    async def guarded(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "value"

    async def waiting(chance: random.Random) -> None:
        await run("plain", sleeping(chance))

    async def decorated(chance: random.Random) -> None:
        await guarded(chance.uniform(0.0, 0.06))

    async def queued(chance: random.Random) -> None:
        await run("narrow", sleeping(chance))

    async def paced(chance: random.Random) -> None:
        await run("paced", sleeping(chance, 0.01))

    async def backoff(chance: random.Random) -> None:
        async def operation() -> None:
            raise Boom

        await run("plain", operation)

    async def standby(chance: random.Random) -> None:
        async def operation() -> None:
            await asyncio.sleep(chance.uniform(0.0, 0.01))
            raise Boom

        await run("plain", operation, sleeping(chance))

    async def trial(chance: random.Random) -> None:
        async def operation() -> None:
            await asyncio.sleep(chance.uniform(0.0, 0.02))
            if chance.random() < 0.5:
                raise Boom

        await run("trial", operation)

    async def blocking(chance: random.Random) -> None:
        seconds = chance.uniform(0.0, 0.02)
        await run("threads", lambda: time.sleep(seconds))

    async def awaitable(chance: random.Random) -> None:
        # Not known to be async, and its code is new each time: the thread makes an awaitable for nobody.
        space: dict[str, Any] = {"operation": sleeping(chance, 0.03)}
        exec("def made(): return operation()", space)
        await run("threads", space["made"])

    async def tidy(chance: random.Random) -> None:
        async def operation() -> None:
            try:
                await asyncio.sleep(0.1)
            finally:
                await asyncio.sleep(chance.uniform(0.0, 0.01))

        await run("plain", operation)

    async def stubborn(chance: random.Random) -> None:
        async def operation() -> str:
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                await asyncio.sleep(chance.uniform(0.0, 0.01))
            return "value"

        await run("short", operation)

    async def angry(chance: random.Random) -> None:
        async def operation() -> None:
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                raise Swallowed from None

        await run("plain", operation, sleeping(chance))

    async def nested(chance: random.Random) -> None:
        async def operation() -> Any:
            return await run("narrow", sleeping(chance), deadline=0.05)

        await run("plain", operation)

    async def deadline(chance: random.Random) -> None:
        await run("plain", sleeping(chance, 0.2), deadline=chance.uniform(0.01, 0.12))

    async def default(chance: random.Random) -> None:
        await run("plain", sleeping(chance, 0.2), deadline=chance.uniform(0.01, 0.1), default="none")

    return {
        "in an operation": waiting,
        "in a guarded function": decorated,
        "queued in a bulkhead": queued,
        "waiting for a token of the rate": paced,
        "during backoff": backoff,
        "on the standby": standby,
        "half-open": trial,
        "in a thread": blocking,
        "in a thread that makes an awaitable": awaitable,
        "while it cleans up": tidy,
        "stubborn: returns a value all the same": stubborn,
        "angry: raises an error of its own": angry,
        "in a call within a call": nested,
        "near the deadline": deadline,
        "near the deadline, with a default": default,
    }
