"""Never faster than a destination allows: a token bucket, and a window of a minute where there is a second bound."""

from __future__ import annotations

from collections import deque

from .ports import Rate

MINUTE = 60.0
#: A token is whole when this little is missing: sums of floats never quite reach one.
_ALMOST = 1e-9


class Bucket:
    """Tokens of one destination. All moments are monotonic seconds; it starts full."""

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = float(max(1, rate.burst))
        self._at = now
        self._sent: deque[float] = deque()

    def change(self, rate: Rate, now: float) -> None:
        """Go on at another rate; tokens that the new burst has no room for are lost."""
        self._fill(now)
        self.rate = rate
        self._tokens = min(self._tokens, float(max(1, rate.burst)))

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self.rate.per_second
        self._tokens = min(float(max(1, self.rate.burst)), self._tokens + gained)
        self._at = max(self._at, now)

    def ready_at(self, now: float) -> float:
        """When the next message may go: `now`, or a moment to come."""
        self._fill(now)
        missing = 1.0 - self._tokens
        moment = now if missing <= _ALMOST else now + missing / self.rate.per_second
        if self.rate.per_minute is not None:
            while self._sent and self._sent[0] + MINUTE <= now:
                self._sent.popleft()
            if len(self._sent) >= self.rate.per_minute:
                moment = max(moment, self._sent[-self.rate.per_minute] + MINUTE)
        return moment

    def spare(self, now: float) -> int:
        """How many messages may go out at this moment."""
        if self.ready_at(now) > now:
            return 0
        tokens = int(self._tokens + _ALMOST)
        return tokens if self.rate.per_minute is None else min(tokens, self.rate.per_minute - len(self._sent))

    def take(self, now: float) -> None:
        """A message goes out now."""
        self._fill(now)
        self._tokens -= 1.0
        if self.rate.per_minute is not None:
            self._sent.append(now)

    def wait_for(self, messages: int, now: float) -> float:
        """About how long that many messages take from now on, s."""
        self._fill(now)
        seconds = max(0.0, messages - self._tokens) / self.rate.per_second
        if self.rate.per_minute is not None:
            seconds = max(seconds, (messages + len(self._sent) - self.rate.per_minute) / self.rate.per_minute * MINUTE)
        return seconds


def strictest(rates: list[Rate]) -> Rate:
    """What keeps to all of them: channels that share a destination share its limit."""
    bounds = [rate.per_minute for rate in rates if rate.per_minute is not None]
    return Rate(
        min(rate.per_second for rate in rates),
        min(rate.burst for rate in rates),
        min(bounds) if bounds else None,
    )
