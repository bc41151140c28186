"""The outbound guard on aiohttp: every address that a name stands for is looked at; one of these is connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from understudy.core.errors import ConnectFailed

#: Whether a connection to this numeric address may be opened.
Permits = Callable[[str], bool]


class CheckedResolver(AbstractResolver):
    """Resolves names, and refuses one of whose addresses any is not permitted.

    The connector connects to what this answers, so that a name cannot mean something else a moment later.
    """

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            ConnectFailed: one of them leads where nothing may be sent.
            OSError: the name does not resolve.
        """
        found = await self._resolver.resolve(host, port, family)
        if not all(self._permits(each["host"]) for each in found):
            raise refused(host)
        return found

    async def close(self) -> None:
        """Nothing is open."""
        await self._resolver.close()


def checked_literal(host: str, permits: Permits) -> None:
    """Look at a host that is an address already: no resolver is asked for it.

    Raises:
        ConnectFailed: nothing may be sent there.
    """
    numeric = host.strip("[]").partition("%")[0]
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, numeric)
        except (OSError, ValueError):
            continue
        if not permits(numeric):
            raise refused(host)


def refused(host: str) -> ConnectFailed:
    """What to say of a host that leads where nothing may be sent."""
    # Without a host: that it is refused says nothing about our network.
    return ConnectFailed(
        f"{host} leads to this machine or into a private network, where addresses entered in the dashboard may not",
        stage="guard",
    )
