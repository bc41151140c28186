"""An adapter for the user's own `requests` session: what it sends is served by a route.

    session.mount("https://fixtures.example/", UnderstudyAdapter(app, "fixtures", portal))

The host of the URL is replaced by the base URL of the API that serves; path and query are kept.
`response.understudy()` answers the decision record. `timeout` of requests becomes the call's deadline.
"""

from __future__ import annotations

import importlib
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from understudy.core.errors import (
    AttemptTimeout,
    CallError,
    ConnectFailed,
    DeadlineExceeded,
    NotInstalled,
    TransportError,
    UnderstudyError,
)

from ._sender import PortalLike, Sender, delivered, forwarded, next_piece

if TYPE_CHECKING:
    import requests
    from requests import adapters, structures
else:
    try:
        requests = importlib.import_module("requests")
        adapters = importlib.import_module("requests.adapters")
        structures = importlib.import_module("requests.structures")
    except ImportError:
        raise NotInstalled("an adapter for requests", "requests") from None


class UnderstudyAdapter(adapters.BaseAdapter):
    """Hands every request of a `requests.Session` to `route`, on the loop of `portal`."""

    def __init__(self, sender: Sender, route: str, portal: PortalLike) -> None:
        super().__init__()
        self._sender = sender
        self._route = route
        self._portal = portal

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """The response of whichever API served; raises `requests.RequestException`s.

        `verify`, `cert` and `proxies` have no effect: connections are the application's.
        """
        del verify, cert, proxies
        try:
            answer = self._portal.call(self._ask, request, stream, _seconds(timeout))
        except UnderstudyError as error:
            raise _as_requests(error, request) from error
        return self._response(request, answer, stream=stream)

    def close(self) -> None:
        """Nothing of its own to close."""

    async def _ask(self, request: requests.PreparedRequest, stream: bool, deadline: float | None) -> Any:
        parts = urlsplit(request.url or "/")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return await self._sender.send(
            self._route,
            request.method or "GET",
            path,
            headers=forwarded(request.headers),
            content=_content(request.body),
            stream=stream,
            extensions={} if deadline is None else {"understudy_deadline": deadline},
        )

    def _response(self, request: requests.PreparedRequest, answer: Any, *, stream: bool) -> requests.Response:
        response: Any = requests.Response()
        response.status_code = answer.status
        response.headers = structures.CaseInsensitiveDict(
            delivered(answer.headers, None if stream else len(answer.body))
        )
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.url = request.url
        response.request = request
        response.connection = self
        response.understudy = getattr(answer, "explain", None)
        response.raw = _Raw(answer, self._portal, request) if stream else io.BytesIO(answer.body)
        ready: requests.Response = response
        return ready


class _Raw(io.RawIOBase):
    """The body of a streamed response as the file that requests reads from."""

    def __init__(self, answer: Any, portal: PortalLike, request: requests.PreparedRequest) -> None:
        self._answer, self._portal, self._request = answer, portal, request
        self._pieces = answer.chunks()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken = b""
        # One piece as it comes for a bounded read; everything for an unbounded one.
        while self._rest or self._more():
            take = len(self._rest) if size < 0 else size
            taken += self._rest[:take]
            self._rest = self._rest[take:]
            if size >= 0:
                break
        return taken

    def _more(self) -> bool:
        try:
            self._rest = self._portal.call(next_piece, self._pieces) or b""
        except UnderstudyError as error:
            raise _as_requests(error, self._request, reading=True) from error
        return bool(self._rest)

    def release_conn(self) -> None:
        """What requests calls when it has done with a response."""
        self.close()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._portal.call(self._answer.close)


def _content(body: Any) -> Any:
    """Text becomes bytes and a file or generator is read, so that every attempt can send it anew."""
    if body is None or isinstance(body, bytes):
        return body or None
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        read = body.read()
        return read.encode() if isinstance(read, str) else read
    return b"".join(body)


def _seconds(timeout: Any) -> float | None:
    """requests takes one number, or connect and read apart."""
    if isinstance(timeout, tuple):
        parts = [part for part in timeout if part is not None]
        return float(sum(parts)) if parts else None
    return None if timeout is None else float(timeout)


def _as_requests(error: UnderstudyError, request: requests.PreparedRequest, *, reading: bool = False) -> Exception:
    """The requests error that says the same; a fault that is not one of transport stays as it is."""
    cause: BaseException = error
    if isinstance(error, CallError) and not isinstance(error, DeadlineExceeded) and error.causes:
        cause = list(error.causes.values())[-1]
    kind: Any
    if isinstance(error, DeadlineExceeded) or isinstance(cause, AttemptTimeout):
        kind = requests.exceptions.ReadTimeout
    elif isinstance(cause, ConnectFailed) and cause.stage == "timeout":
        kind = requests.exceptions.ConnectTimeout
    elif reading:
        kind = requests.exceptions.ChunkedEncodingError
    elif isinstance(error, CallError | TransportError):
        kind = requests.exceptions.ConnectionError
    else:
        return error
    mapped: Exception = kind(str(error), request=request)
    return mapped
