"""Runs the service: a socket, a server, signals; and ends it in order."""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass

import uvicorn

from understudy.app import Understudy
from understudy.core.clock import Clock
from understudy.core.text import Texts
from understudy.web.asgi import Service
from understudy.web.middleware import LOOPBACK_NAMES, is_loopback

from .exits import FAILED, NO_PERMISSION, REFUSED, UNAVAILABLE, Stop

_log = logging.getLogger("understudy.service")

#: Connections that the system may hold before they are accepted.
BACKLOG = 512


def refuse_exposure(host: str, text: Texts) -> None:
    """Raise `Stop` unless `host` is reached from this machine only: there are no accounts yet."""
    if is_loopback(host):
        return
    message = text(
        "refused to listen on {host}: others could reach it, and there are no accounts yet. "
        "Use --host 127.0.0.1, and for others an SSH tunnel or a reverse proxy that signs them in",
        host=host,
    )
    raise Stop(REFUSED, message)


def open_socket(host: str, port: int, text: Texts) -> socket.socket:
    """The listening socket; raises `Stop` with what to do when the system refuses it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host.strip("[]"), port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            message = text("port {port} is taken; stop what uses it, or choose another with --port", port=port)
            raise Stop(UNAVAILABLE, message) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            message = text("this user may not open port {port}; choose one above 1023 with --port", port=port)
            raise Stop(NO_PERMISSION, message) from None
        reason = error.strerror or str(error)
        raise Stop(UNAVAILABLE, text("cannot listen on {host}: {reason}", host=host, reason=reason)) from None
    opened.setblocking(False)
    return opened


class Server(uvicorn.Server):
    """Uvicorn with our signals: the first drains, the second ends at once."""

    def __init__(self, config: uvicorn.Config, clock: Clock, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._clock = clock
        self._ready = ready
        self.stopping_at = clock.monotonic()
        #: The signal that ended it; 0 when none did.
        self.stopped_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take SIGINT and SIGTERM while serving."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal came."""
        if self.should_exit:
            self.force_exit = True
        else:
            self.stopping_at = self._clock.monotonic()
        self.should_exit = True
        self.stopped_by = self.stopped_by or sig


def configured(service: Service, drain: float) -> uvicorn.Config:
    """Uvicorn's settings for our service; logging is ours."""
    return uvicorn.Config(
        service,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(drain)),
        h11_max_incomplete_event_size=64 * 1024,
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """How the service ended: the first signal, and whether a second cut it short."""

    signal: int
    forced: bool


async def serve(
    app: Understudy,
    opened: socket.socket,
    drain: float,
    *,
    ready: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
) -> Ended:
    """Serve `app` until a signal.

    The first signal stops new connections, lets what runs finish for at most `drain` seconds, then
    ends the application; a second one ends everything at once. `stopping` is called in between.
    """
    host = opened.getsockname()[0]
    server = Server(configured(Service(app, hosts={*LOOPBACK_NAMES, host}), drain), app.clock, ready)
    await server.serve(sockets=[opened])
    stopping()
    if not server.started:
        raise Stop(FAILED, "the HTTP server did not start; the log says why")
    left = drain - (app.clock.monotonic() - server.stopping_at)
    await app.stop(0.0 if server.force_exit else max(0.0, left))
    return Ended(server.stopped_by, server.force_exit)
