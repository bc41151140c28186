"""Tells our own network's failure from that of many APIs at once (resilience rule R1)."""

from __future__ import annotations

from collections import deque
from typing import Final

from understudy.core.clock import Clock

#: So many hosts, in so many failure domains, within so many seconds: then the fault is ours.
HOSTS: Final = 3
DOMAINS: Final = 2
WITHIN: Final = 5.0


class LocalNetworkDetector:
    """Watches failed connects of all APIs of an application."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._failed: deque[tuple[float, str, str]] = deque(maxlen=256)
        self._told = False

    def connect_failed(self, host: str, domain: str) -> bool:
        """Note that name lookup or connecting failed; True while so many hosts fail that it must be local."""
        now = self._now()
        self._failed.append((now, host, domain))
        while self._failed and now - self._failed[0][0] > WITHIN:
            self._failed.popleft()
        if not self.suspected():
            self._told = False
            return False
        return True

    @property
    def since(self) -> float:
        """When the first of the failures that still count happened, monotonic seconds."""
        return self._failed[0][0] if self._failed else self._now()

    def hosts(self) -> set[str]:
        """The hosts that could not be reached."""
        return {host for _, host, _ in self._failed}

    def begins(self) -> bool:
        """True the first time it is asked in one episode, so that it is told once."""
        told, self._told = self._told, True
        return not told

    def connected(self) -> None:
        """Note that some host was reached: the network works, so nothing counts any more."""
        if self._failed:
            self._failed.clear()
            self._told = False

    def suspected(self) -> bool:
        """Whether the failures of the last seconds add up to a local one."""
        now = self._now()
        recent = [(host, domain) for at, host, domain in self._failed if now - at <= WITHIN]
        return len({host for host, _ in recent}) >= HOSTS and len({domain for _, domain in recent}) >= DOMAINS
