"""HTTP clients for what is not the call path: notification services, each by its own trust and proxy."""

from __future__ import annotations

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.proxy import Proxy
from understudy.core.reach import PUBLIC
from understudy.core.trust import trust

from .aiohttp import AiohttpClient
from .aiohttp_addresses import Permits


class OutwardClients:
    """One client for each pair of a CA file and a proxy: channels of one pair share connections.

    Calling it with (CA file, proxy address) answers the client; empty texts mean the system's trust
    and no proxy. Nothing is read from the environment. `permits` says where guarded requests may go.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, permits: Permits = PUBLIC) -> None:
        self._clock = clock
        self._permits = permits
        self._clients: dict[tuple[str, str], AiohttpClient] = {}

    def __call__(self, ca_file: str = "", proxy: str = "") -> AiohttpClient:
        """The client of this trust and proxy.

        Raises:
            OptionError: the CA file or the address of the proxy cannot be used.
        """
        client = self._clients.get((ca_file, proxy))
        if client is None:
            client = AiohttpClient(
                self._clock,
                ssl=trust(ca_file) if ca_file else None,
                proxy=Proxy.read(proxy) if proxy else None,
                permits=self._permits,
            )
            self._clients[ca_file, proxy] = client
        return client

    async def close(self) -> None:
        """Close every connection of every client."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()
