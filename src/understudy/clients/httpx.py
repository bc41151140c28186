"""Transports for the user's own `httpx` or `httpx2` client: its requests are served by a route.

    client = httpx.AsyncClient(transport=app.httpx_transport("fixtures"), base_url="https://any.example")

The host of the URL is replaced by the base URL of the API that serves; path and query are kept. The
route does the repeating, so httpx's own retries have no part in it. `extensions` may hold
`understudy_deadline` (seconds), `understudy_idempotent`, and `understudy_stream` for a body that is to
come piece by piece; `response.extensions["understudy"]` answers the decision record.

Headers that carry credentials go to an API of the URL's own origin only, unless
`forward_credentials` is set: a key that is meant for one API is nobody else's.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from understudy.core.errors import (
    AttemptTimeout,
    CallError,
    ConfigError,
    ConnectFailed,
    DeadlineExceeded,
    InvalidRequest,
    NoEligibleApi,
    NotInstalled,
    OptionError,
    Rejected,
    TransportError,
    UnderstudyError,
    UnknownName,
)
from understudy.core.http import next_piece

from ._sender import Delivery, PortalLike, Sender, forwarded, refusal

if TYPE_CHECKING:
    import httpx

    _AsyncBases = (httpx.AsyncBaseTransport,)
    _SyncBases = (httpx.BaseTransport,)
else:
    _LIBRARIES = []
    for _name in ("httpx", "httpx2"):
        try:
            _LIBRARIES.append(import_module(_name))
        except ImportError:
            continue
    if not _LIBRARIES:
        raise NotInstalled("a transport for httpx", "httpx")
    _AsyncBases = tuple(library.AsyncBaseTransport for library in _LIBRARIES)
    _SyncBases = tuple(library.BaseTransport for library in _LIBRARIES)


class _Transport:
    def __init__(self, sender: Sender, route: str, forward_credentials: bool) -> None:
        self._sender = sender
        self._route = route
        self._private = not forward_credentials

    async def _ask(self, request: httpx.Request, content: Any, stream: bool) -> Delivery:
        """What the route answers; a refusal with a status of its own is an answer too."""
        url = str(request.url)
        try:
            response, base_url = await self._sender.send(
                self._route,
                request.method,
                url,
                headers=forwarded(request.headers.raw),
                content=content or None,
                stream=stream,
                private=self._private,
                extensions=request.extensions,
            )
        except UnderstudyError as error:
            delivery = refusal(error, request.method, url)
            if delivery is None:
                raise
            return delivery
        return Delivery(response, base_url, request.method, url, None if stream else response.body)


class AsyncUnderstudyTransport(_Transport, *_AsyncBases):  # type: ignore[misc]  # of every library that is installed
    """Hands every request of an `AsyncClient` of httpx or httpx2 to `route`."""

    def __init__(self, sender: Sender, route: str, *, forward_credentials: bool = False) -> None:
        super().__init__(sender, route, forward_credentials)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response of whichever API served; raises `httpx.TransportError`s."""
        library = _library(request)
        content: Any = await request.aread() if _at_hand(request, library) else request.stream
        try:
            delivery = await self._ask(request, content, _wants_stream(request))
        except UnderstudyError as error:
            raise _as_httpx(error, request) from error
        body = None if delivery.body is not None else _streams(library)[0](delivery.response, request)
        return _response(library, delivery, body)


class UnderstudyTransport(_Transport, *_SyncBases):  # type: ignore[misc]  # of every library that is installed
    """Hands every request of a blocking `Client` of httpx or httpx2 to `route`, on the loop of `portal`."""

    def __init__(self, sender: Sender, route: str, portal: PortalLike, *, forward_credentials: bool = False) -> None:
        super().__init__(sender, route, forward_credentials)
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response of whichever API served; raises `httpx.TransportError`s."""
        library = _library(request)
        content = request.read()
        try:
            delivery = self._portal.call(self._ask, request, content, _wants_stream(request))
        except UnderstudyError as error:
            raise _as_httpx(error, request) from error
        body = None if delivery.body is not None else _streams(library)[1](delivery.response, self._portal, request)
        return _response(library, delivery, body)


def _library(request: httpx.Request) -> Any:
    """httpx or httpx2: the one whose client asks, which takes responses of its own kind only."""
    return sys.modules[type(request).__module__.partition(".")[0]]


@cache
def _streams(library: Any) -> tuple[Any, Any]:
    """The classes of a streamed body, asynchronous and blocking, as `library` wants them."""

    class AsyncBody(library.AsyncByteStream):  # type: ignore[misc]  # a base that is known at run time only
        def __init__(self, answer: Any, request: httpx.Request) -> None:
            self._answer, self._request = answer, request

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for piece in self._answer.chunks():
                    yield piece
            except UnderstudyError as error:
                raise _as_httpx(error, self._request) from error

        async def aclose(self) -> None:
            await self._answer.close()

    class SyncBody(library.SyncByteStream):  # type: ignore[misc]  # as above
        def __init__(self, answer: Any, portal: PortalLike, request: httpx.Request) -> None:
            self._answer, self._portal, self._request = answer, portal, request

        def __iter__(self) -> Iterator[bytes]:
            pieces = self._answer.chunks()
            try:
                while (piece := self._portal.call(next_piece, pieces)) is not None:
                    yield piece
            except UnderstudyError as error:
                raise _as_httpx(error, self._request) from error

        def close(self) -> None:
            self._portal.call(self._answer.close)

    return AsyncBody, SyncBody


def _at_hand(request: httpx.Request, library: Any) -> bool:
    """Whether the body is there to be read, and so to be sent again: bytes, or a form with its files."""
    stream = request.stream
    return isinstance(stream, library.ByteStream) or (
        isinstance(stream, library.SyncByteStream) and isinstance(stream, library.AsyncByteStream)
    )


def _wants_stream(request: httpx.Request) -> bool:
    """httpx does not tell a transport whether the caller streams: the extension does, or a feed of events."""
    if "text/event-stream" in request.headers.get("accept", ""):
        return True
    return bool(request.extensions.get("understudy_stream"))


def _response(library: Any, delivery: Delivery, stream: Any) -> httpx.Response:
    extensions: dict[str, Any] = {"http_version": b"HTTP/1.1"}
    if delivery.explain is not None:
        extensions["understudy"] = delivery.explain
    if stream is None:
        stream = library.ByteStream(delivery.body)  # as `content` it would never tell the client that it was read
    response: httpx.Response = library.Response(
        delivery.status, headers=delivery.headers, stream=stream, extensions=extensions
    )
    return response


def _as_httpx(error: UnderstudyError, request: httpx.Request) -> Exception:
    """The error of the request's own library that says the same; a fault of the set-up stays as it is."""
    library = _library(request)
    cause: BaseException = error
    if isinstance(error, CallError) and not isinstance(error, DeadlineExceeded) and error.causes:
        cause = list(error.causes.values())[-1]
    match cause:
        case OptionError() | ConfigError() | UnknownName() | NotInstalled():
            return error
        case InvalidRequest():
            kind = library.LocalProtocolError
        case DeadlineExceeded() | AttemptTimeout():
            kind = library.ReadTimeout
        case ConnectFailed(stage="timeout"):
            kind = library.ConnectTimeout
        case ConnectFailed() | Rejected() | NoEligibleApi():
            kind = library.ConnectError
        case TransportError() | CallError():
            kind = library.RemoteProtocolError
        case _:
            kind = library.ConnectError  # signing in failed: nothing was sent
    mapped: Exception = kind(str(error), request=request)
    return mapped
