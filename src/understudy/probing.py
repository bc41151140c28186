"""Runs the declared health checks and tells the breakers what they found (resilience rule R8)."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from .connectivity import CheckResult
from .core.clock import Clock
from .core.events import Event
from .core.types import Attribution, Mode
from .monitor import PerformanceMonitor
from .resilience import FallbackManager
from .resilience.healthcheck import HealthChecker, ProbeResult
from .resilience.registry import Api


class Prober:
    """Joins the schedule of health checks with the HTTP client and the breakers."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        fallback: FallbackManager,
        monitor: PerformanceMonitor,
        ask: Callable[[Api], Awaitable[CheckResult]],
    ) -> None:
        self._fallback = fallback
        self._ask = ask
        self._checker = HealthChecker(clock, rng, self._probe)
        self._followed: set[str] = set()
        #: What the last telling probe of an API said.
        self._said: dict[str, bool] = {}
        self._clock = clock
        #: Names that the configuration registered; others were registered by code, and stay at a reload.
        self.configured: set[str] = set()
        self.configured_routes: set[str] = set()

    def follow(self, api: Api) -> None:
        """Probe `api` from now on as its options say; nothing when it declares no probe."""
        self.remove(api.name)
        if not api.options.health_check.path and api.probe is None:
            return
        self._followed.add(api.name)
        self._checker.add(
            api.name,
            api.options.health_check,
            is_open=lambda: _is_open(api),
            last_success_at=lambda: api.score.last_success_at,
            quota_left=lambda: _least(api, "remaining"),
            quota_limit=lambda: _least(api, "limit"),
            on_result=self._found,
            on_any=self._tell,
            paused=lambda: f"{api.quiet.reason} ({api.quiet.actor})" if api.quiet is not None else "",
        )
        self._said.pop(api.name, None)

    def remove(self, name: str) -> None:
        """Stop probing."""
        if name in self._followed:
            self._followed.discard(name)
            self._checker.remove(name)

    async def run(self) -> None:
        """Probe until cancelled."""
        await self._checker.run()

    def view(self) -> dict[str, Any]:
        """The last probe of each API that declares one, JSON-ready."""
        return {name: self._checker.view(name) for name in sorted(self._followed)}

    async def check(self, name: str) -> CheckResult:
        """Probe an API at once, whatever the schedule says; without a declared probe, ask for its base URL.

        Raises:
            UnknownName: no such API.
        """
        api = self._fallback.roster.api(name)
        if name not in self._followed:
            return await self._ask(api)
        found = await self._checker.check_now(name)
        stage = "done" if found.ok else "response"
        return CheckResult(name, found.ok, stage, found.status, found.seconds, found.reason or "answered")

    async def _probe(self, name: str) -> ProbeResult:
        api = self._fallback.roster.api(name)
        if api.probe is not None:
            return await self._fallback.probe_operation(api)
        found = await self._ask(api)
        # A refused key says nothing about the API itself; the key rests by itself.
        ok = None if found.stage == "auth" else found.ok
        return ProbeResult(ok, found.seconds, found.status, found.message, found.attribution is Attribution.HUB)

    def _tell(self, name: str, result: ProbeResult) -> None:
        """An event when what the probes say has changed, also while they may only be looked at."""
        before = self._said.get(name, True)
        if result.ok is None or result.ok is before:
            return
        self._said[name] = result.ok
        api = self._fallback.roster.apis.get(name)
        observed = api is not None and api.options.health_check.mode is Mode.OBSERVE
        detail = {"status": result.status, "reason": result.reason, "seconds": result.seconds, "observed": observed}
        kind = "probe.succeeded" if result.ok else "probe.failed"
        self._fallback.events.emit(Event(kind, self._clock.time(), name, "", detail))

    def _found(self, name: str, result: ProbeResult) -> None:
        if result.ok is None:
            return
        api = self._fallback.roster.apis.get(name)
        if api is None:
            return
        after = api.options.health_check.unhealthy_after
        if result.ok or result.of_hub:
            api.hub.breaker.check(result.ok, after)
        if result.of_hub:
            return  # it says nothing about the API behind
        for binding in api.bindings.values():
            binding.series.drain()  # a real success that is not settled yet counts against a failed check
            binding.breaker.check(result.ok, after)
            binding.follow()


def _is_open(api: Api) -> bool:
    """Whether a breaker, its own or its hub's, keeps calls from the API."""
    return any(binding.breaker.blocked() for binding in api.bindings.values()) or bool(api.hub.breaker.blocked())


def _least(api: Api, what: str) -> int | None:
    """The smallest known number of the API's quotas; None when nothing is known."""
    known = [int(quota[what]) for quota in api.keys.quotas() if quota[what] is not None]
    return min(known, default=None)
