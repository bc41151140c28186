"""Hostile upstreams cost bounded time and memory, and end in a clear error."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest

from soak import hostile
from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import BodyBroken, BodyTooLarge, TransportError
from understudy.core.http import HttpRequest, HttpResponse
from understudy.testing.raw_server import RawServer, Reply, ok

MIB = 1024 * 1024


async def ask(server: RawServer, **options: object) -> HttpResponse:
    client = AiohttpClient()
    try:
        async with asyncio.timeout(10):
            asked = HttpRequest("GET", server.url + "/?key=hidden", {"X-Key": "secret"}, **options)  # type: ignore[arg-type]  # options by name
            return await client.send(asked)
    finally:
        await client.close()


async def test_endless_headers_end_quickly() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X-More: " + b"a" * 100 + b"\r\n"

    async with RawServer(Reply(endless, gap=0)) as server:
        with pytest.raises(TransportError) as caught:
            await ask(server)
        assert server.sent < 4 * MIB
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


async def test_one_header_without_end_ends_quickly() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX: "
        while True:
            yield b"a" * 4096

    async with RawServer(Reply(endless, gap=0)) as server:
        with pytest.raises(TransportError):
            await ask(server)
        assert server.sent < 16 * MIB


async def test_a_declared_body_over_the_limit_is_not_read() -> None:
    async with RawServer(Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nabc", "stall")) as server:
        with pytest.raises(BodyTooLarge):
            await ask(server)


async def test_an_endless_body_ends_at_the_limit() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"10000\r\n" + b"a" * 0x10000 + b"\r\n"

    async with RawServer(Reply(endless, gap=0)) as server:
        with pytest.raises(BodyTooLarge):
            await ask(server, max_body=MIB)
        assert server.sent < 32 * MIB


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_bomb_costs_no_more_than_the_limit(encoding: str) -> None:
    plain = b"\0" * (256 * MIB)
    bomb = gzip.compress(plain, 9) if encoding == "gzip" else zlib.compress(plain, 9)
    del plain
    async with RawServer(ok(bomb, f"Content-Encoding: {encoding}")) as server:
        tracemalloc.start()
        began = time.process_time()
        with pytest.raises(BodyTooLarge):
            await ask(server, max_body=4 * MIB)
        took = time.process_time() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 24 * MIB
    assert took < 2


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate", "two members"])
async def test_a_compressed_body_is_decoded_whole(encoding: str) -> None:
    plain = b"fixtures " * 100_000
    raw = zlib.compressobj(wbits=-15)
    body = {
        "gzip": gzip.compress(plain),
        "deflate": zlib.compress(plain),
        "raw deflate": raw.compress(plain) + raw.flush(),
        "two members": gzip.compress(plain[:500]) + gzip.compress(plain[500:]),
    }[encoding]
    name = "deflate" if "deflate" in encoding else "gzip"
    async with RawServer(ok(body, f"Content-Encoding: {name}")) as server:
        assert (await ask(server)).body == plain


@pytest.mark.parametrize("behind", [b"\0" * 512, b"\r\n", b"<!-- cached -->"])
async def test_padding_behind_a_compressed_body_is_passed_over(behind: bytes) -> None:
    async with RawServer(ok(gzip.compress(b"plain") + behind, "Content-Encoding: gzip")) as server:
        assert (await ask(server)).body == b"plain"


async def test_a_body_of_a_hundred_thousand_empty_members_costs_little() -> None:
    async with RawServer(ok(gzip.compress(b"") * 100_000, "Content-Encoding: gzip")) as server:
        began = time.process_time()
        with pytest.raises(BodyBroken):
            await ask(server)
        assert time.process_time() - began < 1


async def test_a_stream_may_be_longer_than_what_is_kept() -> None:
    client = AiohttpClient()
    async with RawServer(ok(b"x" * 300_000)) as server:
        asked = HttpRequest("GET", server.url, {}, max_body=1000, buffered=False)
        response = await client.send(asked)
        assert sum([len(piece) async for piece in response.chunks()]) == 300_000
        await client.close()


async def test_a_redirect_is_an_answer_and_takes_no_key_elsewhere() -> None:
    async with RawServer() as elsewhere:
        head = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
        async with RawServer(Reply(head.encode())) as server:
            assert (await ask(server)).status == 302
        assert elsewhere.requests == 0


async def test_cookies_are_not_kept() -> None:
    async with RawServer(ok(b"", "Set-Cookie: a=1", "Set-Cookie: b=2")) as server:
        client = AiohttpClient()
        first = await client.send(HttpRequest("GET", server.url, {}))
        await client.send(HttpRequest("GET", server.url, {}))
        await client.close()
        assert first.headers["set-cookie"] == "a=1, b=2"
        assert server.seen[1].header("cookie") == ""


async def test_a_program_that_calls_hostile_upstreams_stays_small_and_quick_and_keeps_its_key() -> None:
    report = await hostile.sample(7)
    assert not report.broken, "\n".join(report.broken)
