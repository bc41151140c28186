"""An HTTP API in a process of its own, as light as it can be, so that a benchmark's process holds the client alone.

    with serving(3) as urls: ...

It answers every request with one JSON body and the quota headers of a hub, counting down. `delay` are the
shortest and the longest time that an answer takes, in seconds; the answer says how long it took.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

LIMIT = 100_000_000
BODY = b'{"fixtures": [' + b", ".join(b'{"id": %d, "home": "A", "away": "B"}' % number for number in range(24)) + b"]}"
#: How long an answer took, in seconds: what is not waiting.
TOOK = "X-Took"
_HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-RateLimit-Requests-Limit: {limit}\r\n"
    "X-RateLimit-Requests-Remaining: {left}\r\nX-RateLimit-Requests-Reset: 864000\r\n{took}"
    "Content-Length: {length}\r\n\r\n"
)


@contextmanager
def serving(apis: int, delay: tuple[float, float] = (0.0, 0.0)) -> Iterator[list[str]]:
    """Base URLs of that many APIs, while the process runs."""
    command = [sys.executable, __file__, str(apis), *map(str, delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield [f"http://127.0.0.1:{port}" for port in process.stdout.readline().split()]
        finally:
            process.kill()


class _Connection(asyncio.Protocol):
    def __init__(self, api: _Api) -> None:
        self.api = api
        self.rest = b""
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for _ in requests:
            took = self.api.delay()
            if took:
                asyncio.get_running_loop().call_later(took, self.answer, took)
            else:
                self.answer(0.0)

    def answer(self, took: float) -> None:
        assert self.transport is not None
        self.transport.write(self.api.answer(took))


class _Api:
    def __init__(self, shortest: float, longest: float) -> None:
        self.left = LIMIT
        self.rng = random.Random(1)
        self.shortest, self.longest = shortest, longest

    def delay(self) -> float:
        return self.rng.uniform(self.shortest, self.longest) if self.longest else 0.0

    def answer(self, took: float) -> bytes:
        self.left -= 1
        said = f"{TOOK}: {took:.6f}\r\n" if took else ""
        return _HEAD.format(limit=LIMIT, left=self.left, took=said, length=len(BODY)).encode() + BODY


async def _serve(apis: int, shortest: float, longest: float) -> None:
    loop = asyncio.get_running_loop()
    # A process that has lost its parent must not stay: the end of its standard input tells it.
    loop.add_reader(sys.stdin, lambda: None if sys.stdin.readline() else loop.stop())
    makers = [partial(_Connection, _Api(shortest, longest)) for _ in range(apis)]
    servers = [await loop.create_server(maker, "127.0.0.1", 0, backlog=1024) for maker in makers]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
    except RuntimeError:
        raise SystemExit(0) from None  # the loop was stopped: the benchmark is over
