"""The ASGI application of the service: a table look-up between the guard and the endpoints."""

from __future__ import annotations

import logging
from collections.abc import Collection, MutableMapping
from typing import TYPE_CHECKING, Any

from understudy.core.errors import StoreUnavailable
from understudy.export.kept import kept_dropped, kept_numbers
from understudy.export.logs import LOSSES
from understudy.export.prometheus import DROPPED, LAG, RELOAD_AT, RELOAD_OK, Exposition
from understudy.export.prometheus_text import CONTENT_TYPES, Family, Labels, accepted
from understudy.export.told import Rows, alert_numbers, notification_numbers

from .auth.exposure import LOOPBACK_NAMES
from .auth.gate import Gate
from .auth.permissions import NOBODY
from .auth.process import Process
from .auth.proxies import seen_through
from .http import Answer, Nowhere, Problem, Receive, Request, Scope, Send
from .live.hub import hub_of
from .manners import finished, offered, optional, packed, plain_problem, wants_page
from .middleware import Guard, Limit
from .pages.statuspage import public_path
from .routing import Routes
from .table import ROUTES

if TYPE_CHECKING:
    from understudy.app import Understudy

_log = logging.getLogger("understudy.web")
_ROUTES = Routes(ROUTES)


class Service:
    """Serves one running application over HTTP.

    `hosts` are the names under which it may be asked for, besides those of `process`, which says how it was
    started. Starting and stopping the application is its owner's affair; `lifespan` events are only acknowledged.
    """

    def __init__(
        self, app: Understudy, *, hosts: Collection[str] = LOOPBACK_NAMES, limit: Limit | None = None,
        process: Process | None = None,
    ) -> None:  # fmt: skip
        self._app = app
        self._process = process or Process()
        self.gate = Gate(app, self._process)
        self._exposition = Exposition(
            app.fallback,
            app.monitor,
            version=app.version,
            started_at=app.started_at,
            extra=self._own_numbers,
            clock=app.clock,
        )
        page = app.settings.status_page if app.settings is not None else None
        hosts = {*hosts, *self._process.exposure.hosts, *([page.host] if page is not None and page.host else [])}
        self._guard = Guard(
            self._serve, app.clock, hosts, limit, self._public_url, self._told, self.gate.token_of
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await self._guard(seen_through(scope, self._process.exposure), receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    def end_streams(self) -> None:
        """End the live streams: the service stops."""
        hub_of(self._app).close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["understudy.gate"] = self.gate
        request = Request(scope, receive)
        request.path = public_path(self._app, request)
        method = "GET" if request.method == "HEAD" else request.method
        if method == "GET" and request.path == "/metrics":
            answer = await self.gate.admit_metrics(request) or self._metrics(request)
        else:
            found = _ROUTES.find(method, request.path, request.raw_path)
            if found is None:
                if wants_page(request):
                    scope["understudy.who"] = await self.gate.identify(request)
                await _unserved(request).send(send)
                return
            endpoint, request.parts = found
            request.declared = endpoint.declared
            try:
                to_sign_in = await self.gate.admit(request, endpoint.needs)
            finally:
                scope["understudy.who"] = request.who
            if to_sign_in is not None:
                await to_sign_in.send(send, bodiless=request.method == "HEAD")
                return
            if endpoint.declared.query is not None:
                request.query()  # a handler that takes none refuses those that are sent all the same
            try:
                answer = await finished(request, await endpoint.handler(self._app, request))
            except StoreUnavailable as error:  # no fault of ours, and over when the store is back
                raise Problem(503, str(error), {"Retry-After": "5"}) from None
        await answer.send(send, bodiless=request.method == "HEAD")

    def _told(self, scope: Scope, problem: Problem) -> Answer:
        """A problem as a page for people, as problem+json for programs."""
        request = Request(scope, _nothing)
        if problem.status == 421 or not wants_page(request):  # no links for whoever uses a name that is not ours
            return plain_problem(request.id, problem)
        request.who = scope.get("understudy.who", NOBODY)
        try:
            from .pages.failed import failed

            return failed(self._app, request, problem)
        except Exception:  # noqa: BLE001 - whatever is wrong with the page, the problem is still to be told
            _log.exception("the page about a problem failed, request %s", request.id)
            return plain_problem(request.id, problem)

    def _public_url(self) -> str:
        return self._app.notifications.options.public_url if self._app.keeping is not None else ""

    def _metrics(self, request: Request) -> Answer:
        style = accepted(request.headers.get("accept", ""))
        pieces = self._exposition.page(style)
        headers = {"Vary": "Accept, Accept-Encoding"}
        if request.takes_gzip:
            headers["Content-Encoding"] = "gzip"
            pieces = packed(pieces, 1)  # lines of metrics repeat themselves anyway
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


def _unserved(request: Request) -> Answer:
    """What is answered where no endpoint is; raises the `Problem`, unless only the methods were asked for."""
    allowed = _ROUTES.allowed(request.path, request.raw_path) or (["GET"] if request.path == "/metrics" else [])
    if not allowed:
        raise Nowhere
    if request.method == "OPTIONS":
        return optional(allowed)
    methods = ", ".join(offered(allowed))
    raise Problem(405, f"this path takes {methods}", {"Allow": methods})


async def _nothing() -> MutableMapping[str, Any]:
    """A problem is told without reading what the request still holds."""
    return {"type": "http.disconnect"}


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
