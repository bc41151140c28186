"""The seam to HTTP: what the pipeline asks of a client, and what it gets back.

Implementations live in `understudy.clients`; `understudy.testing.ScriptedHttp` answers from a script.
A client sends exactly one request for each `send`: it never retries, follows no redirect, and ends
every fault in one of the `TransportError`s of `core.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

Headers = Mapping[str, str]
#: Makes a fresh body iterator for each attempt; a body that cannot be made again is sent once only.
BodyFactory = Callable[[], AsyncIterator[bytes]]


def mark_unsent(cut: BaseException) -> None:
    """Say of what ends a request from outside (a cancellation) that no byte of the request was sent.

    The limit of an attempt may end it while it connects: another API may then be asked, whatever the method.
    """
    cut.understudy_unsent = True  # type: ignore[attr-defined]  # exceptions take attributes; this one is ours


def is_unsent(cut: BaseException) -> bool:
    """Whether a client has marked it so."""
    return getattr(cut, "understudy_unsent", False) is True


@dataclass(slots=True, repr=False)
class HttpRequest:
    """One request on the wire. `url` is absolute; `body` is bytes or makes an iterator of bytes.

    Its textual form names the method and the host only: the rest may hold keys.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | BodyFactory | None = None
    #: Seconds for connecting (DNS, TCP and TLS together).
    connect_timeout: float = 3.0
    #: Seconds that may pass between two pieces of the response, and before its first.
    idle_timeout: float = 15.0
    #: Bytes of the decoded body beyond which reading a buffered response ends in `BodyTooLarge`.
    max_body: int = 32 * 1024 * 1024
    #: Use a new connection even where a kept one is idle (the one repeat after a stale connection).
    fresh: bool = False
    #: Read the whole body before `send` returns; otherwise the response is a stream.
    buffered: bool = True
    #: Connect only where people may point at: to public addresses, whatever the name resolves to.
    guarded: bool = False

    def __repr__(self) -> str:
        host = urlsplit(self.url).netloc.rpartition("@")[2]
        return f"<HttpRequest {self.method} to {host}>"


class HttpResponse(Protocol):
    """A response whose headers have arrived; its body too when the request was `buffered`."""

    @property
    def status(self) -> int:
        """The HTTP status, 100 to 599."""

    @property
    def headers(self) -> Headers:
        """Case-insensitive; of a repeated name the values are joined by `, `."""

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names and values as they came, in order, each repeated one by itself (`Set-Cookie`)."""

    @property
    def body(self) -> bytes:
        """The decoded body; raises RuntimeError on a stream that was not read."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body, piece by piece as it comes; raises the errors of `HttpClient.send`."""

    async def close(self) -> None:
        """Give the connection back (or drop it, when the body was not read to its end); idempotent."""


async def next_piece(pieces: AsyncIterator[bytes]) -> bytes | None:
    """The next piece of a stream, or None at its end; a coroutine, so that another thread can ask for it."""
    return await anext(pieces, None)


class Guarded:
    """A client whose every request is guarded, in front of another; closing it leaves that one open."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def send(self, request: HttpRequest) -> HttpResponse:
        """As `HttpClient.send`, to public addresses only."""
        request.guarded = True
        return await self._client.send(request)

    async def close(self) -> None:
        """Nothing of its own is open."""


class HttpClient(Protocol):
    """Sends one request, once. Concurrency limits are the caller's (bulkhead)."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Answer with any status; raise a `TransportError` when there is no complete response."""

    async def close(self) -> None:
        """Close all connections; a later `send` opens new ones."""
