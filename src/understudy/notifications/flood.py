"""When there is too much to say to one channel one by one. Pure; moments are monotonic seconds.

More than ten messages in a queue, or one that takes over a minute to send, is a flood: the first five critical
ones still go by themselves, everything else goes into digests, one each half minute, until the queue is short
again. Pagers are never in a flood: a digest would resolve nothing.
"""

from __future__ import annotations

from .gate import Gate
from .queue import Waiting

#: More than so many waiting for one destination, or a longer wait than this, s, is a flood.
MOST_WAITING, LONGEST_WAIT = 10, 60.0
#: Critical messages of a flood that go by themselves.
INDIVIDUAL = 5
#: Between two digests, s.
BETWEEN_DIGESTS = 30.0


class Flood:
    """Whether one channel is in a flood, and what still goes through."""

    __slots__ = ("individual", "next_digest", "on")

    def __init__(self) -> None:
        self.on = False
        #: Critical messages that went by themselves since it began.
        self.individual = 0
        #: When the next digest may go.
        self.next_digest = 0.0

    def lets_through(self, item: Waiting, crowd: int, gate: Gate, now: float) -> bool:
        """Whether this message goes by itself; `crowd` is how many wait for the destination that need not."""
        flooded = crowd > MOST_WAITING or (crowd > 1 and gate.bucket.wait_for(crowd, now) > LONGEST_WAIT)
        if flooded and not self.on:
            self.on, self.individual = True, 0
        elif self.on and not flooded and now >= self.next_digest:
            self.on = False
        return not self.on or self._alone(item)

    def _alone(self, item: Waiting) -> bool:
        if not item.loose or item.urgency < 0:
            return True
        return item.urgency == 0 and self.individual < INDIVIDUAL

    def sent(self, item: Waiting) -> None:
        """This message goes out by itself."""
        if self.on and item.urgency == 0:
            self.individual += 1

    def digested(self, now: float) -> None:
        """A digest was made."""
        self.next_digest = now + BETWEEN_DIGESTS

    def waits_until(self, item: Waiting | None, now: float) -> float:
        """When this message, or the digest that it is in, may go."""
        if item is None or not self.on or self._alone(item):
            return now
        return max(now, self.next_digest)

    def spared(self) -> int:
        """How many of the waiting critical messages a digest leaves out, as they go by themselves."""
        return max(0, INDIVIDUAL - self.individual)
