"""Tells what mechanisms that only observe would have done (rule R13): once a second, with a count."""

from __future__ import annotations

from collections.abc import Callable

from understudy.core.types import Mode

from .registry import Api


class WouldHave:
    """Turns the counters of observing budgets, bulkheads and rate limits into events.

    The mechanisms count on the call path, where an event for each refusal would cost too much; breaker,
    retry, quota and health check tell theirs themselves.
    """

    def __init__(self, emit: Callable[..., None]) -> None:
        self._emit = emit
        self._told: dict[tuple[str, str], int] = {}

    def look(self, api: Api) -> None:
        """Emit what has been counted since the last look."""
        options = api.options
        if options.budget.mode is Mode.OBSERVE:
            self._tell(api, "budget.would_refuse", api.budget.would_deny)
        if api.bulkhead is not None and api.bulkhead.options.mode is Mode.OBSERVE:
            self._tell(api, "bulkhead.would_refuse", api.bulkhead.would_refuse)
        if options.rate_limit is not None and options.rate_limit.mode is Mode.OBSERVE:
            waits = sum(key.limiter.would_wait for key in api.keys if key.limiter is not None)
            self._tell(api, "rate.would_wait", waits)

    def _tell(self, api: Api, kind: str, counted: int) -> None:
        place = (api.name, kind)
        before = self._told.get(place, 0)
        if counted != before:
            self._told[place] = counted
        if counted > before:
            self._emit(kind, api=api.name, count=counted - before)
