"""HTTP clients for what is not the call path: notification services, each by its own trust and proxy."""

from __future__ import annotations

import ssl
from pathlib import Path

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.errors import OptionError

from .aiohttp import AiohttpClient
from .proxy import Proxy


def trust(ca_file: str, owner: str = "channel") -> ssl.SSLContext:
    """Certificates are checked against the authorities of this file alone, and names against the certificate.

    Raises:
        OptionError: the file cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()))
    except OSError as error:
        why = error.strerror or type(error).__name__  # an SSLError is an OSError too
        raise OptionError(owner, "ca_file", f"{ca_file} ({why})", "a readable file of certificates (PEM)") from None


class OutwardClients:
    """One client for each pair of a CA file and a proxy: channels of one pair share connections.

    Calling it with (CA file, proxy address) answers the client; empty texts mean the system's trust
    and no proxy. Nothing is read from the environment.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._clients: dict[tuple[str, str], AiohttpClient] = {}

    def __call__(self, ca_file: str = "", proxy: str = "") -> AiohttpClient:
        """The client of this trust and proxy.

        Raises:
            OptionError: the CA file or the address of the proxy cannot be used.
        """
        client = self._clients.get((ca_file, proxy))
        if client is None:
            client = AiohttpClient(
                self._clock, ssl=trust(ca_file) if ca_file else None, proxy=Proxy.read(proxy) if proxy else None
            )
            self._clients[ca_file, proxy] = client
        return client

    async def close(self) -> None:
        """Close every connection of every client."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()
