"""The metrics that rules may be about, with all that judging one needs to know.

Most are read from a `Sample`, so they cover the rule's window: the rates `success_rate` and `error_rate`
(percent of successes and failures, neutral attempts left out), `response_time` (mean of successes) and
its quantiles, `requests_per_minute`, and the counts `total_requests`, `successes`, `failures`, `neutral`.

The others are gauges, numbers of the present, which `MetricSource.gauge` answers under these names (None
where it does not know):

=========================  ============================  ==========================================================
name                       of                            meaning
=========================  ============================  ==========================================================
`quota_remaining`          api, key                      calls left until the reset, over all usable keys
`quota_remaining_ratio`    api, key                      the same as a share of the limit, 0–1
`quota_exhausted_in`       api, key                      s until the quota is spent at the present rate; infinite
                                                         when the reset comes first
`quota_exhausted`          api, key                      1 while nothing is left, else 0
`keys_available`           api                           keys that can be used now; None where it has none
`keys_gone`                api                           1 while it has keys and none can be used, else 0
`key_quarantined`          key                           1 while the key is refused by its API, else 0
`breaker_open`             api                           1 while the breaker is open, half-open included, else 0
`hub_open`                 hub                           1 while the hub as a whole is taken for down, else 0
`standbys`                 api, route                    of an API: the fewest APIs that could serve a route of its
                                                         in its place, 0 without a route; of a route: APIs that
                                                         could serve it besides its lead
`serving`                  route                         APIs that could serve the route now, its lead included
`lead_down`                route                         1 while the lead cannot serve, else 0
`coverage`                 api, route                    % of the route's calls in the last 5 min that ended well
                                                         for the caller, whichever API served them; of an API: the
                                                         lowest of its routes
`cost_per_hour`            api, route, hub, all          money spent in the last hour
`cost_per_day`             api, route, hub, all          money spent in the last 24 hours
`network_down`             all                           1 while our own network reaches nobody, else 0
`dead_letters`             all                           deliveries that were given up and wait for a person
`oldest_critical`          all                           s that the oldest undelivered critical delivery waits; 0: none
`rules_failing`            all                           rules whose last three evaluations failed
`evaluation_lag`           all                           s that the evaluation of rules is late
=========================  ============================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from .model import Subject
from .ports import Sample

Kind = Literal["ratio", "latency", "rate", "count", "gauge"]

#: What `no_traffic` and `event` rules are about is said by their kind; they take no metric but these.
EVERYWHERE: Final[tuple[Subject, ...]] = ("api", "route", "hub", "key", "all")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    `kind` decides how much evidence it wants: a `ratio` and a `latency` are judged with care where calls
    are few, the others are compared as they are. Values and thresholds lie in [`lowest`, `highest`].
    `better` says which way is good. `points` and `share` are its default hysteresis: so much in its own
    unit, or such a part of the threshold. `read` takes it from a window's sample; a gauge has none.
    `quantile` is the one it is, of latencies.
    """

    name: str
    kind: Kind
    unit: str
    better: Literal["higher", "lower", "neither"]
    words: str
    lowest: float = 0.0
    highest: float = inf
    points: float = 0.0
    share: float = 0.0
    read: Callable[[Sample], float | None] | None = None
    quantile: float | None = None
    subjects: tuple[Subject, ...] = EVERYWHERE

    @property
    def sampled(self) -> bool:
        """Whether it covers a window; the others are numbers of the present."""
        return self.read is not None

    def hysteresis(self, threshold: float, wanted: float | None = None) -> float:
        """How far beyond `threshold` is good enough to have left it, in the metric's unit.

        The default is at most half of the way to the best value that there is: success beyond 99 %
        cannot be asked to reach 101 %.
        """
        if wanted is not None:
            return wanted
        room = {"higher": self.highest - threshold, "lower": threshold - self.lowest}.get(self.better, inf)
        return max(0.0, min(max(self.points, self.share * abs(threshold)), room / 2))


def _success_rate(sample: Sample) -> float | None:
    judged = sample.successes + sample.failures
    return 100.0 * sample.successes / judged if judged else None


def _error_rate(sample: Sample) -> float | None:
    judged = sample.successes + sample.failures
    return 100.0 * sample.failures / judged if judged else None


def _mean(sample: Sample) -> float | None:
    return sample.seconds / sample.successes if sample.successes else None


def _per_minute(sample: Sample) -> float | None:
    # The first minute of a subject's life counts as a whole one, or one call at its start would be a flood.
    return sample.total * 60.0 / max(min(sample.window, 60.0), sample.covered)


def _quantile(share: float) -> Callable[[Sample], float | None]:
    def read(sample: Sample) -> float | None:
        return sample.quantile(share)

    return read


def _latency(name: str, words: str, read: Callable[[Sample], float | None], quantile: float | None = None) -> Metric:
    return Metric(name, "latency", "s", "lower", words, share=0.1, read=read, quantile=quantile)


def _count(name: str, words: str, read: Callable[[Sample], float | None]) -> Metric:
    better: Literal["lower", "neither"] = "lower" if name == "failures" else "neither"
    return Metric(name, "count", "calls", better, words, read=read)


def _gauge(
    name: str,
    unit: str,
    better: Literal["higher", "lower", "neither"],
    words: str,
    *subjects: Subject,
    highest: float = inf,
    points: float = 0.0,
    share: float = 0.0,
) -> Metric:
    where = subjects or EVERYWHERE
    return Metric(name, "gauge", unit, better, words, highest=highest, points=points, share=share, subjects=where)


_ALL: Final = (
    Metric(
        "success_rate", "ratio", "%", "higher", "share of attempts that succeeded",
        highest=100.0, points=2.0, read=_success_rate,
    ),
    Metric(
        "error_rate", "ratio", "%", "lower", "share of attempts that failed",
        highest=100.0, points=2.0, read=_error_rate,
    ),
    _latency("response_time", "mean duration of successful attempts", _mean),
    _latency("response_time_p50", "half of the successful attempts take no longer", _quantile(0.5), 0.5),
    _latency("response_time_p95", "95 % of the successful attempts take no longer", _quantile(0.95), 0.95),
    _latency("response_time_p99", "99 % of the successful attempts take no longer", _quantile(0.99), 0.99),
    Metric("requests_per_minute", "rate", "/min", "neither", "attempts per minute", share=0.1, read=_per_minute),
    _count("total_requests", "attempts", lambda sample: float(sample.total)),
    _count("successes", "attempts that succeeded", lambda sample: float(sample.successes)),
    _count("failures", "attempts that failed", lambda sample: float(sample.failures)),
    _count("neutral", "attempts that say nothing about the API", lambda sample: float(sample.neutral)),
    _gauge("quota_remaining", "calls", "higher", "calls left until the quota's reset", "api", "key"),
    _gauge(
        "quota_remaining_ratio", "ratio", "higher", "share of the quota that is left", "api", "key",
        highest=1.0, points=0.02,
    ),
    _gauge(
        "quota_exhausted_in", "s", "higher", "until the quota is spent at the present rate", "api", "key", share=0.1
    ),
    _gauge("quota_exhausted", "", "lower", "1 while the quota is spent", "api", "key", highest=1.0),
    _gauge("keys_available", "keys", "higher", "keys that can be used now", "api"),
    _gauge("keys_gone", "", "lower", "1 while no key can be used", "api", highest=1.0),
    _gauge("key_quarantined", "", "lower", "1 while the API refuses the key", "key", highest=1.0),
    _gauge("breaker_open", "", "lower", "1 while the breaker is open", "api", highest=1.0),
    _gauge("hub_open", "", "lower", "1 while the hub as a whole is down", "hub", highest=1.0),
    _gauge("standbys", "APIs", "higher", "APIs that could stand in now", "api", "route"),
    _gauge("serving", "APIs", "higher", "APIs that could serve the route now", "route"),
    _gauge("lead_down", "", "lower", "1 while the route's lead cannot serve", "route", highest=1.0),
    _gauge("coverage", "%", "higher", "share of calls that ended well for the caller", "api", "route",
           highest=100.0, points=2.0),
    _gauge("cost_per_hour", "", "lower", "money spent in the last hour", "api", "route", "hub", "all", share=0.1),
    _gauge("cost_per_day", "", "lower", "money spent in the last 24 hours", "api", "route", "hub", "all", share=0.1),
    _gauge("network_down", "", "lower", "1 while our own network reaches nobody", "all", highest=1.0),
    _gauge("dead_letters", "deliveries", "lower", "deliveries that were given up", "all"),
    _gauge("oldest_critical", "s", "lower", "the oldest undelivered critical delivery waits", "all"),
    _gauge("rules_failing", "rules", "lower", "rules that cannot be evaluated", "all"),
    _gauge("evaluation_lag", "s", "lower", "the evaluation of rules is late", "all"),
)  # fmt: skip

#: Every metric by its name.
METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}

#: What `event` rules may be about: the event's name, its subject, and the gauge that is 1 while it lasts.
#: A restart, or a signal that got lost, is made good by the gauge.
EVENTS: Final[dict[str, tuple[Subject, str]]] = {
    "api_down": ("api", "breaker_open"),
    "hub_down": ("hub", "hub_open"),
    "key_quarantined": ("key", "key_quarantined"),
    "keys_gone": ("api", "keys_gone"),
    "quota_exhausted": ("api", "quota_exhausted"),
    "lead_down": ("route", "lead_down"),
    "network_down": ("all", "network_down"),
    "rule_evaluation_failing": ("all", "rules_failing"),
    "dead_letters": ("all", "dead_letters"),
}
#: Events that the engine itself makes of alerts, with their subjects; nobody signals them, and no gauge tells them.
DERIVED: Final[dict[str, Subject]] = {"hub_incident": "hub"}
