"""One accepted connection: a stream with the rough handling that faults need."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from asyncio import AbstractEventLoop

from .wire import MAX_HEAD

_LINGER_ZERO = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Connection:
    """Reads requests through `reader`; writes, closes, half-closes and resets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer
        #: Requests answered so far; from one on, the connection is a reused one.
        self.served = 0
        #: Whether the status line and headers of the present answer went out whole.
        self.told = False

    @classmethod
    async def over(
        cls, loop: AbstractEventLoop, sock: socket.socket, context: ssl.SSLContext | None = None
    ) -> Connection:
        """Take over an accepted socket, shaking hands in TLS when given a context. Raises OSError."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = asyncio.StreamReader(limit=MAX_HEAD, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    @property
    def gone(self) -> bool:
        """Whether it is closed or closing."""
        return self._writer.is_closing()

    async def send(self, data: bytes) -> None:
        """Write, and wait until the buffer is low. Raises ConnectionError when the client has gone."""
        if self.gone:
            raise ConnectionResetError("client has gone")
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """Close in order, after what was written."""
        self._writer.close()

    def reset(self) -> None:
        """Close with a RST packet."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None and not self.gone:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.drop()

    def drop(self) -> None:
        """Close at once, whatever is still to be written."""
        self._writer.transport.abort()

    def half_close(self) -> None:
        """End our direction and go on reading; over TLS, which has no such state, close."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()

    async def until_gone(self) -> None:
        """Read and forget until the client closes."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(MAX_HEAD):
                pass

    async def closed(self) -> None:
        """Wait until the socket is really closed."""
        # How the client left is its own affair (ssl errors are OSErrors too).
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
