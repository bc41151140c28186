"""Counts since start, for `/metrics` and the status views; nothing here is read by a decision."""

from __future__ import annotations

from collections import Counter

from understudy.core.types import Explanation


class Counters:
    """Plain counters; keys are bounded, as they hold registered names and closed lists only."""

    def __init__(self) -> None:
        #: (lead, served by, why the lead did not) -> calls
        self.fallbacks: Counter[tuple[str, str, str]] = Counter()
        #: route -> calls that nobody served
        self.exhausted: Counter[str] = Counter()
        #: (breaker, new state) -> transitions
        self.transitions: Counter[tuple[str, str]] = Counter()
        #: (api, outcome) -> attempts that left the prepared path
        self.attempts: Counter[tuple[str, str]] = Counter()

    def transition(self, breaker: str, to: str) -> None:
        """A breaker changed its state."""
        self.transitions[breaker, to] += 1

    def finished(self, record: Explanation, lead: str) -> None:
        """A call ended."""
        for attempt in record.attempts:
            self.attempts[attempt.api, attempt.outcome.value] += 1
        if record.outcome == "fallback":
            self.fallbacks[lead, record.chosen, why(record, lead)] += 1
        elif record.outcome in ("failed", "deadline"):
            self.exhausted[record.route] += 1


def why(record: Explanation, lead: str) -> str:
    """In one word, why the lead did not serve: how its attempt ended, or the gate that was closed."""
    for attempt in record.attempts:
        if attempt.api == lead:
            return attempt.outcome.value
    for candidate in record.candidates:
        if candidate.api == lead and candidate.gate:
            return candidate.gate
    return "cost"
