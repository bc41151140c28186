"""Calls that run operations: the caller's own, its fallback, and those given at registration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .call import Attempt
from .invoke import Invoker
from .outcome import SUCCESS, Outcome
from .registry import Api, Route


class OperationSource:
    """Runs, for each API, the operation that the call brought for it or that was registered with it."""

    def __init__(
        self,
        invoker: Invoker,
        route: Route,
        apis: list[Api],
        home: Api | None,
        operation: Callable[[], Any] | None,
        fallback_operation: Callable[[], Any] | None,
    ) -> None:
        self._invoker = invoker
        self._operations: dict[str, Callable[[], Any]] = {}
        lead = home or (apis[0] if apis else None)
        if lead is not None and operation is not None:
            self._operations[lead.name] = operation
        if fallback_operation is not None and len(apis) > 1:
            self._operations[apis[-1].name] = fallback_operation
        #: The API whose operation the caller gave.
        self.lead = lead
        self.safe_again = lead is None or lead.options.safe
        self.safe_elsewhere = self.safe_again or route.options.fallback_unsafe

    def gate(self, api: Api) -> str:
        """`no_operation` when nothing is known that could be run for `api`."""
        return "" if api.name in self._operations or api.operation is not None else "no_operation"

    async def attempt(self, attempt: Attempt) -> tuple[Any, Outcome]:
        """Run the operation; what it returns is a success, what it raises is judged by the pipeline."""
        api = attempt.binding.api
        operation = self._operations.get(api.name) or api.operation
        assert operation is not None  # noqa: S101 - `gate` has been asked; for the type checker
        api.in_flight += 1
        try:
            return await self._invoker(operation, attempt.on_return), SUCCESS
        finally:
            api.in_flight -= 1

    def prepared(self, api: Api) -> bool:
        """Only the caller's own operation, and only where nothing has to be taken before it runs."""
        return api is self.lead and api.name in self._operations and api.bulkhead is None and not api.uses_keys

    def refused(self, api: Api, value: Any, outcome: Outcome) -> BaseException:
        """A value is always accepted, so this is never asked."""
        return ValueError(outcome.reason)

    async def discard(self, value: Any) -> None:
        """Values of operations are the caller's own; nothing of ours is held by them."""
