"""Acts on APIs and routes over JSON: pin, drain, hold a breaker, reset, health checks, statistics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from understudy.web import acts
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Handler, Table
from understudy.web.http import Answer, Problem, Request, dumped

from .fields import answering, lasting, text
from .state import MAX_REASON

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest name of an API or route, characters.
_NAME = 200


def acting(*known: str) -> Callable[[Callable[[Understudy, Request, Mapping[str, Any]], Awaitable[Any]]], Handler]:
    """A handler that reads these keys of its body, acts, and answers how things stand then."""

    def of(act: Callable[[Understudy, Request, Mapping[str, Any]], Awaitable[Any]]) -> Handler:
        @wraps(act)
        async def handler(app: Understudy, request: Request) -> Answer:
            request.query()
            content = await request.json_object(*known)
            try:
                return Answer(dumped(await act(app, request, content)))
            except ValueError as error:
                raise Problem(422, str(error)) from None

        return answering(handler)

    return of


def _reason(content: Mapping[str, Any], *, must: bool = False) -> str:
    return text(content, "reason", MAX_REASON, least=1 if must else 0)


def _flag(content: Mapping[str, Any], key: str) -> bool:
    value = content.get(key)
    if value is not None and not isinstance(value, bool):
        raise Problem(422, f"{key} is true or false")
    return bool(value)


@acting("api", "reason", "expires_in", "only")
async def pin(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let an API lead a route, until it is taken back or `expires_in` (2h, or seconds) is over.

    It is asked first whatever it costs; the others stand in when it fails, unless `only` is true.
    """
    return await acts.pin(
        app, request.who.name, request.parts["route"], text(content, "api", _NAME, least=1),
        _reason(content, must=True), lasting(content, "expires_in"), _flag(content, "only"),
    )  # fmt: skip


@acting("reason")
async def unpin(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let selection choose the lead of a route again."""
    return await acts.unpin(app, request.who.name, request.parts["route"], _reason(content))


@acting("reason")
async def reset_route(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Close the breakers, and end the holds and quarantines, of all APIs of a route."""
    return await acts.reset_route(app, request.who.name, request.parts["route"], _reason(content))


@acting("reason", "expires_in")
async def drain(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Send no new calls to an API; those that run end as they would have. `in_flight` says when it is empty."""
    return await acts.drain(
        app, request.who.name, request.parts["api"], _reason(content, must=True), lasting(content, "expires_in")
    )


@acting("reason")
async def undrain(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let calls go to a drained API again."""
    return await acts.undrain(app, request.who.name, request.parts["api"], _reason(content))


@acting("state", "reason", "expires_in")
async def force(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Hold the breakers of an API: `forced_open` keeps calls away, `forced_closed` lets all through, `observe` too."""
    state = content.get("state")
    if state not in acts.STATES:
        raise Problem(422, f"state is one of {', '.join(acts.STATES)}")
    return await acts.force(
        app, request.who.name, request.parts["api"], state, _reason(content, must=True),
        lasting(content, "expires_in"),
    )  # fmt: skip


@acting("reason")
async def unforce(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let the breakers of an API judge again."""
    return await acts.unforce(app, request.who.name, request.parts["api"], _reason(content))


@acting("reason")
async def reset(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Close the breakers of an API, and end its holds and quarantines."""
    return await acts.reset(app, request.who.name, request.parts["api"], _reason(content))


@acting("reason", "expires_in")
async def pause_checks(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Start no planned health check of an API."""
    return await acts.pause_checks(
        app, request.who.name, request.parts["api"], _reason(content, must=True), lasting(content, "expires_in")
    )


@acting("reason")
async def resume_checks(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Go on with the planned health checks of an API."""
    return await acts.resume_checks(app, request.who.name, request.parts["api"], _reason(content))


@acting()
async def check(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Probe an API now: its health check, or its base URL where it declares none. Answers what it said."""
    return await acts.check(app, request.who.name, request.parts["api"])


@acting("reason")
async def clear(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Begin the statistics of an API anew; history and the counters of /metrics go on."""
    return await acts.clear(app, request.who.name, request.parts["api"], _reason(content))


def _posts(place: str, **handlers: Handler) -> dict[tuple[str, str], Endpoint]:
    return {
        ("POST", f"{place}/{name.replace('_', '-')}"): Endpoint(handler, Permission.ROUTES_WRITE)
        for name, handler in handlers.items()
    }


ROUTES: Table = {
    **_posts("/api/routes/{route}", pin=pin, unpin=unpin, reset=reset_route),
    **_posts(
        "/api/apis/{api}", drain=drain, undrain=undrain, force=force, unforce=unforce, reset=reset,
        pause_checks=pause_checks, resume_checks=resume_checks, check=check, clear=clear,
    ),
}  # fmt: skip
