"""What strangers at the port can cost the service: requests without an end, connections that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from understudy import Understudy
from understudy.cli.protocol import MAX_HEAD, BoundedProtocol
from understudy.cli.serve import Server, configured, open_socket
from understudy.core.text import texts
from understudy.web.asgi import Service

PATIENCE = 20.0
GET = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /api/fallback/reset HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@contextlib.asynccontextmanager
async def listening(protocol=BoundedProtocol):
    """The real server in this process; gives its port."""
    with open_socket("127.0.0.1", 0, texts("en")) as opened:
        async with Understudy.build() as app:
            config = configured(Service(app), 1)
            config.http = protocol
            up = asyncio.Event()
            server = Server(config, app.clock, up.set)
            serving = asyncio.ensure_future(server.serve(sockets=[opened]))
            await asyncio.wait_for(up.wait(), PATIENCE)
            try:
                yield opened.getsockname()[1]
            finally:
                server.should_exit = server.force_exit = True
                await serving


async def said(port: int, *pieces: bytes, endless: bytes = b"", most: int = 50_000_000) -> tuple[bytes, int]:
    """What the service answers to these bytes until it closes, and how many it let us send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.ensure_future(reader.read())
    sent = 0
    try:
        for piece in pieces:
            writer.write(piece)
        while endless and sent < most and not answer.done():
            writer.write(endless)
            sent += len(endless)
            await writer.drain()
    except ConnectionError:
        pass  # it has closed: how it said so comes next
    try:
        return await asyncio.wait_for(answer, PATIENCE), sent
    except ConnectionError:
        return b"", sent  # closed with our bytes unread, which is a reset
    finally:
        writer.close()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (b"GET /", b"a" * 60_000),
        (GET, b"X: " + b"a" * 60_000 + b"\r\n"),
        (GET, b"X-Long: " + b"a" * 60_000),
        (GET + b"X-Endless: ", b"a" * 60_000),
        (b"", b"\r\n" * 30_000),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 60_000),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X: " + b"a" * 60_000 + b"\r\n"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ", b"a" * 60_000),
    ],
    ids=[
        "address", "headers", "long headers", "one header", "empty lines", "chunk extension", "trailers", "one trailer",
    ],
)  # fmt: skip
async def test_a_request_without_an_end_is_cut_off_before_it_fills_the_memory(begin, endless):
    async with listening() as port:
        _, sent = await said(port, begin, endless=endless)
        # Beyond the bound lies only what the system's buffers hold.
        assert sent < 20_000_000


async def test_a_long_head_is_told_its_limit():
    async with listening() as port:
        answer, _ = await said(port, GET + b"X: " + b"a" * MAX_HEAD + b"\r\n\r\n")
        assert status(answer) == 431
        assert b"content-security-policy" in answer
        assert (
            json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
            == "the request line and headers are longer than 64 KiB"
        )


@pytest.mark.parametrize(
    "request_",
    [b"nonsense\r\n\r\n", b"FOO / HTTP/1.1\r\n\r\n", GET + b"a b: c\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
)
async def test_what_is_no_request_is_told_as_a_problem(request_):
    async with listening() as port:
        answer, _ = await said(port, request_)
        assert status(answer) == 400
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["title"] == "Bad Request"


class Hasty(BoundedProtocol):
    receive_time = 0.2


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [((), b"HTTP/1.1 408"), ((GET,), b"HTTP/1.1 408"), ((POST + b"Content-Length: 9\r\n\r\n", b"{"), b"")],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_that_does_not_come_is_not_waited_for(pieces, expected):
    async with listening(Hasty) as port:
        answer, _ = await said(port, *pieces)
        assert answer.startswith(expected)
        assert bool(answer) is bool(expected)


async def test_a_second_request_on_the_same_connection_has_its_own_time():
    async with listening(Hasty) as port:
        answer, _ = await said(port, GET + b"\r\n", GET)
        assert answer.count(b"HTTP/1.1 200") == 1
        assert answer.count(b"HTTP/1.1 408") == 1


class Narrow(BoundedProtocol):
    max_connections = 2


async def test_one_connection_too_many_is_told_and_the_others_are_served():
    async with listening(Narrow) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        answer, _ = await said(port)
        assert status(answer) == 503
        reader, writer = idle[0]
        writer.write(GET + b"Connection: close\r\n\r\n")
        assert status(await asyncio.wait_for(reader.read(), PATIENCE)) == 200
        for _, each in idle:
            each.close()


async def test_an_origin_that_cannot_be_read_is_foreign():
    async with listening() as port:
        answer, _ = await said(port, POST + b"Origin: http://[::1\r\nConnection: close\r\n\r\n")
        assert status(answer) == 403
