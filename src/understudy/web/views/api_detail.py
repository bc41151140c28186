"""One API as it stands: state and why, its place in routes, who is to blame, its budget; `GET /api/apis/{api}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from understudy.alerts.shown import AlertView
from understudy.core.errors import StoreUnavailable
from understudy.resilience.describe import describe_api, describe_route
from understudy.resilience.registry import Api

from .apis import ApiLine, line_of, registered
from .promises import Budget, Promises
from .told import AlertsView
from .verdict import Verdict

if TYPE_CHECKING:
    from understudy.app import Understudy


@dataclass(frozen=True, slots=True)
class Role:
    """What an API is in one route: `lead`, `standby` or `closed`; `gate` and `detail` say why it may not serve.

    `place` counts from 1 among `of` candidates in the order in which they would be asked.
    """

    route: str
    role: str
    place: int
    of: int
    mode: str
    gate: str
    detail: str
    lead: str

    def as_dict(self) -> dict[str, Any]:
        """The role as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class ApiDetail:
    """One API. `since_at` is when its breaker last changed, epoch seconds; `why` the cause of its state, a code.

    `why` is one of disabled, drained, forced_open, forced_closed, observe, hub, open, half_open, hold, keys,
    failures, unused, or empty when it is well; `because` says more of it, in the words of whatever caused it.
    """

    line: ApiLine
    since_at: float | None
    why: str
    because: str
    actor: str
    roles: tuple[Role, ...]
    verdict: Verdict
    budget: Budget | None
    alerts: tuple[AlertView, ...]
    #: The state of every mechanism, as `GET /api/fallback` has it.
    standing: Mapping[str, Any]
    health_check: Mapping[str, Any] | None

    @property
    def breaker(self) -> Mapping[str, Any] | None:
        """The breaker that matters most: one that is not closed, else the first."""
        return _worst(self.standing)

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            **self.line.as_dict(),
            "since_at": self.since_at,
            "why": self.why,
            "because": self.because,
            "actor": self.actor,
            "roles": [each.as_dict() for each in self.roles],
            "verdict": self.verdict.as_dict(),
            "budget": None if self.budget is None else self.budget.as_dict(),
            "alerts": [each.as_dict() for each in self.alerts],
            "standing": dict(self.standing),
            "health_check": None if self.health_check is None else dict(self.health_check),
        }

    @classmethod
    async def of(cls, app: Understudy, name: str) -> ApiDetail:
        """The API as it stands. Raises UnknownName."""
        api = registered(app, name)
        line = await line_of(app, name)
        standing = describe_api(api, app.clock.monotonic())
        why, because, actor = _cause(api, line, standing)
        worst = _worst(standing)
        try:
            promise = Promises(app).of({"api": name, "hub": api.hub.name})
            budget = await Budget.of(app, name, promise)
        except StoreUnavailable:
            budget = None
        alerts = AlertsView.of(app, labels={"api": name}).alerts if app.keeping is not None else ()
        return cls(
            line=line, since_at=None if worst is None else worst["since_at"], why=why, because=because, actor=actor,
            roles=_roles(app, api), verdict=Verdict.of(app, name), budget=budget, alerts=alerts, standing=standing,
            health_check=app.health_checks().get(name),
        )  # fmt: skip


def _worst(standing: Mapping[str, Any]) -> Mapping[str, Any] | None:
    views: list[Mapping[str, Any]] = list(standing["breaker"].values())
    return next((each for each in views if each["state"] != "closed"), views[0] if views else None)


def _cause(api: Api, line: ApiLine, standing: Mapping[str, Any]) -> tuple[str, str, str]:
    """Why it is in its state, what more there is to say, and who did it; the order is that of `state_of`."""
    worst = _worst(standing)
    state = worst["state"] if worst is not None else "closed"
    if not api.options.enabled:
        return "disabled", "", ""
    if standing["drain"] is not None:
        return "drained", standing["drain"]["reason"], standing["drain"]["actor"]
    if worst is not None and state in ("forced_open", "forced_closed", "observe"):
        return state, worst["reason"], worst["actor"]
    if api.hub.breaker.blocked():
        return "hub", api.hub.breaker.view().last_cause, ""
    if worst is not None and state in ("open", "half_open"):
        return state, worst["last_cause"], ""
    if standing["hold"] is not None:
        return "hold", standing["hold_reason"], ""
    resting = [each for each in standing["keys"] if each["state"] != "usable"]
    if line.state == "down" and resting:
        return "keys", resting[0]["reason"] or resting[0]["state"], ""
    if line.state == "degraded":
        return "failures", line.last_error, ""
    return ("unused", "", "") if line.state == "unknown" else ("", "", "")


def _roles(app: Understudy, api: Api) -> tuple[Role, ...]:
    roster, gates, now = app.fallback.roster, app.fallback.gates, app.clock.monotonic()
    found = []
    for name, route in roster.routes.items():
        if api not in route.apis:
            continue
        told = describe_route(route, roster, gates, now)
        lead = told["lead"] or ""
        standing = {each["api"]: each for each in told["standbys"]}
        order = [*([lead] if lead else []), *standing]
        mine = standing.get(api.name, {"gate": "", "detail": ""})
        role = "lead" if lead == api.name else "closed" if mine["gate"] else "standby"
        place = order.index(api.name) + 1 if api.name in order else len(order)
        found.append(Role(name, role, place, len(order), told["mode"], mine["gate"], mine["detail"], lead))
    return tuple(found)
