"""What the resilience rooms need from others; adapters and other rooms satisfy these by shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from understudy.core.types import Attribution, Explanation, OutcomeClass


class Series(Protocol):
    """The ordered attempts of one (API, operation).

    The hot path calls only `append`, bound once: seconds of a success. Everything else happens on a
    failure or at a drain. A batch, as `listener` gets it, holds seconds in order of arrival; a minus
    sign says failure (`-0.0` included), `-inf` a failure without a duration.
    """

    append: Callable[[float], None]
    listener: Callable[[Sequence[float]], None] | None

    def succeeded(self, seconds: float) -> None:
        """Append a success of a call that did not take the prepared path: `HealthView.called` tells of the call."""

    def failed(
        self,
        seconds: float | None,
        outcome: OutcomeClass,
        attribution: Attribution,
        message: str = "",
        status: int | None = None,
    ) -> None:
        """Append a failure and count its class; the caller drains when the breaker must judge."""

    def neutral(
        self, outcome: OutcomeClass, attribution: Attribution, message: str = "", status: int | None = None
    ) -> None:
        """Count an attempt that is neither success nor failure: total only."""

    def drain(self) -> None:
        """Settle what was appended: listener first, then the windows."""

    def rotate(self) -> None:
        """Drain, then start a new list: what still arrives in the old one reaches statistics only."""


class HealthView(Protocol):
    """How each API is doing; the monitor is one."""

    def series(self, api: str, operation: str = "") -> Series:
        """The series of an (API, operation), made when it does not exist."""

    def p50(self, api: str) -> float | None:
        """Median seconds of the API's successes over the last minutes; None without samples."""

    def called(
        self, record: Explanation, endpoint: str, causes: Mapping[str, BaseException], *, part: bool = False
    ) -> None:
        """A call that no success on the prepared path tells of has ended, served or not.

        `endpoint` is what was asked (`GET /path`; empty for operations), `causes` what APIs failed with.
        `part`: it was no call of its own, but went on with one that was told before.
        """


class StateStore(Protocol):
    """Keeps small facts that must survive a restart: quotas, holds, breakers. Values are JSON-ready."""

    async def load(self, prefix: str = "") -> dict[str, Any]:
        """Every value whose key begins with `prefix`, by its key.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def save(self, values: Mapping[str, Any]) -> None:
        """Keep all of these or none, and return when they are safe on disk; None forgets a key.

        Raises:
            StoreUnavailable: they were not kept, or, where the store itself went away, may not have been.
        """
