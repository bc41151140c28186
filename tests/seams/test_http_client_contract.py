"""Every HTTP client keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import ConnectFailed
from understudy.core.http import HttpRequest
from understudy.testing import Answer, HttpClientContract, RawServer, ScriptedHttp, WireProbe
from understudy.testing.raw_server import ok


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
    async def probe(self) -> AsyncIterator[WireProbe]:
        async with WireProbe(AiohttpClient()) as probe:
            yield probe


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
