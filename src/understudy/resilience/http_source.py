"""Calls that are HTTP requests: built for each API, sent once an attempt, judged by the API's own rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final
from zlib import crc32

from understudy.core.clock import Clock
from understudy.core.errors import BadResponse, TransportError, TruncatedResponse
from understudy.core.http import BodyFactory, HttpClient, HttpRequest, HttpResponse

from .across_loops import from_loop
from .api import RouteOptions
from .auth import Authenticator, same_origin
from .call import Attempt
from .http_request import ATTEMPT_HEADER, is_repeat, lay_over
from .keys import Key
from .outcome import Outcome
from .registry import Api, Route

#: How much of a refused body an error carries.
KEPT_BODY = 2048


class Query:
    """What the caller asked for, before it is known which API is asked."""

    __slots__ = ("body", "credentials_for", "headers", "idempotency_key", "method", "path", "query", "stream")

    #: Whether what comes is final at its first byte, whatever the route says.
    early: ClassVar[bool] = False

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes | BodyFactory | None,
        stream: bool,
        idempotency_key: str,
        credentials_for: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.stream = stream
        self.idempotency_key = idempotency_key
        #: A URL: the caller's credentials are for APIs of its origin only. Empty: for every API.
        self.credentials_for = credentials_for


class Continuation(Query):
    """The rest of a download, of which the reader has the beginning already."""

    __slots__ = ()
    early = True


#: Share of an attempt's time in which an unsafe request must be connected, where another API could have it.
CONNECT_SHARE: Final = 0.6


def endpoint_of(query: Query) -> str:
    """What is asked, for people: `GET /path`, without its query, where secrets may be."""
    return f"{query.method} {query.path.partition('?')[0]}"


class OnceOnly:
    """A body from an iterator that can be read only once; it knows whether that has begun."""

    def __init__(self, iterator: AsyncIterator[bytes]) -> None:
        self._iterator = iterator
        self.begun = False

    def on(self, home: asyncio.AbstractEventLoop) -> OnceOnly:
        """The same body, its pieces made on the loop `home`."""
        return OnceOnly(from_loop(lambda: self._iterator, home)())

    def __call__(self) -> AsyncIterator[bytes]:
        """The iterator, from now on taken as begun."""
        self.begun = True
        return self._iterator


class HttpSource:
    """Sends one query to whichever API is chosen."""

    def __init__(
        self,
        query: Query,
        route: Route,
        http: HttpClient,
        authenticators: Callable[[Api], Authenticator],
        clock: Clock,
        *,
        safe: bool,
    ) -> None:
        self._query = query
        self._route = route
        self._http = http
        self._authenticators = authenticators
        self._clock = clock
        # An idempotency key makes a repeat safe on the API that knows the key, and nowhere else.
        keyed = bool(query.idempotency_key) or any(name.lower() == "idempotency-key" for name in query.headers)
        self._safe_again = safe or keyed
        self._safe_elsewhere = safe or route.options.fallback_unsafe

    @property
    def endpoint(self) -> str:
        """As in `Source`."""
        return endpoint_of(self._query)

    @property
    def part(self) -> bool:
        """As in `Source`."""
        return isinstance(self._query, Continuation)

    def safe_again(self, api: Api) -> bool:
        """By method, by the caller's word, or by an idempotency key; the same for every API."""
        return self._safe_again

    def safe_elsewhere(self, api: Api) -> bool:
        """By method or by the caller's word, or because the route allows it."""
        return self._safe_elsewhere

    @property
    def repeated(self) -> bool:
        """Whether an Understudy before us is repeating this request already."""
        return is_repeat(self._query.headers)

    @property
    def replayable(self) -> bool:
        """Whether the body is still there in full: an iterator that was begun is not."""
        body = self._query.body
        return not (isinstance(body, OnceOnly) and body.begun)

    def gate(self, api: Api) -> str:
        """`no_base_url` for an API that is a wrapped operation."""
        return "" if api.is_http else "no_base_url"

    async def attempt(self, attempt: Attempt) -> tuple[Any, Outcome]:
        """Send the request; answers the response and what it means, whatever its status."""
        api = attempt.binding.api
        request = build(self._query, api, attempt.number, attempt.fresh)
        if not self._safe_elsewhere and len(self._route.apis) > 1:
            # Until it is sent, another API may have it; afterwards nobody. So no time is kept back for that one,
            # and connecting must leave it some.
            left = CONNECT_SHARE * (attempt.limit - self._clock.monotonic())
            request.connect_timeout = min(request.connect_timeout, max(left, 0.0))
        key = attempt.key
        api.in_flight += 1
        try:
            response: Any = await self._send(request, api, attempt)
            if self._query.stream:
                response = await self._held(response, attempt)
        except BaseException as error:
            if key is not None:
                api.keys.left(key, error)
            raise
        finally:
            api.in_flight -= 1
        return response, self.judge(api, attempt, response)

    async def _send(self, request: HttpRequest, api: Api, attempt: Attempt) -> HttpResponse:
        """Sign and send; a 401 that a fresh token can cure is sent once more, within this attempt."""
        key = attempt.key
        if key is None:
            return await self._http.send(request)
        authenticator = self._authenticators(api)
        if not authenticator.apply_now(request, key):
            await authenticator.apply(request, key)
        response = await self._http.send(request)
        if response.status != 401 or not self.replayable:
            return response
        try:
            renewed = await authenticator.renew(request, key)
        except BaseException:
            await response.close()
            raise
        if not renewed:
            return response
        await response.close()
        again = build(self._query, api, attempt.number, attempt.fresh)
        await authenticator.apply(again, key)
        return await self._http.send(again)

    async def _held(self, response: HttpResponse, attempt: Attempt) -> HeldStream:
        options = self._route.options
        if self._query.early:
            options = replace(options, commit="first_byte")
        try:
            return await commit(response, options, self._clock.monotonic, attempt.on_first_byte)
        except BaseException:
            await response.close()
            raise

    def judge(self, api: Api, attempt: Attempt, response: Any) -> Outcome:
        """What the response means for the API, and its effect on the key that was used."""
        held = response if isinstance(response, HeldStream) else None
        outcome = api.classifier.response(
            response.status,
            response.headers,
            response.body if held is None else held.so_far,
            self._clock.time(),
            self._query.method,
            partial=held is not None and held.pending,
        )
        if attempt.key is not None:
            api.keys.settle(attempt.key, outcome, response.status, response.headers)
        return outcome

    def prepared(self, api: Api) -> bool:
        """Any HTTP API may be asked by plan."""
        return api.is_http

    def refused(self, api: Api, value: Any, outcome: Outcome) -> BaseException:
        """The `BadResponse` of an answer that is not a success."""
        return refused(api.name, value, outcome)

    async def discard(self, value: Any) -> None:
        """Close a response that the caller will not see."""
        await value.close()

    def settle(self, api: Api, key: Key | None, outcome: Outcome) -> None:
        """Done already: by `judge`, or when sending failed."""


def build(query: Query, api: Api, number: int, fresh: bool = False) -> HttpRequest:
    """The request as this API gets it: its own base URL, headers and limits."""
    options = api.options
    url = options.base_url.rstrip("/") + (query.path if query.path.startswith("/") else "/" + query.path)
    if query.query:
        url = f"{url}&{query.query}" if "?" in query.path else f"{url}?{query.query}"
    headers = dict(options.headers) if options.headers else {}
    if query.headers:
        mine = query.credentials_for
        lay_over(headers, query.headers, api.auth, foreign=bool(mine) and not same_origin(mine, options.base_url))
    if number > 1:
        headers[ATTEMPT_HEADER] = str(number)
    if query.idempotency_key:
        # By the API's name, so that the caller's own key means the same after a restart with other APIs.
        headers["Idempotency-Key"] = f"{query.idempotency_key}-{crc32(api.name.encode()):08x}"
    limits = options.timeout
    return HttpRequest(
        query.method, url, headers, query.body, limits.connect, limits.idle, options.max_body, fresh, not query.stream,
        not options.allow_private,
    )  # fmt: skip  # by position: this is made for every call


class HeldStream:
    """A streamed response whose first bytes were held back until it was committed (rule R15)."""

    def __init__(self, response: HttpResponse, held: list[bytes], rest: Any) -> None:
        self._response = response
        self._held = held
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self._read = False
        self.status = response.status
        self.headers = response.headers
        self.received = 0
        #: Called once with how the body ended: None, or the error; set while the end is still to come.
        self.on_end: Callable[[BaseException | None, bool], None] | None = None
        #: Called with each further piece: a sign of life.
        self.on_chunk: Callable[[], None] | None = None

    def __del__(self) -> None:
        """A stream that nobody read nor closed: what it holds goes back, on its own loop."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_abandoned, on_end, self._response)

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names and values as they came."""
        return self._response.raw_headers

    @property
    def pending(self) -> bool:
        """Whether body is still to come from the API."""
        return self._rest is not None

    def _end(self, error: BaseException | None, complete: bool) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(error, complete)

    @property
    def so_far(self) -> bytes:
        """What of the body was held back until the commit; all of it when nothing is pending."""
        return b"".join(self._held)

    @property
    def body(self) -> bytes:
        """A stream has no body of its own."""
        raise RuntimeError("the response is a stream: read it with `async for chunk in response.chunks()`")

    async def chunks(self) -> Any:
        """The body as it comes; breaks after this point reach the caller as `TruncatedResponse`."""
        if self._read:
            raise RuntimeError("the body of a stream can be read once only")
        self._read = True
        whole = False
        try:
            for chunk in self._held:
                self.received += len(chunk)
                yield chunk
            self._held = []
            if self._rest is not None:
                async for chunk in self._rest:
                    self.received += len(chunk)
                    if self.on_chunk is not None:
                        self.on_chunk()
                    yield chunk
            whole = True
        except TransportError as error:
            self._end(error, complete=False)
            raise TruncatedResponse(
                f"the body broke after {self.received} bytes: {error}", received=self.received
            ) from error
        finally:
            # Also when the reader leaves early, or is cancelled: its place and permits go back now.
            self._end(None, complete=whole)
            if not whole:
                await self._response.close()

    async def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""
        self._end(None, complete=False)
        await self._response.close()


def _abandoned(on_end: Callable[[BaseException | None, bool], None], response: HttpResponse) -> None:
    on_end(None, False)
    task = asyncio.ensure_future(response.close())
    _CLOSING.add(task)
    task.add_done_callback(_CLOSING.discard)


#: A loop keeps weak references to its tasks only.
_CLOSING: set[asyncio.Future[None]] = set()


async def commit(
    response: HttpResponse, options: RouteOptions, now: Callable[[], float], first_byte: Callable[[], None] | None
) -> HeldStream:
    """Read until the commit point: the first body byte, or (`whole`) all of it up to `hold_max` and `hold_for`.

    The body of a refusal is read whole in any case: it tells what the refusal means. `first_byte` is
    called when the body begins.
    """
    early = options.commit != "whole" and 200 <= response.status < 300
    chunks = response.chunks()
    held: list[bytes] = []
    size = 0
    ended = True
    until = 0.0
    async for chunk in chunks:
        if not size and chunk:
            until = now() + options.hold_for
            if first_byte is not None:
                first_byte()
        held.append(chunk)
        size += len(chunk)
        if size and (early or size >= options.hold_max or now() >= until):
            ended = False
            break
    return HeldStream(response, held, None if ended else chunks)


def refused(api: str, response: Any, outcome: Outcome) -> BadResponse:
    """The error that stands for a response which is not a success."""
    body = (response.so_far if isinstance(response, HeldStream) else response.body)[:KEPT_BODY]
    reason = outcome.reason or outcome.kind.value
    return BadResponse(
        f"{api} answered {response.status}: {reason}",
        status=response.status,
        headers=response.headers,
        body=body,
        response=response,
    )


__all__ = ["HttpSource", "OnceOnly", "Query", "build", "commit", "refused"]
