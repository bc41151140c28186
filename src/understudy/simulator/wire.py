"""A small HTTP/1.1: reading a request from a stream, and a response as bytes.

Our own, because the faults need every byte and every packet in hand.
"""

from __future__ import annotations

import asyncio
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

    def length(self) -> tuple[str, str]:
        """The honest Content-Length."""
        return ("Content-Length", str(len(self.body)))


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request; None when the client has closed between two requests or within one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        request = _parse(head)
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
    length = _size(headers.get("content-length", "0"), 10)
    return await reader.readexactly(length) if length else b""


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
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(pieces)


def _size(text: str, base: int) -> int:
    try:
        size = int(text, base)
    except ValueError as error:
        raise BadRequest(400, "malformed length") from error
    if size < 0:
        raise BadRequest(400, "malformed length")
    if size > MAX_BODY:
        raise BadRequest(413, "request body too large")
    return size
