"""What is promised of each API, and how much of its error budget is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.slo import PAIRS
from understudy.core.matchers import matches, parse_list
from understudy.monitor.rollup import SeriesName
from understudy.reports import TARGET
from understudy.reports.service_level import budget_left

if TYPE_CHECKING:
    from understudy.app import Understudy

#: The span of a budget, s.
BUDGET: Final = 30 * 86400.0
#: The windows of burn rates: an hour, six hours, three days.
WINDOWS: Final = tuple(pair.long for pair in PAIRS)


@dataclass(frozen=True, slots=True)
class Promise:
    """The promised success rate, percent, and the rule it stands in; empty: the promise that reports hold against."""

    objective: float
    rule: str = ""


class Promises:
    """The promises of the burn-rate rules, by API; the strictest counts."""

    def __init__(self, app: Understudy) -> None:
        known = app.alerts.rules.rules() if app.keeping is not None else []
        self._rules = [
            (rule, parse_list(rule.match))
            for rule in known
            if rule.kind == "burn_rate" and rule.subject == "api" and rule.enabled
        ]

    def of(self, labels: Mapping[str, str]) -> Promise:
        """What is promised of the API with these labels."""
        found = [rule for rule, matchers in self._rules if matches(matchers, labels)]
        strictest = max(found, key=lambda rule: rule.objective, default=None)
        return Promise(TARGET) if strictest is None else Promise(strictest.objective, strictest.name)


@dataclass(frozen=True, slots=True)
class Budget:
    """An error budget of 30 days: `left` in percent of it, negative when overdrawn; None without requests.

    `burn` has how fast it is spent, by window in seconds: 1 spends exactly the budget, None: no requests.
    """

    objective: float
    rule: str
    requests: int
    failures: int
    left: float | None
    burn: Mapping[float, float | None]

    def as_dict(self) -> dict[str, Any]:
        """The budget as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "burn": {str(int(window)): rate for window, rate in self.burn.items()}}

    @classmethod
    async def of(cls, app: Understudy, api: str, promise: Promise) -> Budget | None:
        """The budget of one API; None where nothing is kept. Raises StoreUnavailable."""
        if app.keeping is None:
            return None
        now, name = app.clock.time(), SeriesName("api", api)
        month = (await app.keeping.history.series(name, now - BUDGET, now, 1)).whole
        burn: dict[float, float | None] = {}
        for window in WINDOWS:
            whole = (await app.keeping.history.series(name, now - window, now, 1)).whole
            rated = whole.ok + whole.err
            burn[window] = whole.err / rated / (1.0 - promise.objective / 100.0) if rated else None
        left = budget_left(month.ok, month.err, promise.objective)
        return cls(promise.objective, promise.rule, month.ok + month.err, month.err, left, burn)
