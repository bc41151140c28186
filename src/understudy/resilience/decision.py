"""The memory of decisions: one record for each failed or fallen-back call, and a sample of the rest."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

from understudy.core.types import Explanation


class DecisionLog:
    """Keeps the last records. Failures and fallbacks have a ring of their own, which successes never push out."""

    def __init__(self, keep_events: int = 2000, keep_samples: int = 500) -> None:
        self._events: deque[tuple[int, Explanation]] = deque(maxlen=keep_events)
        self._samples: deque[tuple[int, Explanation]] = deque(maxlen=keep_samples)
        self._count = itertools.count(1)
        self._order = itertools.count(1)

    def next_id(self, boot: str) -> str:
        """A name for a call, unique for this process and its start."""
        return f"{boot}-{next(self._count):x}"

    def add(self, record: Explanation) -> None:
        """Keep a record; the oldest of its kind goes when its ring is full."""
        (self._samples if record.outcome == "success" else self._events).append((next(self._order), record))

    def find(self, call_id: str) -> Explanation | None:
        """The record of one call, when it is still kept."""
        return next((record for record in self._newest() if record.call_id == call_id), None)

    def list(self, limit: int = 100, route: str | None = None, outcome: str | None = None) -> list[Explanation]:
        """The last records, newest first, of one route or one outcome when given."""
        found = []
        for record in self._newest():
            if (route is None or record.route == route) and (outcome is None or record.outcome == outcome):
                found.append(record)
                if len(found) >= limit:
                    break
        return found

    def _newest(self) -> Iterator[Explanation]:
        for _, record in sorted((*self._events, *self._samples), key=lambda entry: entry[0], reverse=True):
            yield record
