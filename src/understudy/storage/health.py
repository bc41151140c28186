"""How the store is doing: written by its threads, read by whoever shows it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .trouble import Trouble


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """One look at the store. Times are epoch seconds, None: never.

    `problems` are sentences for people, empty while all is well. `writable` is whether what is recorded
    reaches the store now; `statistics` whether history and request log are written (they stop when the
    disk is full, so that control data still finds room). `waiting` and `dropped` are rows of history.
    """

    kind: str
    where: str
    writable: bool = True
    statistics: bool = True
    problems: tuple[str, ...] = ()
    trouble: Trouble | None = None
    last_error: str = ""
    last_error_at: float | None = None
    last_commit_at: float | None = None
    waiting: int = 0
    dropped: int = 0
    #: Batches of the request log that were given up because too many waited.
    dropped_batches: int = 0
    bytes: int = 0
    #: Share of `max_bytes`; 0 where there is no cap.
    fill: float = 0.0
    #: Files that were set aside because they were damaged, newest last.
    quarantined: tuple[str, ...] = ()
    #: What the size cap took away: the tier, and the epoch second before which it is gone.
    capped: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
        return {**plain, "problems": list(self.problems), "quarantined": list(self.quarantined)}


class HealthBoard:
    """Where the threads write what they find."""

    def __init__(self, kind: str, where: str) -> None:
        self._lock = threading.Lock()
        self._now = StoreHealth(kind, where)
        #: Sentences by topic; a topic that is over is taken out.
        self._problems: dict[str, str] = {}

    def set(self, **changes: Any) -> None:
        """Change fields of `StoreHealth`."""
        with self._lock:
            self._now = replace(self._now, **changes)

    def say(self, topic: str, sentence: str) -> bool:
        """Show a sentence under a topic, in place of an older one; whether it is new."""
        with self._lock:
            new = self._problems.get(topic) != sentence
            self._problems[topic] = sentence
            return new

    def over(self, topic: str) -> bool:
        """A topic is over; whether there was one."""
        with self._lock:
            return self._problems.pop(topic, None) is not None

    def look(self, **counts: Any) -> StoreHealth:
        """The state now, with what only the asker knows."""
        with self._lock:
            return replace(self._now, problems=tuple(self._problems.values()), **counts)

    @property
    def last_error(self) -> str:
        """The last error, in words."""
        with self._lock:
            return self._now.last_error
