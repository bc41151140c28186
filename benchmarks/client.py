"""What our HTTP client costs per request, against bare aiohttp and httpx, with the server in another process.

Run as `python benchmarks/client.py`. Processor time of the client's process, 32 callers on one loop.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable

import aiohttp
import httpx

from common import Candidate, Table, measure, ratio
from understudy.clients.aiohttp import AiohttpClient
from understudy.core.http import HttpRequest

CALLERS = 32
REQUESTS = 1_600

_SERVER = """
import asyncio
body = b'{"fixtures": [1, 2, 3], "ok": true}' * 4
answer = (b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nX-RateLimit-Remaining: 99\\r\\n"
          b"Content-Length: %d\\r\\n\\r\\n" % len(body)) + body
class Serve(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""
    def data_received(self, data):
        *heads, self.rest = (self.rest + data).split(b"\\r\\n\\r\\n")
        self.transport.write(answer * len(heads))
async def main():
    server = await asyncio.get_running_loop().create_server(Serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def shared(loop: asyncio.AbstractEventLoop, once: Callable[[], Awaitable[object]]) -> Candidate:
    """`once`, n times in all by the callers side by side."""

    async def caller(times: int) -> None:
        for _ in range(times):
            await once()

    async def everyone(n: int) -> None:
        await asyncio.gather(*[caller(max(1, n // CALLERS)) for _ in range(CALLERS)])

    return lambda n: loop.run_until_complete(everyone(n))


def main() -> int:
    """Measure, print and write the table; 1 when a goal is missed."""
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            return compare(f"http://127.0.0.1:{int(server.stdout.readline())}/fixtures?season=2026")
        finally:
            server.kill()


def compare(url: str) -> int:
    """The table for one server."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    client = AiohttpClient()

    async def open_clients() -> tuple[aiohttp.ClientSession, httpx.AsyncClient]:
        return aiohttp.ClientSession(), httpx.AsyncClient()

    session, stock = loop.run_until_complete(open_clients())

    async def bare() -> bytes:
        async with session.get(url) as response:
            return await response.read()

    async def ours() -> bytes:
        return (await client.send(HttpRequest("GET", url, {}))).body

    async def through_httpx() -> bytes:
        return (await stock.get(url)).content

    operations = {"bare aiohttp": bare, "our client": ours, "httpx": through_httpx}
    timings = measure({label: shared(loop, once) for label, once in operations.items()}, REQUESTS, rounds=5, cpu=True)
    table = Table("client", "One GET, processor time of the client", libraries=("aiohttp", "httpx"), unit="µs")
    table.add(timings, baseline="bare aiohttp")
    table.goal("our client ≤ 0.95× bare aiohttp", ratio(timings, "our client", "bare aiohttp"), 0.95)
    table.note("The pipeline is not part of this table: it is our raw client, below the route.")

    async def close() -> None:
        await client.close()
        await session.close()
        await stock.aclose()

    met = table.write()
    loop.run_until_complete(close())
    loop.close()
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
