"""What goes on the wire for a call on a route, and what must never reach it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from understudy import Understudy
from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import BadResponse, CallError, InvalidRequest, TransportError, TruncatedResponse
from understudy.core.http import HttpRequest
from understudy.core.portal import Portal
from understudy.core.secrets import Secret
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.testing.raw_server import STALL, RawServer, Reply, ok

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
KEY = "canary-0123456789"


@asynccontextmanager
async def route_to(*servers: RawServer, path: str = "", **options: Any) -> AsyncIterator[Understudy]:
    """An application whose route `r` has one API on each server, in this order of preference."""
    async with Understudy.build() as app:
        for place, server in enumerate(servers):
            app.fallback.register_api(f"api{place}", place + 1, "r", base_url=server.url + path, **options)
        yield app


BEARER = AuthOptions(kind="bearer", keys=(KeyOptions(Secret(KEY)),))


@pytest.mark.parametrize(
    "asked",
    [
        {"path": "//other.example/"}, {"path": "/../admin"}, {"path": "/%2e%2e/admin"}, {"path": "/x\r\nEvil: 1"},
        {"path": "/x#y"}, {"headers": {"X": "a\r\nEvil: 1"}}, {"headers": {"X\nEvil": "1"}}, {"headers": {"X": None}},
        {"headers": {"Host": "other.example"}}, {"headers": {"content-length": "3"}, "data": b"longer"},
        {"headers": {"Transfer-Encoding": "chunked"}}, {"method": "GET / HTTP/1.1\r\nX: y"}, {"method": ""},
        {"params": {"a": {"b": 1}}}, {"idempotency_key": "a\r\nb"}, {"json": {"a": float("inf")}}, {"data": 5},
    ],
)  # fmt: skip
async def test_what_cannot_be_sent_never_reaches_the_wire_and_blames_nobody(asked: dict[str, Any]) -> None:
    async with RawServer() as server, route_to(server, path="/v1", auth=BEARER) as app:
        for _ in range(6):
            with pytest.raises(InvalidRequest):
                await app.route("r").request(**{"method": "POST", **asked})
        assert (server.connections, server.requests) == (0, 0)
        assert app.monitor.snapshot("api0").total == 0
        assert (await app.route("r").get("/fine")).ok


async def test_a_body_that_its_caller_cannot_make_blames_nobody_and_goes_to_nobody_else() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise LookupError("of the caller")

    async with RawServer() as lead, RawServer() as standby, route_to(lead, standby) as app:
        for _ in range(6):
            with pytest.raises(InvalidRequest) as caught:
                await app.route("r").put("/", data=broken)
            assert isinstance(caught.value.__cause__, LookupError)
        assert standby.connections == 0
        assert app.monitor.snapshot("api0").failures == 0
        assert (await app.route("r").get("/")).api == "api0"


async def test_the_apis_own_key_goes_once_and_before_what_the_caller_says() -> None:
    async with RawServer() as server, route_to(server, auth=BEARER, headers={"Accept": "text/csv"}) as app:
        await app.route("r").post("/", headers={"authorization": "Bearer mine", "ACCEPT": "application/json"}, json={})
        head = server.seen[0].head.decode().lower()
        assert head.count("authorization:") == head.count("accept:") == head.count("content-type:") == 1
        assert f"authorization: bearer {KEY}" in head
        assert "accept: application/json" in head


async def test_a_query_a_path_and_a_base_url_make_one_target() -> None:
    async with RawServer() as server, route_to(server, path="/v1/") as app:
        route = app.route("r")
        await route.get("/já b?x=1", params={"a": [1, None, 2], "b": True})
        await route.get("matches", params={"a": "é&="})
        await route.get("")
        assert [seen.line for seen in server.seen] == [
            "GET /v1/j%C3%A1%20b?x=1&a=1&a=2&b=true HTTP/1.1",
            "GET /v1/matches?a=%C3%A9%26%3D HTTP/1.1",
            "GET /v1/ HTTP/1.1",
        ]


async def test_forms_files_and_iterators_are_sent(tmp_path: Path) -> None:
    def plain() -> Iterator[bytes]:
        yield b"of a "
        yield b"generator"

    file = tmp_path / "upload"
    file.write_bytes(b"of a file")
    async with RawServer() as server, route_to(server) as app:
        route = app.route("r")
        await route.post("/", data={"a": "é", "b": [1, 2]})
        await route.post("/", data=plain())
        with file.open("rb") as opened:
            await route.post("/", data=opened)
        assert [seen.body for seen in server.seen] == [b"a=%C3%A9&b=1&b=2", b"of a generator", b"of a file"]
        assert server.seen[0].header("content-type") == "application/x-www-form-urlencoded"
        assert server.seen[1].header("transfer-encoding") == "chunked"
        assert server.seen[2].header("content-length") == "9"


async def test_a_file_goes_to_the_standby_whole_when_the_lead_refuses_it(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"whole")
    refusing = Reply(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
    async with RawServer(refusing) as lead, RawServer() as standby, route_to(lead, standby) as app:
        with file.open("rb") as opened:
            assert (await app.route("r").put("/", data=opened)).api == "api1"
        assert standby.seen[0].body == b"whole"


async def test_a_key_of_the_caller_makes_a_post_repeatable_on_the_same_api() -> None:
    async with RawServer(Reply(then="close"), ok()) as server, route_to(server) as app:
        assert (await app.route("r").post("/", headers={"idempotency-key": "7"}, data=b"x")).ok
        assert [seen.header("idempotency-key") for seen in server.seen] == ["7", "7"]


# -- streams ------------------------------------------------------------------------------------------


async def drip() -> AsyncIterator[bytes]:
    yield CHUNKED
    while True:
        yield b"3\r\nabc\r\n"


async def nothing_is_left(app: Understudy, server: RawServer) -> bool:
    api = app.fallback.roster.api("api0")
    for _ in range(100):
        gc.collect()
        await asyncio.sleep(0.01)
        if server.open == 0 and api.bulkhead is not None and api.bulkhead.active == 0:
            return True
    return False


async def test_a_stream_is_handed_over_at_its_first_byte() -> None:
    async with RawServer(Reply(drip)) as server, route_to(server) as app:
        began = asyncio.get_running_loop().time()
        async with await app.route("r").get("/", stream=True) as response:
            assert await anext(response.chunks()) == b"abc"
        assert asyncio.get_running_loop().time() - began < 1.0
        assert await nothing_is_left(app, server)


@pytest.mark.parametrize("way", ["unread", "left", "cancelled", "raised"])
async def test_a_stream_that_is_abandoned_gives_everything_back(way: str) -> None:
    async with RawServer(Reply(drip)) as server, route_to(server) as app:

        async def use() -> None:
            response = await app.route("r").get("/", stream=True)
            if way == "unread":
                return
            async for _ in response.chunks():
                if way == "left":
                    break
                if way == "raised":
                    raise LookupError

        task = asyncio.create_task(use())
        if way == "cancelled":
            while not server.requests:
                await asyncio.sleep(0.01)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del task
        assert await nothing_is_left(app, server)


async def test_a_stream_that_is_refused_tells_why() -> None:
    refusal = Reply(b"HTTP/1.1 403 X\r\nContent-Length: 30\r\n\r\n" + b'{"message": "no such plan"}   ')
    async with RawServer(refusal) as server, route_to(server) as app:
        with pytest.raises(BadResponse, match="no such plan"):
            await app.route("r").get("/", stream=True)


# -- a second live loop ---------------------------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[tuple[Understudy, RawServer, Portal]]:
    """An application that another loop owns, on another thread, with its server."""
    owner, server, app = Portal("owner"), RawServer(ok(b"here")), Understudy.build()
    owner.call(server.__aenter__)
    app.fallback.register_api("a", base_url=server.url)

    async def first() -> None:
        await app.route("a").get("/")

    owner.call(first)
    yield app, server, owner
    owner.call(app.stop)
    owner.call(server.__aexit__)
    owner.close()


async def test_a_stream_is_read_and_a_body_made_on_the_callers_own_loop(
    elsewhere: tuple[Understudy, RawServer, Portal],
) -> None:
    app, server, _ = elsewhere
    here = threading.current_thread()
    queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def made() -> AsyncIterator[bytes]:
        for piece in (b"one ", b"two"):
            assert threading.current_thread() is here
            asyncio.get_running_loop().call_soon(queue.put_nowait, piece)
            yield await queue.get()

    for body in (made(), made):
        await app.route("a").post("/", data=body)
        assert server.seen[-1].body == b"one two"
    server.replies = (Reply((CHUNKED + b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n"), gap=0.05),)
    async with await app.route("a").get("/", stream=True) as response:
        assert b"".join([piece async for piece in response.chunks()]) == b"abcdef"


async def test_a_stream_that_is_left_early_is_closed_over_there(
    elsewhere: tuple[Understudy, RawServer, Portal],
) -> None:
    app, server, _ = elsewhere
    server.replies = (Reply(drip),)
    async with await app.route("a").get("/", stream=True) as response:
        async for _ in response.chunks():
            break
    while app.fallback.roster.api("a").bulkhead.active or server.open > 1:  # type: ignore[union-attr]  # an HTTP API has one
        await asyncio.sleep(0.01)


async def test_a_call_whose_loop_ends_under_it_says_so_and_the_next_one_is_served_here(
    elsewhere: tuple[Understudy, RawServer, Portal],
) -> None:
    app, server, owner = elsewhere
    server.replies = (STALL,)
    calling = asyncio.create_task(app.route("a").get("/"))
    while server.requests < 2:
        await asyncio.sleep(0.01)

    async def end() -> None:
        for task in asyncio.all_tasks():
            if task.get_coro().__qualname__.startswith("RouteClient"):  # type: ignore[union-attr]  # ours are coroutines
                task.cancel()

    owner.call(end)
    with pytest.raises(CallError, match="ended under"):
        await calling
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_stream_is_read_once() -> None:
    async with RawServer(ok(b"abc")) as server, route_to(server) as app:
        response = await app.route("r").get("/", stream=True)
        assert [piece async for piece in response.chunks()] == [b"abc"]
        with pytest.raises(RuntimeError, match="once only"):
            await anext(response.chunks())


@pytest.mark.parametrize("reply", [Reply(CHUNKED + b"3\r\nabc\r\n", "stall"), STALL], ids=["body", "head"])
async def test_a_client_that_is_closed_under_a_request_ends_it(reply: Reply) -> None:
    async with RawServer(reply) as server:
        client = AiohttpClient()
        asking = asyncio.create_task(client.send(HttpRequest("GET", server.url, {})))
        while not server.requests or (reply is not STALL and not server.sent):
            await asyncio.sleep(0.01)
        await client.close()
        async with asyncio.timeout(1):
            with pytest.raises(TransportError, match="closed"):
                await asking


async def test_an_application_that_stops_under_a_stream_ends_it() -> None:
    async with RawServer(Reply(CHUNKED + b"3\r\nabc\r\n", "stall")) as server, route_to(server) as app:
        response = await app.route("r").get("/", stream=True)
        pieces = response.chunks()
        assert await anext(pieces) == b"abc"
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0)
        await app.stop()
        async with asyncio.timeout(1):
            with pytest.raises(TruncatedResponse):
                await waiting
