# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `HttpClient` promises, as a suite: a subclass named `Test…` provides the `probe` fixture.

class TestMine(HttpClientContract):
    @pytest.fixture
    async def probe(self):
        async with WireProbe(MyClient()) as probe:
            yield probe
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, Self

import pytest

from understudy.core.errors import BodyTooLarge, ConnectFailed, TransportError
from understudy.core.http import HttpClient, HttpRequest

from .raw_server import RawServer, Reply
from .scripted_http import Answer


class Probe(Protocol):
    """One client, and an upstream for it that answers what it is told."""

    @property
    def client(self) -> HttpClient:
        """The client."""

    def answers(self, *answers: Answer) -> str:
        """Let the upstream give these answers in turn; its base URL."""

    def nobody(self) -> str:
        """A base URL where nothing listens."""

    def received(self) -> Sequence[bytes]:
        """The bodies of the requests that reached the upstream, in order."""


class WireProbe:
    """A client that uses the network, before a real server on the loopback interface."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.server = RawServer()

    def answers(self, *answers: Answer) -> str:
        """As `Probe.answers`."""
        self.server.replies = tuple(_on_the_wire(answer) for answer in answers)
        return self.server.url

    def nobody(self) -> str:
        """As `Probe.nobody`: port 1 is reserved, and nothing serves there."""
        return "http://127.0.0.1:1"

    def received(self) -> Sequence[bytes]:
        """As `Probe.received`."""
        return [seen.body for seen in self.server.seen]

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.server.__aexit__()


def _on_the_wire(answer: Answer) -> Reply:
    pieces = [piece for piece in answer.pieces() if isinstance(piece, bytes)]
    lines = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    head = f"HTTP/1.1 {answer.status} X\r\n{lines}Content-Length: {sum(map(len, pieces))}\r\n\r\n".encode()
    return Reply((head, *pieces))


def get(url: str, method: str = "GET", *, max_body: int = 1 << 20, buffered: bool = True) -> HttpRequest:
    """A request with short limits."""
    return HttpRequest(method, url, {}, idle_timeout=2.0, max_body=max_body, buffered=buffered)


class HttpClientContract:
    """The promises of `core.http.HttpClient`."""

    @pytest.mark.parametrize("status", [200, 302, 404, 429, 500])
    async def test_any_status_is_an_answer_and_one_send_is_one_request(self, probe: Probe, status: int) -> None:
        response = await probe.client.send(get(probe.answers(Answer(status, b"text", {"Location": "/else"}))))
        assert (response.status, response.body) == (status, b"text")
        assert len(probe.received()) == 1

    async def test_headers_are_case_insensitive(self, probe: Probe) -> None:
        response = await probe.client.send(get(probe.answers(Answer(200, b"", {"X-Left": "7"}))))
        assert response.headers["x-LEFT"] == "7"

    async def test_an_empty_body_is_empty_bytes(self, probe: Probe) -> None:
        assert (await probe.client.send(get(probe.answers(Answer(200))))).body == b""

    async def test_a_stream_has_no_body_but_pieces(self, probe: Probe) -> None:
        response = await probe.client.send(get(probe.answers(Answer(200, [b"ab", b"cd"])), buffered=False))
        with pytest.raises(RuntimeError):
            _ = response.body
        assert b"".join([piece async for piece in response.chunks()]) == b"abcd"
        await response.close()

    async def test_a_buffered_body_can_be_had_as_pieces_too(self, probe: Probe) -> None:
        response = await probe.client.send(get(probe.answers(Answer(200, b"abcd"))))
        assert [piece async for piece in response.chunks()] == [b"abcd"]

    async def test_closing_twice_is_closing_once(self, probe: Probe) -> None:
        response = await probe.client.send(get(probe.answers(Answer(200, b"abcd")), buffered=False))
        await response.close()
        await response.close()

    async def test_a_body_over_the_limit_is_refused(self, probe: Probe) -> None:
        with pytest.raises(BodyTooLarge):
            await probe.client.send(get(probe.answers(Answer(200, b"a" * 100)), max_body=99))

    async def test_a_body_at_the_limit_is_not(self, probe: Probe) -> None:
        assert len((await probe.client.send(get(probe.answers(Answer(200, b"a" * 100)), max_body=100))).body) == 100

    async def test_bytes_and_made_bodies_arrive_whole(self, probe: Probe) -> None:
        async def made() -> AsyncIterator[bytes]:
            yield b"one "
            yield b"two"

        url = probe.answers(Answer(200), Answer(200), Answer(200))
        for body in (b"plain", made, b"x" * 600_000):
            await probe.client.send(HttpRequest("POST", url, {}, body))
        assert list(probe.received()) == [b"plain", b"one two", b"x" * 600_000]

    async def test_nobody_there_is_a_connection_that_failed(self, probe: Probe) -> None:
        with pytest.raises(ConnectFailed) as caught:
            await probe.client.send(get(probe.nobody() + "/?key=hidden"))
        assert isinstance(caught.value, TransportError)
        assert caught.value.sent is False
        assert "hidden" not in str(caught.value)

    async def test_a_closed_client_can_be_used_again(self, probe: Probe) -> None:
        url = probe.answers(Answer(200, b"1"), Answer(200, b"2"))
        assert (await probe.client.send(get(url))).body == b"1"
        await probe.client.close()
        assert (await probe.client.send(get(url))).body == b"2"
