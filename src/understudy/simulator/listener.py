"""A listening port that can refuse, or swallow connections, and come back under the same number."""

from __future__ import annotations

import errno
import os
import select
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Literal

from understudy.core.clock import Clock, Timer

_BACKLOG = 1024
#: More than any platform keeps for a backlog of zero; beyond it the platform cannot be filled.
_MAX_FILLERS = 64
#: Seconds in which a connection on loopback is made, if it is made at all.
_LOOPBACK = 0.02
#: What `accept` says when this process or machine can hold no more sockets, and the seconds until the next try: the
#: connection stays in the queue, and asking again at once would take a whole processor.
_FULL, _PATIENCE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}, 0.5

State = Literal["closed", "serving", "refusing", "swallowing"]


class Listener:
    """Owns one port from `open` to `close`; hands accepted sockets, non-blocking, to `accepted`.

    `swallow` is a true black hole where the kernel drops connection requests on a full accept queue
    (Linux, and the BSDs with macOS): connecting hangs. Windows refuses instead of dropping; there, and
    wherever the queue will not fill, clients connect and are never served. `swallow` tells which.
    """

    def __init__(
        self, loop: AbstractEventLoop, host: str, accepted: Callable[[socket.socket], None], clock: Clock
    ) -> None:
        self._loop = loop
        self._host = host
        self._accepted = accepted
        self._clock = clock
        self._resting: Timer | None = None
        self._socket: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self.port = 0
        self.state: State = "closed"

    def open(self, port: int = 0) -> None:
        """Listen on that port, 0 for any free one. Raises OSError when it is taken."""
        self._socket = self._bound(port)
        self.port = self._socket.getsockname()[1]
        try:
            self.serve()
        except OSError:
            self._socket.close()
            self._socket = None
            raise

    def serve(self) -> None:
        """Accept connections (again)."""
        if self._socket is None or self.state == "serving":
            return
        self._empty()
        self._socket.listen(_BACKLOG)
        self._loop.add_reader(self._socket, self._readable)
        self.state = "serving"

    def refuse(self) -> None:
        """Stop listening, and keep the port from others: connecting is refused."""
        if self._socket is None or self.state == "refusing":
            return
        self._pause()
        self._socket.close()
        self._socket = self._bound(self.port)
        self.state = "refusing"

    def swallow(self) -> bool:
        """Let connecting hang; False where this platform does not do that."""
        if self._socket is None:
            return False
        if self.state != "swallowing":
            self._pause()
            # On a listening socket this changes the backlog only, and on a bound one starts listening.
            self._socket.listen(0)
            self.state = "swallowing"
        return self._fill()

    def close(self) -> None:
        """Give the port up."""
        if self._socket is not None:
            self._pause()
            self._socket.close()
            self._socket = None
        self.state = "closed"

    def _bound(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if os.name == "posix":
                # On Windows the same option would let another program share the port.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self._host, port))
        except (OSError, OverflowError):  # the latter for a number that is no port
            sock.close()
            raise
        return sock

    def _pause(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._socket is not None and self.state == "serving":
            self._loop.remove_reader(self._socket)
        self._empty()

    def _fill(self) -> bool:
        """Connect to ourselves until a connection is no longer made."""
        for _ in range(_MAX_FILLERS):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            self._fillers.append(filler)
            filler.connect_ex((self._host, self.port))
            if not select.select([], [filler], [], _LOOPBACK)[1]:
                return True
        return False

    def _empty(self) -> None:
        """Drop the fillers, and what they left in the queue."""
        if not self._fillers or self._socket is None:
            return
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        while (sock := self._accept()) is not None:
            sock.close()

    def _accept(self) -> socket.socket | None:
        if self._socket is None:
            return None
        try:
            sock, _ = self._socket.accept()
        except OSError as error:
            if error.errno in _FULL and self.state == "serving":
                self._rest()
            return None  # nothing waits, or it went away before we took it
        sock.setblocking(False)
        return sock

    def _rest(self) -> None:
        """Look at the port again a little later."""
        if self._resting is None and self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._resting = self._clock.call_later(_PATIENCE, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        if self._socket is not None and self.state == "serving":
            self._loop.add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        while (sock := self._accept()) is not None:
            self._accepted(sock)
