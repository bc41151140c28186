"""An adapter for the user's own `requests` session: what it sends is served by a route.

    session.mount("https://fixtures.example/", UnderstudyAdapter(app, "fixtures", portal))

The host of the URL is replaced by the base URL of the API that serves; path and query are kept.
`response.understudy()` answers the decision record. `timeout` of requests becomes the call's deadline.

Headers that carry credentials go to an API of the URL's own origin only, unless
`forward_credentials` is set: a key that is meant for one API is nobody else's.
"""

from __future__ import annotations

import importlib
import io
from email.message import Message
from typing import TYPE_CHECKING, Any

from understudy.core.errors import (
    AttemptTimeout,
    CallError,
    ConfigError,
    ConnectFailed,
    DeadlineExceeded,
    InvalidRequest,
    NotInstalled,
    OptionError,
    UnderstudyError,
    UnknownName,
)
from understudy.core.http import next_piece

from ._sender import Delivery, PortalLike, Sender, forwarded, refusal

if TYPE_CHECKING:
    import requests
    import urllib3
    from requests import adapters
else:
    try:
        requests = importlib.import_module("requests")
        adapters = importlib.import_module("requests.adapters")
        urllib3 = importlib.import_module("urllib3")
    except ImportError:
        raise NotInstalled("an adapter for requests", "requests") from None


class UnderstudyAdapter(adapters.BaseAdapter):
    """Hands every request of a `requests.Session` to `route`, on the loop of `portal`."""

    def __init__(self, sender: Sender, route: str, portal: PortalLike, *, forward_credentials: bool = False) -> None:
        super().__init__()
        self._sender = sender
        self._route = route
        self._portal = portal
        self._private = not forward_credentials

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
        # Read here and not on the loop: a file may be slow, and a generator may make calls of its own.
        content = _content(request.body)
        try:
            delivery = self._portal.call(self._ask, request, content, stream, _seconds(timeout))
        except UnderstudyError as error:
            raise _as_requests(error, request) from error
        return self._response(request, delivery)

    def close(self) -> None:
        """Nothing of its own to close."""

    async def _ask(
        self, request: requests.PreparedRequest, content: bytes | None, stream: bool, deadline: float | None
    ) -> Delivery:
        """What the route answers; a refusal with a status of its own is an answer too."""
        method, url = request.method or "GET", request.url or "/"
        try:
            response, base_url = await self._sender.send(
                self._route,
                method,
                url,
                headers=forwarded(request.headers.items()),
                content=content,
                stream=stream,
                private=self._private,
                extensions={} if deadline is None else {"understudy_deadline": deadline},
            )
        except UnderstudyError as error:
            delivery = refusal(error, method, url)
            if delivery is None:
                raise
            return delivery
        return Delivery(response, base_url, method, url, None if stream else response.body)

    def _response(self, request: requests.PreparedRequest, delivery: Delivery) -> requests.Response:
        headers = urllib3.HTTPHeaderDict()
        for name, value in delivery.headers:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
        raw: Any
        if delivery.body is None:
            raw = _Raw(delivery, headers, self._portal, request)
        else:
            raw = urllib3.HTTPResponse(
                body=io.BytesIO(delivery.body),
                headers=headers,
                status=delivery.status,
                version=11,
                reason=delivery.reason,
                preload_content=False,
                original_response=_Original(headers),  # type: ignore[arg-type]  # as much of one as is asked for
                request_method=request.method,
            )
        response = adapters.HTTPAdapter().build_response(request, raw)
        ready: Any = response
        ready.connection = self
        ready.understudy = delivery.explain
        return response


class _Original:
    """What requests asks of the standard library's response, when it looks for cookies."""

    def __init__(self, headers: urllib3.HTTPHeaderDict) -> None:
        self.msg = Message()
        for value in headers.getlist("Set-Cookie"):
            self.msg["Set-Cookie"] = value

    def close(self) -> None:
        """There is nothing behind it."""

    def isclosed(self) -> bool:
        """Always."""
        return True


class _Raw(io.RawIOBase):
    """The body of a streamed response as the file that requests reads from."""

    def __init__(
        self,
        delivery: Delivery,
        headers: urllib3.HTTPHeaderDict,
        portal: PortalLike,
        request: requests.PreparedRequest,
    ) -> None:
        self.status, self.reason, self.version = delivery.status, delivery.reason, 11
        self.headers = headers
        self._original_response = _Original(headers)
        self._answer, self._portal, self._request = delivery.response, portal, request
        self._pieces = delivery.response.chunks()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, decode_content: bool | None = None) -> bytes:
        """One piece as it comes for a bounded read, everything for an unbounded one; it is decoded already."""
        del decode_content
        everything = size is None or size < 0
        taken = []
        while self._rest or self._more():
            end = len(self._rest) if everything else size
            taken.append(self._rest[:end])
            self._rest = self._rest[end:]
            if not everything:
                break
        return b"".join(taken)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

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
            # Not waited for: a response that is collected may be so on the loop's own thread.
            self._portal.send(self._answer.close)


def _content(body: Any) -> bytes | None:
    """Text becomes bytes and a file or generator is read, so that every attempt can send it anew."""
    if body is None or isinstance(body, bytes):
        return body or None
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        read = body.read()
        return read.encode() if isinstance(read, str) else read
    return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in body)


def _seconds(timeout: Any) -> float | None:
    """requests takes one number, or connect and read apart."""
    if isinstance(timeout, tuple):
        parts = [part for part in timeout if part is not None]
        return float(sum(parts)) if parts else None
    return None if timeout is None else float(timeout)


def _as_requests(error: UnderstudyError, request: requests.PreparedRequest, *, reading: bool = False) -> Exception:
    """The requests error that says the same; a fault of the set-up stays as it is."""
    cause: BaseException = error
    if isinstance(error, CallError) and not isinstance(error, DeadlineExceeded) and error.causes:
        cause = list(error.causes.values())[-1]
    kind: Any
    match cause:
        case OptionError() | ConfigError() | UnknownName() | NotInstalled():
            return error
        case InvalidRequest():
            kind = requests.exceptions.InvalidURL
        case DeadlineExceeded() | AttemptTimeout():
            kind = requests.exceptions.ReadTimeout
        case ConnectFailed(stage="timeout"):
            kind = requests.exceptions.ConnectTimeout
        case ConnectFailed(stage="tls"):
            kind = requests.exceptions.SSLError
        case _ if reading:
            kind = requests.exceptions.ChunkedEncodingError
        case _:
            kind = requests.exceptions.ConnectionError
    mapped: Exception = kind(str(error), request=request)
    return mapped
