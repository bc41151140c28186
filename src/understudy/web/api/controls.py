"""Acts on APIs and routes over JSON: pin, drain, hold a breaker, reset, health checks, statistics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from understudy.resilience.directions import FORCED
from understudy.resilience.healthcheck import ProbeResult
from understudy.web import acts
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Handler, Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice, Flag, Lasting, Text
from understudy.web.schemas import FLAG, TEXT, WHOLE, Lazy, mapping, maybe, obj, view

from .fields import answering
from .shapes import BREAKER, DIRECTION
from .state import MAX_REASON

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest name of an API or route, characters.
_NAME = 200


def acting(act: Callable[[Understudy, Request, Mapping[str, Any]], Awaitable[Any]]) -> Handler:
    """A handler that reads its body, acts, and answers how things stand then."""

    @wraps(act)
    async def handler(app: Understudy, request: Request) -> Answer:
        content = await request.json_object()
        try:
            return Answer(dumped(await act(app, request, content)))
        except ValueError as error:
            raise Problem(422, str(error)) from None

    return answering(handler)


_API: Final = Field("api", Text(_NAME, least=1, name=True), "Which API.", required=True, example="odds_second")
_WHY: Final = Field("reason", Text(MAX_REASON), "Why, for the audit log.", default="", example="planned maintenance")
_MUST_WHY: Final = Field("reason", Text(MAX_REASON, least=1), _WHY.about, required=True, example=_WHY.example)
_EXPIRES: Final = Field("expires_in", Lasting(), "After which time it is taken back by itself.", example="2h")
_ONLY: Final = Field("only", Flag(), "Whether no other API may stand in when it fails.", default=False)
_STATE: Final = Field("state", Choice(tuple(FORCED)), "In which state.", required=True, example="forced_open")


@acting
async def pin(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let an API lead a route, until it is taken back or `expires_in` (2h, or seconds) is over.

    It is asked first whatever it costs; the others stand in when it fails, unless `only` is true.
    """
    return await acts.pin(
        app, request.who.name, request.parts["route"], _API.of(content),
        _MUST_WHY.of(content), _EXPIRES.of(content), _ONLY.of(content),
    )  # fmt: skip


@acting
async def unpin(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let selection choose the lead of a route again."""
    return await acts.unpin(app, request.who.name, request.parts["route"], _WHY.of(content))


@acting
async def reset_route(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Close the breakers, and end the holds and quarantines, of all APIs of a route."""
    return await acts.reset_route(app, request.who.name, request.parts["route"], _WHY.of(content))


@acting
async def drain(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Send no new calls to an API; those that run end as they would have. `in_flight` says when it is empty."""
    return await acts.drain(app, request.who.name, request.parts["api"], _MUST_WHY.of(content), _EXPIRES.of(content))


@acting
async def undrain(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let calls go to a drained API again."""
    return await acts.undrain(app, request.who.name, request.parts["api"], _WHY.of(content))


@acting
async def force(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Hold the breakers of an API: `forced_open` keeps calls away, `forced_closed` lets all through, `observe` too."""
    state = _STATE.of(content)
    return await acts.force(
        app, request.who.name, request.parts["api"], state, _MUST_WHY.of(content),
        _EXPIRES.of(content),
    )  # fmt: skip


@acting
async def unforce(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Let the breakers of an API judge again."""
    return await acts.unforce(app, request.who.name, request.parts["api"], _WHY.of(content))


@acting
async def reset(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Close the breakers of an API, and end its holds and quarantines."""
    return await acts.reset(app, request.who.name, request.parts["api"], _WHY.of(content))


@acting
async def pause_checks(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Start no planned health check of an API."""
    return await acts.pause_checks(
        app, request.who.name, request.parts["api"], _MUST_WHY.of(content), _EXPIRES.of(content)
    )


@acting
async def resume_checks(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Go on with the planned health checks of an API."""
    return await acts.resume_checks(app, request.who.name, request.parts["api"], _WHY.of(content))


@acting
async def check(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Probe an API now: its health check, or its base URL where it declares none. Answers what it said."""
    return await acts.check(app, request.who.name, request.parts["api"])


@acting
async def clear(app: Understudy, request: Request, content: Mapping[str, Any]) -> Any:
    """Begin the statistics of an API anew; history and the counters of /metrics go on."""
    return await acts.clear(app, request.who.name, request.parts["api"], _WHY.of(content))


#: `kept`: it is stored, so that a restart keeps it.
_PINNED: Final = obj(route=TEXT, pin=maybe(DIRECTION), kept=FLAG)
_HELD: Final = obj(
    api=TEXT, state=TEXT, drain=maybe(DIRECTION), checks_paused=maybe(DIRECTION), forced=maybe(DIRECTION),
    held=mapping(BREAKER), in_flight=WHOLE, kept=FLAG,
)  # fmt: skip
_ACTS: Final[Mapping[str, Mapping[str, tuple[Handler, Sequence[Field], Lazy]]]] = {
    "/api/routes/{route}": {
        "pin": (pin, (_API, _MUST_WHY, _EXPIRES, _ONLY), _PINNED), "unpin": (unpin, (_WHY,), _PINNED),
        "reset": (reset_route, (_WHY,), _PINNED),
    },
    "/api/apis/{api}": {
        "drain": (drain, (_MUST_WHY, _EXPIRES), _HELD), "undrain": (undrain, (_WHY,), _HELD),
        "force": (force, (_STATE, _MUST_WHY, _EXPIRES), _HELD), "unforce": (unforce, (_WHY,), _HELD),
        "reset": (reset, (_WHY,), _HELD), "pause-checks": (pause_checks, (_MUST_WHY, _EXPIRES), _HELD),
        "resume-checks": (resume_checks, (_WHY,), _HELD), "check": (check, (), view(ProbeResult)),
        "clear": (clear, (_WHY,), obj(api=TEXT, cleared=FLAG)),
    },
}  # fmt: skip

ROUTES: Table = {
    ("POST", f"{place}/{name}"): endpoint(
        handler, Permission.ROUTES_WRITE, body=body, gives=Gives(answer), problems=(404, 409, 503), tag="Controls"
    )
    for place, acts_there in _ACTS.items()
    for name, (handler, body, answer) in acts_there.items()
}
