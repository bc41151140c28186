"""A scriptable server on a bare socket: it misbehaves exactly as told and counts what it saw.

async with RawServer(Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), RESET) as server:
    ...
    assert server.requests == 1
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Self

from understudy.core.clock import SYSTEM_CLOCK, Clock


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with one request: write the pieces `gap` seconds apart, then `then`.

    `then` is `keep` (wait for the next request), `close`, `reset` or `stall` (say nothing more).
    `pieces` may be a callable that makes an endless iterator.
    """

    pieces: bytes | tuple[bytes, ...] | Callable[[], AsyncIterator[bytes]] = b""
    then: str = "keep"
    gap: float = 0.01


def ok(body: bytes = b"ok", *headers: str) -> Reply:
    """A complete, well-formed answer on a connection that stays open."""
    head = "".join(f"{line}\r\n" for line in (f"Content-Length: {len(body)}", *headers))
    return Reply(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body)


RESET = Reply(then="reset")
CLOSE = Reply(then="close")
STALL = Reply(then="stall")


@dataclass(slots=True)
class Seen:
    """One request as it arrived."""

    head: bytes
    body: bytes
    connection: int

    @property
    def line(self) -> str:
        """Method, target and version."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    def header(self, name: str) -> str:
        """A header's value; empty when absent."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.strip().lower() == name.lower():
                return value.strip()
        return ""


class RawServer:
    """Answers request number n with reply number n, and all later ones with the last.

    `seen` are the requests; `connections` counts those accepted, `open` those still open, `sent` the
    bytes written. With `tls` it speaks https, and counts only whom its certificate satisfied.
    """

    def __init__(self, *replies: Reply, clock: Clock = SYSTEM_CLOCK, tls: ssl.SSLContext | None = None) -> None:
        self._clock = clock
        self._tls = tls
        self.replies = replies or (ok(),)
        self.seen: list[Seen] = []
        self.connections = self.open = self.port = self.sent = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def requests(self) -> int:
        """Requests whose head arrived in full."""
        return len(self.seen)

    @property
    def url(self) -> str:
        """The origin."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def reset_idle(self) -> None:
        """Reset every open connection."""
        for writer in self._writers:
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._handlers.add(task)
        self._writers.add(writer)
        self.connections += 1
        self.open += 1
        try:
            await self._serve(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self.open -= 1
            self._handlers -= {task}
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            seen = Seen(head, b"", number)
            reply = self.replies[min(len(self.seen), len(self.replies) - 1)]
            self.seen.append(seen)
            seen.body = await _body(reader, seen)
            async for piece in _pieces(reply):
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
                await self._clock.sleep(reply.gap)
            if reply.then == "keep":
                continue
            if reply.then == "stall":
                await reader.read()  # until the client gives up
            elif reply.then == "reset":
                _reset(writer)
            return


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST in place of FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _pieces(reply: Reply) -> AsyncIterator[bytes]:
    if callable(reply.pieces):
        async for piece in reply.pieces():
            yield piece
        return
    for piece in (reply.pieces,) if isinstance(reply.pieces, bytes) else reply.pieces:
        if piece:
            yield piece


async def _body(reader: asyncio.StreamReader, seen: Seen) -> bytes:
    if seen.header("transfer-encoding").lower() == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body
    return await reader.readexactly(int(seen.header("content-length") or 0))
