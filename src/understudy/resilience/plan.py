"""The prepared plan of a name: all that a clean call needs, in one object that it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from understudy.core.types import Candidate

from .call import Call
from .deadline import DeadlineWheel
from .registry import Api, Binding, Route
from .standing import NOT_PINNED, Gatekeeper

#: A plan is made anew after this long, or sooner when a breaker's wait ends, s.
PLAN_LIFE = 1.0


#: No operation, and the code of none.
_UNKNOWN = object()


class Plan:
    """Who serves the next calls under a name. It is replaced, never changed, once it is in use."""

    __slots__ = (
        "generation",
        "api",
        "append",
        "binding",
        "candidates",
        "code",
        "expires",
        "limit",
        "name",
        "operation",
        "quick",
        "route",
        "wheel",
    )

    def __init__(
        self,
        name: str,
        route: Route,
        binding: Binding,
        candidates: tuple[Candidate, ...],
        limit: float,
        expires: float,
        wheel: DeadlineWheel,
    ) -> None:
        self.name = name
        self.route = route
        self.binding = binding
        self.api: Api = binding.api
        #: Bound when the plan is made: what a call appends later goes to the list of this breaker generation.
        self.append: Callable[[float], None] = binding.series.append
        self.candidates = candidates
        #: The breaker's generation that its calls are admitted under.
        self.generation = binding.breaker.generation
        #: The operation for which it was made, and its code, once that is known to be async: a caller that
        #: brings the same function each time is told by one comparison, one that brings a new closure by another.
        self.operation: Any = _UNKNOWN
        self.code: Any = _UNKNOWN
        self.limit = limit
        self.expires = expires
        self.wheel = wheel
        #: Nothing has to be waited for or fetched before a request: no rate limit, no token, no signing hook.
        auth = self.api.auth.kind
        self.quick = (
            self.api.options.rate_limit is None
            and self.api.sign is None
            and auth not in ("oauth2_client_credentials", "token_request")
        )


def prepare(name: str, call: Call, gates: Gatekeeper, wheel: DeadlineWheel, now: float) -> Plan | None:
    """The plan for calls like `call`; None while one of them has to look closer.

    That is so while the lead is not served by the caller's own operation, while it needs a permit, a
    key or a place in a bulkhead, or while an API waits for a call to prove that it works again.
    """
    if not call.apis or call.critical:
        return None
    generic = replace(
        call,
        started=now,
        deadline_at=now + call.route.options.deadline,
        total=0,
        tries={},
        spent={},
        failed_hubs=set(),
        candidates=[],
        attempts=[],
        causes={},
    )
    ranked = gates.rank(generic, now)
    first = ranked[0]
    served_by = gates.among(call, first.api).api
    if first.gate or not call.source.prepared(served_by) or gates.warming(call, now):
        return None
    expires = now + PLAN_LIFE
    for candidate in ranked:
        binding = gates.among(call, candidate.api)
        if candidate.gate not in ("", NOT_PINNED) and candidate.api == call.apis[0].name:
            return None  # a standby serves: each of its calls is a fallback, to be recorded
        if not candidate.gate and (candidate.detail or not _steady(binding)):
            return None
        if candidate.gate == "breaker_open":
            wait = binding.breaker.view().retry_after
            expires = min(expires, now + (wait if wait is not None else 0.0))
    binding = gates.among(call, first.api)
    reserve = gates.reserve(generic, served_by, now)
    limit = min(served_by.options.timeout.attempt, call.route.options.deadline - reserve)
    return Plan(name, call.route, binding, tuple(ranked), limit, expires, wheel)


def _steady(binding: Binding) -> bool:
    return binding.breaker.closed and binding.api.hub.breaker.closed
