"""The connections of a server: one task each, and an end that leaves none behind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable

from understudy.core.clock import Clock

from .connection import Connection

Serve = Callable[[Connection], Awaitable[None]]


class Connections:
    """Runs `serve` for each accepted socket, and closes it afterwards."""

    def __init__(self, serve: Serve, clock: Clock, context: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._clock = clock
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[Connection] = set()

    def accepted(self, sock: socket.socket) -> None:
        """Begin to serve a socket."""
        task = asyncio.get_running_loop().create_task(self._run(sock))
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            # For a task that was cancelled before its first step, nobody else has taken the socket.
            sock.close()

        task.add_done_callback(ended)

    def reset_all(self) -> None:
        """Reset every connection that is open now."""
        for conn in tuple(self._open):
            conn.reset()

    async def stop(self) -> None:
        """Cancel what runs and wait until it has ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Aborted transports give up their sockets in the loop's next turn.
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn

    async def _run(self, sock: socket.socket) -> None:
        try:
            conn = await Connection.over(asyncio.get_running_loop(), sock, self._clock, self._context)
        except OSError:
            return  # a handshake that fails is what a TLS fault is for
        self._open.add(conn)
        try:
            # The client may leave in the middle of an answer.
            with contextlib.suppress(ConnectionError):
                await self._serve(conn)
            conn.close()
            await conn.closed()
        finally:
            conn.drop()
            self._open.discard(conn)
