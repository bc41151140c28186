"""A socket through an HTTP proxy, for what is not HTTP itself: the proxy's CONNECT (RFC 9110, 9.3.6)."""

from __future__ import annotations

import asyncio
import socket

from understudy.core.proxy import Proxy

#: Bytes of the proxy's answer that are read before it counts as none.
_MOST = 16_384
_END = b"\r\n\r\n"


async def tunnel(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A connected socket whose other end is `host`; the proxy resolves its name.

    Raises:
        OSError: the proxy is not there, refuses, or does not speak HTTP; the text says which.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        await loop.sock_connect(connection, address)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *map(": ".join, proxy.headers.items())]
        await loop.sock_sendall(connection, "\r\n".join((*lines, "", "")).encode("ascii"))
        status = _status(await _head(connection))
        if status // 100 != 2:
            raise OSError(f"the proxy answered {status}" if status else "the proxy does not speak HTTP")
    except BaseException:
        connection.close()
        raise
    return connection


async def _head(connection: socket.socket) -> bytes:
    """The proxy's answer to the end of its headers, and not a byte more: the server may speak first."""
    loop = asyncio.get_running_loop()
    head = b""
    while not head.endswith(_END) and len(head) < _MOST:
        piece = await loop.sock_recv(connection, 1)
        if not piece:
            break
        head += piece
    return head


def _status(head: bytes) -> int:
    """The status of an answer; 0 when it is none."""
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if not head.endswith(_END) or len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return 0
    return int(words[1][:3])
