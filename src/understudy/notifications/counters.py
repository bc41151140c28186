"""What `/metrics` tells of deliveries: counts since the start of the process, by channel."""

from __future__ import annotations

from collections import Counter

from understudy.core.durations import Durations

from .ports import Attempt


class DeliveryCounters:
    """Counts every attempt as it ends. Belongs to the loop of the dispatcher."""

    def __init__(self) -> None:
        #: (channel, result) -> attempts.
        self.results: Counter[tuple[str, str]] = Counter()
        #: Seconds from noticing a thing to its delivery, by channel.
        self.delivery: dict[str, Durations] = {}

    def note(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self.results[attempt.channel, attempt.result] += 1
        if attempt.result == "delivered" and attempt.since_detected is not None:
            self.delivery.setdefault(attempt.channel, Durations()).add(attempt.since_detected)
