"""What one connection may cost the service: bytes of a head, seconds of a request, and how many are open at once.

The HTTP server bounds none of these by itself: a header without an end would fill the memory, and connections
that say nothing would use up the descriptors that calls to APIs need.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from understudy.web.http import Problem
from understudy.web.middleware import SECURE

#: Longest request line with all headers and trailers, and longest run of bytes that is none of a request's parts.
MAX_HEAD = 64 * 1024
#: A request must have arrived as a whole after this long, s.
RECEIVE_TIME = 30.0
#: Connections that are open at once; live pages hold one each, of which `web.live.hub` lets fewer in.
MAX_CONNECTIONS = 1024


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Whatever exceeds a bound is answered with a problem, and closed."""

    receive_time = RECEIVE_TIME
    max_connections = MAX_CONNECTIONS

    #: Whether an endpoint has been asked, which may wait for the body.
    headers_done = False

    _head = 0
    #: Bytes since the parser last found a part of a request.
    _senseless = 0
    _refused = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody connected."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(503, "too many connections are open")
            return
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._received()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._refused:
            return
        self._senseless += len(data)
        super().data_received(data)
        if self._senseless > MAX_HEAD and not self._refused:
            self._refuse(431, _TOO_LONG)

    def send_400_response(self, msg: str) -> None:
        """The parser gave up."""
        if not self._refused:
            self._refuse(400, "this is no HTTP/1.1 request that can be read")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = self._senseless = 0
        self.headers_done = False
        self._expect_request()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        self._take(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._take(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body comes next."""
        self._senseless = 0
        super().on_headers_complete()
        self.headers_done = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body; how much of it is read is the endpoint's affair."""
        self._senseless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        self._senseless = 0
        self._received()
        super().on_message_complete()

    def _take(self, size: int) -> None:
        self._senseless = 0
        self._head += size
        if self._head > MAX_HEAD:
            self._refuse(431, _TOO_LONG)
            raise ValueError(_TOO_LONG)  # ends the parser

    def _expect_request(self) -> None:
        self._received()
        self._timer = self.loop.call_later(self.receive_time, self._late)

    def _received(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self.headers_done:
            self.transport.abort()  # its endpoint waits for the rest of the body, or has answered without it
        else:
            self._refuse(408, f"the request did not arrive within {self.receive_time:g} s")

    def _refuse(self, status: int, detail: str) -> None:
        self._refused = True
        self._received()
        answer = Problem(status, detail).answer()
        body = answer.body if isinstance(answer.body, bytes) else b""
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [b"content-type: " + answer.content_type.encode(), b"content-length: %d" % len(body)]
        lines += [name + b": " + value for name, value in (*self.server_state.default_headers, *SECURE)]
        self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", body]))
        self.transport.close()


_TOO_LONG = f"the request line and headers are longer than {MAX_HEAD // 1024} KiB"
