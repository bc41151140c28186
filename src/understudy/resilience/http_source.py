"""Calls that are HTTP requests: built for each API, sent once an attempt, judged by the API's own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from understudy.core.clock import Clock
from understudy.core.errors import AttemptTimeout, BadResponse, BodyBroken, ConnectionLost, TruncatedResponse
from understudy.core.http import BodyFactory, HttpClient, HttpRequest, HttpResponse

from .auth import Authenticator
from .call import Attempt
from .outcome import Outcome
from .registry import Api, Route

#: Tells a nested Understudy that this request is already one of several tries: it does not retry.
ATTEMPT_HEADER = "Understudy-Attempt"
#: How much of a refused body an error carries.
KEPT_BODY = 2048


class Query:
    """What the caller asked for, before it is known which API is asked."""

    __slots__ = ("body", "headers", "idempotency_key", "method", "path", "query", "stream")

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes | BodyFactory | None,
        stream: bool,
        idempotency_key: str,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.stream = stream
        self.idempotency_key = idempotency_key


def encode_params(params: Mapping[str, Any] | list[tuple[str, Any]] | None) -> str:
    """A query string; None values are left out, lists repeat their name."""
    if not params:
        return ""
    pairs = params.items() if isinstance(params, Mapping) else params
    return urlencode([(name, value) for name, value in pairs if value is not None], doseq=True)


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
        repeatable: bool,
    ) -> None:
        self._query = query
        self._route = route
        self._http = http
        self._authenticators = authenticators
        self._clock = clock
        # An idempotency key makes a repeat safe on the API that knows the key, and nowhere else.
        self.safe_again = (safe or bool(query.idempotency_key)) and repeatable
        self.safe_elsewhere = (safe or route.options.fallback_unsafe) and repeatable

    def gate(self, api: Api) -> str:
        """`no_base_url` for an API that is a wrapped operation."""
        return "" if api.is_http else "no_base_url"

    async def attempt(self, attempt: Attempt) -> tuple[Any, Outcome]:
        """Send the request; answers the response and what it means, whatever its status."""
        api = attempt.binding.api
        request = build(self._query, api, attempt.number, attempt.fresh)
        authenticator = self._authenticators(api)
        key = attempt.key
        if key is not None and not authenticator.apply_now(request, key):
            await authenticator.apply(request, key)
        api.in_flight += 1
        try:
            response = await self._http.send(request)
            if response.status == 401 and key is not None and await authenticator.renew(request, key):
                # The token was stale, not the key: once more with a fresh one, within this attempt.
                await response.close()
                request = build(self._query, api, attempt.number, attempt.fresh)
                await authenticator.apply(request, key)
                response = await self._http.send(request)
            try:
                if self._query.stream:
                    response = await commit(response, self._route)
            except BaseException:
                await response.close()
                raise
        except BaseException:
            if key is not None:
                api.keys.abandoned(key)
            raise
        finally:
            api.in_flight -= 1
        return response, self.judge(api, attempt, response)

    def judge(self, api: Api, attempt: Attempt, response: HttpResponse) -> Outcome:
        """What the response means for the API, and its effect on the key that was used."""
        body = b"" if self._query.stream else response.body
        outcome = api.classifier.response(
            response.status, response.headers, body, self._clock.time(), self._query.method
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


def build(query: Query, api: Api, number: int, fresh: bool = False) -> HttpRequest:
    """The request as this API gets it: its own base URL, headers and limits."""
    options = api.options
    url = options.base_url.rstrip("/") + (query.path if query.path.startswith("/") else "/" + query.path)
    if query.query:
        url = f"{url}&{query.query}" if "?" in query.path else f"{url}?{query.query}"
    headers = dict(options.headers) if options.headers else {}
    headers.update(query.headers)
    if number > 1:
        headers[ATTEMPT_HEADER] = str(number)
    if query.idempotency_key:
        headers["Idempotency-Key"] = f"{query.idempotency_key}-{api.order}"
    limits = options.timeout
    return HttpRequest(
        query.method, url, headers, query.body, limits.connect, limits.idle, options.max_body, fresh, not query.stream
    )


def check_path(path: str) -> None:
    """Refuse a path that would leave the API's origin, or cannot be sent.

    Raises:
        ValueError: a scheme, a host, or a control character in the path.
    """
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or path.startswith("//") or not path.isprintable() or "\\" in path:
        raise ValueError(f"a path on the API is expected, found {path!r:.80}")


class HeldStream:
    """A streamed response whose first bytes were held back until it was committed (rule R15)."""

    def __init__(self, response: HttpResponse, held: list[bytes], rest: Any) -> None:
        self._response = response
        self._held = held
        self._rest = rest
        self.status = response.status
        self.headers = response.headers
        self.received = 0
        #: Called once with how the body ended: None, or the error; set while the end is still to come.
        self.on_end: Callable[[BaseException | None, bool], None] | None = None

    @property
    def pending(self) -> bool:
        """Whether body is still to come from the API."""
        return self._rest is not None

    def _end(self, error: BaseException | None, complete: bool) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(error, complete)

    @property
    def body(self) -> bytes:
        """A stream has no body of its own."""
        raise RuntimeError("the response is a stream: read it with `async for chunk in response.chunks()`")

    async def chunks(self) -> Any:
        """The body as it comes; breaks after this point reach the caller as `TruncatedResponse`."""
        for chunk in self._held:
            self.received += len(chunk)
            yield chunk
        self._held = []
        if self._rest is None:
            return
        try:
            async for chunk in self._rest:
                self.received += len(chunk)
                yield chunk
        except (BodyBroken, AttemptTimeout, ConnectionLost) as error:
            self._end(error, complete=False)
            raise TruncatedResponse(
                f"the body broke after {self.received} bytes: {error}", received=self.received
            ) from error
        self._end(None, complete=True)

    async def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""
        self._end(None, complete=False)
        await self._response.close()


async def commit(response: HttpResponse, route: Route) -> HeldStream:
    """Read until the commit point: the first body byte, or (`whole`) all of it up to `hold_max`."""
    chunks = response.chunks()
    held: list[bytes] = []
    size = 0
    ended = True
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size and (route.options.commit == "first_byte" or size >= route.options.hold_max):
            ended = False
            break
    return HeldStream(response, held, None if ended else chunks)


def refused(api: str, response: HttpResponse, outcome: Outcome) -> BadResponse:
    """The error that stands for a response which is not a success."""
    try:
        body = response.body[:KEPT_BODY]
    except RuntimeError:
        body = b""
    reason = outcome.reason or outcome.kind.value
    return BadResponse(
        f"{api} answered {response.status}: {reason}", status=response.status, headers=response.headers, body=body
    )


__all__ = ["HttpSource", "Query", "build", "check_path", "commit", "encode_params", "refused"]
