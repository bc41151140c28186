"""The circuit breaker of one channel: when it is left alone, and how it is tried again.

Channels see a handful of messages an hour, so the breaker of the call path, which judges rates over
windows, would learn too late here: five failures in a row, or one answer that the endpoint is gone, decide.
A pure state machine; moments are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

#: Failures in a row that open it.
FAILURES = 5
#: The first wait for a probe, which doubles up to the longest, s.
FIRST_PROBE, LONGEST_PROBE = 30.0, 300.0


class CircuitState(StrEnum):
    """Whether a channel is used."""

    CLOSED = "closed"
    #: Left alone but for one probe now and then.
    OPEN = "open"
    #: The probe is on its way.
    HALF_OPEN = "half_open"
    #: The endpoint is gone or refuses us: nothing is sent until the configuration changes or a test succeeds.
    DISABLED = "disabled"


class Circuit:
    """Tells whether a channel may be used now, from how its sends went."""

    __slots__ = ("failures", "opened_at", "probe_at", "reason", "revision", "state", "wait")

    def __init__(self, revision: str = "") -> None:
        self.state = CircuitState.CLOSED
        #: Transient failures in a row.
        self.failures = 0
        #: Why it is not closed, in words.
        self.reason = ""
        #: When it opened, epoch seconds.
        self.opened_at: float | None = None
        #: When the next probe may go, monotonic.
        self.probe_at = 0.0
        self.wait = FIRST_PROBE
        #: What configuration this is about.
        self.revision = revision

    @property
    def closed(self) -> bool:
        """Whether messages flow."""
        return self.state is CircuitState.CLOSED

    def ready_at(self, now: float) -> float | None:
        """When a message may go: `now`, the moment of the next probe, or None while that is not known."""
        if self.state is CircuitState.CLOSED:
            return now
        return max(now, self.probe_at) if self.state is CircuitState.OPEN else None

    def sending(self) -> None:
        """A message goes out now; on an open breaker it is the probe."""
        if self.state is CircuitState.OPEN:
            self.state = CircuitState.HALF_OPEN

    def succeeded(self) -> bool:
        """A message arrived. Answers whether that closed the breaker."""
        was_open = not self.closed
        self.state, self.failures, self.reason = CircuitState.CLOSED, 0, ""
        self.wait, self.opened_at = FIRST_PROBE, None
        return was_open

    def failed(self, now: float, at: float, reason: str, after: float | None = None) -> bool:
        """A message could not be handed over now; `at` is epoch seconds. Answers whether that opened the breaker."""
        self.failures += 1
        if self.state is CircuitState.DISABLED:
            return False
        opened = False
        if self.state is CircuitState.HALF_OPEN:
            self.wait = min(LONGEST_PROBE, self.wait * 2)
        elif self.state is CircuitState.OPEN or self.failures < FAILURES:
            return False
        else:
            opened, self.opened_at, self.wait = True, at, FIRST_PROBE
        self.state, self.reason = CircuitState.OPEN, reason
        self.probe_at = now + max(self.wait, after or 0.0)
        return opened

    def unanswered(self) -> None:
        """The probe came to nothing that says anything about the channel: another may go at once."""
        if self.state is CircuitState.HALF_OPEN:
            self.state = CircuitState.OPEN

    def fatal(self, at: float, reason: str) -> bool:
        """The endpoint refused us for good. Answers whether that is news."""
        news = self.state is not CircuitState.DISABLED
        if self.opened_at is None:
            self.opened_at = at
        self.state, self.reason = CircuitState.DISABLED, reason
        return news

    def as_dict(self) -> dict[str, Any] | None:
        """What must survive a restart; None while it is closed."""
        if self.closed:
            return None
        state = CircuitState.OPEN if self.state is CircuitState.HALF_OPEN else self.state
        return {
            "state": str(state), "failures": self.failures, "reason": self.reason, "opened_at": self.opened_at,
            "wait": self.wait, "revision": self.revision,
        }  # fmt: skip

    def restore(self, kept: Mapping[str, Any], now: float) -> None:
        """Go on as before the restart; a configuration that has changed since begins afresh."""
        if str(kept.get("revision", "")) != self.revision:
            return
        try:
            state = CircuitState(str(kept["state"]))
            failures, wait = int(kept.get("failures", FAILURES)), float(kept.get("wait", FIRST_PROBE))
        except (KeyError, ValueError, TypeError):
            return  # written by another version: it learns anew
        self.state, self.failures, self.reason = state, failures, str(kept.get("reason", ""))
        opened = kept.get("opened_at")
        self.opened_at = float(opened) if isinstance(opened, int | float) else None
        self.wait = min(LONGEST_PROBE, max(FIRST_PROBE, wait))
        self.probe_at = now  # whoever restarted us may have mended it
