"""Roles that one instance at a time has: claims them, renews them, and steps down in time by its own clock.

A role that cannot be renewed is given up `MARGIN` seconds before another could claim it, so two
instances never act in it together while their clocks run equally fast; a process that was stopped and
wakes up later is caught by the token, which the store compares with every write.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnavailable
from understudy.core.lease import Lease

from .ports import LeaseStore

_log = logging.getLogger("understudy.cluster")

#: The role under which one of several services evaluates rules and delivers notifications.
ALERTS = "alerts"
#: Length of a lease, time between two renewals, and how long before its end the holder steps down, s.
TTL, RENEW, MARGIN = 6.0, 2.0, 1.5
#: The same where nobody else can open the store: no one waits for the end of such a lease, so renewing is seldom.
TTL_ALONE, RENEW_ALONE = 60.0, 20.0


class Roles:
    """The roles that this instance would take, and those it has. `alone`: no other can open the store meanwhile."""

    def __init__(
        self,
        leases: LeaseStore,
        holder: str,
        wanted: Iterable[str],
        clock: Clock,
        rng: random.Random,
        *,
        alone: bool = False,
    ) -> None:
        self._leases = leases
        self.holder = holder
        self.wanted = tuple(wanted)
        self.alone = alone
        self._ttl, self._renew_every = (TTL_ALONE, RENEW_ALONE) if alone else (TTL, RENEW)
        self._soon = asyncio.Event()
        self._clock = clock
        self._rng = rng
        self._held: dict[str, Lease] = {}
        self._adrift: set[str] = set()
        #: Called with a role's name and whether it is held from now on.
        self.on_change: Callable[[str, bool], object] | None = None

    def held(self, role: str) -> Lease | None:
        """The lease to write under, or None: act in the role only while this answers one."""
        lease = self._held.get(role)
        if lease is None or self._clock.monotonic() >= lease.until - MARGIN:
            return None
        return lease

    def adrift(self, role: str) -> bool:
        """Whether this instance had the role when the store went away, and nobody could be asked since.

        Another instance may have it by now, or none: what may be done twice rather than not at all goes on.
        """
        return role in self._adrift and self.held(role) is None

    async def run(self) -> None:
        """Claim and renew until cancelled."""
        self._soon = asyncio.Event()
        while True:
            await self.renew()
            every = self._renew_every if all(map(self.held, self.wanted)) and not self._adrift else RENEW
            timer = self._clock.call_later(every * self._rng.uniform(0.8, 1.0), self._soon.set)
            try:
                await self._soon.wait()
            finally:
                timer.cancel()
            self._soon.clear()

    def ask_again(self) -> None:
        """The store refused a lease of ours: it is asked at once who has the roles, on this loop."""
        self._soon.set()

    async def renew(self) -> None:
        """One round: ask for every role, all together, which the store commits as one."""
        await asyncio.gather(*(self._renew(role) for role in self.wanted))

    async def _renew(self, role: str) -> None:
        try:
            lease = await self._leases.claim(role, self.holder, self._ttl)
            self._adrift.discard(role)
        except StoreUnavailable as problem:
            if role in self._held:
                _log.warning("role %s was not renewed: %s", role, problem)
                self._adrift.add(role)
            lease = self.held(role)
        self._set(role, lease)

    async def release(self) -> None:
        """Give every role back, so that another instance need not wait; for a graceful stop."""
        for role, lease in tuple(self._held.items()):
            self._set(role, None)
            try:
                await self._leases.release(lease)
            except StoreUnavailable as problem:
                _log.info("role %s ends by its time: %s", role, problem)

    def as_dict(self) -> dict[str, int]:
        """The token of each role that is held now, for the status."""
        return {role: lease.token for role in self.wanted if (lease := self.held(role)) is not None}

    def _set(self, role: str, lease: Lease | None) -> None:
        before = self._held.get(role)
        if lease is None:
            self._held.pop(role, None)
        else:
            self._held[role] = lease
        if (before is None) != (lease is None):
            _log.info("role %s was %s", role, "lost" if lease is None else f"taken, token {lease.token}")
            if self.on_change is not None:
                self.on_change(role, lease is not None)
