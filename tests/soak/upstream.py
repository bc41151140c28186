"""A small HTTP server for experiments: it answers as told, and counts what it saw and when."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Self


@dataclass(slots=True)
class Asked:
    """One request as it arrived; `at` is the server's `perf_counter`, `number` counts from 1."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    at: float


#: What a handler answers: bytes as they go on the wire, or pieces of them as they come; None closes.
Pieces = bytes | AsyncIterator[bytes] | None
Handler = Callable[[Asked], Awaitable[Pieces]]


def answer(status: int = 200, body: bytes = b"{}", *headers: str) -> bytes:
    """A complete answer on a connection that stays open."""
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class _Reader(asyncio.StreamReader):
    """Knows that the client has gone without having to read for it."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: BaseException) -> None:
        super().set_exception(exc)
        self.gone.set()


class Upstream:
    """Serves `handler` on a loopback port. `asked` are the requests (the last `keep` of them), `requests` how
    many there were, `open` the connections open now.
    """

    def __init__(self, handler: Handler, keep: int | None = None) -> None:
        self.handler = handler
        self.asked: deque[Asked] = deque(maxlen=keep)
        self.requests = 0
        self.open = self.connections = self.active = self.peak = self.port = 0
        self.sent = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[Asked]:
        """The requests that are no probes."""
        return [asked for asked in self.asked if asked.path != "/status"]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: asyncio.StreamReaderProtocol(_Reader(), self._accept), "127.0.0.1", self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert isinstance(reader, _Reader)
        self._tasks.add(task)
        self.open += 1
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the experiment is over
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _one(self, reader: _Reader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        await reader.readexactly(int(headers.get("content-length") or 0))
        self.requests += 1
        asked = Asked(self.requests, method, path, headers, time.perf_counter())
        self.asked.append(asked)
        self.active += 1
        self.peak = max(self.peak, self.active)
        work = asyncio.ensure_future(self._answer(asked, writer))
        gone = asyncio.ensure_future(reader.gone.wait())
        try:
            # A client that hangs up ends the handler: what goes on for nobody would count as active.
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            return work.done() and work.result()
        finally:
            self.active -= 1
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        told = await self.handler(asked)
        if told is None:
            return False
        if isinstance(told, bytes):
            writer.write(told)
            self.sent += len(told)
            await writer.drain()
            return True
        async for piece in told:
            writer.write(piece)
            self.sent += len(piece)
            await writer.drain()
        return True
