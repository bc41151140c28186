"""The states of a circuit breaker, and the breaker as people see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class BreakerState(StrEnum):
    """Where a breaker stands. The last three are an operator's word; statistics do not move them."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class BreakerView:
    """A breaker as people see it.

    `since_at` is epoch seconds; `retry_after` seconds until a call may be admitted, None when that
    depends on something else than time. `calls`, `failures` and `slow` are those of the window.
    """

    state: BreakerState
    generation: int
    opened_count: int
    retry_after: float | None
    since_at: float
    last_cause: str
    failures: int
    calls: int
    slow: int
    permits_left: int
    reason: str
    actor: str
    would_open: bool

    def as_dict(self) -> dict[str, Any]:
        """The view as plain JSON-ready values."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["state"] = self.state.value
        return plain
