"""A small HTTP/1.1: reading a request from a stream, and a response as bytes.

Our own, because the faults need every byte and every packet in hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

#: Bytes a request's headers, and its body, may have.
MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024


class BadRequest(Exception):
    """What the client sent is no request that we take; `status` is the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class Request:
    """A request as it was read; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    keep_alive: bool
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """An answer before it is sent; Content-Length and Connection are added by `head`."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def head(self, framing: tuple[str, str] | None, keep: bool) -> bytes:
        """Status line and headers; `framing` is the header that tells the length, if any does."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        if framing is not None:
            lines.append(f"{framing[0]}: {framing[1]}")
        lines.append("Connection: " + ("keep-alive" if keep else "close"))
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def length(self) -> tuple[str, str] | None:
        """The honest Content-Length; None where the protocol forbids one."""
        return None if self.status == 204 else ("Content-Length", str(len(self.body)))

    @property
    def bodiless(self) -> bool:
        """Whether a body is against the protocol, whatever the request was."""
        return self.status in (204, 304)


def refusal(error: BadRequest) -> bytes:
    """The whole answer to what is no request."""
    response = Response(error.status, [("Content-Type", "text/plain; charset=utf-8")], str(error).encode())
    return response.head(response.length(), keep=False) + response.body


async def read_request(reader: asyncio.StreamReader, first: bytes, write: Callable[[bytes], object]) -> Request | None:
    """The request that begins with the byte `first`; None when the client closes before it is complete.

    `write` tells a client that waits for it (`Expect: 100-continue`) to go on with the body.
    """
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
        request = _parse(head)
        if request.headers.get("expect", "").lower() == "100-continue":
            _announced(request.headers)  # refused before the body is sent, not after
            write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = await _body(reader, request.headers)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest(431, "request headers too large") from error
    return request


def _parse(head: bytes) -> Request:
    lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = lines[0].split(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(version)
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
    except ValueError as error:
        raise BadRequest(400, "malformed request line") from error
    headers: dict[str, str] = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(400, "malformed header")
        headers[name.strip().lower()] = value.strip()
    wish = headers.get("connection", "").lower()
    keep = wish != "close" if version == "HTTP/1.1" else wish == "keep-alive"
    return Request(method, url.path, query, headers, keep)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunked(reader)
    length = _announced(headers)
    return await reader.readexactly(length) if length else b""


def _announced(headers: dict[str, str]) -> int:
    return _size(headers.get("content-length", "0"), 10)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    total = 0
    while True:
        line = await reader.readuntil(b"\r\n")
        size = _size(line.split(b";", 1)[0].strip().decode("latin-1"), 16)
        if size == 0:
            break
        total = _size(str(total + size), 10)
        pieces.append((await reader.readexactly(size + 2))[:-2])
    trailers = 0
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        trailers += len(line)
        if trailers > MAX_HEAD:
            raise BadRequest(431, "request trailers too large")
    return b"".join(pieces)


def _size(text: str, base: int) -> int:
    try:
        if not text.isalnum() or not text.isascii():  # `int` takes signs, underscores and digits of any script
            raise ValueError(text)
        size = int(text, base)
    except ValueError as error:
        raise BadRequest(400, "malformed length") from error
    if size > MAX_BODY:
        raise BadRequest(413, "request body too large")
    return size
