"""An `HttpClient` that answers from a script, for tests that need no socket.

http = ScriptedHttp([Answer(503), Answer(200, b'{"ok": true}')])
http = ScriptedHttp({"a.example": [ConnectFailed("refused", stage="refused")], "b.example": Answer(200)})
http = ScriptedHttp(lambda request: Answer(200, request.url.encode()), clock=fake_clock)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, Union
from urllib.parse import urlsplit

from multidict import CIMultiDict

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.errors import AttemptTimeout, BodyTooLarge, TransportError
from understudy.core.http import Headers, HttpRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted response: after `delay` seconds the headers, then the pieces of the body.

    A `body` of bytes is one piece; of the pieces of a list, one that is a `TransportError` is raised
    in its place. `gap` seconds pass before each piece. A delay or gap longer than the request's idle
    limit ends as a real client ends it.
    """

    status: int = 200
    body: bytes | list[bytes | TransportError] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    gap: float = 0.0

    def pieces(self) -> Iterator[bytes | TransportError]:
        """The body as the pieces in which it arrives; empty ones never arrive."""
        source = [self.body] if isinstance(self.body, bytes) else self.body
        return (piece for piece in source if piece != b"")


#: What one send may meet; an exception is raised, a number is the status of an empty answer.
Reply: TypeAlias = Answer | BaseException | int
Script: TypeAlias = Union[Reply, Iterable[Reply], Callable[[HttpRequest], Reply], Mapping[str, "Script"]]  # noqa: UP007 - `|` cannot take a forward reference


class ScriptExhausted(AssertionError):
    """The code under test sent more requests than the script foresees."""


class ScriptedHttp:
    """Answers each `send` from the script and records what was asked.

    A list answers in order and then fails the test; a single reply or a callable answers for ever; a
    mapping chooses by host (with port where the URL has one). `requests` are the requests as sent,
    `bodies` their bodies in full, `open` counts the responses that nobody has closed or read yet.
    """

    def __init__(self, script: Script = Answer(), clock: Clock = SYSTEM_CLOCK) -> None:
        self._next = _compile(script)
        self._clock = clock
        self.requests: list[HttpRequest] = []
        self.bodies: list[bytes] = []
        self.open = 0
        self.closes = 0

    def hosts(self) -> list[str]:
        """The host of every request, in order."""
        return [urlsplit(request.url).netloc.rpartition("@")[2] for request in self.requests]

    async def send(self, request: HttpRequest) -> ScriptedResponse:
        """The next answer of the script; raises what the script raises."""
        self.requests.append(request)
        reply = self._next(request)
        unsent = isinstance(reply, TransportError) and not reply.sent
        self.bodies.append(b"" if unsent else await _read_upload(request))
        if isinstance(reply, BaseException):
            raise reply
        answer = Answer(reply) if isinstance(reply, int) else reply
        await self.pass_time(answer.delay, request.idle_timeout, "headers")
        response = ScriptedResponse(self, request, answer)
        if request.buffered:
            await response.read()
        return response

    async def close(self) -> None:
        """Counted in `closes`; the script goes on."""
        self.closes += 1

    async def pass_time(self, seconds: float, limit: float, stage: str) -> None:
        """Sleep on the clock; `AttemptTimeout` once `limit` has passed."""
        await self._clock.sleep(min(seconds, limit))
        if seconds > limit:
            raise AttemptTimeout(f"no byte within {limit:g} s ({stage})", stage=stage)


class ScriptedResponse:
    """The response of one scripted answer."""

    def __init__(self, owner: ScriptedHttp, request: HttpRequest, answer: Answer) -> None:
        self._owner, self._request, self._answer = owner, request, answer
        self._body: bytes | None = None
        self._closed = False
        self.status = answer.status
        self.headers: Headers = CIMultiDict(answer.headers)
        owner.open += 1

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Names and values, one by one."""
        return [(name.encode("latin-1"), value.encode()) for name, value in self._answer.headers.items()]

    @property
    def body(self) -> bytes:
        """The whole body; RuntimeError on a stream that was not read."""
        if self._body is None:
            raise RuntimeError("the body of a stream was not read; iterate over chunks()")
        return self._body

    async def read(self) -> None:
        """Read the body to its end, as `send` does for a buffered request."""
        self._body = b"".join([piece async for piece in self._pieces()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces of the body, one by one."""
        if self._body is not None:
            if self._body:
                yield self._body
            return
        async for piece in self._pieces():
            yield piece

    async def close(self) -> None:
        """Give the response back; idempotent."""
        if not self._closed:
            self._closed = True
            self._owner.open -= 1

    async def _pieces(self) -> AsyncIterator[bytes]:
        received = 0
        try:
            for piece in self._answer.pieces():
                await self._owner.pass_time(self._answer.gap, self._request.idle_timeout, "idle")
                if isinstance(piece, TransportError):
                    raise piece
                received += len(piece)
                if received > self._request.max_body:
                    raise BodyTooLarge(f"the body grew over {self._request.max_body} bytes")
                yield piece
        finally:
            await self.close()


async def _read_upload(request: HttpRequest) -> bytes:
    if request.body is None or isinstance(request.body, bytes):
        return request.body or b""
    return b"".join([piece async for piece in request.body()])


def _compile(script: Script) -> Callable[[HttpRequest], Reply]:
    """The script as one function from request to reply."""
    if isinstance(script, (Answer, BaseException, int)):
        return lambda _: script
    if callable(script):
        return script
    if isinstance(script, Mapping):
        by_host = {host: _compile(part) for host, part in script.items()}
        return lambda request: _host_script(by_host, request)(request)
    remaining = iter(script)
    return lambda request: _take(remaining, request)


def _host_script(
    by_host: dict[str, Callable[[HttpRequest], Reply]], request: HttpRequest
) -> Callable[[HttpRequest], Reply]:
    parts = urlsplit(request.url)
    netloc = parts.netloc.rpartition("@")[2]
    found = by_host.get(netloc) or by_host.get(parts.hostname or "")
    if found is None:
        raise ScriptExhausted(f"no script for host {netloc}; there is one for {', '.join(by_host) or 'none'}")
    return found


def _take(remaining: Iterator[Reply], request: HttpRequest) -> Reply:
    for reply in remaining:
        return reply
    raise ScriptExhausted(f"one request more than the script foresees: {request.method} {urlsplit(request.url).netloc}")
