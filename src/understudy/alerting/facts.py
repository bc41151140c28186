"""What is told beside an alert: why an API is down, who stands in, for how long they can, and what a hub takes along.

Facts are names and numbers, which each channel puts into its language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

from understudy.alerts.model import Labels, Rule
from understudy.resilience import FallbackManager
from understudy.resilience.registry import Api, Route

from .gauges import Gauges

#: Events of which it matters to callers whether somebody stands in.
_COVERED = frozenset(("api_down", "quota_exhausted", "keys_gone"))
#: So many names are listed.
_LISTED = 5
_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (0.0, "s"))


class Facts:
    """Looks facts up in a running application."""

    def __init__(
        self, fallback: FallbackManager, gauges: Gauges, coverage: Callable[[str], float | None],
        rules_failing: Callable[[], Sequence[str]],
    ) -> None:  # fmt: skip
        self._fallback = fallback
        self._gauges = gauges
        self._coverage = coverage
        self._rules_failing = rules_failing

    def __call__(self, rule: Rule, labels: Labels) -> Mapping[str, str]:
        """The facts that go with an alert; empty for most."""
        roster = self._fallback.roster
        if rule.event in _COVERED and (api := roster.apis.get(labels.get("api", ""))) is not None:
            return {**self._cause(api), **self._cover(api)}
        route = roster.routes.get(labels.get("route", ""))
        if rule.subject == "route" and route is not None:
            return self._served(route, "")
        if rule.event == "rule_evaluation_failing":
            return {"rules": _list(self._rules_failing())}
        hub = roster.hubs.get(labels.get("hub", ""))
        if rule.subject == "hub" and hub is not None and hub.apis:
            return {"apis": _list([api.name for api in hub.apis])}
        return {}

    @staticmethod
    def _cause(api: Api) -> dict[str, str]:
        views = [binding.breaker.view() for binding in api.bindings.values() if not binding.breaker.closed]
        causes = dict.fromkeys(view.last_cause for view in views if view.last_cause)
        return {"cause": "; ".join(causes)} if causes else {}

    def _cover(self, api: Api) -> dict[str, str]:
        routes = self._gauges.routes_of(api)
        return self._served(routes[0], api.name) if len(routes) == 1 else {}

    def _served(self, route: Route, without: str) -> dict[str, str]:
        """Who serves a route, how well it goes for the callers, and how long the quota of the first one lasts."""
        serving = [api for api in route.apis if api.name != without and api.name in self._gauges.eligible(route)]
        if not serving:
            return {}
        found = {"standbys": _list([api.name for api in serving])}
        covered = self._coverage(route.name)
        if covered is not None:
            found["covered"] = f"{covered:.1f} %"
        lasts = self._gauges.api("quota_exhausted_in", serving[0])
        if lasts is not None and lasts < inf:
            found["quota_lasts"] = _lasting(lasts)
        return found


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (f" +{len(names) - _LISTED}" if len(names) > _LISTED else "")


def _lasting(seconds: float) -> str:
    length, unit = next(each for each in _UNITS if seconds >= each[0])
    return f"{seconds / (length or 1.0):.0f} {unit}"
