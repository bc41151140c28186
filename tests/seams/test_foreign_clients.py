"""The user's own httpx and requests clients, served through our sender."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests

from understudy.clients.httpx import AsyncUnderstudyTransport, UnderstudyTransport
from understudy.clients.requests import UnderstudyAdapter
from understudy.core.errors import AllApisFailed, ConnectFailed, DeadlineExceeded
from understudy.core.http import HttpRequest
from understudy.core.portal import Portal
from understudy.sync import Understudy as BlockingUnderstudy
from understudy.testing.scripted_http import Answer, ScriptedHttp


class Route:
    """A sender with one API, `http://api`."""

    def __init__(self, *answers: Answer | BaseException) -> None:
        self.http = ScriptedHttp(answers)
        self.extensions: Mapping[str, Any] = {}

    async def send(
        self,
        route: str,
        method: str,
        url: str,
        *,
        headers: Any,
        content: Any,
        stream: bool,
        private: bool,
        extensions: Any,
    ) -> tuple[Any, str]:
        self.extensions = extensions
        assert route == "fixtures"
        assert private
        parts = urlsplit(url)
        asked = parts._replace(scheme="http", netloc="api").geturl()
        return await self.http.send(HttpRequest(method, asked, headers, content, buffered=not stream)), "http://api"


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.close()


async def test_an_httpx_client_is_served_with_its_path_and_without_its_host() -> None:
    route = Route(Answer(200, b'{"a": 1}', {"X-Left": "3"}))
    async with httpx.AsyncClient(transport=AsyncUnderstudyTransport(route, "fixtures")) as client:
        answer = await client.post("https://any.example/m?x=1", content=b"in", extensions={"understudy_deadline": 2.0})
    assert (answer.json(), answer.headers["x-left"]) == ({"a": 1}, "3")
    sent = route.http.requests[0]
    assert (sent.method, sent.url, sent.body) == ("POST", "http://api/m?x=1", b"in")
    assert "host" not in {name.lower() for name in sent.headers}
    assert route.extensions["understudy_deadline"] == 2.0


async def test_an_httpx_stream_comes_piece_by_piece() -> None:
    route = Route(Answer(200, [b"ab", b"cd"]))
    streaming = {"understudy_stream": True}
    async with (
        httpx.AsyncClient(transport=AsyncUnderstudyTransport(route, "fixtures")) as client,
        client.stream("GET", "https://any.example/", extensions=streaming) as answer,
    ):
        assert [piece async for piece in answer.aiter_raw()] == [b"ab", b"cd"]
    assert route.http.open == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (DeadlineExceeded("time ran out"), httpx.TimeoutException),
        (AllApisFailed("all failed", {"a": ConnectFailed("no", stage="refused")}), httpx.ConnectError),
    ],
)
def test_errors_are_httpx_errors_with_their_cause(fault: Exception, kind: type[Exception], portal: Portal) -> None:
    transport = UnderstudyTransport(Route(fault), "fixtures", portal)
    with httpx.Client(transport=transport) as client, pytest.raises(kind) as caught:
        client.get("https://any.example/")
    assert caught.value.__cause__ is fault


def test_a_requests_session_is_served_buffered_and_streamed(portal: Portal) -> None:
    route = Route(Answer(200, b"whole"), Answer(200, [b"ab", b"cd"]), DeadlineExceeded("time ran out"))
    with requests.Session() as session:
        session.mount("https://", UnderstudyAdapter(route, "fixtures", portal))
        assert session.put("https://any.example/m", data="text", timeout=2).text == "whole"
        assert route.http.bodies == [b"text"]
        assert b"".join(session.get("https://any.example/", stream=True).iter_content(3)) == b"abcd"
        with pytest.raises(requests.exceptions.Timeout):
            session.get("https://any.example/")


@pytest.fixture
def blocking() -> Iterator[BlockingUnderstudy]:
    http = ScriptedHttp(Answer(200, b"served"))
    with BlockingUnderstudy(http=http) as app:
        app.register_api("main", route="fixtures", base_url="http://api")
        yield app


def test_blocking_code_gets_a_transport_for_its_httpx_client(blocking: BlockingUnderstudy) -> None:
    with httpx.Client(transport=blocking.httpx_transport("fixtures")) as client:
        assert client.get("https://any.example/m").text == "served"


def test_blocking_code_gets_an_adapter_for_its_session(blocking: BlockingUnderstudy) -> None:
    with requests.Session() as session:
        session.mount("https://any.example/", blocking.requests_adapter("fixtures"))
        assert session.get("https://any.example/m", timeout=2).text == "served"
