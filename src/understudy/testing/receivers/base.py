"""What the local receivers of notifications share: a small strict HTTP server that can misbehave as told.

async with SlackReceiver() as slack:
    slack.then(status(429, retry_after="3"), DROP_AFTER)
    ...
    assert [message.shown for message in slack.accepted] == ["…"]
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from understudy.core.clock import SYSTEM_CLOCK, Clock

#: Bytes of a request's body that are taken; every service refuses far smaller ones.
MAX_BODY = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; names of headers are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    #: Path and query as they were sent, still encoded.
    target: str = ""

    def json(self) -> Any:
        """The body as JSON; ValueError when it is none, or not UTF-8."""
        return json.loads(self.body.decode("utf-8", "strict"))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request in place of the usual.

    `answer` gives `reply`, and nothing is accepted; `drop_before` closes the connection unheard,
    `drop_after` accepts, then closes it without an answer; `hang` says nothing; `slow` accepts, then
    sends its answer a byte each `gap` seconds.
    """

    kind: Literal["answer", "drop_before", "drop_after", "hang", "slow"]
    reply: Reply = Reply()
    gap: float = 0.1


DROP_BEFORE = Fault("drop_before")
DROP_AFTER = Fault("drop_after")
HANG = Fault("hang")
SLOW = Fault("slow")
#: A page where the service's own words should be, as a proxy or a login portal answers.
GARBAGE = Fault("answer", Reply(200, b"<!doctype html><title>Welcome</title>", {"Content-Type": "text/html"}))


def status(code: int, body: bytes | str = b"", **headers: str) -> Fault:
    """An answer with that status; `retry_after="3"` becomes the header `Retry-After: 3`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("answer", Reply(code, body.encode() if isinstance(body, str) else body, named))


def redirect(location: str, code: int = 302) -> Fault:
    """A redirect, which nobody may follow."""
    return Fault("answer", Reply(code, b"", {"Location": location}))


def as_json(code: int, document: Any, **headers: str) -> Reply:
    """A JSON answer."""
    body = json.dumps(document).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(code, body, {"Content-Type": "application/json", **named})


class Receiver:
    """A local stand-in for one service: checks what it gets as strictly as the service, and keeps what it accepted.

    Subclasses write `answer`. `requests` is the log of everything that arrived, `refusals` says why each
    refused one was refused. Faults that were given by `then` are used up one by one, first;
    `always` stays until it is taken back.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, clock: Clock = SYSTEM_CLOCK, host: str = "127.0.0.1"
    ) -> None:
        self._tls, self._clock, self._host = tls, clock, host
        self._faults: deque[Fault] = deque()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.always: Fault | None = None
        self.requests: list[Received] = []
        self.refusals: list[str] = []
        self.port = 0
        self.connections = 0

    # -- for tests ------------------------------------------------------------------------------

    @property
    def base(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    def then(self, *faults: Fault) -> Self:
        """What happens to the next requests, one by one."""
        self._faults.extend(faults)
        return self

    def to(self, path: str) -> list[Received]:
        """The requests to a path."""
        return [request for request in self.requests if request.path == path]

    def answer(self, request: Received) -> Reply:
        """What the service answers to a request; accepts it, or notes why not in `refusals`."""
        raise NotImplementedError

    def refuse(self, reason: str, reply: Reply) -> Reply:
        """Note a refusal, and answer it."""
        self.refusals.append(reason)
        return reply

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- the server -----------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (
            ConnectionError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,
            ValueError,
        ):
            pass  # the client went away, spoke something else than HTTP, or the test is over
        finally:
            self._tasks -= {task}
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays."""
        request = await _read(reader)
        self.requests.append(request)
        fault = self._faults.popleft() if self._faults else self.always
        kind = fault.kind if fault is not None else ""
        if kind == "drop_before":
            return False
        if kind == "hang":
            await reader.read()  # until the client gives up
            return False
        reply = fault.reply if fault is not None and kind == "answer" else self.answer(request)
        if kind == "drop_after":
            return False
        head, body = _written(reply)
        if fault is not None and kind == "slow":
            for byte in head + body:
                writer.write(bytes((byte,)))
                await writer.drain()
                await self._clock.sleep(fault.gap)
        writer.write(b"" if kind == "slow" else head + body)
        await writer.drain()
        return True


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    length = int(headers.get("content-length") or 0)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunked(reader)
    elif length > MAX_BODY:
        raise ValueError("too long")
    else:
        body = await reader.readexactly(length)
    parts = urlsplit(target)
    return Received(
        method, unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body, target
    )


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        if len(body) + size > MAX_BODY:
            raise ValueError("too long")
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def _written(reply: Reply) -> tuple[bytes, bytes]:
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    body = b"" if reply.status in (204, 304) else reply.body
    headers = dict(reply.headers)
    if reply.status != 204:
        headers["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} {phrase}\r\n{lines}\r\n".encode("latin-1"), body
