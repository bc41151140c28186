"""Every HTTP client keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import ConnectFailed
from understudy.core.http import HttpRequest
from understudy.testing.http_contract import HttpClientContract
from understudy.testing.raw_server import RawServer, Reply, ok
from understudy.testing.scripted_http import Answer, ScriptedHttp


def on_the_wire(answer: Answer) -> Reply:
    pieces = [piece for piece in answer.pieces() if isinstance(piece, bytes)]
    lines = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    head = f"HTTP/1.1 {answer.status} X\r\n{lines}Content-Length: {sum(map(len, pieces))}\r\n\r\n".encode()
    return Reply((head, *pieces))


class AiohttpProbe:
    def __init__(self, server: RawServer) -> None:
        self.client = AiohttpClient()
        self.server = server

    def answers(self, *answers: Answer) -> str:
        self.server.replies = tuple(on_the_wire(answer) for answer in answers)
        return self.server.url

    def nobody(self) -> str:
        return "http://127.0.0.1:1"

    def received(self) -> Sequence[bytes]:
        return [seen.body for seen in self.server.seen]


class ScriptedProbe:
    def __init__(self) -> None:
        self.client = ScriptedHttp(self._answer)
        self._answers: list[Answer] = []

    def _answer(self, request: HttpRequest) -> Answer | ConnectFailed:
        if "nobody" in request.url:
            return ConnectFailed("refused", stage="refused", host="nobody")
        return self._answers.pop(0)

    def answers(self, *answers: Answer) -> str:
        self._answers = list(answers)
        return "http://scripted"

    def nobody(self) -> str:
        return "http://nobody"

    def received(self) -> Sequence[bytes]:
        return self.client.bodies


class TestAiohttp(HttpClientContract):
    @pytest.fixture
    async def probe(self) -> AsyncIterator[AiohttpProbe]:
        async with RawServer() as server:
            probe = AiohttpProbe(server)
            yield probe
            await probe.client.close()


class TestScripted(HttpClientContract):
    @pytest.fixture
    def probe(self) -> ScriptedProbe:
        return ScriptedProbe()


def test_one_client_serves_two_event_loops_in_turn() -> None:
    client = AiohttpClient()

    async def once() -> bytes:
        async with RawServer(ok(b"here")) as server:
            body = (await client.send(HttpRequest("GET", server.url, {}))).body
            await client.close()
            return body

    assert [asyncio.run(once()), asyncio.run(once())] == [b"here", b"here"]
