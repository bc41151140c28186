"""When a destination may be sent to: its rate, and the pauses after its failures. Pure; monotonic seconds."""

from __future__ import annotations

import random

from .backoff import backoff, delay
from .bucket import Bucket
from .ports import Rate


class Gate:
    """What shares one rate limit: a webhook, a bot, a mail server. A failure pauses it for all that it gets."""

    def __init__(self, rate: Rate, now: float) -> None:
        self.bucket = Bucket(rate, now)
        #: Failures in a row, whatever was being sent.
        self.streak = 0
        self.paused_until = 0.0
        #: The same, as far as the service asked for it.
        self.asked_until = 0.0
        self.in_flight = 0

    def ready_at(self, now: float) -> float:
        """When the next message may go: `now`, or a moment to come."""
        return max(self.paused_until, self.bucket.ready_at(now))

    @property
    def try_another(self) -> bool:
        """Whether the next message should be one that has not failed.

        After every other failure: were it the message and not the destination that fails, the rest would
        never get through.
        """
        return self.streak % 2 == 1

    def succeeded(self) -> None:
        """It took a message."""
        self.streak = 0

    def failed(self, now: float, attempts: int, after: float | None, rng: random.Random) -> float:
        """It did not take a message, after that many attempts; answers the seconds until that message may go again."""
        self.streak += 1
        wait = delay(self.streak, after, rng)
        self.paused_until = max(self.paused_until, now + wait)
        if after is not None:
            self.asked_until = max(self.asked_until, now + wait)
        # The message itself waits as long as its own failures ask for, which may be longer.
        return wait if attempts <= self.streak else max(wait, backoff(attempts, rng))

    def hold(self, until: float) -> None:
        """The service wants nothing more until then, although it took what it got."""
        self.paused_until = max(self.paused_until, until)
        self.asked_until = max(self.asked_until, until)

    @staticmethod
    def own_wait(attempts: int, after: float | None, rng: random.Random) -> float:
        """Seconds that a message waits where only a part of it failed, which says nothing about the rest."""
        return delay(attempts, after, rng)
