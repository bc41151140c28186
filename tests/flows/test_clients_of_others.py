"""The user's own httpx, httpx2 and requests clients on real sockets: whole responses, their own errors, no leaks."""

from __future__ import annotations

import gc
import io
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
import requests

from understudy import Understudy
from understudy.core.portal import Portal
from understudy.core.secrets import Secret
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.resilience.outcome import SuccessOptions
from understudy.sync import Understudy as Blocking
from understudy.testing.raw_server import CLOSE, RESET, STALL, RawServer, Reply, ok

BOTH = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CANARY = "canary-0123456789"
KEYED = {"auth": AuthOptions(kind="header", name="X-Own-Key", keys=(KeyOptions(Secret(CANARY)),))}
#: Limits that a test can wait for, and a breaker that does not come between two parts of one.
QUICK = {"timeout": TimeoutOptions(attempt=0.4, idle=0.3), "breaker": BreakerOptions(consecutive=50)}


def answer(status: int, *headers: bytes, body: bytes = b"body") -> Reply:
    lines = (b"HTTP/1.1 %d X" % status, *headers, b"Content-Length: %d" % len(body))
    return Reply(b"\r\n".join((*lines, b"", body)))


RICH = answer(
    200,
    b"Set-Cookie: a=1; Expires=Wed, 09 Jun 2038 10:18:14 GMT; Path=/",
    b"Set-Cookie: b=2; Path=/",
    b"X-Old: caf\xe9",
    b"Content-Type: text/plain; charset=latin-1",
    body=b"caf\xe9",
)


@asynccontextmanager
async def served(*replies: Reply, path: str = "", **options: Any) -> AsyncIterator[tuple[Understudy, RawServer]]:
    async with RawServer(*replies) as server, Understudy.build() as app:
        app.fallback.register_api("a", base_url=server.url + path, **{**QUICK, **options})
        yield app, server


def client(library: Any, app: Understudy, url: str = "https://any.example", **options: Any) -> Any:
    return library.AsyncClient(transport=app.httpx_transport("a"), base_url=url, **options)


# -- httpx and httpx2 -----------------------------------------------------------------------------------


@BOTH
async def test_a_response_is_complete_and_of_the_clients_own_kind(library: Any) -> None:
    async with served(RICH) as (app, server), client(library, app, server.url) as asking:
        response = await asking.get("/x", params={"q": "é"})
        assert type(response) is library.Response
        assert (response.status_code, response.reason_phrase, response.http_version) == (200, "OK", "HTTP/1.1")
        assert (response.text, response.encoding) == ("café", "latin-1")
        assert [value[:3] for value in response.headers.get_list("set-cookie")] == ["a=1", "b=2"]
        assert response.headers["x-old"] == "café"
        assert response.elapsed.total_seconds() > 0
        assert (response.history, response.request.url.path, response.is_closed) == ([], "/x", True)
        assert response.raise_for_status() is response
        assert "served by a" in str(response.extensions["understudy"]())
        assert server.seen[0].line == "GET /x?q=%C3%A9 HTTP/1.1"


@BOTH
@pytest.mark.parametrize("status", [401, 402, 403, 404, 422, 500, 503, 529])
async def test_a_refusal_is_a_response_that_raises_when_asked_to(library: Any, status: int) -> None:
    async with served(answer(status, b"X-Left: 7", body=b"why" * 1000)) as (app, _), client(library, app) as asking:
        response = await asking.get("/")
        assert (response.status_code, response.content, response.headers["x-left"]) == (status, b"why" * 1000, "7")
        with pytest.raises(library.HTTPStatusError):
            response.raise_for_status()


@BOTH
async def test_the_refusal_of_the_last_of_several_apis_is_the_response(library: Any) -> None:
    async with RawServer(answer(503)) as standby, served(answer(500), route="r") as (app, _):
        app.fallback.register_api("b", 2, "r", base_url=standby.url, **QUICK)
        async with library.AsyncClient(transport=app.httpx_transport("r")) as asking:
            response = await asking.get("https://any.example/")
        assert response.status_code == 503
        assert {attempt.api for attempt in response.extensions["understudy"]().attempts} == {"a", "b"}


@BOTH
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (RESET, "RemoteProtocolError"),
        (CLOSE, "RemoteProtocolError"),
        (STALL, "ReadTimeout"),
        (Reply(b"no http\r\n\r\n"), "RemoteProtocolError"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "close"), "RemoteProtocolError"),
        (answer(200, b"Content-Encoding: br"), "RemoteProtocolError"),
    ],
    ids=["reset", "close", "stall", "no HTTP", "short", "unknown encoding"],
)
async def test_faults_are_the_clients_own_errors(library: Any, reply: Reply, kind: str) -> None:
    async with served(reply) as (app, _), client(library, app) as asking:
        with pytest.raises(getattr(library, kind)) as caught:
            await asking.post("/?key=hidden", content=b"x")
        assert caught.value.request.method == "POST"
        assert caught.value.__cause__ is not None
        assert "hidden" not in str(caught.value)


@BOTH
async def test_nobody_there_a_forced_breaker_and_a_deadline_are_the_clients_own_errors(library: Any) -> None:
    async with served(STALL) as (app, server), client(library, app) as asking:
        with pytest.raises(library.TimeoutException):
            await asking.get("/", extensions={"understudy_deadline": 0.1})
        app.fallback.register_api("a", base_url="http://127.0.0.1:1")
        with pytest.raises(library.ConnectError):
            await asking.get("/")
        app.fallback.register_api("a", enabled=False)
        with pytest.raises(library.ConnectError):
            await asking.get("/")
        with pytest.raises(library.LocalProtocolError):
            await asking.get(f"https://any.example//{server.url}/x")


@BOTH
async def test_a_success_that_is_none_by_its_body_is_an_error_and_no_response(library: Any) -> None:
    conditions = {"success": SuccessOptions(json="ok")}
    async with served(answer(200, body=b'{"ok": false}'), **conditions) as (app, _), client(library, app) as asking:
        with pytest.raises(library.RemoteProtocolError, match="no success"):
            await asking.get("/")


@BOTH
async def test_every_kind_of_body_arrives(library: Any) -> None:
    async def made() -> AsyncIterator[bytes]:
        yield b"of a "
        yield b"generator"

    async with served(ok()) as (app, server), client(library, app) as asking:
        await asking.get("/")
        await asking.post("/", content=made())
        await asking.post("/", json={"a": "é"})
        await asking.post("/", data={"a": "é"})
        await asking.post("/", files={"f": ("n.txt", io.BytesIO(b"of a file"))})
        bodies = [seen.body for seen in server.seen]
        assert bodies[:3] == [b"", b"of a generator", '{"a":"é"}'.encode()]
        assert bodies[3] == b"a=%C3%A9"
        assert b"of a file" in bodies[4]
        assert server.seen[0].header("transfer-encoding") == ""


@BOTH
async def test_a_form_with_a_file_goes_whole_to_the_standby(library: Any) -> None:
    async with RawServer() as standby, served(answer(503), route="r") as (app, _):
        app.fallback.register_api("b", 2, "r", base_url=standby.url)
        async with library.AsyncClient(transport=app.httpx_transport("r")) as asking:
            await asking.put("https://any.example/", files={"f": io.BytesIO(b"of a file")})
        assert b"of a file" in standby.seen[0].body


@BOTH
async def test_the_head_of_a_resource_keeps_its_length(library: Any) -> None:
    async with served(Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n")) as (app, _):
        async with client(library, app) as asking:
            response = await asking.head("/")
        assert (response.headers["content-length"], response.content) == ("4096", b"")


@BOTH
async def test_a_decoded_body_is_described_as_decoded(library: Any) -> None:
    import gzip

    async with served(ok(gzip.compress(b"plain"), "Content-Encoding: gzip")) as (app, _):
        async with client(library, app) as asking:
            response = await asking.get("/")
        assert (response.content, response.headers["content-length"]) == (b"plain", "5")
        assert "content-encoding" not in response.headers


@BOTH
async def test_a_stream_comes_as_it_is_sent_and_its_break_is_the_clients_own_error(library: Any) -> None:
    pieces = (CHUNKED + b"3\r\nabc\r\n", b"3\r\ndef\r\n")
    streaming = {"understudy_stream": True}
    async with served(Reply((*pieces, b"0\r\n\r\n"), gap=0.05), Reply(pieces, "close")) as (app, _):
        async with client(library, app) as asking:
            async with asking.stream("GET", "/", extensions=streaming) as response:
                assert [piece async for piece in response.aiter_bytes()] == [b"abc", b"def"]
            with pytest.raises(library.RemoteProtocolError):
                async with asking.stream("GET", "/", extensions=streaming) as response:
                    await response.aread()
        assert app.fallback.roster.api("a").bulkhead.active == 0  # type: ignore[union-attr]  # an HTTP API has one


@BOTH
async def test_a_feed_of_events_is_a_stream_without_being_told(library: Any) -> None:
    feed = Reply((CHUNKED + b"9\r\ndata: 1\n\n\r\n",), "stall")
    async with served(feed) as (app, server), client(library, app) as asking:
        async with asking.stream("GET", "/", headers={"Accept": "text/event-stream"}) as response:
            assert await anext(response.aiter_lines()) == "data: 1"
        assert server.requests == 1


# -- credentials and cookies -------------------------------------------------------------------------------

PRIVATE = {"Authorization": "Bearer mine", "X-Api-Key": "mine", "X-Plain": "for all"}


@BOTH
async def test_credentials_go_to_the_api_that_they_are_meant_for_and_to_no_standby(library: Any) -> None:
    async with RawServer() as standby, served(ok(), answer(503), route="r") as (app, lead):
        app.fallback.register_api("b", 2, "r", base_url=standby.url)
        async with library.AsyncClient(transport=app.httpx_transport("r"), headers=PRIVATE) as asking:
            asking.cookies.set("session", "mine")
            for _ in range(2):
                await asking.get(lead.url + "/")
        assert lead.seen[0].header("authorization") == "Bearer mine"
        assert lead.seen[0].header("cookie") == "session=mine"
        told = standby.seen[0].head.lower()
        assert b"mine" not in told
        assert b"for all" in told


@BOTH
async def test_credentials_go_to_every_api_where_the_user_says_so(library: Any) -> None:
    async with served(ok()) as (app, server):
        transport = app.httpx_transport("a", forward_credentials=True)
        async with library.AsyncClient(transport=transport, headers=PRIVATE) as asking:
            await asking.get("https://any.example/")
        assert server.seen[0].header("authorization") == "Bearer mine"


@BOTH
async def test_the_cookies_of_one_api_are_kept_from_the_others(library: Any) -> None:
    cookie = answer(200, b"Set-Cookie: session=of-the-lead")
    async with RawServer() as standby, served(cookie, answer(503), route="r") as (app, _):
        app.fallback.register_api("b", 2, "r", base_url=standby.url)
        async with library.AsyncClient(transport=app.httpx_transport("r")) as asking:
            first = await asking.get("https://any.example/")
            await asking.get("https://any.example/")
        assert "set-cookie" not in first.headers
        assert standby.seen[0].header("cookie") == ""


@BOTH
async def test_a_redirect_within_the_api_leads_within_the_client_and_one_elsewhere_takes_no_key(library: Any) -> None:
    async with RawServer() as elsewhere:
        replies = [
            answer(308, b"Location: /v1/matches/"),
            answer(302, b"Location: {}/v1/odds?x=1"),
            answer(302, f"Location: {elsewhere.url}/take".encode()),
        ]
        async with served(*replies, path="/v1", **KEYED) as (app, server), client(library, app) as asking:
            server.replies = tuple(
                Reply(reply.pieces.replace(b"{}", server.url.encode()))
                for reply in replies  # type: ignore[union-attr]  # bytes
            )
            led = [(await asking.get("/matches")).headers["location"] for _ in replies]
            assert led == [
                "https://any.example/matches/",
                "https://any.example/odds?x=1",
                f"{elsewhere.url}/take",
            ]
        assert elsewhere.requests == 0


# -- requests, and blocking clients of httpx -----------------------------------------------------------------


@pytest.fixture
def session() -> Iterator[tuple[requests.Session, Blocking, RawServer]]:
    behind, server = Portal("server"), RawServer(ok())
    behind.call(server.__aenter__)
    with Blocking() as app, requests.Session() as session:
        app.register_api("a", base_url=server.url, **QUICK)
        session.mount("https://any.example/", app.requests_adapter("a"))
        session.mount(server.url, app.requests_adapter("a"))
        yield session, app, server
    behind.call(server.__aexit__)
    behind.close()


Session = tuple[requests.Session, Blocking, RawServer]


def test_a_response_of_requests_is_complete(session: Session) -> None:
    asking, _, server = session
    server.replies = (RICH,)
    response = asking.get(server.url + "/x", params={"q": "é"})
    assert (response.status_code, response.reason, response.ok, response.url) == (
        200,
        "OK",
        True,
        server.url + "/x?q=%C3%A9",
    )
    assert (response.text, response.encoding, response.history) == ("café", "latin-1", [])
    assert (response.headers["x-old"], response.raw.headers.getlist("set-cookie")[1]) == ("café", "b=2; Path=/")
    assert dict(response.cookies) == dict(asking.cookies) == {"a": "1", "b": "2"}
    assert response.elapsed.total_seconds() > 0
    assert list(response.iter_content(2)) == [b"ca", b"f\xe9"]
    assert "served by a" in str(response.understudy())  # type: ignore[attr-defined]  # ours
    again = pickle.loads(pickle.dumps(response))
    assert (again.text, again.status_code) == ("café", 200)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_refusal_is_a_response_of_requests(session: Session, status: int) -> None:
    asking, _, server = session
    server.replies = (answer(status, body=b"why" * 1000),)
    response = asking.get("https://any.example/")
    assert (response.status_code, response.content) == (status, b"why" * 1000)
    with pytest.raises(requests.HTTPError):
        response.raise_for_status()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (RESET, requests.ConnectionError),
        (STALL, requests.ReadTimeout),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "close"), requests.ConnectionError),
    ],
    ids=["reset", "stall", "short"],
)
def test_faults_are_errors_of_requests(session: Session, reply: Reply, kind: type[Exception]) -> None:
    asking, app, server = session
    server.replies = (reply,)
    with pytest.raises(kind):
        asking.post("https://any.example/", data=b"x")
    app.register_api("a", base_url="http://127.0.0.1:1")
    with pytest.raises(requests.ConnectionError):
        asking.get("https://any.example/")
    with pytest.raises(requests.exceptions.InvalidURL):
        asking.get("https://any.example//other.example/x")


def test_a_stream_of_requests_can_be_read_in_every_way(session: Session) -> None:
    asking, app, server = session
    server.replies = (Reply((CHUNKED + b"3\r\nab\n\r\n", b"3\r\ndef\r\n0\r\n\r\n"), gap=0.02),)

    def stream() -> Any:
        return asking.get("https://any.example/", stream=True)

    with stream() as response:
        assert list(response.iter_content(2)) == [b"ab", b"\n", b"de", b"f"]
    assert list(stream().iter_lines()) == [b"ab", b"def"]
    assert stream().content == b"ab\ndef"
    assert stream().raw.read() == b"ab\ndef"
    assert io.BufferedReader(stream().raw).read() == b"ab\ndef"
    stream().close()
    server.replies = (Reply((CHUNKED + b"3\r\nabc\r\n", b"3\r\ndef\r\n"), "close", gap=0.02),)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = stream().content
    stream()  # and forgotten
    gc.collect()
    server.replies = (ok(),)
    app.route("a").request("GET", "/")
    assert app.app.fallback.roster.api("a").bulkhead.active == 0  # type: ignore[union-attr]  # an HTTP API has one


def test_bodies_of_requests_are_read_by_the_caller_who_may_make_calls_of_their_own_in_them(session: Session) -> None:
    asking, _, server = session

    def calling() -> Iterator[bytes]:
        yield asking.get("https://any.example/inner").content

    asking.post("https://any.example/", data=calling())
    asking.post("https://any.example/", data=io.BytesIO(b"of a file"))
    asking.post("https://any.example/", data={"a": "é"})
    assert [seen.body for seen in server.seen] == [b"", b"ok", b"of a file", b"a=%C3%A9"]


def test_cookies_of_an_api_stay_with_it_in_a_session_too(session: Session) -> None:
    asking, _, server = session
    server.replies = (RICH,)
    asking.get("https://any.example/")
    asking.get("https://any.example/", auth=("me", "canary"))
    assert dict(asking.cookies) == {}
    assert server.seen[1].header("cookie") == server.seen[1].header("authorization") == ""


@BOTH
def test_a_blocking_client_of_httpx_is_served_whole_and_in_pieces(session: Session, library: Any) -> None:
    _, app, server = session
    with library.Client(transport=app.httpx_transport("a")) as asking:
        assert asking.post("https://any.example/", content=iter([b"a", b"b"])).text == "ok"
        assert server.seen[0].body == b"ab"
        server.replies = (Reply((CHUNKED + b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n"), gap=0.02),)
        with asking.stream("GET", "https://any.example/", extensions={"understudy_stream": True}) as response:
            assert list(response.iter_bytes()) == [b"abc", b"def"]
        server.replies = (STALL,)
        with pytest.raises(library.ReadTimeout):
            asking.get("https://any.example/")
