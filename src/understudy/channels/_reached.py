"""A socket to a host whose addresses have all been looked at, for what is not HTTP itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

#: Whether a connection to this numeric address may be opened.
Permits = Callable[[str], bool]


async def reached(host: str, port: int, permits: Permits) -> socket.socket:
    """A socket that is connected to one of the addresses of `host`: its name cannot mean another a moment later.

    Raises:
        OSError: one of its addresses is not permitted, or none can be reached.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not all(permits(str(address[0])) for *_, address in found):
        raise OSError("it leads to this machine or into a private network, where allow_private = false may not")
    fault: OSError = OSError("its name stands for no address")
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            fault = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise fault
