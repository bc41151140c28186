"""A small HTTP proxy for tests: tunnels (CONNECT), and plain requests passed on as they are."""

from __future__ import annotations

import asyncio
import base64
from typing import Self
from urllib.parse import urlsplit


class TunnelProxy:
    """Counts what went through: `tunnels` are the targets of CONNECT, `requests` the plain request lines.

    With `login` ("user:password") everybody else gets 407; with `refuse` everybody gets that status.
    `bytes_seen` is what was passed on, which in a tunnel must be unreadable.
    """

    def __init__(self, *, login: str = "", refuse: int = 0, aliases: dict[str, int] | None = None) -> None:
        self._login, self._refuse = login, refuse
        #: Where names lead that do not resolve here: the port on this machine.
        self._aliases = aliases or {}
        self.tunnels: list[str] = []
        self.requests: list[str] = []
        self.bytes_seen = b""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def address(self) -> str:
        """What a client is told, with its login."""
        return f"http://{self._login + '@' if self._login else ''}127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one of the two ends went away, or the test is over
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode().split("\r\n")[0].split(" ")
        wanted = f"Proxy-Authorization: Basic {base64.b64encode(self._login.encode()).decode()}\r\n"
        status = self._refuse or (407 if self._login and wanted.encode() not in head else 0)
        if status:
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        if method == "CONNECT":
            self.tunnels.append(target)
            host, _, port = target.rpartition(":")
            there = await asyncio.open_connection("127.0.0.1", self._aliases.get(host, int(port)))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            self.requests.append(f"{method} {target}")
            there = await asyncio.open_connection("127.0.0.1", urlsplit(target).port or 80)
            there[1].write(head)
        try:
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        finally:
            there[1].transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(65536):
            self.bytes_seen += piece
            sink.write(piece)
            await sink.drain()
        sink.close()
