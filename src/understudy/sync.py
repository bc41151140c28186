"""Understudy for code that blocks: every feature of the asynchronous application, no second copy of any.

One background event loop serves all threads; a call hands its coroutine over and waits.

    from understudy.sync import Understudy

    with Understudy() as app:
        app.register_api("rates", operation=fetch_rates)
        app.execute_with_fallback("rates", fetch_rates)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from . import app as _app
from .core.http import next_piece
from .core.portal import Portal
from .core.types import Explanation
from .resilience.call import Result
from .resilience.route_client import Response as _Response

T = TypeVar("T")


class Response:
    """As the asynchronous `Response`; a stream is read with a plain `for`."""

    def __init__(self, response: _Response, portal: Portal) -> None:
        self._response = response
        self._portal = portal
        self.status = response.status
        self.headers = response.headers
        self.api = response.api

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return self._response.ok

    @property
    def body(self) -> bytes:
        """The whole decoded body."""
        return self._response.body

    @property
    def text(self) -> str:
        """The body as text."""
        return self._response.text

    def json(self) -> Any:
        """The body as JSON."""
        return self._response.json()

    def explain(self) -> Explanation:
        """The decision record of the call."""
        return self._response.explain()

    def chunks(self) -> Iterator[bytes]:
        """The body of a stream, piece by piece."""
        iterator = self._response.chunks()
        try:
            while (chunk := self._portal.call(next_piece, iterator)) is not None:
                yield chunk
        finally:
            # Not waited for: an iterator that is collected may be so on the loop's own thread.
            self._portal.send(self._response.close)

    def close(self) -> None:
        """Give the connection of a stream back."""
        self._portal.call(self._response.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Route:
    """HTTP calls on one route, blocking; the options are those of `RouteClient.request`."""

    def __init__(self, app: _app.Understudy, name: str, portal: Portal) -> None:
        self._app = app
        self._name = name
        self._portal = portal

    def request(self, method: str, path: str = "/", **options: Any) -> Response:
        """Ask the route and wait for the answer."""
        found: Any = self._portal.call(self._app.route(self._name).request, method, path, **options)
        if not isinstance(found, _Response):  # the caller's own default, handed over as it is
            handed_over: Response = found
            return handed_over
        return Response(found, self._portal)

    def get(self, path: str = "/", **options: Any) -> Response:
        """`request("GET", …)`."""
        return self.request("GET", path, **options)

    def post(self, path: str = "/", **options: Any) -> Response:
        """`request("POST", …)`."""
        return self.request("POST", path, **options)

    def put(self, path: str = "/", **options: Any) -> Response:
        """`request("PUT", …)`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str = "/", **options: Any) -> Response:
        """`request("PATCH", …)`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str = "/", **options: Any) -> Response:
        """`request("DELETE", …)`."""
        return self.request("DELETE", path, **options)

    def head(self, path: str = "/", **options: Any) -> Response:
        """`request("HEAD", …)`."""
        return self.request("HEAD", path, **options)

    def download(self, path: str = "/", **options: Any) -> Response:
        """A stream that goes on where it broke; see `RouteClient.download`."""
        return Response(self._portal.call(self._app.route(self._name).download, path, **options), self._portal)


class Understudy:
    """The blocking façade of an application; usable from any number of threads."""

    def __init__(self, settings: Any = None, *, app: _app.Understudy | None = None, **parts: Any) -> None:
        self.app = app or _app.Understudy.build(settings, **parts)
        self.portal = Portal()

    def register_api(self, *args: Any, **settings: Any) -> None:
        """See `FallbackManager.register_api`."""
        self._there(self.app.fallback.register_api, *args, **settings)

    def register_route(self, *args: Any, **settings: Any) -> None:
        """See `FallbackManager.register_route`."""
        self._there(self.app.fallback.register_route, *args, **settings)

    def reset(self, api: str | None = None, *, reason: str = "") -> list[str]:
        """See `FallbackManager.reset`."""
        return self._there(self.app.fallback.reset, api, reason=reason)

    def force(self, api: str, state: str, *, reason: str, **chosen: Any) -> list[str]:
        """See `FallbackManager.force`."""
        return self._there(self.app.fallback.force, api, state, reason=reason, **chosen)

    def unforce(self, api: str) -> list[str]:
        """See `FallbackManager.unforce`."""
        return self._there(self.app.fallback.unforce, api)

    def decisions(self, limit: int = 100, **chosen: Any) -> list[Explanation]:
        """See `FallbackManager.decisions`."""
        return self._there(self.app.fallback.decisions, limit, **chosen)

    def _there(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """What a plain function answers on the background loop, which owns the state."""

        async def called() -> T:
            return function(*args, **kwargs)

        return self.portal.call(called)

    def execute_with_fallback(self, *args: Any, **options: Any) -> Any:
        """See `FallbackManager.execute_with_fallback`; blocking operations run in threads."""
        return self.portal.call(self.app.fallback.execute_with_fallback, *args, **options)

    def call(self, *args: Any, **options: Any) -> Result:
        """See `FallbackManager.call`."""
        return self.portal.call(self.app.fallback.call, *args, **options)

    def guard(self, name: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorate a plain function, so that its calls run under the API or route `name` and block."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            guarded = self.app.fallback.guard(name, **options)(function)

            @functools.wraps(function)
            def blocking(*args: Any, **kwargs: Any) -> Any:
                return self.portal.call(guarded, *args, **kwargs)  # type: ignore[arg-type]  # a coroutine function

            return blocking

        return decorate

    def route(self, name: str) -> Route:
        """The HTTP client of a route.

        Raises:
            UnknownName: neither a route nor an API of that name is registered.
        """
        self.app.fallback.roster.route(name)
        return Route(self.app, name, self.portal)

    def httpx_transport(self, route: str, *, forward_credentials: bool = False) -> Any:
        """A transport for `httpx.Client(transport=…)`, or that of httpx2; see `Understudy.httpx_transport`."""
        from .clients.httpx import UnderstudyTransport

        return UnderstudyTransport(self.app, route, self.portal, forward_credentials=forward_credentials)

    def requests_adapter(self, route: str, *, forward_credentials: bool = False) -> Any:
        """An adapter for `session.mount(…)` of requests: what it is sent is served by `route`.

        Headers of the session that carry credentials go to an API of the URL's own origin only, unless
        `forward_credentials` is set.
        """
        from .clients.requests import UnderstudyAdapter

        return UnderstudyAdapter(self.app, route, self.portal, forward_credentials=forward_credentials)

    def close(self) -> None:
        """Wait for calls in flight, then end the background loop."""
        self.portal.call(self.app.stop)
        self.portal.close()

    def __enter__(self) -> Self:
        self.portal.call(self.app.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
