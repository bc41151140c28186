"""Calls that run operations: the caller's own, its fallback, and those given at registration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .call import Attempt
from .invoke import Invoker, refuse_uncallable
from .keys import Key
from .outcome import SUCCESS, Outcome, OutcomeClass
from .registry import Api, Route

_HOLDS: Final = frozenset({OutcomeClass.RATE, OutcomeClass.QUOTA})


class OperationSource:
    """Runs, for each API, the operation that the call brought for it or that was registered with it."""

    #: An operation has no name that says more than its API's.
    endpoint = ""
    part = False

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
        if operation is not None:
            refuse_uncallable("operation", operation)
            if lead is not None:
                self._operations[lead.name] = operation
        if fallback_operation is not None:
            refuse_uncallable("fallback_operation", fallback_operation)
            if len(apis) > 1:
                self._operations[apis[-1].name] = fallback_operation
        #: The API whose operation the caller gave.
        self.lead = lead
        self._fallback_unsafe = route.options.fallback_unsafe
        #: An operation can always be called once more.
        self.replayable = True
        self.repeated = False

    def safe_again(self, api: Api) -> bool:
        """An operation is safe to repeat unless it was registered as unsafe."""
        return api.options.safe

    def safe_elsewhere(self, api: Api) -> bool:
        """What an unsafe operation may have done must not be done by another API too."""
        return api.options.safe or self._fallback_unsafe

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

    def settle(self, api: Api, key: Key | None, outcome: Outcome) -> None:
        """Give the reserved unit of quota back or count it; a refusal for rate or quota holds the API.

        A 401, 402 or 403 says something about the key that the operation used, of which nothing is known
        here: with another caller's key the same operation may work.
        """
        if outcome.kind in _HOLDS or outcome is SUCCESS:
            if key is not None or outcome is not SUCCESS:
                api.keys.settle(key or next(iter(api.keys)), outcome, outcome.status)
        elif key is not None and outcome.executed:
            api.keys.abandoned(key)
        elif key is not None:
            api.keys.give_back(key)
