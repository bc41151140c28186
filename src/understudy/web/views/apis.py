"""The APIs in short, for the list: how each does now, what it has left, what it costs; `GET /api/apis`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import UnknownName
from understudy.core.turn import Slices
from understudy.reports.service_level import budget_left
from understudy.resilience.describe import describe_route, state_of
from understudy.resilience.registry import Api

from .kept_sums import Sums, api_sums
from .promises import BUDGET, Promises
from .status import STATES

if TYPE_CHECKING:
    from understudy.app import Understudy

#: "Now" means the last five minutes, s.
NOW: Final = "5m"
_DAY: Final = 86400.0
#: By what a list can be sorted; most are numbers, and what is not known comes last.
SORTS: Final = (
    "name", "state", "hub", "tags", "success_rate", "p50", "p95", "p99", "per_second", "budget_left", "quota_left",
    "cost", "last_error_at",
)  # fmt: skip
_WORST: Final = {state: place for place, state in enumerate(STATES)}


@dataclass(frozen=True, slots=True)
class ApiLine:
    """One API in short. Rates are percent over five minutes, durations seconds.

    `per_second` is that of the last minute, `cost` that of the last 24 hours.

    `lead` names the routes that it leads now, `standby` those in which it could take over, `closed` those
    where it may not serve. `budget_left` is percent of the error budget of 30 days against `objective`;
    `quota_left` the share that is left of the scarcest limit, percent.
    """

    name: str
    state: str
    hub: str
    tags: tuple[str, ...]
    lead: tuple[str, ...]
    standby: tuple[str, ...]
    closed: tuple[str, ...]
    success_rate: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    per_second: float
    in_flight: int
    objective: float
    budget_left: float | None
    quota_remaining: int | None
    quota_limit: int | None
    cost: float | None
    price: float
    last_error: str
    last_error_at: float | None

    @property
    def quota_left(self) -> float | None:
        """The share that is left, percent; None where no limit is known."""
        if self.quota_remaining is None or not self.quota_limit:
            return None
        return 100.0 * self.quota_remaining / self.quota_limit

    def as_dict(self) -> dict[str, Any]:
        """The line as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        lists = {name: list(value) for name, value in values.items() if isinstance(value, tuple)}
        return {**values, **lists, "quota_left": self.quota_left}


@dataclass(frozen=True, slots=True)
class ApisView:
    """All APIs, or those that were asked for, and how many there are of each state."""

    apis: tuple[ApiLine, ...]
    counts: Mapping[str, int]
    total: int

    @classmethod
    async def of(
        cls,
        app: Understudy,
        *,
        q: str = "",
        states: Iterable[str] = (),
        hub: str = "",
        sort: str = "",
        down: bool = False,
    ) -> ApisView:
        """The APIs whose name, hub, tag or route holds `q`, in one of `states`, of one hub.

        In `q`, `tag:eu` asks for a tag. The worst come first by default.
        """
        lines = await _lines(app)
        wanted, asked = _read(q)
        some, every = frozenset(states), frozenset(map(str.casefold, asked))
        found = [line for line in lines if not some or line.state in some]
        found = [line for line in found if (not wanted or _holds(line, wanted)) and (not hub or line.hub == hub)]
        found = [line for line in found if every <= {tag.casefold() for tag in line.tags}]
        found.sort(key=lambda line: line.name)
        if sort:
            _sort(found, sort, down)
        else:
            found.sort(key=lambda line: _WORST[line.state])
        counted = Counter(line.state for line in lines)
        return cls(tuple(found), {state: counted[state] for state in STATES}, len(lines))

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {"counts": dict(self.counts), "total": self.total, "apis": [each.as_dict() for each in self.apis]}


class Lines:
    """Makes lines: what all of them need is gathered once."""

    def __init__(self, app: Understudy, month: Sums | None = None, day: Sums | None = None) -> None:
        self._app = app
        self._now = app.clock.monotonic()
        self._month, self._day = month, day
        self._promises = Promises(app)
        self._roles: dict[str, dict[str, list[str]]] = {}
        roster, gates = app.fallback.roster, app.fallback.gates
        for name, route in roster.routes.items():
            told = describe_route(route, roster, gates, self._now)
            if told["lead"]:
                self._role(told["lead"], "lead", name)
            for each in told["standbys"]:
                self._role(each["api"], "closed" if each["gate"] else "standby", name)

    def _role(self, api: str, role: str, route: str) -> None:
        self._roles.setdefault(api, {}).setdefault(role, []).append(route)

    def of(self, api: Api) -> ApiLine:
        """The line of one API."""
        app, name = self._app, api.name
        seen = app.monitor.snapshot(name, NOW)
        error = app.monitor.last_error(name)
        roles = self._roles.get(name, {})
        promise = self._promises.of({"api": name, "hub": api.hub.name})
        known = [each for each in api.keys.quotas() if each["remaining"] is not None and each["limit"]]
        scarce = min(
            known, key=lambda each: each["remaining"] / each["limit"], default={"remaining": None, "limit": None}
        )
        return ApiLine(
            name=name, state=state_of(api, self._now), hub=api.hub.name, tags=api.options.tags,
            lead=tuple(roles.get("lead", ())),
            standby=tuple(roles.get("standby", ())), closed=tuple(roles.get("closed", ())),
            success_rate=seen.success_rate, p50=seen.p50, p95=seen.p95, p99=seen.p99,
            per_second=app.monitor.snapshot(name, "1m").requests_per_minute / 60.0, in_flight=api.in_flight,
            objective=promise.objective,
            budget_left=self._budget(name, promise.objective), quota_remaining=scarce["remaining"],
            quota_limit=None if scarce["limit"] is None else int(scarce["limit"]), cost=self._cost(name),
            price=api.options.price, last_error="" if error is None else error.message or error.outcome,
            last_error_at=None if error is None else error.at,
        )  # fmt: skip

    def _budget(self, name: str, objective: float) -> float | None:
        if self._month is None or name not in self._month:
            return None
        return budget_left(self._month[name]["ok"], self._month[name]["err"], objective)

    def _cost(self, name: str) -> float | None:
        """What the last day cost; None where that is not known."""
        if self._day is None:
            return None
        return float(self._day[name]["cost"]) if name in self._day else 0.0


async def _lines(app: Understudy) -> list[ApiLine]:
    """All lines, with turns of the event loop in between."""
    making = Lines(app, await api_sums(app, BUDGET), await api_sums(app, _DAY))
    slices = Slices(app.clock.monotonic, 0.003)
    found = []
    for api in tuple(app.fallback.roster.apis.values()):
        found.append(making.of(api))
        await slices.breath()
    return found


async def line_of(app: Understudy, name: str) -> ApiLine:
    """The line of one API. Raises UnknownName."""
    return Lines(app, await api_sums(app, BUDGET), await api_sums(app, _DAY)).of(registered(app, name))


def registered(app: Understudy, name: str) -> Api:
    """A registered API; raises UnknownName for any other name."""
    found = app.fallback.roster.apis.get(name)
    if found is None:
        raise UnknownName("API", name)
    return found


def _read(q: str) -> tuple[str, list[str]]:
    """What is looked for in names, and the tags that are asked for as `tag:eu`."""
    words = q.split(" ")
    tags = [word[4:] for word in words if word.startswith("tag:") and len(word) > 4]
    rest = [word for word in words if not word.startswith("tag:") or len(word) <= 4]
    return " ".join(rest).strip().casefold() if tags else q.casefold(), tags


def _holds(line: ApiLine, wanted: str) -> bool:
    names = (line.name, line.hub, *line.tags, *line.lead, *line.standby, *line.closed)
    return any(wanted in each.casefold() for each in names)


def _sort(lines: list[ApiLine], by: str, down: bool) -> None:
    """Sort by a field; what is not known comes last, whichever way."""
    if by == "state":
        lines.sort(key=lambda line: _WORST[line.state], reverse=down)
        return
    lines.sort(key=lambda line: _value(line, by), reverse=down)
    lines.sort(key=lambda line: getattr(line, by) in (None, ()))


def _value(line: ApiLine, by: str) -> Any:
    value = getattr(line, by)
    if isinstance(value, tuple):
        return tuple(map(str.casefold, value))
    return value.casefold() if isinstance(value, str) else 0.0 if value is None else value
