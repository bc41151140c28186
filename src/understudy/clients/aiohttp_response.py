"""One request in flight, and the response that comes of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict

from understudy.core.errors import AttemptTimeout, BodyBroken, ConnectionLost, TransportError
from understudy.core.http import BodyFactory, Headers, HttpRequest

from .aiohttp_faults import body_fault
from .decode import Decoder, decoder_for, too_large
from .wheel import RESOLUTION, Wheel


class Flight:
    """What the wheel watches of one request: connecting, then waiting for the head, then for the body.

    While connecting, a limit cancels the task (a connector cannot be told otherwise). Afterwards it
    sets an exception on what is being waited for, so that no cancellation has to be told apart.
    """

    __slots__ = ("_content", "_idle", "_protocol", "_wheel", "due", "fired", "task", "upload_fault", "_cancels")

    def __init__(self, wheel: Wheel, idle: float) -> None:
        self._wheel = wheel
        self._idle = idle
        self._protocol: Any = None
        self._content: Any = None
        self._cancels = 0
        self.due = math.inf
        #: Whether the wheel cancelled `task`.
        self.fired = False
        self.task: asyncio.Task[Any] | None = None
        #: What the caller's own body iterator raised.
        self.upload_fault: BaseException | None = None

    def connecting(self, limit: float, task: asyncio.Task[Any] | None) -> None:
        """The current task waits for a connection."""
        self.task = task
        if task is not None:
            self._cancels = task.cancelling()
        self._wheel.watch(self, limit)

    def withdraw_cancel(self) -> bool:
        """Take our cancellation back; False when it was not ours, or not ours alone."""
        return self.fired and self.task is not None and self.task.uncancel() <= self._cancels

    def awaiting(self, protocol: Any) -> None:
        """There is a connection; the head of the response is waited for."""
        self.task = None
        self._protocol = protocol
        self._wheel.watch(self, self._idle)

    def answered(self) -> None:
        """The head has come; nobody waits until the body is read."""
        self._wheel.unwatch(self)

    def reading(self, content: Any) -> None:
        """The next piece of `content` is waited for."""
        self._content = content
        self._wheel.watch(self, self._idle)

    def over(self) -> None:
        """Nothing more is expected."""
        self._wheel.unwatch(self)
        self.task = self._protocol = self._content = None

    def upload(self, body: BodyFactory) -> AsyncIterator[bytes]:
        """The pieces of a request body; each is progress, and the caller's own errors are kept."""
        return self._upload(body)

    async def _upload(self, body: BodyFactory) -> AsyncIterator[bytes]:
        try:
            # The limit is for the other side's silence: while the caller makes a piece it rests.
            self.due = math.inf
            async for piece in body():
                if not isinstance(piece, bytes | bytearray | memoryview):
                    raise TypeError(f"a body is made of bytes, found {type(piece).__name__}")
                self.due = self._wheel.now + self._idle + RESOLUTION
                yield piece
                self.due = math.inf
            self.due = self._wheel.now + self._idle + RESOLUTION
        except Exception as fault:
            self.upload_fault = fault
            raise

    def expired(self) -> None:
        """The wheel's word that the limit has passed."""
        if self._content is not None:
            self._content.set_exception(AttemptTimeout(f"no byte of the body within {self._idle:g} s", stage="idle"))
        elif self._protocol is not None:
            fault = AttemptTimeout(f"no response headers within {self._idle:g} s", stage="headers")
            self._protocol.set_exception(fault)
        elif self.task is not None:
            self.fired = True
            self.task.cancel()

    def abandoned(self) -> None:
        """The client is closed under it; closing a connection wakes no reader of its body."""
        if self._content is not None:
            received = self._content.total_bytes
            self._content.set_exception(BodyBroken("the client was closed while the body came", received=received))
        elif self._protocol is not None:
            self._protocol.set_exception(ConnectionLost("the client was closed before the response", sent=True))
        elif self.task is not None:
            self.expired()

    def look(self) -> None:
        """A bad chunk size in a later segment ends the connection, but aiohttp wakes no reader of the body."""
        content, protocol = self._content, self._protocol
        if content is None or content.is_eof() or content.exception() is not None:
            return
        if protocol.exception() is not None or not protocol.is_connected():
            content.set_exception(BodyBroken("the body is badly framed", received=content.total_bytes))
            self._wheel.unwatch(self)


#: Stands for no limit of a body.
_UNBOUNDED = 1 << 62


class AiohttpResponse:
    """A response of `AiohttpClient`; see `core.http.HttpResponse`."""

    __slots__ = ("_answer", "_body", "_flight", "_headers", "_host", "_max", "_read", "status")

    def __init__(self, answer: aiohttp.ClientResponse, flight: Flight, host: str, request: HttpRequest) -> None:
        self._answer = answer
        self._flight = flight
        self._host = host
        # Who reads piece by piece bounds what they keep themselves; what is kept here is bounded.
        self._max = request.max_body if request.buffered else _UNBOUNDED
        self._body: bytes | None = None
        self._headers: Headers | None = None
        self._read = False
        self.status: int = answer.status

    @property
    def headers(self) -> Headers:
        """Case-insensitive; values of a repeated name joined by `, `."""
        if self._headers is None:
            headers = self._answer.headers
            plain = len(set(map(str.lower, headers))) == len(headers) and all(map(str.isascii, headers.values()))
            self._headers = headers if plain else _joined(headers)
        return self._headers

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names and values as they came."""
        return self._answer.raw_headers

    @property
    def body(self) -> bytes:
        """The whole decoded body; RuntimeError on a stream that was not read."""
        if self._body is None:
            raise RuntimeError("the body of a stream was not read; iterate over chunks()")
        return self._body

    async def read(self) -> bytes:
        """Read the body to its end and give the connection back."""
        answer = self._answer
        content = answer.content
        whole = content.is_eof() and content.exception() is None and content.total_bytes <= self._max
        # The usual small answer has come whole, together with its head.
        if whole and hdrs.CONTENT_ENCODING not in answer.headers and not self._unmarked_end():
            self._read = True
            self._body = body = content.read_nowait() if content.total_bytes else b""
            self._finish()
            return body
        self._body = b"".join([piece async for piece in self._pieces()])
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body, piece by piece; a body that was read is one piece."""
        if self._body is not None:
            if self._body:
                yield self._body
            return
        if self._read:
            raise RuntimeError("the body of a stream can be read once only")
        pieces = self._pieces()
        try:
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()

    async def close(self) -> None:
        """Give the connection back when the body is at its end, else close it; idempotent."""
        self._finish()

    def _finish(self) -> None:
        self._flight.over()
        answer = self._answer
        # The end of the body has usually closed the answer and given the connection back already.
        if answer.connection is not None or not answer.closed:
            answer.close()

    async def _pieces(self) -> Any:
        self._read = True
        fault: BaseException | None = None
        received = 0
        content = self._answer.content
        try:
            decoder = self._decoder()
            while True:
                data = await self._next(content)
                if not data:
                    break
                if decoder is None:
                    received += len(data)
                    if received > self._max:
                        raise too_large(self._max)
                    yield data
                    continue
                for piece in decoder.feed(data):
                    received += len(piece)
                    yield piece
            if decoder is not None:
                decoder.finish()
            if self._unmarked_end():
                raise BodyBroken(
                    f"{self._host} closed the connection without saying where the body ends", received=received
                )
        except (aiohttp.ClientError, OSError, RuntimeError, TransportError) as error:
            fault = body_fault(error, self._host, received)
        finally:
            self._finish()
        if fault is not None:
            raise fault

    async def _next(self, content: Any) -> bytes:
        """What has come, or else what comes next; empty at the end."""
        if content.is_eof() or content.exception() is not None:
            data: bytes = await content.readany()
            return data
        flight = self._flight
        flight.reading(content)
        try:
            data = await content.readany()
        finally:
            flight.answered()
        return data

    def _decoder(self) -> Decoder | None:
        headers = self._answer.headers
        encoding = headers.get(hdrs.CONTENT_ENCODING)
        if self._answer.method == hdrs.METH_HEAD or self.status in (204, 304):
            return None
        if encoding is not None:
            return decoder_for(encoding, self._max)
        length = headers.get(hdrs.CONTENT_LENGTH, "")
        if length.isdecimal() and len(length) < 20 and int(length) > self._max:
            raise too_large(self._max)
        return None

    def _unmarked_end(self) -> bool:
        """Whether only a close ended the body, which the response had not announced: maybe a cut one."""
        answer = self._answer
        headers = answer.headers
        if hdrs.CONTENT_LENGTH in headers or hdrs.TRANSFER_ENCODING in headers:
            return False
        if answer.method == hdrs.METH_HEAD or self.status in (204, 304) or self.status < 200:
            return False
        announced = "close" in headers.get(hdrs.CONNECTION, "").lower()
        return not announced and answer.version is not None and answer.version >= (1, 1)

    def __repr__(self) -> str:
        return f"<AiohttpResponse {self.status} from {self._host}>"


def _joined(headers: Headers) -> Headers:
    """Repeated names as one, values joined; what is not UTF-8 is read as Latin-1, as HTTP once had it."""
    joined: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if not value.isascii():
            value = _readable(value)  # noqa: PLW2901 - the same value, decoded
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _readable(value: str) -> str:
    """aiohttp leaves bytes that are not UTF-8 as lone surrogates, which no file or terminal takes."""
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
