"""A request that its caller gives up, at each of its stages and on both event loops, leaves nothing behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

from understudy import Understudy
from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import AttemptTimeout, BodyBroken, ConnectFailed, ConnectionLost
from understudy.core.http import HttpRequest
from understudy.core.secrets import Secret
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.testing.raw_server import CLOSE, RESET, STALL, RawServer, Reply, ok

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def run(new_loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main)


@contextmanager
def black_hole() -> Iterator[int]:
    """A port where connecting hangs."""
    with socket.socket() as listener, socket.socket() as one, socket.socket() as two:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.005)


async def given_up(app: Understudy, call: Coroutine[Any, Any, Any], reached: Callable[[], object]) -> None:
    """Cancel `call` once it is where it should be; afterwards everything is as it was before."""
    before = asyncio.all_tasks()
    task = asyncio.create_task(call)
    await until(reached)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    api = app.fallback.roster.api("a")
    assert api.bulkhead is not None
    await until(lambda: asyncio.all_tasks() <= before)
    assert (api.in_flight, api.bulkhead.active, api.bulkhead.waiting) == (0, 0, 0)
    assert [key["in_flight"] for key in api.keys.view()] == [0]
    assert app.monitor.snapshot("a").failures == 0


@LOOPS
def test_a_call_can_be_given_up_at_every_stage(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        for stage in (connecting, fetching_a_token, waiting_for_the_head, reading_the_body, uploading, streaming):
            async with Understudy.build() as app:
                await stage(app)

    run(new_loop, main())


async def connecting(app: Understudy) -> None:
    with black_hole() as port:
        app.fallback.register_api("a", base_url=f"http://127.0.0.1:{port}")
        await given_up(app, app.route("a").get("/"), lambda: app.in_flight)


async def fetching_a_token(app: Understudy) -> None:
    async with RawServer(STALL) as tokens, RawServer() as server:
        auth = AuthOptions(
            kind="token_request", keys=(KeyOptions(Secret("k")),), token_url=tokens.url, token_method="GET"
        )
        app.fallback.register_api("a", base_url=server.url, auth=auth)
        task = asyncio.create_task(app.route("a").get("/"))
        await until(lambda: tokens.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (server.requests, app.in_flight) == (0, 0)


async def waiting_for_the_head(app: Understudy) -> None:
    async with RawServer(STALL) as server:
        app.fallback.register_api("a", base_url=server.url)
        await given_up(app, app.route("a").get("/"), lambda: server.requests)
        await until(lambda: server.open == 0)


async def reading_the_body(app: Understudy) -> None:
    async with RawServer(Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "stall")) as server:
        app.fallback.register_api("a", base_url=server.url)
        await given_up(app, app.route("a").get("/"), lambda: server.sent)
        await until(lambda: server.open == 0)


async def uploading(app: Understudy) -> None:
    waits = asyncio.Event()
    begun: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        begun.append(1)
        await waits.wait()

    async with RawServer() as server:
        app.fallback.register_api("a", base_url=server.url)
        await given_up(app, app.route("a").post("/", data=body()), lambda: begun)
        await until(lambda: server.open == 0)


async def streaming(app: Understudy) -> None:
    async def read() -> None:
        async with await app.route("a").get("/", stream=True) as response:
            async for _ in response.chunks():
                begun.append(1)

    begun: list[int] = []
    async with RawServer(Reply(CHUNKED + b"3\r\nabc\r\n", "stall")) as server:
        app.fallback.register_api("a", base_url=server.url)
        await given_up(app, read(), lambda: begun)
        await until(lambda: server.open == 0)


async def test_a_call_can_be_given_up_in_the_line_before_a_full_bulkhead() -> None:
    async with RawServer(STALL) as server, Understudy.build() as app:
        app.fallback.register_api("a", base_url=server.url, bulkhead=BulkheadOptions(limit=1))
        first = asyncio.create_task(app.route("a").get("/"))
        await until(lambda: server.requests)
        line = app.fallback.roster.api("a").bulkhead
        assert line is not None
        others = [asyncio.create_task(app.route("a").get("/")) for _ in range(20)]
        await until(lambda: line.waiting == 20)
        for task in (*others, first):
            task.cancel()
        await asyncio.gather(first, *others, return_exceptions=True)
        await until(lambda: server.open == 0)
        assert (line.active, line.waiting, app.in_flight, server.requests) == (0, 0, 0, 1)


@LOOPS
def test_a_thousand_calls_at_once_are_served_in_their_order_on_a_hundred_connections(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        ended: list[int] = []
        async with RawServer(ok(b"ok")) as server, Understudy.build() as app:
            app.fallback.register_api("a", base_url=server.url)

            async def one(number: int) -> None:
                assert (await app.route("a").get(f"/{number}")).ok
                ended.append(number)

            await asyncio.gather(*(one(number) for number in range(1000)))
            assert (server.requests, server.connections) == (1000, 100)
            # The first hundred open the connections, which takes each as long as it does.
            waited = [number for number in ended if number >= 100]
            assert all(abs(place - number) <= 100 for place, number in enumerate(waited, 100))

    run(new_loop, main())


@LOOPS
def test_the_traps_of_the_transport_are_none_on_either_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    traps: list[tuple[Reply, type[Exception]]] = [
        (RESET, ConnectionLost),
        (CLOSE, ConnectionLost),
        (STALL, AttemptTimeout),
        (Reply((CHUNKED + b"2\r\nab\r\n", b"ZZ\r\nxx"), "stall", 0.05), BodyBroken),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "close"), BodyBroken),
    ]

    async def main() -> None:
        client = AiohttpClient()
        for reply, kind in traps:
            async with RawServer(reply) as server:
                with pytest.raises(kind):
                    await client.send(HttpRequest("GET", server.url, {}, idle_timeout=0.2))
                await until(lambda: server.open == 0)
                assert server.requests == 1
        with black_hole() as port, pytest.raises(ConnectFailed):
            await client.send(HttpRequest("GET", f"http://127.0.0.1:{port}/", {}, connect_timeout=0.2))
        await client.close()

    run(new_loop, main())
