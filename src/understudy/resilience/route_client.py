"""`app.route("fixtures").get("/matches")`: HTTP calls on a route, served by whichever of its APIs can."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from understudy.core.clock import Clock
from understudy.core.errors import InvalidRequest, Rejected, UnderstudyError
from understudy.core.http import BodyFactory, HttpClient
from understudy.core.types import Explanation, Verdict

from .across_loops import CarriedStream, from_loop
from .auth import Authenticator
from .bulkhead import Bulkhead
from .call import Call, First, Result
from .deadline import EXPIRED, IDLE, SCOPE, ended_by_us, running_task
from .fallback import NOTHING, FallbackManager
from .http_body import plain_body
from .http_request import Params, checked_headers, checked_method, checked_value, encode_params, wire_path
from .http_source import Continuation, HttpSource, OnceOnly, Query, build, endpoint_of
from .keys import Key
from .outcome_table import SUCCESS
from .plan import Plan, prepare
from .registry import Api, Route
from .resume import Download, follows
from .retry import is_safe

#: Methods that need no look.
_USUAL: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
#: What `_body` answers for no body.
_NO_BODY: Final[tuple[None, bool, Mapping[str, str]]] = (None, True, MappingProxyType({}))


class Response:
    """What an API answered, and which API it was."""

    __slots__ = ("_explain", "_response", "api", "headers", "status")

    def __init__(self, response: Any, api: str, explain: Callable[[], Explanation]) -> None:
        self._response = response
        self._explain = explain
        self.api = api
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def body(self) -> bytes:
        """The whole decoded body; RuntimeError on a stream."""
        body: bytes = self._response.body
        return body

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none, or is nested too deep to be read."""
        try:
            return jsonlib.loads(self.body)
        except RecursionError:
            raise ValueError("the body is JSON that is nested too deep to be read") from None

    def chunks(self) -> AsyncIterator[bytes]:
        """The body of a stream, piece by piece; raises `TruncatedResponse` when it breaks."""
        iterator: AsyncIterator[bytes] = self._response.chunks()
        return iterator

    def explain(self) -> Explanation:
        """The decision record of the call."""
        return self._explain()

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names and values as they came, in order, each repeated one by itself (`Set-Cookie`)."""
        found: Sequence[tuple[bytes, bytes]] = self._response.raw_headers
        return found

    def carried(self, owner: asyncio.AbstractEventLoop) -> Response:
        """The same response, for a reader on another loop than `owner`, where it lives."""
        return Response(CarriedStream(self._response, owner), self.api, self._explain)

    async def close(self) -> None:
        """Give the connection of a stream back; needed only when it is not read to its end."""
        await self._response.close()

    async def __aenter__(self) -> Response:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Response {self.status} from {self.api}>"


class RouteClient:
    """Makes HTTP calls on one route. Cheap to make, safe to keep."""

    def __init__(
        self,
        route: Route,
        manager: FallbackManager,
        http: HttpClient,
        authenticators: Callable[[Api], Authenticator],
        clock: Clock,
    ) -> None:
        self.route = route
        self._manager = manager
        self._http = http
        self._authenticators = authenticators
        self._clock = clock
        self._now = clock.monotonic
        self._plan: Plan | None = None
        self._plans_version = -1

    def get(self, path: str = "/", **options: Any) -> Coroutine[Any, Any, Response]:
        """`request("GET", …)`."""
        return self.request("GET", path, **options)

    def head(self, path: str = "/", **options: Any) -> Coroutine[Any, Any, Response]:
        """`request("HEAD", …)`."""
        return self.request("HEAD", path, **options)

    def post(self, path: str = "/", **options: Any) -> Coroutine[Any, Any, Response]:
        """`request("POST", …)`."""
        return self.request("POST", path, **options)

    def put(self, path: str = "/", **options: Any) -> Coroutine[Any, Any, Response]:
        """`request("PUT", …)`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str = "/", **options: Any) -> Coroutine[Any, Any, Response]:
        """`request("PATCH", …)`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str = "/", **options: Any) -> Coroutine[Any, Any, Response]:
        """`request("DELETE", …)`."""
        return self.request("DELETE", path, **options)

    def request(  # noqa: PLR0913 - each is one thing that a caller may say of a request
        self,
        method: str,
        path: str = "/",
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        deadline: float | None = None,
        idempotent: bool = False,
        idempotency_key: str | bool = "",
        critical: bool = False,
        stream: bool = False,
        default: Any = NOTHING,
        credentials_for: str = "",
    ) -> Coroutine[Any, Any, Response]:
        """Ask the route; `path` is appended to the base URL of the API that serves.

        `deadline` is seconds for the whole call. `idempotent` marks a POST or PATCH that may be
        repeated; `idempotency_key` (a string, or True for a fresh one) is sent along and makes it
        repeatable on the same API. `data` may be bytes, text, a form (a mapping or pairs), a file, a
        callable that makes an async iterator (sent again when needed) or one iterator (sent once
        only). With `stream` the body is read with `Response.chunks()`. `headers` go to whichever API
        serves, but its own key goes before them; with `credentials_for`, a URL, those that carry
        credentials go to the API of that origin only.

        Answers any response that is a success or the caller's own affair (404, 422, …).

        Raises:
            BadResponse: the only API that was tried answered with a failure.
            TransportError: the only API that was tried did not answer.
            AllApisFailed: several were tried. NoEligibleApi, Rejected: none could be.
            DeadlineExceeded: time ran out.
            InvalidRequest: it cannot be sent: the path leaves the API, a header breaks its line, …
        """
        path = wire_path(path)
        body, repeatable, extra = _NO_BODY if json is None and data is None else _body(json, data)
        sent = extra if headers is None else checked_headers(headers, extra)
        key = "" if not idempotency_key else _key(idempotency_key)
        asked = method if method in _USUAL else checked_method(method)
        query = Query(asked, path, encode_params(params), sent, body, stream, key, credentials_for)
        # A coroutine is made only once, below: each one around another costs every call a little.
        return self._serve(query, deadline, critical, repeatable, idempotent, default)

    async def download(
        self,
        path: str = "/",
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        critical: bool = False,
        credentials_for: str = "",
    ) -> Response:
        """GET as a stream that goes on where it broke: the rest is asked of the same API, by `Range`.

        That needs an API which tells versions by strong ETags and answers ranges; with any other, a break
        after the first bytes reaches the reader as `TruncatedResponse`, as with `stream=True`.
        """
        # Counted are the bytes that the reader sees, so they must be those on the wire.
        sent = {**checked_headers(headers or {}, {}), "Accept-Encoding": "identity"}
        query = Query("GET", wire_path(path), encode_params(params), sent, None, True, "", credentials_for)
        return await self._request(query, deadline, critical, True, False, NOTHING, resume=True)

    async def _following(self, query: Query, api: Api, tag: str, received: int) -> Any:
        """The rest of a download that broke, from the API that began it; None when it is not to be had."""
        if not api.budget.withdraw():
            return None
        api.retries += 1
        headers = {**query.headers, "Range": f"bytes={received}-", "If-Range": tag}
        rest = Continuation("GET", query.path, query.query, headers, None, True, "", query.credentials_for)
        call = self._call(rest, None, False, True, False, NOTHING, self._now())
        call.apis = [api]
        try:
            answer = (await self._manager.run(call)).value
        except UnderstudyError:
            return None
        if follows(answer, tag, received):
            return answer
        await answer.close()
        return None

    async def _serve(
        self, query: Query, deadline: float | None, critical: bool, repeatable: bool, idempotent: bool, default: Any
    ) -> Response:
        """One attempt on the API that the plan names; whatever goes wrong is handed to the pipeline."""
        plan = self._plan
        scope = SCOPE.get()
        manager = self._manager
        if scope.task is not running_task(manager.loop):
            scope = manager.enter()
        if (
            plan is None
            or query.stream
            or not plan.quick
            or deadline is not None
            or critical
            or not repeatable
            or self._plans_version != manager.plans_version
            or scope.limit != IDLE
            or (started := self._now()) >= plan.expires
            or (key := _admitted(plan.api, bulkhead := plan.api.bulkhead)) is None
        ):
            return await self._request(query, deadline, critical, repeatable, idempotent, default)
        api = plan.api
        if not plan.wheel.armed:
            plan.wheel.arm()
        scope.limit = started + plan.limit
        api.in_flight += 1
        response: Any = None
        error: BaseException | None = None
        try:
            request = build(query, api, 1)
            authenticator = self._authenticators(api)
            if not authenticator.apply_now(request, key):
                await authenticator.apply(request, key)
            response = await self._http.send(request)
        except BaseException as caught:  # noqa: BLE001 - classified by the pipeline, or raised again there
            error = caught
        api.in_flight -= 1
        if bulkhead is not None:
            bulkhead.release()
        seconds = self._now() - started
        if error is not None:
            api.keys.left(key, error)
            judged = manager.unmask(scope, error, plan, seconds, endpoint_of(query))
            first = First(plan.binding, seconds, judged, key=key, ours=judged is not error, generation=plan.generation)
            return await self._go_on(query, plan, started, first, idempotent, default)
        headers = response.headers
        outcome = api.classifier.response(response.status, headers, response.body, self._clock.time(), query.method)
        api.keys.settle(key, outcome, response.status, headers)
        if scope.limit == EXPIRED:
            ended_by_us(scope, 0)
        scope.limit = IDLE
        if outcome is SUCCESS or outcome.verdict is Verdict.SUCCESS:
            plan.append(seconds)
            return Response(response, api.name, lambda: self._clean(plan, started, seconds))
        first = First(plan.binding, seconds, None, response, outcome, key, generation=plan.generation)
        return await self._go_on(query, plan, started, first, idempotent, default)

    async def _go_on(
        self, query: Query, plan: Plan, started: float, first: First, idempotent: bool, default: Any
    ) -> Response:
        """Hand a first attempt that did not succeed to the pipeline."""
        self._plan = None
        call = self._call(query, None, False, True, idempotent, default, started)
        call.candidates = list(plan.candidates)
        return self._response(await self._manager.run(call, first))

    async def _request(
        self,
        query: Query,
        deadline: float | None,
        critical: bool,
        repeatable: bool,
        idempotent: bool,
        default: Any,
        *,
        resume: bool = False,
    ) -> Response:
        manager = self._manager
        if (owner := manager.bind()) is not None:
            query.body = _brought(query.body, asyncio.get_running_loop())
            there = self._request(query, deadline, critical, repeatable, idempotent, default, resume=resume)
            answer = await manager.carry(owner, there)
            return answer.carried(owner) if query.stream and isinstance(answer, Response) else answer
        call = self._call(query, deadline, critical, repeatable, idempotent, default, self._now())
        result = await manager.run(call)
        if resume and result.api:
            api = manager.roster.apis.get(result.api) or next(each for each in call.apis if each.name == result.api)
            result.value = Download(result.value, partial(self._following, query, api))
        if not query.stream:
            self._plan = prepare(self.route.name, call, manager.gates, manager.wheel, self._now())
            self._plans_version = manager.plans_version
        return self._response(result)

    def _call(
        self,
        query: Query,
        deadline: float | None,
        critical: bool,
        repeatable: bool,
        idempotent: bool,
        default: Any,
        started: float,
    ) -> Call:
        route = self.route
        source = HttpSource(
            query,
            route,
            self._http,
            self._authenticators,
            self._clock,
            safe=is_safe(query.method, idempotent, False),
        )
        return Call(
            route=route,
            source=source,
            started=started,
            deadline_at=started + (route.options.deadline if deadline is None else max(0.0, deadline)),
            critical=critical,
            default=None if default is NOTHING else default,
            has_default=default is not NOTHING,
            call_id=self._manager.new_id(),
            apis=list(route.apis),
        )

    def _response(self, result: Result) -> Response:
        """The response of a result; a caller's default is handed over as it is, whatever it is."""
        if result.api == "":
            handed_over: Response = result.value
            return handed_over
        return Response(result.value, result.api, result.explain)

    def _clean(self, plan: Plan, started: float, seconds: float) -> Explanation:
        return self._manager.clean_explanation(plan, self.route, started, seconds)


def _admitted(api: Api, bulkhead: Bulkhead | None) -> Key | None:
    """The key of an attempt that may go out at once, a place in the bulkhead taken; None when it must wait."""
    try:
        key = api.keys.pick()
    except Rejected:
        return None
    if bulkhead is not None and not bulkhead.try_acquire():
        api.keys.give_back(key)
        return None
    return key


def _brought(body: Any, home: asyncio.AbstractEventLoop) -> Any:
    """The body of a call that another loop makes."""
    if isinstance(body, OnceOnly):
        return body.on(home)
    return from_loop(body, home) if callable(body) else body


def _key(given: str | bool) -> str:
    """The idempotency key that was given, or a fresh one."""
    return uuid4().hex if given is True else checked_value("Idempotency-Key", given)


def _body(json: Any, data: Any) -> tuple[bytes | BodyFactory | None, bool, dict[str, str]]:
    """The body to send, whether it can be sent again, and the headers that it needs."""
    data, extra = plain_body(json, data)
    if data is None or isinstance(data, bytes) or callable(data):
        return data, True, extra
    if hasattr(data, "__aiter__"):
        return OnceOnly(data), False, extra
    raise InvalidRequest(f"data cannot be {type(data).__name__}")
