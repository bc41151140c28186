"""The ASGI application of the service: a table look-up between the guard and the endpoints."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING

from understudy.export.kept import kept_dropped, kept_numbers
from understudy.export.logs import LOSSES
from understudy.export.prometheus import DROPPED, LAG, RELOAD_AT, RELOAD_OK, Exposition, Turn
from understudy.export.prometheus_text import CONTENT_TYPES, Family, Labels, accepted
from understudy.export.told import Rows, alert_numbers, notification_numbers

from .auth.permissions import of_loopback
from .http import Answer, Problem, Receive, Request, Scope, Send
from .middleware import LOOPBACK_NAMES, Guard, Limit
from .routing import Routes
from .table import ROUTES

if TYPE_CHECKING:
    from understudy.app import Understudy

_ROUTES = Routes(ROUTES)
_GZIP = 16 + zlib.MAX_WBITS
#: Bytes that are packed before the event loop gets its turn.
_PACKED_AT_ONCE = 64 * 1024


class Service:
    """Serves one running application over HTTP.

    `hosts` are the names under which it may be asked for. Starting and stopping the application is
    its owner's affair; `lifespan` events are only acknowledged.
    """

    def __init__(self, app: Understudy, *, hosts: Collection[str] = LOOPBACK_NAMES, limit: Limit | None = None) -> None:
        self._app = app
        self._exposition = Exposition(
            app.fallback,
            app.monitor,
            version=app.version,
            started_at=app.started_at,
            extra=self._own_numbers,
            clock=app.clock,
        )
        self._guard = Guard(self._serve, app.clock, hosts, limit, self._public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await self._guard(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        method = "GET" if request.method == "HEAD" else request.method
        if method == "GET" and request.path == "/metrics":
            answer = self._metrics(request)
        else:
            found = _ROUTES.find(method, request.path, request.raw_path)
            if found is None:
                raise _no_such(request)
            endpoint, request.parts = found
            request.who = of_loopback(request.client)
            if not request.who.may(endpoint.needs):
                raise Problem(403, f"this needs the permission {endpoint.needs}")
            answer = await endpoint.handler(self._app, request)
        await answer.send(send, bodiless=request.method == "HEAD")

    def _public_url(self) -> str:
        return self._app.notifications.options.public_url if self._app.keeping is not None else ""

    def _metrics(self, request: Request) -> Answer:
        style = accepted(request.headers.get("accept", ""))
        pieces = self._exposition.page(style)
        headers = {"Vary": "Accept, Accept-Encoding"}
        if request.takes_gzip:
            headers["Content-Encoding"] = "gzip"
            pieces = _packed(pieces)
        return Answer(pieces, 200, CONTENT_TYPES[style], headers)

    def _own_numbers(self) -> list[tuple[Family, Rows]]:
        app = self._app
        numbers: list[tuple[Family, Rows]] = [
            (RELOAD_OK, [((), int(app.last_reload_ok))]),
            (RELOAD_AT, [((), app.last_reload_at)]),
        ]
        dropped: list[tuple[Labels, float]] = [((("kind", "log"),), LOSSES.count)]
        if app.keeping is not None:
            kept = app.keeping.as_dict()
            numbers += kept_numbers(kept, app.keeping.roles.wanted)
            dropped += kept_dropped(kept)
            numbers += self._told_numbers()
        numbers.append((DROPPED, dropped))
        lag = app.system.read().loop_lag_p99
        return numbers if lag is None else [(LAG, [((), lag)]), *numbers]

    def _told_numbers(self) -> list[tuple[Family, Rows]]:
        alerts, told = self._app.alerts, self._app.notifications
        firing = [(each.rule, each.severity) for each in alerts.active() if each.phase != "pending"]
        waiting = {name: channel.waiting for name, channel in told.channels().items()}
        counters = told.dispatcher.counters
        return [
            *alert_numbers(firing, alerts.evaluation, alerts.detection),
            *notification_numbers(counters.results, counters.delivery, waiting, told.oldest),
        ]


def _no_such(request: Request) -> Problem:
    allowed = _ROUTES.allowed(request.path, request.raw_path)
    if not allowed and request.path != "/metrics":
        return Problem(404, "there is nothing at this path; GET /api/openapi.json lists what there is")
    allowed = allowed or ["GET"]
    offered = ", ".join([*allowed, "HEAD"] if "GET" in allowed else allowed)
    return Problem(405, f"this path takes {offered}", {"Allow": offered})


async def _packed(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces as one gzip stream; the level is low, as lines of metrics repeat themselves anyway."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    async for piece in pieces:
        for begin in range(0, len(piece), _PACKED_AT_ONCE):
            packed = packer.compress(piece[begin : begin + _PACKED_AT_ONCE])
            if packed:
                yield packed
            await Turn()
    yield packer.flush()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
