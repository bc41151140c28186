"""What a person, or code in a person's place, may say of APIs: who leads, who rests, which breaker is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from understudy.core.clock import Clock

from .directions import BEGUN, DRAIN, ENDED, FORCE, FORCED, OF_APIS, PIN, QUIET, Direction
from .registry import Api, Binding, Route
from .reporter import Reporter
from .roster import Roster
from .standing import Gatekeeper

#: Why a direction ends that nobody ended.
_OVER: Final = "its time has passed"


class ByHand:
    """The operator's part of `FallbackManager`."""

    roster: Roster
    forget_plans: Callable[[], None]
    _clock: Clock
    _gates: Gatekeeper
    _reporter: Reporter

    # -- breakers ---------------------------------------------------------------------------------

    def reset(self, api: str | None = None, *, actor: str = "code", reason: str = "") -> list[str]:
        """Close breakers and forget holds and quarantines, of one API or of all; answers whose.

        Raises:
            UnknownName: no such API.
        """
        chosen = [self.roster.api(api)] if api is not None else list(self.roster.apis.values())
        for entry in chosen:
            self.direct(FORCE, entry.name, None, actor=actor, reason=reason)
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
            ValueError: no such state, no reason, no actor, or an expiry out of range.
        """
        bindings = self._bindings_of(api)
        if state not in FORCED:
            allowed = ", ".join(sorted(FORCED))
            raise ValueError(f"a breaker can be forced to {allowed}; found {str(state)!r}. To close it, reset it")
        made = Direction.given(reason, actor, self._clock.time(), expires_in, state=str(state))
        self.direct(FORCE, api, made)
        return [binding.breaker.name for binding in bindings]

    def unforce(self, api: str, *, actor: str = "code", reason: str = "") -> list[str]:
        """End a forced state: back to closed, or to the open phase that it interrupted; answers which breakers.

        Raises:
            UnknownName: no such API.
        """
        bindings = self._bindings_of(api)
        self.direct(FORCE, api, None, actor=actor, reason=reason)
        return [binding.breaker.name for binding in bindings]

    def _bindings_of(self, name: str) -> list[Binding]:
        """An API in the service of each route it is in, and by itself."""
        api = self.roster.api(name)
        routes = [route for route in self.roster.routes.values() if api in route.apis]
        return [self.roster.binding(api, route) for route in (self.roster.own_route(api), *routes)]

    # -- directions -------------------------------------------------------------------------------

    def pin(
        self, route: str, api: str, *, reason: str, actor: str = "code", expires_in: float | None = None,
        only: bool = False,
    ) -> Direction:  # fmt: skip
        """Let `api` lead a route until `unpin`, or for `expires_in` seconds; a later pin replaces an earlier one.

        It is asked first whatever it costs, and the others stand in when it fails or is gated. With `only` they do
        not: then a call that it cannot serve fails.

        Raises:
            UnknownName: no such route or API.
            ValueError: the API does not serve that route, no reason, no actor, or an expiry out of range.
        """
        entry, member = self.roster.named_route(route), self.roster.api(api)
        if member not in entry.apis:
            raise ValueError(
                f"{api} does not serve {route}: {', '.join(each.name for each in entry.apis) or 'nobody'} may"
            )
        made = Direction.given(reason, actor, self._clock.time(), expires_in, api=api, only=only)
        self.direct(PIN, route, made)
        return made

    def unpin(self, route: str, *, actor: str = "code", reason: str = "") -> Direction | None:
        """Let selection choose again; answers the pin that ended, None where there was none.

        Raises:
            UnknownName: no such route.
        """
        self.roster.named_route(route)
        return self.direct(PIN, route, None, actor=actor, reason=reason)

    def drain(self, api: str, *, reason: str, actor: str = "code", expires_in: float | None = None) -> Direction:
        """Send no new calls to an API, in whatever route; attempts that run end as they would have.

        It is empty when `describe` shows no attempt in flight. Until `undrain`, or for `expires_in` seconds.

        Raises:
            UnknownName: no such API.
            ValueError: no reason, no actor, or an expiry out of range.
        """
        self.roster.api(api)
        made = Direction.given(reason, actor, self._clock.time(), expires_in)
        self.direct(DRAIN, api, made)
        return made

    def undrain(self, api: str, *, actor: str = "code", reason: str = "") -> Direction | None:
        """Let calls go to an API again; answers the drain that ended, None where there was none.

        Raises:
            UnknownName: no such API.
        """
        self.roster.api(api)
        return self.direct(DRAIN, api, None, actor=actor, reason=reason)

    def pause_checks(self, api: str, *, reason: str, actor: str = "code", expires_in: float | None = None) -> Direction:
        """Start no planned health check of an API; one that is asked for by hand still runs.

        Raises:
            UnknownName: no such API.
            ValueError: no reason, no actor, or an expiry out of range.
        """
        self.roster.api(api)
        made = Direction.given(reason, actor, self._clock.time(), expires_in)
        self.direct(QUIET, api, made)
        return made

    def resume_checks(self, api: str, *, actor: str = "code", reason: str = "") -> Direction | None:
        """Go on with the planned health checks; answers the pause that ended, None where there was none.

        Raises:
            UnknownName: no such API.
        """
        self.roster.api(api)
        return self.direct(QUIET, api, None, actor=actor, reason=reason)

    def direct(
        self,
        kind: str,
        name: str,
        wanted: Direction | None,
        *,
        actor: str = "",
        reason: str = "",
        elsewhere: bool = False,
        expired: bool = False,
    ) -> Direction | None:
        """Put a direction in force, or end it; answers the one before. Nothing happens where it stands so already.

        `elsewhere` says that another instance was told, or an earlier process: then this one only follows. A name
        that is not registered here is passed over. `expired` says that its time has passed, which every instance
        finds by itself.
        """
        holder: Route | Api | None = (self.roster.routes if kind == PIN else self.roster.apis).get(name)
        if holder is None:
            return None
        before: Direction | None = getattr(holder, kind)
        if before == wanted:
            return before
        if kind == FORCE:
            self._hold(name, wanted)
        setattr(holder, kind, wanted)
        self.forget_plans()
        told = wanted or before
        detail = {
            "actor": actor or (told.actor if told else ""), "reason": reason or (told.reason if told else ""),
            "before": before.as_dict() if before else None, "after": wanted.as_dict() if wanted else None,
            **({"elsewhere": True} if elsewhere else {}), **({"expired": True} if expired else {}),
        }  # fmt: skip  # reads as a table
        route, api = (name, told.api if told else "") if kind == PIN else ("", name)
        self._reporter.emit((BEGUN if wanted else ENDED)[kind], api=api, route=route, **detail)
        return before

    def _hold(self, api: str, wanted: Direction | None) -> None:
        """Hold the breakers of an API in the state that is wanted, or let them judge again."""
        for binding in self._bindings_of(api):
            if wanted is None:
                binding.breaker.unforce()
            else:
                binding.hold(wanted, self._clock.time())

    def directions(self) -> list[tuple[str, str, Direction | None]]:
        """Every place where a direction may stand: its kind, the name of the route or API, and what stands there."""
        places: list[tuple[str, str, Direction | None]] = [
            (PIN, route.name, route.pin) for route in self.roster.routes.values()
        ]
        for api in self.roster.apis.values():
            places += ((kind, api.name, getattr(api, kind)) for kind in OF_APIS)
        return places

    def end_directions(self) -> None:
        """End those whose time has passed; due once a second."""
        now = self._clock.time()
        for route in tuple(self.roster.routes.values()):
            if route.pin is not None and route.pin.over(now):
                self.direct(PIN, route.name, None, actor="system", reason=_OVER, expired=True)
        for api in tuple(self.roster.apis.values()):
            for kind in OF_APIS:
                given: Direction | None = getattr(api, kind)
                if given is not None and given.over(now):
                    self.direct(kind, api.name, None, actor="system", reason=_OVER, expired=True)
