"""What a simulated API saw: counts since its start, and its last requests."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

_REMEMBERED = 1_000


@dataclass(slots=True)
class Seen:
    """One request that arrived. `status` stays None unless an answer's headers went out whole.

    `key` is an alias (`key1`), `unknown` for a key never given out, empty for none; `at` is epoch
    seconds; `path` never holds a key.
    """

    method: str
    path: str
    key: str
    probe: bool
    at: float
    status: int | None = None


class Journal:
    """Counts requests and probes apart."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.probes = 0
        self.in_flight = 0
        #: Most requests that were in flight at one time.
        self.peak = 0
        self.per_key: Counter[str] = Counter()
        self.last: deque[Seen] = deque(maxlen=_REMEMBERED)

    def arrived(self, seen: Seen) -> None:
        """Count a request that has been read."""
        self.last.append(seen)
        if seen.probe:
            self.probes += 1
            return
        self.requests += 1
        self.per_key[seen.key] += 1

    def begin(self) -> None:
        """A request is being worked on."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)

    def end(self) -> None:
        """It is no longer."""
        self.in_flight -= 1

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON-ready values."""
        return {
            "connections": self.connections, "requests": self.requests, "probes": self.probes,
            "in_flight": self.in_flight, "peak": self.peak, "per_key": dict(self.per_key),
        }  # fmt: skip
