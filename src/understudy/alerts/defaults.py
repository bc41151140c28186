"""The rules that are there without being asked for. A rule of the same name, from a file or by hand, takes their place.

Three ladders stand for the original document's six alerts, each with its two levels. Success rate and
error rate are complements, so the error ladder is silent while the success ladder of the same API speaks; both
are silent while the API is known to be down (`inhibition` holds these pairs). The other rules fire at once on
what Understudy knows from serving calls, and some of them watch Understudy itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import annotated_types as at

from understudy.core.notices import Severity
from understudy.core.options import Doc, Options

from .context import INCIDENT
from .model import Level, Rule

#: Second thresholds of the ladders: success rate (%), response time (s), error rate (%).
CRITICAL: Final = (60.0, 5.0, 40.0)
#: A warning as long as another API can stand in, critical as soon as none can: only then do callers notice.
_UNCOVERED: Final = (Level(Severity.WARNING, 1_000_000.0), Level(Severity.CRITICAL, 1.0))


@dataclass(frozen=True, slots=True)
class AlertThresholds(Options):
    """The first thresholds of the ladders, from the original document's `ALERT_*` variables."""

    success_rate: Annotated[float, at.Ge(0), at.Le(100), Doc("lowest good success rate", "%")] = 80.0
    response_time: Annotated[float, at.Gt(0), at.Le(3600), Doc("highest good response time", "s")] = 2.0
    error_rate: Annotated[float, at.Ge(0), at.Le(100), Doc("highest good error rate", "%")] = 20.0


def default_rules(thresholds: AlertThresholds = AlertThresholds()) -> tuple[Rule, ...]:
    """The rules that are in force where nobody says otherwise."""
    return (*_ladders(thresholds), *_events(), *_quotas(), *_ourselves())


def _ladders(first: AlertThresholds) -> tuple[Rule, ...]:
    return (
        Rule(
            "success_rate", metric="success_rate", operator="<",
            levels=_two(first.success_rate, second_below(first.success_rate, CRITICAL[0])),
            description="Too few attempts succeed.",
        ),
        Rule(
            "response_time", metric="response_time", operator=">",
            levels=_two(first.response_time, second_slower(first.response_time, CRITICAL[1])),
            description="Answers take too long.",
        ),
        Rule(
            "error_rate", metric="error_rate", operator=">",
            levels=_two(first.error_rate, second_above(first.error_rate, CRITICAL[2])),
            description="Too many attempts fail.",
        ),
    )  # fmt: skip


def second_below(first: float, second: float) -> float | None:
    """The critical threshold below a warning at `first`: `second`, or half of `first` where that crosses it."""
    if second < first:
        return second
    return first / 2 if first > 0 else None


def second_above(first: float, second: float) -> float | None:
    """The critical threshold above a warning at `first` %: `second`, or half of the way to 100 beyond it."""
    if second > first:
        return second
    return (first + 100.0) / 2 if first < 100 else None


def second_slower(first: float, second: float) -> float:
    """The critical duration beyond a warning at `first` s: `second`, or two and a half times as long beyond it."""
    return second if second > first else 2.5 * first


def _two(first: float, second: float | None) -> tuple[Level, ...]:
    warning = Level(Severity.WARNING, first)
    return (warning,) if second is None else (warning, Level(Severity.CRITICAL, second))


def _events() -> tuple[Rule, ...]:
    """Without a cooldown: `keep_firing_for` makes one episode of what comes and goes, and a new outage is news."""
    warning, critical = Level(Severity.WARNING), Level(Severity.CRITICAL)
    return (
        Rule(
            "api_down", kind="event", event="api_down", metric="standbys", operator="<",
            levels=_UNCOVERED, cooldown=0.0,
            description="The circuit breaker of the API is open: calls are not sent to it.",
        ),
        Rule(
            "hub_down", kind="event", event="hub_down", subject="hub", levels=(critical,), cooldown=0.0,
            description="The hub as a whole fails: every API behind it does.",
        ),
        INCIDENT,
        Rule(
            "key_quarantined", kind="event", event="key_quarantined", subject="key", levels=(warning,), cooldown=0.0,
            description="The API refuses the key.",
            runbook="Look at the key in the provider's own pages; renew it, then reset the API.",
        ),
        Rule(
            "quota_exhausted", kind="event", event="quota_exhausted", metric="standbys", operator="<",
            levels=_UNCOVERED, cooldown=0.0,
            description="The quota of every usable key is spent until its reset.",
        ),
        Rule(
            "keys_gone", kind="event", event="keys_gone", metric="standbys", operator="<", levels=_UNCOVERED,
            cooldown=0.0,
            description="No key of the API can be used now.",
        ),
        # These two say about routes what the others say about APIs; a second alert for one problem is not wanted
        # unless somebody turns it on.
        Rule(
            "lead_down", kind="expression", subject="route", when="lead_down == 1 and serving >= 1", enabled=False,
            levels=(Level(Severity.INFO),), description="The lead of the route is down; a standby serves in its place.",
        ),
        Rule(
            "route_down", kind="expression", subject="route", when="serving == 0", enabled=False, levels=(critical,),
            description="No API can serve the route.",
        ),
    )  # fmt: skip


def _quotas() -> tuple[Rule, ...]:
    return (
        Rule(
            "quota_forecast", metric="quota_exhausted_in", operator="<", levels=(Level(Severity.WARNING, 86400.0),),
            for_=300.0, keep_firing_for=600.0, cooldown=3600.0, reminder=86400.0,
            description="At the present rate the quota is spent before its reset.",
        ),
    )  # fmt: skip


def _ourselves() -> tuple[Rule, ...]:
    critical = Level(Severity.CRITICAL)
    return (
        Rule(
            "network_down", kind="event", event="network_down", subject="all", levels=(critical,),
            description="Our own network reaches nobody, so nothing is known about the APIs.",
        ),
        Rule(
            "rule_evaluation_failing", kind="event", event="rule_evaluation_failing", subject="all",
            levels=(Level(Severity.WARNING),), description="A rule cannot be evaluated.",
        ),
        Rule(
            "dead_letters", kind="event", event="dead_letters", subject="all", levels=(Level(Severity.WARNING),),
            description="Deliveries were given up.",
            runbook="Look at them, mend the channel, and send them again or discard them.",
        ),
        Rule(
            "critical_undelivered", metric="oldest_critical", subject="all", operator=">",
            levels=(Level(Severity.CRITICAL, 120.0),), description="A critical alert could not be delivered yet.",
        ),
        Rule(
            "evaluation_late", metric="evaluation_lag", subject="all", operator=">", for_=60.0,
            levels=(Level(Severity.WARNING, 5.0),), description="The evaluation of rules is late.",
        ),
    )  # fmt: skip
