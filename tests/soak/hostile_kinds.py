"""What hostile upstreams put on the wire, each as the pieces that a bare socket server writes."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB

HEAD = b"HTTP/1.1 200 Word\r\n"
_CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_BLOCK = b"a" * 65536
#: What a server of this machine writes at most before it gives up on a client that takes everything.
MOST = 2 * GIB

Pieces = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be hostile. `errors` are the names of what the caller may be told; empty: it is an answer.

    With `floods`, the server writes without end: its client's memory is worth measuring.
    """

    name: str
    pieces: Pieces
    errors: frozenset[str]
    floods: bool = False
    status: int = 0
    then: str = "stall"


def once(*pieces: bytes, gap: float = 0.0) -> Pieces:
    """A fixed sequence."""

    async def play() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            if gap:
                await asyncio.sleep(gap)

    return play


def endless(first: bytes, again: bytes) -> Pieces:
    """A beginning, and then the same for ever."""

    async def play() -> AsyncIterator[bytes]:
        yield first
        sent = 0
        while sent < MOST:
            yield again
            sent += len(again)

    return play


def drip(first: bytes, byte: bytes = b"a") -> Pieces:
    """A byte every tenth of a second, for ever."""

    async def play() -> AsyncIterator[bytes]:
        yield first
        while True:
            await asyncio.sleep(0.1)
            yield byte

    return play


def bomb(encoding: str, size: int = GIB) -> Pieces:
    """A body that is a thousandth of what it unpacks to."""

    async def play() -> AsyncIterator[bytes]:
        yield HEAD + f"Content-Encoding: {encoding}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
        zeros = bytes(MIB)
        for _ in range(size // MIB):
            if packed := packer.compress(zeros):
                yield b"%x\r\n%s\r\n" % (len(packed), packed)
        packed = packer.flush()
        yield b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)

    return play


def body(content: bytes, *lines: bytes) -> Pieces:
    """A well-framed answer."""
    return once(b"\r\n".join((HEAD[:-2], b"Content-Length: %d" % len(content), *lines, b"", b"")) + content)


def body_bytes(content: bytes) -> bytes:
    """A small well-framed answer, as bytes."""
    return HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(content), content)


#: What some servers say to a kept connection before they close it.
_IDLE_408 = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\nConnection: close\r\n\r\nevil"


def redirect(status: int, location: bytes) -> Pieces:
    """An answer that points elsewhere."""
    return once(b"HTTP/1.1 %d Word\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location))


_LOST = frozenset({"ConnectionLost"})
_BROKEN = frozenset({"BodyBroken", "ConnectionLost"})
_LARGE = frozenset({"BodyTooLarge"})
_SLOW = frozenset({"AttemptTimeout"})
_BAD = frozenset({"BadResponse"})


def kinds(elsewhere: str) -> tuple[Kind, ...]:
    """All of them; `elsewhere` is a host that must never hear of a key."""
    away = elsewhere.encode()
    return (
        Kind("endless headers", endless(HEAD, b"X-More: " + b"a" * 1000 + b"\r\n"), _LOST, True),
        Kind("one header without end", endless(HEAD + b"X: ", _BLOCK), _LOST, True),
        Kind("a status line without end", endless(b"HTTP/1.1 200 ", _BLOCK), _LOST, True),
        Kind("many small headers", endless(HEAD, b"a:b\r\n" * 1000), _LOST, True),
        Kind("no HTTP, without end", endless(b"SSH-2.0-OpenSSH_9.9\r\n", _BLOCK), _LOST, True),
        Kind("1 GiB with its length", endless(HEAD + b"Content-Length: %d\r\n\r\n" % GIB, _BLOCK), _LARGE, True),
        Kind("1 GiB in chunks", endless(_CHUNKED, b"10000\r\n" + _BLOCK + b"\r\n"), _LARGE, True),
        Kind("1 GiB without length", endless(HEAD + b"Connection: close\r\n\r\n", _BLOCK), _LARGE, True),
        Kind("1 GiB in chunks of a byte", endless(_CHUNKED, b"1\r\na\r\n" * 4000), _LARGE | _SLOW, True),
        Kind("a gzip bomb of 1 GiB", bomb("gzip"), _LARGE, True),
        Kind("a deflate bomb of 1 GiB", bomb("deflate"), _LARGE, True),
        Kind("a gzip bomb in a gzip bomb", body(gzip.compress(gzip.compress(bytes(64 * MIB), 9), 9),
             b"Content-Encoding: gzip, gzip"), _BROKEN),
        Kind("trailers without end", endless(_CHUNKED + b"2\r\nab\r\n0\r\n", b"X-More: " + b"a" * 1000 + b"\r\n"),
             _BROKEN | _LARGE | _SLOW, True),
        Kind("a chunk extension without end", endless(_CHUNKED + b"2;x=", _BLOCK), _BROKEN | _SLOW | _LARGE, True),
        Kind("a flood of 100 Continue", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), _SLOW | _LOST, True),
        Kind("a flood of 103 with headers",
             endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"a" * 4000 + b">\r\n\r\n"), _SLOW | _LOST, True),
        Kind("a flood after the answer", endless(body_bytes(b"{}"), body_bytes(b"evil") * 500), frozenset(), True, 200),
        Kind("an answer to nobody while idle", once(body_bytes(b"{}"), body_bytes(b"evil"), gap=0.05),
             frozenset(), status=200),
        Kind("a time-out told while idle", once(body_bytes(b"{}"), _IDLE_408, gap=0.05), frozenset(), status=200),
        Kind("a body that drips", drip(HEAD + b"Content-Length: 100000\r\n\r\n"), _SLOW),
        Kind("headers that drip", drip(HEAD + b"X: "), _SLOW),
        Kind("silence", drip(b"", b""), _SLOW),
        Kind("a redirect elsewhere, 301", redirect(301, away + b"/a"), frozenset(), status=301),
        Kind("a redirect elsewhere, 302", redirect(302, away + b"/a"), frozenset(), status=302),
        Kind("a redirect elsewhere, 307", redirect(307, away + b"/a"), frozenset(), status=307),
        Kind("a redirect elsewhere, 308", redirect(308, away[5:] + b"/a"), frozenset(), status=308),
        Kind("a refresh and an alternative elsewhere",
             body(b"{}", b"Refresh: 0; url=" + away, b'Alt-Svc: h2="' + away[7:] + b'"', b"Content-Location: " + away),
             frozenset(), status=200),
        Kind("invalid UTF-8", body(b'{"ok": "\xff\xfe\x80"}'), _BAD),
        Kind("invalid JSON", body(b'{"ok": tru'), _BAD),
        Kind("JSON nested a million deep", body(b"[" * 1_000_000), _BAD),
        Kind("a number of a million digits", body(b'{"ok": %s}' % (b"9" * 1_000_000)), _BAD),
        Kind("numbers beyond every range", body(b'{"ok": [1e999999, -1e999999, NaN]}'), _BAD | {""}, status=200),
        Kind("a negative Content-Length", once(HEAD + b"Content-Length: -5\r\n\r\nhello"), _LOST | _BROKEN),
        Kind("two lengths", once(HEAD + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\nhello"), _LOST | _BROKEN),
        Kind("a length beyond every number", once(HEAD + b"Content-Length: " + b"9" * 400 + b"\r\n\r\nhello"),
             _LOST | _BROKEN | _LARGE),
        Kind("a length and chunks", once(_CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
             _LOST | _BROKEN),
        Kind("a chunk size that is no number", once(_CHUNKED, b"zz\r\nhello\r\n", gap=0.05), _BROKEN),
        Kind("a negative chunk size", once(_CHUNKED, b"-5\r\nhello\r\n", gap=0.05), _BROKEN),
        Kind("a chunk size beyond every number", once(_CHUNKED, b"f" * 40 + b"\r\nhello\r\n", gap=0.05), _BROKEN),
        Kind("a chunk without its end", once(_CHUNKED, b"5\r\nhelloXX5\r\n", gap=0.05), _BROKEN),
        Kind("a status that is none", once(b"HTTP/1.1 99999 Word\r\n\r\n"), _LOST),
        Kind("a NUL in a header", once(HEAD + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}"), _LOST),
        Kind("an answer to TLS", once(b"\x15\x03\x01\x00\x02\x02\x28"), _LOST | _SLOW, then="close"),
    )  # fmt: skip
