"""A service with thousands of APIs of which a hundred are called, in a process of its own, with an hour behind it.

    with fleet(1000) as service: ...  # service.url, service.pid

The hour is told to the monitor in a moment, by a clock that runs ahead: as the windows hold it, nothing is stored.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from understudy.app import Understudy
from understudy.cli.serve import Server, configured, open_socket
from understudy.config.settings import Settings
from understudy.core.clock import SystemClock
from understudy.core.text import texts
from understudy.core.types import Attribution, OutcomeClass
from understudy.storage import StorageOptions
from understudy.web.asgi import Service

ACTIVE = 100
_HOUR, _STEP = 3600, 10


class Ahead(SystemClock):
    """The machine's clock, moved back by what has not been told yet."""

    def __init__(self) -> None:
        self.behind = 0.0
        self.monotonic = lambda: SystemClock.monotonic() - self.behind
        self.time = lambda: SystemClock.time() - self.behind


class Running(NamedTuple):
    """Where it answers, and its process."""

    url: str
    pid: int


@contextmanager
def fleet(apis: int) -> Iterator[Running]:
    """The service, while it runs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, str(apis), folder], stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            yield Running(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()


def _call(app: Understudy, rng: random.Random, name: str, now: float) -> None:
    """One second of one API: one in ten grows slow at the end, one in twenty begins to fail."""
    number = int(name[3:])
    series = app.monitor.series(name)
    late = now > 0.9
    for _ in range(rng.randint(1, 4)):
        seconds = rng.lognormvariate(-2.5 + number % 7 / 5, 0.4) * (4 if late and number % 10 == 3 else 1)
        if late and number % 20 == 7 and rng.random() < 0.6:
            series.failed(seconds, OutcomeClass.PROVIDER, Attribution.PROVIDER, "HTTP 500", 500)
        else:
            series.append(seconds)


async def _serve(apis: int, folder: str) -> None:
    rng, clock = random.Random(7), Ahead()
    settings = replace(Settings(), storage=StorageOptions(url=f"sqlite:///{folder}/u.db"))
    clock.behind = _HOUR
    app = Understudy.build(settings, clock=clock, seed=1, keep=True)
    for number in range(apis):
        app.fallback.register_api(
            f"api{number:04}",
            base_url=f"http://host{number}.test",
            hub=f"hub{number % 40:02}",
            route=f"route{number // 5:04}",
        )
    active = [f"api{number:04}" for number in range(ACTIVE)]
    for at in range(0, _HOUR, _STEP):
        clock.behind = _HOUR - at
        for name in active:
            _call(app, rng, name, at / _HOUR)
        app.monitor.drain()
    clock.behind = 0.0
    async with app:
        with open_socket("127.0.0.1", 0, texts("en")) as opened:
            server = Server(
                configured(Service(app), 1),
                clock,
                lambda: print(f"http://127.0.0.1:{opened.getsockname()[1]}", flush=True),
            )
            calls = asyncio.ensure_future(_traffic(app, rng, active))
            with server.signals():
                await server.serve(sockets=[opened])
            calls.cancel()


async def _traffic(app: Understudy, rng: random.Random, active: list[str]) -> None:
    while True:
        for name in active:
            _call(app, rng, name, 1.0)
        await asyncio.sleep(1.0)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), str(Path(sys.argv[2]))))
