"""The front door of resilience: register APIs and routes, and make calls that survive.

A call whose lead is in order takes the prepared path in `execute_with_fallback` or `guard`: it reads
one plan, writes one limit and appends one number. Everything else happens in `pipeline`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import FunctionType
from typing import Any, Final, ParamSpec, TypeVar

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.events import EventBus
from understudy.core.types import Explanation

from .across_loops import carry
from .api import ApiOptions, RouteOptions
from .auth import SignHook
from .by_hand import ByHand
from .call import Call, First, Result
from .deadline import (
    ELSEWHERE,
    EXPIRED,
    IDLE,
    SCOPE,
    DeadlineWheel,
    Scope,
    ended_by_us,
    prepared_fault,
    running_task,
    wheel_of,
)
from .describe import describe
from .ending import ABANDONED, abandoned_record, clean_record
from .healthcheck import ProbeResult
from .invoke import Invoker, bound, code_of
from .operation_probe import probe_operation
from .outcome import LocalNetworkDetector
from .pipeline import Pipeline
from .plan import Plan, prepare
from .ports import HealthView
from .registry import Api, Binding, ClassifyHook, Route
from .reporter import Reporter
from .roster import Roster
from .source import OperationSource
from .standing import Gatekeeper
from .switches import Switches
from .would_have import WouldHave

P = ParamSpec("P")
T = TypeVar("T")

#: Stands for "no default was given", as None may be one.
NOTHING: Final = object()


class FallbackManager(ByHand):
    """Serves calls in spite of failing APIs.

    Belongs to one event loop at a time: the first one that awaits it, or the next after that has
    ended. A call from a second live loop is carried to the first.
    """

    def __init__(
        self,
        *,
        health: HealthView,
        clock: Clock = SYSTEM_CLOCK,
        events: EventBus | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._now = clock.monotonic
        self._rng = rng or random.Random()  # noqa: S311 - jitter and ties, nothing secret
        self._reporter = Reporter(clock, self._rng, events or EventBus(), health)
        self.events = self._reporter.events
        self.counters = self._reporter.counters
        self.roster = Roster(clock, self._rng, health, self._reporter.emit, self._transition)
        #: Who led each route when.
        self.switches = Switches(self.roster)
        self.events.subscribe(self.switches.heard)
        self._gates = Gatekeeper(
            clock,
            self._rng,
            health,
            LocalNetworkDetector(clock),
            self.roster.apis,
            self.roster.binding,
            self._rate,
            self._reporter.emit,
        )
        self._pipeline = Pipeline(clock, self._rng, self._gates, self._reporter.finished, self._reporter.emit)
        self._pipeline.on_hold = self.forget_plans
        self._would_have = WouldHave(self._reporter.emit)
        self._invoker = Invoker()
        self._known = self._invoker.known
        self._plans: dict[str, Plan] = {}
        self._covered_plans: dict[str, Plan] = {}
        #: Counts what makes plans stale; clients that keep a plan of their own compare it.
        self.plans_version = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        #: The process of that loop: after a fork the parent's loop still says that it runs, and never turns.
        self._pid = 0
        self._wheel: DeadlineWheel | None = None
        #: Called when a loop is bound, by the application, to start its tick there.
        self.on_bind: Callable[[], None] | None = None
        #: Called with each API that is registered or changed, by the application, to probe it.
        self.on_register: Callable[[Api], None] | None = None

    # -- registration ---------------------------------------------------------------------------

    def register_api(
        self,
        name: str,
        priority: int | None = None,
        route: str | None = None,
        operation: Callable[[], Any] | None = None,
        options: ApiOptions | None = None,
        *,
        probe: Callable[[], Any] | None = None,
        sign: SignHook | None = None,
        classify: ClassifyHook | None = None,
        **settings: Any,
    ) -> Api:
        """Register an API, or change one that exists.

        `priority` 1 is preferred. Only APIs of one `route` stand in for one another. `operation` is
        called without arguments when this API is to serve; `settings` are fields of `ApiOptions`, in plain
        values as in a file (`safe=False`, `timeout=2`, `breaker={"open_for": 60}`) or as options classes.
        `probe` is a callable without arguments that raises while the API does not work; it is asked as
        `health_check` says. `sign` is called with each request to an HTTP API before it is sent, and may
        change its headers (HMAC, SigV4). `classify` is called with an exception of an attempt, and answers
        what it means (`provider`, `rate`, `quota`, `key`, `billing`, `semantic`, `hub`, `local`, `caller`),
        or None for the usual judgement.

        Raises:
            OptionError: an option lies outside its range.
            ValueError: the name is empty, too long or not printable.
            TypeError: an unknown setting.
        """
        api = self.roster.register(name, priority, route, operation, options, settings)
        api.hook(probe, sign, classify)
        if self.on_register is not None:
            self.on_register(api)
        self.forget_plans()
        return api

    def register_route(self, name: str, options: RouteOptions | None = None, **settings: Any) -> Route:
        """Register a route, or change one that exists; `settings` are fields of `RouteOptions`.

        Raises:
            OptionError: an option lies outside its range.
            UnknownName: `apis` names an API that is not registered.
        """
        route = self.roster.register_route(name, options, settings)
        self.forget_plans()
        return route

    def forget_plans(self) -> None:
        """Prepare anew at the next call: something that plans are made of has changed."""
        self.plans_version += 1
        self._plans.clear()
        self._covered_plans.clear()

    # -- calls ----------------------------------------------------------------------------------

    async def execute_with_fallback(
        self,
        name: str,
        operation: Callable[[], Any],
        fallback_operation: Callable[[], Any] | None = None,
        # No `*` here: keyword-only parameters cost each call as much as a fifth of a bare await.
        deadline: float | None = None,
        critical: bool = False,
        default: Any = NOTHING,
    ) -> Any:
        """The value of `operation`, or of what stood in for it.

        `name` is an API or a route; an unknown name is registered as an API with the defaults.
        Operations take no arguments; they may be `async`, plain, or return an awaitable. `deadline`
        is seconds for the whole call, `default` is returned when everything has failed.

        Raises:
            what the operation raised: when one API was tried.
            AllApisFailed: several were tried; its text lists what each one said.
            NoEligibleApi, BreakerOpen: nothing could be tried.
            DeadlineExceeded: time ran out.
        """
        plan = (self._plans if fallback_operation is None else self._covered_plans).get(name)
        scope = SCOPE.get()
        if scope.task is not running_task(self._loop):
            scope = self.enter()
        if (
            plan is None
            or scope.limit is not IDLE
            or deadline is not None
            or (
                operation is not plan.operation
                and (code := getattr(operation, "__code__", None)) is not plan.code
                and id(code) not in self._known
            )
            or (started := self._now()) >= plan.expires
        ):
            result = await self.call(
                name, operation, fallback_operation, deadline=deadline, critical=critical, default=default
            )
            return result.value
        if not plan.wheel.armed:
            plan.wheel.arm()
        api = plan.api
        scope.limit = started + plan.limit
        api.in_flight += 1
        try:
            value = await operation()
        except BaseException as error:  # noqa: BLE001 - classified and raised again, or served by another API
            api.in_flight -= 1
            return await self._recover(plan, scope, started, error, (operation, fallback_operation, critical, default))
        api.in_flight -= 1
        if scope.limit is EXPIRED:
            ended_by_us(scope, 0)
        scope.limit = IDLE
        plan.append(self._now() - started)
        return value

    def guard(self, name: str, **options: Any) -> Callable[[Callable[P, Any]], Callable[P, Awaitable[Any]]]:
        """Decorate a coroutine function, or a plain one, so that its calls run under the API or route `name`.

        The arguments go to the function; other APIs of the route serve with their registered
        operations. `options` are those of `call`: `deadline`, `critical`, `default`, `fallback` (a
        function with the same parameters).
        """
        fallback = options.pop("fallback", None)

        def decorate(function: Callable[P, Any]) -> Callable[P, Awaitable[Any]]:
            direct = asyncio.iscoroutinefunction(function) and not options
            plans = self._plans if fallback is None else self._covered_plans
            now = self._now

            @functools.wraps(function)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                # The same steps as in `execute_with_fallback`, written out: a shared coroutine
                # between the two would cost every call one more await.
                plan = plans.get(name)
                scope = SCOPE.get()
                if scope.task is not running_task(self._loop):
                    scope = self.enter()
                if plan is None or scope.limit is not IDLE or not direct or (started := now()) >= plan.expires:
                    operation, standby = bound(function, fallback, args, kwargs)
                    return (await self.call(name, operation, standby, **options)).value
                if not plan.wheel.armed:
                    plan.wheel.arm()
                api = plan.api
                scope.limit = started + plan.limit
                api.in_flight += 1
                try:
                    # The shorter form where it will do: an empty dict costs a call what a clock reading does.
                    value = await (
                        function(*args, **kwargs) if kwargs else function(*args)  # type: ignore[call-arg]  # a ParamSpec cannot say "none given"
                    )
                except BaseException as error:  # noqa: BLE001 - as above
                    api.in_flight -= 1
                    operations = (*bound(function, fallback, args, kwargs), False, NOTHING)
                    return await self._recover(plan, scope, started, error, operations)
                api.in_flight -= 1
                if scope.limit is EXPIRED:
                    ended_by_us(scope, 0)
                scope.limit = IDLE
                plan.append(now() - started)
                return value

            return guarded

        return decorate

    async def call(
        self,
        name: str,
        operation: Callable[[], Any] | None = None,
        fallback_operation: Callable[[], Any] | None = None,
        *,
        deadline: float | None = None,
        critical: bool = False,
        default: Any = NOTHING,
    ) -> Result:
        """As `execute_with_fallback`, but returns the `Result`: `.value`, `.api`, `.explain()`."""
        if (owner := self.bind()) is not None:
            elsewhere = self.call(
                name, operation, fallback_operation, deadline=deadline, critical=critical, default=default
            )
            return await self.carry(owner, elsewhere)
        call = self._new_call(name, operation, fallback_operation, critical, default, deadline)
        result = await self._pipeline.run(call, self.wheel)
        try:
            self._refresh(name, call, operation, fallback_operation is not None)
        except Exception as error:  # noqa: BLE001 - a fault of ours, after the answer has come: it is delivered (R19)
            self._pipeline.own_fault(call.route, error)
        return result

    async def _recover(
        self, plan: Plan, scope: Scope, started: float, error: BaseException, operations: tuple[Any, ...]
    ) -> Any:
        """Go on, in the pipeline, with a call whose first attempt on the prepared path failed."""
        operation, fallback_operation, critical, default = operations
        self._forget(plan)
        seconds = self._now() - started
        caught = self.unmask(scope, error, plan, seconds)
        call = self._new_call(plan.name, operation, fallback_operation, critical, default, None, started)
        call.candidates = list(plan.candidates)
        first = First(plan.binding, seconds, caught, ours=caught is not error, generation=plan.generation)
        result = await self._pipeline.run(call, self.wheel, first)
        return result.value

    def unmask(
        self, scope: Scope, error: BaseException, plan: Plan, seconds: float, endpoint: str = ""
    ) -> BaseException:
        """The error of a prepared attempt as the pipeline judges it; ends the scope's limit.

        Raises the error itself when it is not the pipeline's to judge: the caller's cancellation,
        KeyboardInterrupt, SystemExit.
        """
        caught = prepared_fault(scope, error, seconds)
        if not isinstance(caught, Exception):
            plan.binding.neutral(ABANDONED, seconds)
            begun, version = self._clock.time() - seconds, self._pipeline.policy_version
            self._reporter.abandoned(abandoned_record(plan, self.new_id(), begun, seconds, version), endpoint, caught)
            raise caught
        return caught

    def clean_explanation(self, plan: Plan, route: Route, started: float, seconds: float) -> Explanation:
        """The record of a call that succeeded at once, rendered from the plan it took."""
        at = self._clock.time() - (self._now() - started)
        return clean_record(plan, route, at, seconds, self._pipeline.policy_version)

    # -- behind the calls -------------------------------------------------------------------------

    def _new_call(
        self,
        name: str,
        operation: Callable[[], Any] | None,
        fallback_operation: Callable[[], Any] | None,
        critical: bool,
        default: Any,
        deadline: float | None,
        started: float | None = None,
    ) -> Call:
        route, home, apis = self.roster.resolve(name, covered=fallback_operation is not None)
        source = OperationSource(self._invoker, route, apis, home, operation, fallback_operation)
        begun = self._now() if started is None else started
        return Call(
            route=route,
            source=source,
            started=begun,
            deadline_at=begun + (route.options.deadline if deadline is None else max(0.0, deadline)),
            critical=critical,
            default=None if default is NOTHING else default,
            has_default=default is not NOTHING,
            call_id=self.new_id(),
            home=home.name if home is not None else "",
            apis=apis,
        )

    async def probe_operation(self, api: Api) -> ProbeResult:
        """Run the probe of a wrapped operation, within the limit of its health check."""
        return await probe_operation(api, self._invoker, self.wheel, self._now)

    def reloaded(self) -> None:
        """New options are in force from the next call on; decision records tell them by their version."""
        self._pipeline.policy_version += 1
        self.forget_plans()

    @property
    def self_failures(self) -> int:
        """Calls that went through although our own code failed."""
        return self._pipeline.self_failures

    async def run(self, call: Call, first: First | None = None) -> Result:
        """Run a call that a client has made ready; for the HTTP ways in."""
        return await self._pipeline.run(call, self.wheel, first)

    def new_id(self) -> str:
        """An identifier for a call, unique in this process."""
        return self._reporter.new_id()

    @property
    def wheel(self) -> DeadlineWheel:
        """The deadline wheel of the bound loop."""
        if self._wheel is None:
            raise RuntimeError("no event loop has awaited this manager yet")
        return self._wheel

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that owns the state now; None before the first call."""
        return self._loop

    @property
    def gates(self) -> Gatekeeper:
        """What says which API may serve; for the HTTP ways in."""
        return self._gates

    def enter(self) -> Scope:
        """The scope of the running task, at its first call; one that is busy when another loop owns the state."""
        if self._wheel is None or self._loop is not asyncio.get_running_loop():
            return ELSEWHERE
        return self._wheel.enter()

    def bind(self) -> asyncio.AbstractEventLoop | None:
        """Make the running loop the owner; answers the owner when another live loop is it."""
        running = asyncio.get_running_loop()
        if self._loop is running:
            return None
        if self._loop is not None and self._loop.is_running() and self._pid == os.getpid():
            return self._loop
        self._loop, self._pid = running, os.getpid()
        self._wheel = wheel_of(self._clock, running)
        self.forget_plans()
        if self.on_bind is not None:
            self.on_bind()
        return None

    async def carry(self, owner: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop that owns the state, from another live loop; see `across_loops.carry`."""
        return await carry(owner, coroutine)

    def _refresh(self, name: str, call: Call, operation: Any, covered: bool) -> None:
        """Prepare the plan that the next calls under this name will take."""
        plan = prepare(name, call, self._gates, self.wheel, self._now())
        code = code_of(operation)
        if plan is not None and self._invoker.knows(code):
            plan.code = code
            if isinstance(operation, FunctionType) and operation.__closure__ is None:
                plan.operation = operation  # anything else may hold objects that must not live as long as a plan
        plans = self._covered_plans if covered else self._plans
        if plan is not None and call.home in ("", name):  # else one of too many names: none of them is kept
            plans[name] = plan
        else:
            plans.pop(name, None)

    def _forget(self, plan: Plan) -> None:
        for plans in (self._plans, self._covered_plans):
            if plans.get(plan.name) is plan:
                del plans[plan.name]

    def _rate(self, call: Call) -> float:
        now, operation = self._now(), call.route.operation
        bindings = (api.bindings.get(operation) for api in call.apis)
        return sum(binding.rate(now) for binding in bindings if binding is not None)

    def _transition(self, binding: Binding | None, name: str, old: str, new: str, cause: str) -> None:
        self.forget_plans()
        if new == "closed" and binding is not None:
            binding.api.score.restart()
            self._gates.closed_at[binding.api.name, binding.operation] = self._now()
        self._reporter.transition(binding, name, old, new, cause)

    # -- for people -------------------------------------------------------------------------------

    def decisions(self, limit: int = 100, route: str | None = None, outcome: str | None = None) -> list[Explanation]:
        """Decision records, newest first: all failures and fallbacks that are kept, and a sample of the rest."""
        return self._reporter.log.list(limit, route, outcome)

    def decision(self, call_id: str) -> Explanation | None:
        """The decision record of one call."""
        return self._reporter.log.find(call_id)

    def describe(self) -> dict[str, Any]:
        """Routes, APIs and hubs as they stand, as plain JSON-ready values."""
        return describe(self.roster, self._gates, self.counters, self._now())

    def ticking(self) -> Iterator[None]:
        """What is due once a second, step by step: expiries, leases, decay of breakers. Nothing else needs a timer."""
        if self._wheel is not None:
            self._wheel.let_go()
        self.end_directions()
        yield from self.roster.ticking()
        for api in tuple(self.roster.apis.values()):
            self._would_have.look(api)
            yield

    def close(self) -> None:
        """Let go of threads; calls in flight end by their own deadlines."""
        self._invoker.close()
