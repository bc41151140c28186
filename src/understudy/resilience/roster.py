"""Who is registered: APIs, their hubs and bindings, routes; and which of them a name means."""

from __future__ import annotations

import dataclasses
import difflib
import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from understudy.core.clock import Clock
from understudy.core.errors import UnknownName
from understudy.core.types import Mode

from .api import ApiOptions, RouteOptions
from .auth import check_base_url, check_consistent, with_preset
from .breaker import Breaker, BreakerOptions
from .invoke import refuse_uncallable
from .keys import KeyPool
from .outcome import Classifier
from .plain import ReadSecret, in_full
from .ports import HealthView
from .presets import load_preset
from .registry import Api, Binding, Hub, Operation, Route
from .retry import RetryOptions

MAX_NAME = 200
#: Names that are registered by being called; those beyond share the API `OVERFLOW`.
MAX_CALLED = 10_000
OVERFLOW = "(too many names)"

Emit = Callable[..., None]
Transition = Callable[[Binding | None, str, str, str, str], None]


#: Calls under different names say nothing about one another: no breaker, no repeats.
_UNPROTECTED = ApiOptions(breaker=BreakerOptions(mode=Mode.OFF), retry=RetryOptions(mode=Mode.OFF))


class Roster:
    """The registered names of one application."""

    def __init__(
        self, clock: Clock, rng: random.Random, health: HealthView, emit: Emit, transition: Transition
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._health = health
        self._emit = emit
        self._transition = transition
        self.apis: dict[str, Api] = {}
        self.routes: dict[str, Route] = {}
        self.hubs: dict[str, Hub] = {}
        self._own_routes: dict[str, Route] = {}
        self._order = 0
        #: Reads `env:NAME` and `file:PATH` of keys given in code; None where no application is there to do it.
        self.read_secret: ReadSecret | None = None
        self._called_names = 0
        #: The time of day, epoch seconds: what people say holds by that.
        self.wall = clock.time

    # -- registering ----------------------------------------------------------------------------

    def register(
        self,
        name: str,
        priority: int | None,
        route: str | None,
        operation: Operation | None,
        options: ApiOptions | None,
        settings: dict[str, Any],
        *,
        implicit: bool = False,
    ) -> Api:
        """Make an API, or change the one of that name; state survives where options stay the same."""
        if operation is not None:
            refuse_uncallable("operation", operation)
        known = self.apis.get(name)
        if known is None:
            check_name(name)
        chosen = options or (known.options if known is not None else ApiOptions())
        if priority is not None:
            settings = {**settings, "priority": priority}
        if settings:
            chosen = dataclasses.replace(chosen, **in_full(settings, ApiOptions, self.read_secret))
        check_base_url(chosen.base_url)
        check_consistent(chosen)
        if known is not None:
            self._reconfigure(known, chosen)
            api = known
        else:
            api = self._make(name, chosen)
        api.implicit = implicit
        api.removed = False
        if operation is not None:
            api.operation = operation
        if route is not None:
            self._join(api, route)
        return api

    def _make(self, name: str, options: ApiOptions) -> Api:
        self._order += 1
        hub = self._hub(name, options)
        api = Api(
            name,
            options,
            hub=hub,
            order=self._order,
            classifier=Classifier(options, load_preset(preset_name(options))),
            keys=self._keys(name, options),
            clock=self._clock,
        )
        hub.apis.append(api)
        self.apis[name] = api
        return api

    def _keys(self, name: str, options: ApiOptions) -> KeyPool:
        def on_event(kind: str, detail: dict[str, Any]) -> None:
            self._emit(kind, api=name, **detail)

        return KeyPool(name, options, self._clock, on_event)

    def _hub(self, name: str, options: ApiOptions) -> Hub:
        domain = options.hub or (urlsplit(options.base_url).netloc if options.base_url else name)
        hub = self.hubs.get(domain)
        if hub is None:
            hub = self.hubs[domain] = Hub(domain, self._clock, self._rng, self._on_hub)
        return hub

    def _on_hub(self, breaker: Breaker, old: str, new: str, cause: str) -> None:
        self._transition(None, breaker.name, old, new, cause)

    def _reconfigure(self, api: Api, options: ApiOptions) -> None:
        before = api.options
        if options == before:
            return
        api.options = options
        api.auth = with_preset(options)
        api.classifier = Classifier(options, load_preset(preset_name(options)))
        if (options.auth, options.quota, options.rate_limit) != (before.auth, before.quota, before.rate_limit):
            api.keys = api.keys.reconfigured(options)
        if options.budget != before.budget:
            api.budget.options = options.budget
        api.apply_bulkhead()
        for binding in api.bindings.values():
            binding.breaker.reconfigure(options.breaker)
            binding.breaker.attempt_timeout = options.timeout.attempt
            binding.breaker.free_probe = api.has_free_probe
        hub = self._hub(api.name, options)
        if hub is not api.hub:
            api.hub.apis.remove(api)
            hub.apis.append(api)
            api.hub = hub
        for route in self.routes.values():
            route.sort()

    def _join(self, api: Api, route: str) -> None:
        if route not in self.routes:
            self.register_route(route, None, {})
        api.route = route
        self.routes[route].add(api)

    def register_route(self, name: str, options: RouteOptions | None, settings: dict[str, Any]) -> Route:
        """Make a route, or change the one of that name."""
        known = self.routes.get(name)
        if known is None:
            check_name(name)
        chosen = options or (known.options if known is not None else RouteOptions())
        if settings:
            chosen = dataclasses.replace(chosen, **in_full(settings, RouteOptions, None))
        members = [self.api(member) for member in chosen.apis]
        route = known or Route(name, chosen)
        route.options = chosen
        if chosen.apis:
            for member in list(route.apis):
                if member.name not in chosen.apis:
                    route.apis.remove(member)
                    if member.route == name:
                        member.route = ""
        for api in members:
            route.add(api)
            api.route = api.route or name
        self.routes[name] = route
        return route

    def remove(self, name: str) -> None:
        """Take an API out; calls in flight on it end as they would have."""
        api = self.api(name)
        api.removed = True
        api.hub.apis.remove(api)
        for route in self.routes.values():
            if api in route.apis:
                route.apis.remove(api)
        self._own_routes.pop(name, None)
        del self.apis[name]

    # -- finding --------------------------------------------------------------------------------

    def api(self, name: str) -> Api:
        """The API of that name; raises `UnknownName` with the nearest one."""
        try:
            return self.apis[name]
        except KeyError:
            nearest = difflib.get_close_matches(name, self.apis, 1)
            raise UnknownName("API", name, nearest[0] if nearest else "") from None

    def named_route(self, name: str) -> Route:
        """The registered route of that name; raises `UnknownName` with the nearest one."""
        if name in self.routes:
            return self.routes[name]
        nearest = difflib.get_close_matches(name, self.routes, 1)
        raise UnknownName("route", name, nearest[0] if nearest else "")

    def route(self, name: str) -> Route:
        """The route of that name, or the one that an API forms by itself; raises `UnknownName`."""
        if name in self.routes:
            return self.routes[name]
        if name in self.apis:
            return self.own_route(self.apis[name])
        nearest = difflib.get_close_matches(name, [*self.routes, *self.apis], 1)
        raise UnknownName("route", name, nearest[0] if nearest else "")

    def price_of(self, api: str) -> int:
        """Millionths of a currency unit that one attempt costs; the price of an API is that of 1,000."""
        known = self.apis.get(api)
        return round(known.price * 1000.0) if known is not None else 0

    def resolve(self, name: str, *, covered: bool) -> tuple[Route, Api | None, list[Api]]:
        """Route, the API that the name means (none for a route's name), and who may serve, in order.

        `covered` says that the call brings a fallback operation of its own, which is booked on the
        next-priority API that was registered without route and operation, else on `<name>.fallback`.
        """
        if name in self.routes:
            route = self.routes[name]
            return route, None, list(route.apis)
        home = self._called(name)
        route = self.routes.get(home.route) or self.own_route(home)
        apis = [home, *(api for api in route.apis if api is not home)]
        if covered:
            standby = self.standby_of(home)
            if standby not in apis:
                apis.append(standby)
        return route, home, apis

    def _called(self, name: str) -> Api:
        """The API of a name, registered with the defaults at its first call.

        A name is an API's. A program that makes up a new one for each call must neither fill memory nor
        fail: beyond `MAX_CALLED` its calls share one API, which is measured, and neither breaks nor repeats.
        """
        known = self.apis.get(name)
        if known is not None:
            return known
        if self._called_names < MAX_CALLED:
            self._called_names += 1
            return self.register(name, None, None, None, None, {}, implicit=True)
        if OVERFLOW not in self.apis:
            self._emit("names.overflowed", api=OVERFLOW, limit=MAX_CALLED)
            for shared in (OVERFLOW, f"{OVERFLOW}.fallback"):
                self.register(shared, None, None, None, _UNPROTECTED, {}, implicit=True)
        return self.apis[OVERFLOW]

    def standby_of(self, home: Api) -> Api:
        """The API on which a call's own fallback operation is booked."""
        free = [
            api
            for api in self.apis.values()
            if not api.route
            and api.operation is None
            and not api.implicit
            and not api.is_http
            and api.options.priority > home.options.priority
        ]
        if free:
            return min(free, key=lambda api: (api.options.priority, api.order))
        name = f"{home.name}.fallback"
        return self._called(name)

    def own_route(self, api: Api) -> Route:
        """The route that an API forms by itself."""
        route = self._own_routes.get(api.name)
        if route is None:
            # Its own fallback operation stands in only when the API fails: priority before cost.
            route = self._own_routes[api.name] = Route(api.name, RouteOptions(mode="priority"), implicit=True)
            route.add(api)
        return route

    def binding(self, api: Api, route: Route) -> Binding:
        """The API in the service of the route's operation; made at first use."""
        operation = route.operation
        binding = api.bindings.get(operation)
        if binding is None:
            binding = api.bindings[operation] = self._bind(api, operation)
        else:
            binding.follow()
        return binding

    def _bind(self, api: Api, operation: str) -> Binding:
        def on_transition(_: Breaker, old: str, new: str, cause: str) -> None:
            self._transition(binding, breaker.name, old, new, cause)

        breaker = Breaker(
            f"{api.name}/{operation}" if operation else api.name,
            api.options.breaker,
            self._clock,
            self._rng,
            attempt_timeout=api.options.timeout.attempt,
            on_transition=on_transition,
        )
        breaker.free_probe = api.has_free_probe
        binding = Binding(api, operation, breaker, self._health.series(api.name, operation))
        if api.forced is not None:
            binding.hold(api.forced, self.wall())
        return binding

    def ticking(self) -> Iterator[None]:
        """Let time pass for breakers, step by step: leases, expiries, decay."""
        for hub in tuple(self.hubs.values()):
            hub.breaker.tick()
            yield
        for api in tuple(self.apis.values()):
            for binding in tuple(api.bindings.values()):
                binding.breaker.tick()
            yield


def preset_name(options: ApiOptions) -> str:
    """The preset that applies: the one named, or that of the kind of authentication."""
    return options.preset or ("rapidapi" if options.auth.kind == "rapidapi" else "")


def check_name(name: str) -> None:
    """Refuse names that cannot be shown on one line, or would be kept as other ones."""
    if not name or len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
        raise ValueError(f"a name must be 1 to {MAX_NAME} printable characters, no space around, found {name!r:.60}")
