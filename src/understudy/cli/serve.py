"""Runs the service: a socket, a server, signals; and ends it in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from types import FrameType

import uvicorn

from understudy.app import Understudy
from understudy.core.clock import Clock
from understudy.core.text import Texts
from understudy.web.asgi import Service
from understudy.web.auth.exposure import LOOPBACK_NAMES, is_loopback
from understudy.web.auth.process import Process

from .exits import FAILED, NO_PERMISSION, UNAVAILABLE, Stop
from .exposed import refuse_unknown
from .protocol import BoundedProtocol

_log = logging.getLogger("understudy.service")

#: Connections that the system may hold before they are accepted.
BACKLOG = 512
#: Files and connections that the process may have open, where the system lets it.
DESCRIPTORS = 8192


def open_socket(host: str, port: int, text: Texts, *, local: bool = True) -> socket.socket:
    """The listening socket; raises `Stop` with what to do when the system refuses it.

    `local`: only this machine may reach it, whatever `host` turns out to mean.
    """
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
    if local and not is_loopback(opened.getsockname()[0]):  # what a name means is known only now
        reached = opened.getsockname()[0]
        opened.close()
        refuse_unknown(reached, port, host, text)
    opened.setblocking(False)
    return opened


def more_descriptors() -> None:
    """Let this process open as many files as the system allows it: live pages hold a connection each."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Server(uvicorn.Server):
    """Uvicorn with our signals: the first asks it to stop, a second not to wait."""

    def __init__(self, config: uvicorn.Config, clock: Clock, ready: Callable[[], None]) -> None:
        self._exits = False
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(config)
        self._clock = clock
        self._ready = ready
        self.stopping_at = clock.monotonic()
        #: The signal that ended it; 0 when none did.
        self.stopped_by = 0
        #: It was asked from inside to end and to be started again.
        self.restart = False
        #: Set by the second signal.
        self.cut_short = asyncio.Event()

    @property
    def should_exit(self) -> bool:
        """Whether it is to end; set from any thread."""
        return self._exits

    @should_exit.setter
    def should_exit(self, exits: bool) -> None:
        self._exits = exits
        if exits and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def main_loop(self) -> None:
        """Until it is to end; sets the date of answers anew each second, and is not woken ten times as often."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            timer = self._clock.call_later(1.0, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                timer.cancel()
            self._woken.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; open streams end first, as they would last as long as their browsers."""
        service = self.config.app
        if isinstance(service, Service):
            service.end_streams()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Uvicorn's own handling, which would end before the application does; ours is `signals`."""
        yield

    @contextlib.contextmanager
    def signals(self) -> Generator[None, None, None]:
        """Take SIGINT and SIGTERM until everything has ended."""
        loop = asyncio.get_running_loop()

        def taken(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.handle_exit, number, frame)

        before = {number: signal.signal(number, taken) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ask_restart(self) -> None:
        """End as at a signal, with the exit code that asks the supervisor for another start."""
        if self.should_exit:
            return
        self.stopping_at = self._clock.monotonic()
        self.restart = self.should_exit = True
        _log.info("restart: what runs may end within %s s", self.config.timeout_graceful_shutdown)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        if self.should_exit:
            self.force_exit = True
            self.cut_short.set()
            return
        self.stopping_at = self._clock.monotonic()
        self.should_exit = True
        self.stopped_by = sig
        drain = self.config.timeout_graceful_shutdown
        _log.info("%s: what runs may end within %s s; a second signal cuts it off", signal.Signals(sig).name, drain)


class Restart:
    """What a page asks for a restart; the server is known only after its service."""

    server: Server | None = None

    def ask(self) -> None:
        """End the server, to be started again."""
        if self.server is not None:
            self.server.ask_restart()


def configured(service: Service, drain: float, tls: tuple[str, str] = ("", "")) -> uvicorn.Config:
    """Uvicorn's settings for our service; logging is ours. `tls`: the files of the certificate and of its key."""
    return uvicorn.Config(
        service,
        http=BoundedProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(drain)),
        ssl_certfile=tls[0] or None,
        ssl_keyfile=tls[1] or None,
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """How the service ended: the first signal, whether a second cut it short, and whether it shall start again."""

    signal: int
    forced: bool
    restart: bool = False


async def serve(
    app: Understudy,
    opened: socket.socket,
    drain: float,
    *,
    ready: Callable[[], None],
    background: Sequence[asyncio.Task[None]] = (),
    process: Process | None = None,
    tls: tuple[str, str] = ("", ""),
) -> Ended:
    """Serve `app` until a signal.

    The first signal stops new connections and asks `background` to end, lets what runs finish for at most
    `drain` seconds in all, then ends the application; a second one ends everything at once.
    """
    host = opened.getsockname()[0]
    restart = Restart()
    service = Service(
        app, hosts={*LOOPBACK_NAMES, host}, process=replace(process or Process(), restart=restart.ask)
    )  # fmt: skip
    restart.server = server = Server(configured(service, drain, tls), app.clock, ready)
    more_descriptors()
    with server.signals():
        await server.serve(sockets=[opened])
        if not server.started:
            raise Stop(FAILED, "the HTTP server did not start; the log says why")
        ending = asyncio.ensure_future(_end(app, background, server.stopping_at + drain))
        cut = asyncio.ensure_future(server.cut_short.wait())
        await asyncio.wait([ending, cut], return_when=asyncio.FIRST_COMPLETED)
        cut.cancel()
        if not ending.done():
            ending.cancel()
            await asyncio.wait([ending])
            await _end(app, background, app.clock.monotonic())
        elif not ending.cancelled():
            ending.result()  # raises what went wrong
    return Ended(server.stopped_by, server.force_exit, server.restart)


async def _end(app: Understudy, background: Sequence[asyncio.Task[None]], until: float) -> None:
    """End the background work, then the application; both have until then for what they are in the middle of."""
    for task in background:
        task.cancel()
    if background:
        _, late = await asyncio.wait(background, timeout=max(0.0, until - app.clock.monotonic()))
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
    await app.stop(max(0.0, until - app.clock.monotonic()))
