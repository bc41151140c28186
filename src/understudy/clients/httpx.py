"""Transports for the user's own `httpx` (or `httpx2`) client: its requests are served by a route.

    client = httpx.AsyncClient(transport=app.httpx_transport("fixtures"), base_url="https://any.example")

The host of the URL is replaced by the base URL of the API that serves; path and query are kept. The
route does the repeating, so httpx's own retries have no part in it. `extensions` may hold
`understudy_deadline` (seconds); `response.extensions["understudy"]` answers the decision record.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from understudy.core.errors import (
    AttemptTimeout,
    CallError,
    ConnectFailed,
    DeadlineExceeded,
    NotInstalled,
    Rejected,
    TransportError,
    UnderstudyError,
)

from ._sender import PortalLike, Sender, delivered, forwarded, next_piece

if TYPE_CHECKING:
    import httpx
else:
    for _name in ("httpx", "httpx2"):
        try:
            httpx = importlib.import_module(_name)
        except ImportError:
            continue
        break
    else:
        raise NotInstalled("a transport for httpx", "httpx")


class AsyncUnderstudyTransport(httpx.AsyncBaseTransport):
    """Hands every request of an `httpx.AsyncClient` to `route`."""

    def __init__(self, sender: Sender, route: str) -> None:
        self._sender = sender
        self._route = route

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response of whichever API served; raises `httpx.TransportError`s."""
        content: Any = await request.aread() if _replayable(request) else request.stream
        stream = _wants_stream(request)
        try:
            answer = await _send(self._sender, self._route, request, content, stream=stream)
        except UnderstudyError as error:
            raise _as_httpx(error, request) from error
        if stream:
            return _response(answer, stream=_AsyncBody(answer, request))
        return _response(answer, content=answer.body)


class UnderstudyTransport(httpx.BaseTransport):
    """Hands every request of a blocking `httpx.Client` to `route`, on the loop of `portal`."""

    def __init__(self, sender: Sender, route: str, portal: PortalLike) -> None:
        self._sender = sender
        self._route = route
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response of whichever API served; raises `httpx.TransportError`s."""
        content = request.read()
        stream = _wants_stream(request)
        try:
            answer = self._portal.call(_send, self._sender, self._route, request, content, stream=stream)
        except UnderstudyError as error:
            raise _as_httpx(error, request) from error
        if stream:
            return _response(answer, stream=_SyncBody(answer, self._portal, request))
        return _response(answer, content=answer.body)


class _AsyncBody(httpx.AsyncByteStream):
    """The body of a streamed response."""

    def __init__(self, answer: Any, request: httpx.Request) -> None:
        self._answer, self._request = answer, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.chunks():
                yield piece
        except UnderstudyError as error:
            raise _as_httpx(error, self._request, reading=True) from error

    async def aclose(self) -> None:
        await self._answer.close()


class _SyncBody(httpx.SyncByteStream):
    """The body of a streamed response, for blocking code."""

    def __init__(self, answer: Any, portal: PortalLike, request: httpx.Request) -> None:
        self._answer, self._portal, self._request = answer, portal, request

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._answer.chunks()
        try:
            while (piece := self._portal.call(next_piece, pieces)) is not None:
                yield piece
        except UnderstudyError as error:
            raise _as_httpx(error, self._request, reading=True) from error

    def close(self) -> None:
        self._portal.call(self._answer.close)


async def _send(sender: Sender, route: str, request: httpx.Request, content: Any, *, stream: bool) -> Any:
    return await sender.send(
        route,
        request.method,
        request.url.raw_path.decode("ascii"),
        headers=forwarded(request.headers),
        content=content or None,
        stream=stream,
        extensions=request.extensions,
    )


def _replayable(request: httpx.Request) -> bool:
    """Whether the body is at hand in full, so that it can be sent again; a generator's is not."""
    return isinstance(request.stream, httpx.ByteStream)


def _wants_stream(request: httpx.Request) -> bool:
    """httpx does not tell a transport whether the caller streams; the extension `understudy_stream` does."""
    return bool(request.extensions.get("understudy_stream"))


def _response(answer: Any, *, content: bytes | None = None, stream: Any = None) -> httpx.Response:
    headers = delivered(answer.headers, None if content is None else len(content))
    extensions: dict[str, Any] = {"http_version": b"HTTP/1.1"}
    explain = getattr(answer, "explain", None)
    if explain is not None:
        extensions["understudy"] = explain
    if stream is None:
        return httpx.Response(answer.status, headers=headers, content=content, extensions=extensions)
    return httpx.Response(answer.status, headers=headers, stream=stream, extensions=extensions)


def _as_httpx(error: UnderstudyError, request: httpx.Request, *, reading: bool = False) -> Exception:
    """The httpx error that says the same; a fault that is not one of transport stays as it is."""
    cause: BaseException = error
    if isinstance(error, CallError) and not isinstance(error, DeadlineExceeded) and error.causes:
        cause = list(error.causes.values())[-1]
    kind: Any
    if isinstance(error, DeadlineExceeded) or isinstance(cause, AttemptTimeout):
        kind = httpx.ReadTimeout
    elif isinstance(cause, ConnectFailed):
        kind = httpx.ConnectTimeout if cause.stage == "timeout" else httpx.ConnectError
    elif isinstance(cause, Rejected):
        kind = httpx.PoolTimeout
    elif isinstance(error, CallError | TransportError):
        kind = httpx.ReadError if reading else httpx.RemoteProtocolError
    else:
        return error
    mapped: Exception = kind(str(error), request=request)
    return mapped
