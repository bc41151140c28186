"""Resilience rule R17: what the server saw equals what we decided, and every fault ends classified."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import (
    AttemptTimeout,
    BodyBroken,
    ConnectFailed,
    ConnectionLost,
    InvalidRequest,
    TransportError,
)
from understudy.core.http import HttpRequest
from understudy.simulator.certificates import CA_FILE, server_context
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


# -- what the caller gives ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"X": "a\r\nEvil: 1"}},
        {"headers": {"X\nEvil": "1"}},
        {"headers": {"X": None}},
        {"method": "GET / HTTP/1.1\r\nX: y"},
    ],
    ids=["a line break in a value", "a line break in a name", "no text", "a line break in the method"],
)
async def test_what_cannot_be_sent_is_the_callers_fault_and_leaves_no_connection(
    client: AiohttpClient, asked: dict[str, object]
) -> None:
    async with RawServer() as server:
        given = HttpRequest(**{"method": "GET", "url": server.url, "headers": {}, **asked})  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(InvalidRequest) as caught:
            await client.send(given)
        await asyncio.sleep(0.05)
        assert (server.requests, server.open) == (0, 0)
        assert caught.value.__context__ is None, "aiohttp's own words quote what was given"


async def broken_body() -> AsyncIterator[bytes]:
    yield b"one"
    raise LookupError("of the caller")


async def body_of_text() -> AsyncIterator[bytes]:
    yield "text"  # type: ignore[misc]  # wrong on purpose


@pytest.mark.parametrize(("body", "cause"), [(broken_body, LookupError), (body_of_text, TypeError)])
async def test_a_body_that_cannot_be_made_is_the_callers_fault(
    client: AiohttpClient, body: object, cause: type[Exception]
) -> None:
    async with RawServer() as server:
        with pytest.raises(InvalidRequest) as caught:
            await client.send(request(server, "POST", body=body))
        await asyncio.sleep(0.05)
        assert isinstance(caught.value.__cause__, cause)
        assert server.open == 0


async def test_a_body_that_comes_slowly_from_the_caller_does_not_make_the_api_idle(client: AiohttpClient) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(0.4)
        yield b"b"

    async with RawServer() as server:
        assert (await client.send(request(server, "POST", body=slow, idle_timeout=0.2))).status == 200
        assert server.seen[0].body == b"ab"


async def test_an_upload_that_nobody_takes_ends_at_the_idle_limit(client: AiohttpClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        before = asyncio.all_tasks()
        fault = await fault_of(client, HttpRequest("POST", url, {}, endless, idle_timeout=0.2))
        await asyncio.sleep(0.05)
        assert isinstance(fault, AttemptTimeout)
        assert asyncio.all_tasks() == before


async def test_what_is_fit_for_the_wire_goes_there_as_it_stands(client: AiohttpClient) -> None:
    async with RawServer() as server:
        await client.send(request(server, path="/a%2Fb/%7Ec/../d?x=%2C%20+&y=%C3%A9"))
        assert server.seen[0].line == "GET /a%2Fb/%7Ec/../d?x=%2C%20+&y=%C3%A9 HTTP/1.1"


# -- what the other side may say ----------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK,),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK),
        (b"\r\n" + OK,),
    ],
    ids=["100 in the same segment", "103 before its answer", "an empty line before"],
)
async def test_interim_responses_are_passed_over(client: AiohttpClient, pieces: tuple[bytes, ...]) -> None:
    async with RawServer(Reply(pieces, gap=0.05)) as server:
        assert (await client.send(request(server))).body == b"ok"
        assert (await client.send(request(server))).body == b"ok"
        assert (server.requests, server.connections) == (2, 1)


async def test_interim_responses_without_end_are_silence(client: AiohttpClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"HTTP/1.1 102 Processing\r\n\r\n"

    async with RawServer(Reply(endless)) as server:
        fault = await fault_of(client, request(server, idle_timeout=0.3))
        assert isinstance(fault, AttemptTimeout)


@pytest.mark.parametrize("status", ["101", "099", "000", "600", "999"])
async def test_a_status_that_is_none_is_a_broken_answer(client: AiohttpClient, status: str) -> None:
    reply = Reply(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
    async with RawServer(reply, ok(b"next")) as server:
        fault = await fault_of(client, request(server))
        assert isinstance(fault, ConnectionLost)
        assert (await client.send(request(server))).body == b"next"
        assert server.requests == 2


@pytest.mark.parametrize(
    ("head", "status"),
    [(b"HTTP/1.1 204 X\r\n\r\n", 204), (b"HTTP/1.1 304 X\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n", 304)],
)
async def test_a_response_without_a_body_keeps_its_connection(client: AiohttpClient, head: bytes, status: int) -> None:
    async with RawServer(Reply(head), ok()) as server:
        response = await client.send(request(server))
        assert (response.status, response.body) == (status, b"")
        assert (await client.send(request(server))).body == b"ok"
        assert server.connections == 1


async def test_the_head_of_a_body_has_its_length_and_no_body(client: AiohttpClient) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Encoding: gzip\r\n\r\n"
    async with RawServer(Reply(head), Reply(head)) as server:
        response = await client.send(request(server, "HEAD"))
        assert (response.body, response.headers["Content-Length"]) == (b"", "99")
        await client.send(request(server, "HEAD"))
        assert server.connections == 1


async def test_an_old_server_ends_its_body_by_closing(client: AiohttpClient) -> None:
    async with RawServer(Reply(b"HTTP/1.0 200 OK\r\n\r\nabc", "close")) as server:
        assert (await client.send(request(server))).body == b"abc"


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(client: AiohttpClient) -> None:
    async with RawServer(Reply(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), ok(b"second")) as server:
        assert (await client.send(request(server))).body == b"ok"
        assert (await client.send(request(server))).body == b"second"
        assert server.connections == 2


@pytest.mark.parametrize(
    "late",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"no http at all\r\n\r\n",
    ],
    ids=["an answer", "a time-out", "no HTTP"],
)
async def test_what_comes_while_a_connection_is_idle_is_not_taken_for_the_next_answer(
    client: AiohttpClient, late: bytes
) -> None:
    async with RawServer(Reply((OK, late), gap=0.05), ok(b"second"), ok(b"third")) as server:
        assert (await client.send(request(server))).body == b"ok"
        await asyncio.sleep(0.15)
        answers = [await client.send(request(server)) for _ in range(2)]
        assert [(answer.status, answer.body) for answer in answers] == [(200, b"second"), (200, b"third")]
        assert (server.requests, server.connections) == (3, 2)


async def test_headers_can_be_read_joined_and_as_they_came(client: AiohttpClient) -> None:
    lines = (b"Set-Cookie: a=1", b"set-cookie: b=2", b"X-Old: caf\xe9", b"X-New: caf\xc3\xa9", b"Content-Length: 0")
    head = b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", b""))
    async with RawServer(Reply(head)) as server:
        response = await client.send(request(server))
        assert response.headers["Set-Cookie"] == "a=1, b=2"
        assert (response.headers["x-old"], response.headers["x-new"]) == ("café", "café")
        assert list(response.raw_headers)[:3] == [
            (b"Set-Cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"X-Old", b"caf\xe9"),
        ]


async def test_an_answer_before_the_body_was_sent_leaves_no_half_body_on_a_kept_connection(
    client: AiohttpClient,
) -> None:
    waits = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        yield b"first"
        await waits.wait()
        yield b"rest"

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 3\r\n\r\nbig")
        left.append(await reader.read(-1))
        writer.close()

    left: list[bytes] = []
    async with await asyncio.start_server(early, "127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        answer = await client.send(HttpRequest("POST", url, {}, held))
        assert (answer.status, answer.body) == (413, b"big")
        await asyncio.sleep(0.05)
        assert left in ([b""], [b"5\r\nfirst\r\n"])


async def test_a_name_that_no_resolver_takes_is_one_that_does_not_resolve(client: AiohttpClient) -> None:
    for host in ("a..b", "a" * 300 + ".invalid", "nothing.invalid"):
        fault = await fault_of(client, HttpRequest("GET", f"http://{host}/", {}, connect_timeout=1.0))
        assert isinstance(fault, ConnectFailed)
        assert fault.stage == "dns"


WITHOUT_AN_END = """
    import asyncio
    from understudy import Understudy
    from understudy.testing.raw_server import RawServer, ok

    app = Understudy.build()

    async def main():
        async with RawServer(ok(b"here")) as server:
            app.fallback.register_api("a", base_url=server.url)
            return (await app.route("a").get("/")).text

    print(asyncio.run(main()), asyncio.run(main()))
"""


def test_a_program_that_ends_its_loops_and_not_the_application_hears_nothing_of_it() -> None:
    command = [sys.executable, "-W", "always", "-c", textwrap.dedent(WITHOUT_AN_END)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("here here\n", "")


# -- the way there ------------------------------------------------------------------------------------


@pytest.mark.parametrize("certificate", ["expired", "self_signed", "wrong_host"])
async def test_a_certificate_that_is_not_to_be_trusted_gets_no_request(certificate: str) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1))

    def on_fault(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        assert isinstance(context.get("exception"), OSError), "the server's side of the handshake that broke off"

    asyncio.get_running_loop().set_exception_handler(on_fault)
    client = AiohttpClient(ssl=ssl.create_default_context(cafile=CA_FILE))
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(certificate)) as listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/?key=hidden"
        fault = await fault_of(client, HttpRequest("GET", url, {"X-Key": "hidden"}))
    await client.close()
    assert isinstance(fault, ConnectFailed)
    assert (fault.stage, fault.sent, seen) == ("tls", False, [])
    assert "hidden" not in str(fault)


async def test_of_several_addresses_one_that_answers_nothing_costs_a_moment_only(
    client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer() as server:
        with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
            deaf.bind(("127.0.0.2", server.port))
            deaf.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.2", server.port))
            found = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))
                for address in ("127.0.0.2", "127.0.0.1")
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            began = asyncio.get_running_loop().time()
            response = await client.send(HttpRequest("GET", f"http://two.test:{server.port}/", {}))
            assert (response.body, server.requests) == (b"ok", 1)
            assert asyncio.get_running_loop().time() - began < 1.0


async def test_the_environment_names_no_proxy_and_no_password(
    client: AiohttpClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passwords = tmp_path / "netrc"
    passwords.write_text("machine 127.0.0.1 login me password hidden\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("NETRC", str(passwords))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with RawServer() as server:
        await client.send(request(server))
        assert server.seen[0].line == "GET /x HTTP/1.1"
        assert server.seen[0].header("authorization") == ""
