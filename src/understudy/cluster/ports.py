"""What the instances need of the store they share; storage satisfies it by shape."""

from __future__ import annotations

from typing import Protocol

from understudy.core.lease import Lease


class LeaseStore(Protocol):
    """Gives each role to one holder at a time, by the store's own time."""

    async def claim(self, role: str, holder: str, ttl: float) -> Lease | None:
        """The role for `ttl` seconds from now; None while another holder has it.

        The present holder renews by claiming again and keeps its token; every other new holder gets a
        greater one. `Lease.until` is reckoned on the caller's monotonic clock, from before it asked.

        Raises:
            StoreUnavailable: nobody could be asked; the present lease goes on until its own end.
        """

    async def release(self, lease: Lease) -> None:
        """Give the role back before its time; harmless when another has it already.

        Raises:
            StoreUnavailable: it ends by its time.
        """

    async def leaders(self) -> dict[str, tuple[str, int]]:
        """The present holder and token of each role that is held.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """
