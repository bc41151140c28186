"""What a person, or code in a person's place, may say of APIs: a breaker held in a state, everything forgotten."""

from __future__ import annotations

from collections.abc import Callable

from .registry import Binding
from .reporter import Reporter
from .roster import Roster
from .standing import Gatekeeper


class ByHand:
    """The operator's part of `FallbackManager`."""

    roster: Roster
    forget_plans: Callable[[], None]
    _gates: Gatekeeper
    _reporter: Reporter

    def reset(self, api: str | None = None, *, actor: str = "code", reason: str = "") -> list[str]:
        """Close breakers and forget holds and quarantines, of one API or of all; answers whose.

        Raises:
            UnknownName: no such API.
        """
        chosen = [self.roster.api(api)] if api is not None else list(self.roster.apis.values())
        for entry in chosen:
            entry.hold_until = float("-inf")
            entry.keys.reset()
            entry.hub.breaker.reset()
            for binding in entry.bindings.values():
                binding.breaker.reset()
                binding.follow()
                self._gates.closed_at.pop((entry.name, binding.operation), None)  # whoever resets says: all is well
        self.forget_plans()
        names = [entry.name for entry in chosen]
        self._reporter.emit("fallback.reset", api=api or "", actor=actor, reason=reason, apis=names)
        return names

    def force(
        self, api: str, state: str, *, reason: str, actor: str = "code", expires_in: float | None = None
    ) -> list[str]:
        """Hold the breakers of an API in a state, whatever its calls come to; answers which breakers.

        `forced_open` takes it out of every route it is in, `forced_closed` lets all calls through, `observe`
        lets them through and tells when it would have opened. Until `unforce`, `reset`, or for `expires_in` seconds.

        Raises:
            UnknownName: no such API.
            ValueError: no such state, no reason, no actor, or an expiry that is over.
        """
        bindings = self._bindings_of(api)
        for binding in bindings:
            binding.breaker.force(state, reason=reason, actor=actor, expires_in=expires_in)
        return [binding.breaker.name for binding in bindings]

    def unforce(self, api: str) -> list[str]:
        """End a forced state: back to closed, or to the open phase that it interrupted; answers which breakers.

        Raises:
            UnknownName: no such API.
        """
        bindings = self._bindings_of(api)
        for binding in bindings:
            binding.breaker.unforce()
        return [binding.breaker.name for binding in bindings]

    def _bindings_of(self, name: str) -> list[Binding]:
        """An API in the service of each route it is in, and by itself."""
        api = self.roster.api(name)
        routes = [route for route in self.roster.routes.values() if api in route.apis]
        return [self.roster.binding(api, route) for route in (self.roster.own_route(api), *routes)]
