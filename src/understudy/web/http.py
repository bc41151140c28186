"""Requests and answers of the service: small values over bare ASGI, no framework on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from understudy.core.turn import Turn

from .auth.permissions import NOBODY, Identity

if TYPE_CHECKING:
    from .auth.gate import Gate
    from .declared import Declared

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Largest body of a request, bytes; longest query, characters; most query parameters.
MAX_BODY, MAX_QUERY, MAX_PARAMETERS = 1024 * 1024, 4096, 50


#: Items of a long list that are written before the event loop gets its turn.
_AT_ONCE = 50


class Problem(Exception):
    """A request that cannot be served: becomes an answer of type problem+json (RFC 9457).

    `detail` says what was wrong and what to do; it never holds internals.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, dict(headers or {}), more

    def answer(self, request_id: str = "") -> Answer:
        """The problem as it is sent; with the request's id, under which the log may say more."""
        title = HTTPStatus(self.status).phrase
        content = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.more}
        if request_id:
            content["request_id"] = request_id
        return Answer(dumped(content), self.status, "application/problem+json", self.headers)


class Nowhere(Problem):
    """Nothing is served at a path; `where` tells a program where else to look, which is nothing for people."""

    def __init__(self, where: str = "GET /api/openapi.json lists what there is") -> None:
        super().__init__(404, "; ".join(filter(None, ("there is nothing at this path", where))))


class Denied(Problem):
    """Whoever asks lacks a permission."""

    def __init__(self, needs: str) -> None:
        super().__init__(403, f"this needs the permission {needs}")
        self.needs = needs


@dataclass(slots=True)
class Answer:
    """What is sent back: a body, or pieces of one that come later."""

    body: bytes | AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    #: Whole `Set-Cookie` values.
    cookies: tuple[str, ...] = ()

    async def send(self, send: Send, *, bodiless: bool = False) -> None:
        """Send it; `bodiless` for HEAD."""
        headers = [(b"content-type", self.content_type.encode("latin-1"))]
        headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        headers += [(b"set-cookie", each.encode("latin-1")) for each in self.cookies]
        if isinstance(self.body, bytes):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if isinstance(self.body, bytes) or bodiless:
            content = self.body if isinstance(self.body, bytes) and not bodiless else b""
            await send({"type": "http.response.body", "body": content})
            return
        async for piece in self.body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await Turn()  # a server may take pieces without ever waiting
        await send({"type": "http.response.body", "body": b""})


class Request:
    """One request. Header names are lower case."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            self.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        self.client: str = scope["client"][0] if scope.get("client") else ""
        #: The path as it was sent, still encoded.
        self.raw_path: bytes = scope.get("raw_path") or quote(self.path, errors="replace").encode("ascii")
        #: Who asks; the service says so before any endpoint is called.
        self.who: Identity = NOBODY
        #: What stands in the places of its route: `{alert}` of `/api/alerts/{alert}`.
        self.parts: dict[str, str] = {}
        #: What the endpoint says that it takes; None where its handler says so itself.
        self.declared: Declared | None = None
        #: Under which the log and every answer name this request.
        self.id: str = scope.get("understudy.request_id", "")
        #: http or https, as the sender spoke it.
        self.scheme: str = scope.get("scheme", "http")
        self._query: bytes = scope.get("query_string", b"")
        self._receive = receive
        self._gate: Gate | None = scope.get("understudy.gate")
        self._body: bytes | None = None

    @property
    def gate(self) -> Gate:
        """What knows who asks, for what is done with accounts and sessions."""
        if self._gate is None:
            raise RuntimeError("the service that took this request has no gate")
        return self._gate

    @property
    def forwarded(self) -> bool:
        """Whether some proxy says that it brought this, believed or not."""
        return any(name in self.headers for name in ("x-forwarded-for", "forwarded", "via"))

    @property
    def readable(self) -> bool:
        """Whether others on the way can read it: it came without TLS to a service that is reached from elsewhere."""
        return self._gate is not None and self.scheme != "https" and not self._gate.process.exposure.local

    @property
    def query_text(self) -> str:
        """The query as it was sent."""
        return self._query.decode("latin-1")

    @property
    def takes_gzip(self) -> bool:
        """Whether the answer may be packed."""
        for part in self.headers.get("accept-encoding", "")[:500].split(","):
            name, _, parameter = part.strip().partition(";")
            if name.strip().lower() in ("gzip", "*"):
                return parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        return False

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies, as sent; neither of two with one name that differ: one may be put there by a neighbour."""
        found: dict[str, str] = {}
        for part in self.headers.get("cookie", "")[:8192].split(";"):
            name, equals, value = part.strip().partition("=")
            value = value.strip('"')
            if equals:
                found[name] = value if found.get(name, value) == value else ""
        return found

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query as it stands, unchecked: for links that keep what the address says."""
        text = self._query[:MAX_QUERY].decode("ascii", "replace")
        return parse_qsl(text, keep_blank_values=True, errors="replace")[:MAX_PARAMETERS]

    def query(self, *known: str) -> dict[str, str]:
        """The query parameters; raises `Problem` for unknown, repeated or oversized ones.

        Known are those that the endpoint declares; where it declares none, those that are named here.
        """
        declared = self.declared.query if self.declared is not None else None
        several = {each.name for each in declared or () if each.many}
        found: dict[str, str] = {}
        for name, values in self.lists(*known).items():
            if len(values) > 1 and name not in several:
                raise Problem(400, f"query parameter {name} is given twice")
            found[name] = values[0]
        return found

    def lists(self, *known: str) -> dict[str, list[str]]:
        """As `query`, for parameters that may be given several times: the values of each, in their order."""
        declared = self.declared.query if self.declared is not None else None
        if declared is not None:
            known = tuple(each.name for each in declared)
        if len(self._query) > MAX_QUERY:
            raise Problem(414, f"the query is longer than {MAX_QUERY} characters")
        try:
            pairs = parse_qsl(
                self._query.decode("ascii"),
                keep_blank_values=True,
                max_num_fields=MAX_PARAMETERS,
                errors="strict",
            )
        except ValueError:
            raise Problem(400, "the query cannot be read: use name=value pairs in UTF-8") from None
        found: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in known:
                allowed = ", ".join(known) if known else "none"
                raise Problem(400, f"unknown query parameter; this endpoint takes: {allowed}")
            found.setdefault(name, []).append(value)
        if self.declared is not None:
            self.declared.check_query(found)
        return found

    async def body(self) -> bytes:
        """The whole body; raises `Problem` when it is over 1 MiB."""
        if self._body is None:
            self._body = await self._read()
        return self._body

    async def _read(self) -> bytes:
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared[:20]) > MAX_BODY:
            raise _too_large()
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "the request ended before its body did")
            piece = message.get("body", b"")
            size += len(piece)
            if size > MAX_BODY:
                raise _too_large()
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)

    async def gone(self) -> None:
        """Return when whoever asked has closed the connection; what still comes of a body is passed over."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def json_object(self, *known: str) -> dict[str, Any]:
        """The body as a JSON object with these keys only; empty when there is no body.

        Known are those that the endpoint declares; where it declares none, those that are named here.
        """
        declared = self.declared.body if self.declared is not None else None
        if declared is not None:
            known = tuple(each.name for each in declared)
        content = self._object(await self.body(), known)
        if self.declared is not None:
            self.declared.check_body(content)
        return content

    def _object(self, raw: bytes, known: tuple[str, ...]) -> dict[str, Any]:
        if not raw:
            return {}
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(415, "send the body as application/json")
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            raise Problem(400, "the body is no valid JSON") from None
        if not isinstance(content, dict) or not content.keys() <= set(known):
            keys = f"with no other keys than: {', '.join(known)}" if known else "without any key"
            raise Problem(422, f"the body must be an object {keys}")
        return content


def _too_large() -> Problem:
    return Problem(413, "the body is over 1 MiB", {"Connection": "close"})


def jsonable(value: Any) -> Any:
    """`value` with what JSON cannot say made null: NaN and infinities."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    return value


def dumped(value: Any) -> bytes:
    """`value` as JSON bytes; half characters of broken names become question marks."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError):  # what JSON cannot say: looked for only where there is some, as that takes longer
        text = json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")


async def listed(head: Mapping[str, Any], name: str, items: Iterable[Any]) -> AsyncIterator[bytes]:
    """`head` with a list `name` as its last key, in pieces: writing thousands of things at once would stop the loop.

    An item that has an `as_dict` is written as that.
    """
    yield dumped(head)[:-1] + (b", " if head else b"") + dumped(name) + b": ["
    rest = iter(items)
    between = b""
    while some := list(islice(rest, _AT_ONCE)):
        told = [each.as_dict() if hasattr(each, "as_dict") else each for each in some]
        yield between + dumped(told)[1:-1]
        between = b", "
    yield b"]}"
