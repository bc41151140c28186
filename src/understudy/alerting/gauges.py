"""The numbers of the present that rules may be about, read from what protects the calls; names as in `alerts.metrics`.

Each function answers None where nothing is known. Times are monotonic; what is told is seconds, shares or counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final, NamedTuple

from understudy.alerts.metrics import EVENTS
from understudy.alerts.model import Labels
from understudy.resilience import FallbackManager
from understudy.resilience.breaker_state import BreakerState
from understudy.resilience.keys import Key, KeyPool
from understudy.resilience.quota import Account
from understudy.resilience.registry import Api, Route

from .tally import Tallies

#: `coverage` looks back that far, s.
_COVERED_OVER: Final = 300.0
_HOUR, _DAY = 3600.0, 86_400.0
#: The event that lasts while a gauge is 1.
_EVENT_OF: Final = {gauge: event for event, (subject, gauge) in EVENTS.items() if subject != "all"}
_DOWN = frozenset((BreakerState.OPEN, BreakerState.HALF_OPEN))


class Gauges:
    """Reads gauges of APIs, keys, hubs and routes. `wall` and `now` are the two clocks of the application."""

    def __init__(
        self, fallback: FallbackManager, tallies: Tallies, now: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._fallback = fallback
        self._tallies = tallies
        self._now = now
        self._wall = wall
        self._serving: dict[str, set[str]] = {}
        #: The routes of each API; None until somebody asks.
        self._routes: dict[str, list[Route]] | None = None
        #: Whether another instance says that an event lasts for these labels.
        self.lasts: Callable[[str, Labels], bool] = _never
        #: Gauges of the whole that other rooms answer, by name.
        self.of_all: dict[str, Callable[[], float | None]] = {
            "network_down": lambda: float(fallback.gates.network_down())
        }

    def forget(self) -> None:
        """A round of evaluation begins, or something has happened: look again at who could serve."""
        self._serving.clear()
        self._routes = None

    def elsewhere(self, metric: str, labels: Labels) -> bool:
        """Whether another instance finds that the gauge of an event is 1 there."""
        event = _EVENT_OF.get(metric)
        return event is not None and self.lasts(event, labels)

    # -- APIs -------------------------------------------------------------------------------------

    def api(self, metric: str, api: Api) -> float | None:
        """A gauge of an API."""
        match metric:
            case "breaker_open":
                return float(is_down(api))
            case "keys_available":
                keys = [key for key in api.keys if key.secret is not None]
                return float(sum(map(self._is_usable, keys))) if keys else None
            case "standbys":
                return float(self.standbys(api))
            case "coverage":
                covered = [self.coverage(route.name) for route in self.routes_of(api)]
                return min((each for each in covered if each is not None), default=None)
            case "keys_gone":
                keys = [key for key in api.keys if key.secret is not None]
                return float(all(map(self._is_refused, keys))) if keys else None
            case "quota_exhausted":
                return self._exhausted(api.keys)
        return self._quota(metric, api.keys)

    def standbys(self, api: Api) -> int:
        """The fewest APIs that could serve a route of this one's in its place now.

        An API without a route counts as covered while its calls bring a fallback operation that may serve.
        """
        routes = self.routes_of(api)
        if not routes:
            if not any(binding.breaker.standby for binding in api.bindings.values()):
                return 0
            standby = self._fallback.roster.standby_of(api)  # there, because calls have been ranked with it
            return int(standby.options.enabled and not is_down(standby) and standby.hold_until <= self._now())
        return min(len(self.eligible(route) - {api.name}) for route in routes)

    def routes_of(self, api: Api) -> list[Route]:
        """The routes that an API is registered for."""
        if self._routes is None:
            # Not looked for by each API: a thousand of them would go through all routes each second.
            self._routes = {}
            for route in self._fallback.roster.routes.values():
                for each in route.apis:
                    self._routes.setdefault(each.name, []).append(route)
        return self._routes.get(api.name, [])

    def eligible(self, route: Route) -> set[str]:
        """The APIs that could serve a route now."""
        known = self._serving.get(route.name)
        if known is None:
            known = self._serving[route.name] = self._fallback.gates.eligible(route, self._now())
        return known

    def _exhausted(self, keys: KeyPool | Sequence[Key]) -> float | None:
        """Whether the plan of every key that is not refused is spent, but for what is kept for critical calls."""
        if not any(key.account.buckets for key in keys):
            return None  # as with most: nothing is known of any plan
        now = self._now()
        accounts = {id(key.account): key.account for key in keys if not self._is_refused(key)}.values()
        spent = [account.spent(now) for account in accounts]
        return float(all(spent)) if any(each is not None for each in spent) else None

    # -- keys -------------------------------------------------------------------------------------

    def key(self, metric: str, api: Api, alias: str) -> float | None:
        """A gauge of one key of an API."""
        key = next((each for each in api.keys if each.alias == alias), None)
        if key is None:
            return None
        if metric == "key_quarantined":
            return float(key.quarantined_until > self._now())
        if metric == "quota_exhausted":
            return self._exhausted([key])
        return self._quota(metric, [key])

    def _is_refused(self, key: Key) -> bool:
        return max(key.quarantined_until, key.billing_until) > self._now()

    def _is_usable(self, key: Key) -> bool:
        now = self._now()
        held = self._is_refused(key) or key.hold_until > now
        return not held and not (key.account.buckets and key.account.refusal(now)[0])

    def _quota(self, metric: str, keys: KeyPool | Sequence[Key]) -> float | None:
        """What is left of the plans of all accounts whose keys are not refused; rates by the minute are no quota."""
        if not any(key.account.buckets for key in keys):
            return None  # likewise
        now = self._now()
        accounts = {id(key.account): key.account for key in keys if not self._is_refused(key)}.values()
        known = [(account, plan) for account in accounts if (plan := _plan(account, now)) is not None]
        if not known:
            return None
        match metric:
            case "quota_remaining":
                return sum(plan.left for _, plan in known)
            case "quota_remaining_ratio":
                whole = sum(plan.limit for _, plan in known if plan.limit is not None)
                if not whole or any(plan.limit is None for _, plan in known):
                    return None
                return min(1.0, sum(plan.left for _, plan in known) / whole)
            case "quota_exhausted_in":
                return max(self._exhausted_in(account, now) for account, _ in known)
        return None

    def _exhausted_in(self, account: Account, now: float) -> float:
        plans = {bucket.object for bucket in account.buckets.values() if bucket.plan}
        forecast = [each.at - self._wall() for each in account.forecast(now) if each.object in plans]
        return max(0.0, min(forecast, default=inf))

    # -- hubs, routes, the whole ------------------------------------------------------------------

    def hub(self, metric: str, name: str) -> float | None:
        """A gauge of a hub."""
        hub = self._fallback.roster.hubs.get(name)
        return float(hub.breaker.state in _DOWN) if hub is not None and metric == "hub_open" else None

    def route(self, metric: str, route: Route) -> float | None:
        """A gauge of a route."""
        if metric == "coverage":
            return self.coverage(route.name)
        eligible = self.eligible(route)
        lead = route.apis[0].name if route.apis else ""
        match metric:
            case "serving":
                return float(len(eligible))
            case "standbys":
                return float(len(eligible - {lead}))
            case "lead_down":
                return float(bool(lead) and lead not in eligible)
        return None

    def coverage(self, route: str) -> float | None:
        """Share of the route's calls in the last five minutes that ended well for the caller, %; None without any."""
        with self._tallies.reading():
            sample = self._tallies.known("route", route, _COVERED_OVER)
        if sample is None or not sample.successes + sample.failures:
            return None
        return 100.0 * sample.successes / (sample.successes + sample.failures)


def _never(_: str, __: Labels) -> bool:
    return False


def is_down(api: Api) -> bool:
    """Whether a breaker of the API is open, or half-open, or would be if it did more than observe."""
    return any(binding.breaker.state in _DOWN or binding.breaker.would_open for binding in api.bindings.values())


class _Plan(NamedTuple):
    """The limit of an account's plan that has least left."""

    left: float
    limit: float | None


def _plan(account: Account, now: float) -> _Plan | None:
    """None where nothing is known of a plan. A configured one is whole until the first call of its window."""
    found: list[_Plan] = []
    for bucket in account.buckets.values():
        bucket.roll(now)
        if not bucket.plan:
            continue
        if bucket.observed is not None:
            found.append(_Plan(max(0.0, bucket.observed - account.in_flight - account.unread), bucket.limit))
        elif bucket.source == "config" and bucket.limit is not None:
            found.append(_Plan(bucket.limit, bucket.limit))
    return min(found, key=lambda plan: plan.left, default=None)
