"""A whole service in a thread, from within a test: a socket, uvicorn, the application."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from understudy.app import Understudy
from understudy.cli.serve import Server, configured, open_socket
from understudy.cli.simulated import traffic as make_traffic
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.text import texts
from understudy.web.asgi import Service

Prepare = Callable[[Understudy], Awaitable[Any]]


class Served:
    """A running service: its address, its application, and a way onto its loop."""

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.app: Understudy
        self.loop: asyncio.AbstractEventLoop
        self.fault: BaseException | None = None
        self._up = threading.Event()
        self._end: Callable[[], None] = lambda: None

    def do(self, function: Prepare) -> Any:
        """Run `await function(app)` where the application lives, and give what it gave."""

        async def done() -> Any:
            return await function(self.app)

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(60)

    def run(self, settings: Settings, prepare: Prepare | None, rate: float, keep: bool) -> None:
        """The life of the thread."""
        try:
            asyncio.run(self._serve(settings, prepare, rate, keep))
        except BaseException as error:  # handed to the test
            self.fault = error
        finally:
            self._up.set()

    async def _serve(self, settings: Settings, prepare: Prepare | None, rate: float, keep: bool) -> None:
        self.loop = asyncio.get_running_loop()
        with open_socket("127.0.0.1", self.port, texts("en")) as opened:
            async with Understudy.build(settings, seed=1, keep=keep) as app:
                self.app = app
                if prepare is not None:
                    await prepare(app)
                self.url = f"http://127.0.0.1:{opened.getsockname()[1]}"
                server = Server(configured(Service(app), 1), SYSTEM_CLOCK, self._up.set)
                self._end = lambda: setattr(server, "should_exit", True)
                calls = asyncio.ensure_future(make_traffic(app, SYSTEM_CLOCK, rate)) if rate else None
                try:
                    await server.serve(sockets=[opened])
                finally:
                    if calls is not None:
                        calls.cancel()
                        await asyncio.wait([calls])

    def wait(self) -> None:
        """Until it serves; raises what went wrong."""
        assert self._up.wait(60), "the service did not start in a minute"
        if self.fault is not None:
            raise self.fault

    def end(self) -> None:
        """Ask it to end."""
        self._end()


@contextmanager
def serving(
    settings: Settings, *, prepare: Prepare | None = None, traffic: float = 0.0, keep: bool = True, port: int = 0
) -> Iterator[Served]:
    """A service with these settings; `prepare(app)` runs before it takes requests, `traffic` is calls a second."""
    served = Served()
    served.port = port
    thread = threading.Thread(target=served.run, args=(settings, prepare, traffic, keep), name="service", daemon=True)
    thread.start()
    try:
        served.wait()
        yield served
    finally:
        served.end()
        thread.join(30)
    assert not thread.is_alive(), "the service did not end"
    if served.fault is not None:
        raise served.fault


@contextmanager
def run_by_command(folder: Path) -> Iterator[tuple[str, str]]:
    """`understudy run` in a folder where nobody has an account yet: its address and its set-up token."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "understudy.cli", "run", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        said = ""
        while (token := re.search(r"token (setup-\S+)", said)) is None:
            line = process.stdout.readline() if process.stdout else ""
            assert line, said
            said += line
        address = re.search(r"http://127\.0\.0\.1:\d+(?=\s)", said)
        assert address, said
        yield address[0], token[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)
