"""The numbers of the present that rules may be about, read from what protects the calls; names as in `alerts.metrics`.

Each function answers None where nothing is known. Times are monotonic; what is told is seconds, shares or counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from understudy.resilience import FallbackManager
from understudy.resilience.breaker_state import BreakerState
from understudy.resilience.keys import Key
from understudy.resilience.quota import Account
from understudy.resilience.registry import Api, Route

from .tally import Tallies

#: `coverage` looks back that far, s.
_COVERED_OVER: Final = 300.0
_HOUR, _DAY = 3600.0, 86_400.0
#: Why the pool of an API has no usable key, where the reason is a spent quota.
_SPENT = frozenset(("quota", "quota_reserve"))
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
        #: Gauges of the whole that other rooms answer, by name.
        self.of_all: dict[str, Callable[[], float | None]] = {
            "network_down": lambda: float(fallback.gates.network_down())
        }

    # -- APIs -------------------------------------------------------------------------------------

    def api(self, metric: str, api: Api) -> float | None:
        """A gauge of an API."""
        match metric:
            case "breaker_open":
                return float(is_down(api))
            case "keys_available":
                return float(sum(self._is_usable(key) for key in api.keys))
            case "standbys":
                return float(self.standbys(api))
            case "coverage":
                covered = [self._coverage(route.name) for route in self._routes(api)]
                return min((each for each in covered if each is not None), default=None)
            case "quota_exhausted":
                return self._exhausted(api)
        return self._quota(metric, list(api.keys))

    def standbys(self, api: Api) -> int:
        """The fewest APIs that could serve a route of this one's in its place now.

        An API without a route counts as covered while its calls bring a fallback operation that may serve.
        """
        routes = self._routes(api)
        if not routes:
            return int(any(binding.breaker.standby for binding in api.bindings.values()))
        return min(len(self._eligible(route) - {api.name}) for route in routes)

    def _routes(self, api: Api) -> list[Route]:
        return [route for route in self._fallback.roster.routes.values() if api in route.apis]

    def _eligible(self, route: Route) -> set[str]:
        ranked = self._fallback.gates.standings(route, self._now())
        return {candidate.api for candidate in ranked if not candidate.gate}

    def _exhausted(self, api: Api) -> float | None:
        reason = api.keys.usable(self._now())
        if not reason or reason in _SPENT:
            known = [api.keys.remaining(key) for key in api.keys]
            return 1.0 if reason else float(all(left == 0 for left in known)) if any_known(known) else None
        return 0.0

    # -- keys -------------------------------------------------------------------------------------

    def key(self, metric: str, api: Api, alias: str) -> float | None:
        """A gauge of one key of an API."""
        key = next((each for each in api.keys if each.alias == alias), None)
        if key is None:
            return None
        if metric == "key_quarantined":
            return float(key.quarantined_until > self._now())
        if metric == "quota_exhausted":
            left = api.keys.remaining(key)
            return None if left is None else float(left == 0)
        return self._quota(metric, [key])

    def _is_usable(self, key: Key) -> bool:
        now = self._now()
        held = max(key.quarantined_until, key.billing_until, key.hold_until) > now
        return not held and not (key.account.buckets and key.account.refusal(now)[0])

    def _quota(self, metric: str, keys: Iterable[Key]) -> float | None:
        now = self._now()
        accounts = {id(key.account): key.account for key in keys if key.quarantined_until <= now}.values()
        known = [(account, left) for account in accounts if (left := account.remaining(now)) is not None]
        if not known:
            return None
        match metric:
            case "quota_remaining":
                return float(sum(left for _, left in known))
            case "quota_remaining_ratio":
                limits = [_limit(account) for account, _ in known]
                whole = sum(limit for limit in limits if limit is not None)
                return None if None in limits or not whole else min(1.0, sum(left for _, left in known) / whole)
            case "quota_exhausted_in":
                return max(self._exhausted_in(account, now) for account, _ in known)
        return None

    def _exhausted_in(self, account: Account, now: float) -> float:
        return min((max(0.0, each.at - self._wall()) for each in account.forecast(now)), default=inf)

    # -- hubs, routes, the whole ------------------------------------------------------------------

    def hub(self, metric: str, name: str) -> float | None:
        """A gauge of a hub."""
        hub = self._fallback.roster.hubs.get(name)
        return float(hub.breaker.state in _DOWN) if hub is not None and metric == "hub_open" else None

    def route(self, metric: str, route: Route) -> float | None:
        """A gauge of a route."""
        if metric == "coverage":
            return self._coverage(route.name)
        eligible = self._eligible(route)
        lead = route.apis[0].name if route.apis else ""
        match metric:
            case "serving":
                return float(len(eligible))
            case "standbys":
                return float(len(eligible - {lead}))
            case "lead_down":
                return float(bool(lead) and lead not in eligible)
        return None

    def _coverage(self, route: str) -> float | None:
        with self._tallies.reading():
            sample = self._tallies.known("route", route, _COVERED_OVER)
        if sample is None or not sample.successes + sample.failures:
            return None
        return 100.0 * sample.successes / (sample.successes + sample.failures)


def is_down(api: Api) -> bool:
    """Whether a breaker of the API is open, or half-open, or would be if it did more than observe."""
    return any(binding.breaker.state in _DOWN or binding.breaker.would_open for binding in api.bindings.values())


def any_known(numbers: Iterable[float | None]) -> bool:
    """Whether any of them is known."""
    return any(each is not None for each in numbers)


def _limit(account: Account) -> float | None:
    """The limit that has least left."""
    told = [bucket for bucket in account.buckets.values() if bucket.observed is not None]
    if not told:
        return None
    return min(told, key=lambda bucket: bucket.observed if bucket.observed is not None else inf).limit
