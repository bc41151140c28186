"""One accepted connection: a stream with the rough handling that faults need."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from asyncio import AbstractEventLoop
from collections.abc import Callable

from understudy.core.clock import Clock

from .wire import MAX_HEAD, Request, read_request

_LINGER_ZERO = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
#: Seconds that a request may take from its first byte to its last; who is slower loses the connection.
READ_LIMIT = 60.0
#: A longer wait than this, in seconds, is given up when the client hangs up; a shorter one is not worth the trouble.
_LONG = 1.0
#: Bytes of a refused request that are read and forgotten before closing, so that the client gets to read the refusal,
#: and the seconds this may take.
_LINGER, _LINGER_FOR = 4 * 1024 * 1024, 2.0


class _Protocol(asyncio.StreamReaderProtocol):
    """A stream that tells when the client hangs up, though nobody reads."""

    def __init__(self, reader: asyncio.StreamReader, loop: AbstractEventLoop, hung_up: Callable[[], None]) -> None:
        super().__init__(reader, loop=loop)
        self._hung_up = hung_up

    def eof_received(self) -> bool | None:
        self._hung_up()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hung_up()
        super().connection_lost(exc)


class Connection:
    """Reads requests through `reader`; writes, closes, half-closes and resets."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock, hung_up: asyncio.Event
    ) -> None:
        self.reader = reader
        self._writer = writer
        self._clock = clock
        self._hung_up = hung_up
        #: Requests answered so far; from one on, the connection is a reused one.
        self.served = 0
        #: Whether the status line and headers of the present answer went out whole.
        self.told = False

    @classmethod
    async def over(
        cls, loop: AbstractEventLoop, sock: socket.socket, clock: Clock, context: ssl.SSLContext | None = None
    ) -> Connection:
        """Take over an accepted socket, shaking hands in TLS when given a context. Raises OSError."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = asyncio.StreamReader(limit=MAX_HEAD, loop=loop)
        hung_up = asyncio.Event()
        protocol = _Protocol(reader, loop, hung_up.set)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop), clock, hung_up)

    @property
    def gone(self) -> bool:
        """Whether it is closed or closing."""
        return self._writer.is_closing()

    async def request(self) -> Request | None:
        """The next request; None when the client has closed, or took too long. Raises `BadRequest`."""
        # Between two requests a connection may rest for as long as its client likes.
        first = await self._first()
        if not first:
            return None
        limit = self._clock.call_later(READ_LIMIT, self.drop)
        try:
            return await read_request(self.reader, first, self._writer.write)
        finally:
            limit.cancel()

    async def _first(self) -> bytes:
        try:
            while (first := await self.reader.read(1)) in (b"\r", b"\n"):
                pass  # empty lines before a request are to be overlooked
        except ConnectionError:
            return b""
        return first

    async def wait(self, seconds: float) -> None:
        """Let this time pass; a long wait ends when the client hangs up, which frees the connection."""
        if seconds <= _LONG:
            await self._clock.sleep(seconds)
            return
        waits = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._hung_up.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def refuse(self, answer: bytes) -> None:
        """Send the answer to a request that cannot be read on, and close in order.

        Closing on unread bytes would be a reset, which can overtake the answer.
        """
        await self.send(answer)
        self.half_close()
        limit = self._clock.call_later(_LINGER_FOR, self.drop)
        try:
            left = _LINGER
            while left > 0 and (data := await self.reader.read(MAX_HEAD)):
                left -= len(data)
        finally:
            limit.cancel()

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
