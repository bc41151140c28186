"""Resilience rule R17: what the server saw equals what we decided, and every fault ends classified."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import AttemptTimeout, BodyBroken, ConnectFailed, ConnectionLost, TransportError
from understudy.core.http import HttpRequest
from understudy.testing.raw_server import CLOSE, RESET, STALL, RawServer, Reply, ok

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
METHODS = ["GET", "PUT", "DELETE", "POST"]


@pytest.fixture
async def client() -> AsyncIterator[AiohttpClient]:
    client = AiohttpClient()
    yield client
    await client.close()


def request(server: RawServer, method: str = "GET", path: str = "/x", **options: object) -> HttpRequest:
    options.setdefault("idle_timeout", 0.3)
    return HttpRequest(method, server.url + path, {}, **options)  # type: ignore[arg-type]  # options by name


async def fault_of(client: AiohttpClient, asked: HttpRequest) -> TransportError:
    with pytest.raises(TransportError) as caught:
        async with asyncio.timeout(5):
            await client.send(asked)
    return caught.value


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reply", [RESET, CLOSE], ids=["reset", "close"])
async def test_a_connection_lost_while_fresh_is_one_request_on_the_wire(
    client: AiohttpClient, method: str, reply: Reply
) -> None:
    async with RawServer(reply) as server:
        fault = await fault_of(client, request(server, method))
        await asyncio.sleep(0.05)
        assert (type(fault), fault.sent, fault.reused, server.requests) == (ConnectionLost, True, False, 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reply", [RESET, CLOSE], ids=["reset", "close"])
async def test_a_connection_lost_after_reuse_says_so_and_nothing_is_sent_again(
    client: AiohttpClient, method: str, reply: Reply
) -> None:
    async with RawServer(ok(), reply) as server:
        assert (await client.send(request(server))).body == b"ok"
        fault = await fault_of(client, request(server, method))
        await asyncio.sleep(0.05)
        assert (type(fault), fault.sent, fault.reused) == (ConnectionLost, True, True)
        assert (server.requests, server.connections) == (2, 1)


async def test_stock_aiohttp_still_has_the_silent_second_send_that_we_avoid() -> None:
    async with RawServer(CLOSE) as server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.url)
        assert server.requests == 2


async def test_a_fresh_request_takes_a_new_connection(client: AiohttpClient) -> None:
    async with RawServer() as server:
        await client.send(request(server))
        await client.send(request(server, fresh=True))
        assert server.connections == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(CHUNKED + b"2\r\nab\r\nZZ\r\n", "stall"), (BodyBroken, ConnectionLost)),
        (Reply((CHUNKED + b"2\r\nab\r\n", b"ZZ\r\nxx"), "stall", 0.05), (BodyBroken,)),
        (Reply((CHUNKED + b"2\r\nab\r\n", b"ZZ\r\nxx"), "close", 0.05), (BodyBroken,)),
        (Reply(CHUNKED + b"5\r\nab", "close"), (BodyBroken,)),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "close"), (BodyBroken,)),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "reset", 0.05), (BodyBroken,)),
        (Reply(b"HTTP/1.1 200 OK\r\n\r\nabc", "close"), (BodyBroken,)),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "close"), (BodyBroken,)),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", "close"), (BodyBroken,)),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-", "close"), (ConnectionLost,)),
        (Reply(b"no http at all\r\n\r\n"), (ConnectionLost,)),
    ],
    ids=[
        "bad chunk in the same segment", "bad chunk later, then silence", "bad chunk later, then close",
        "cut chunk", "short length", "reset in the body", "close without length", "not gzip",
        "an encoding nobody offered", "cut head", "no HTTP",
    ],
)  # fmt: skip
async def test_a_broken_response_ends_in_its_class(
    client: AiohttpClient, reply: Reply, kind: tuple[type[TransportError], ...]
) -> None:
    async with RawServer(reply) as server:
        fault = await fault_of(client, request(server))
        await asyncio.sleep(0.05)
        assert isinstance(fault, kind)
        assert (server.requests, server.open) == (1, 0)


@pytest.mark.parametrize(
    ("reply", "stage"),
    [
        (STALL, "headers"),
        (Reply(b"HTTP/1.1 200 OK\r\nX: y", "stall"), "headers"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "stall"), "idle"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "stall"), "idle"),
    ],
    ids=["before the head", "in the head", "after the head", "in the body"],
)
async def test_silence_ends_at_the_idle_limit_and_frees_the_connection(
    client: AiohttpClient, reply: Reply, stage: str
) -> None:
    async with RawServer(reply) as server:
        began = asyncio.get_running_loop().time()
        fault = await fault_of(client, request(server, idle_timeout=0.2))
        took = asyncio.get_running_loop().time() - began
        await asyncio.sleep(0.05)
        assert isinstance(fault, AttemptTimeout)
        assert fault.stage == stage
        assert 0.2 <= took < 0.6
        assert (server.requests, server.open) == (1, 0)


async def test_a_body_that_keeps_coming_is_not_idle(client: AiohttpClient) -> None:
    pieces = (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"a", b"b", b"c", b"d")
    async with RawServer(Reply(pieces, gap=0.15)) as server:
        assert (await client.send(request(server, idle_timeout=0.3))).body == b"abcd"


async def test_a_close_that_was_announced_ends_a_body_without_length(client: AiohttpClient) -> None:
    async with RawServer(Reply(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", "close")) as server:
        assert (await client.send(request(server))).body == b"abc"


async def test_a_refused_connection_was_never_sent(client: AiohttpClient) -> None:
    async with RawServer() as server:
        pass
    fault = await fault_of(client, request(server, path="/?key=hidden"))
    assert isinstance(fault, ConnectFailed)
    assert (fault.stage, fault.sent) == ("refused", False)
    assert "hidden" not in str(fault)


async def test_a_connection_that_is_never_made_ends_at_the_connect_limit(client: AiohttpClient) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with socket.socket() as first, socket.socket() as second:
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            await asyncio.sleep(0.05)
            fault = await fault_of(client, HttpRequest("GET", f"http://127.0.0.1:{port}/", {}, connect_timeout=0.2))
    assert isinstance(fault, ConnectFailed)
    assert (fault.stage, fault.sent) == ("timeout", False)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_callers_cancellation_stays_a_cancellation_and_closes_the_connection(client: AiohttpClient) -> None:
    async with RawServer(STALL) as server:
        task = asyncio.create_task(client.send(request(server)))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.05)
        assert server.open == 0


async def test_a_stream_abandoned_early_closes_its_connection(client: AiohttpClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield CHUNKED
        while True:
            yield b"3\r\nabc\r\n"

    async with RawServer(Reply(endless)) as server:
        response = await client.send(request(server, buffered=False))
        async for piece in response.chunks():
            assert piece.startswith(b"abc")
            break
        await response.close()
        await asyncio.sleep(0.05)
        assert server.open == 0


async def test_a_reader_who_takes_long_between_pieces_does_not_make_the_api_idle(client: AiohttpClient) -> None:
    async with RawServer(Reply((CHUNKED + b"1\r\na\r\n", b"1\r\nb\r\n0\r\n\r\n"), gap=0.05)) as server:
        response = await client.send(request(server, buffered=False, idle_timeout=0.2))
        pieces = []
        async for piece in response.chunks():
            pieces.append(piece)
            await asyncio.sleep(0.35)
        assert b"".join(pieces) == b"ab"
