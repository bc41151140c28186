"""The values of the alert room: rules, what an evaluation finds, and the state of one alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

import annotated_types as at

from understudy.core.notices import Severity
from understudy.core.options import Doc, Options

#: What may be in an alert's identity; a measured value never is.
LABELS = ("api", "route", "hub", "key", "operation", "environment")
Labels = Mapping[str, str]

Operator = Literal[">", ">=", "<", "<=", "==", "!="]
Subject = Literal["api", "route", "hub", "key", "all"]
NoData = Literal["keep_last", "resolve", "alert", "ok_after"]


@dataclass(frozen=True, slots=True)
class Level(Options):
    """One step of a ladder. A level's own `for_` and `keep_firing_for` replace the rule's."""

    severity: Annotated[Severity, Doc("info, warning or critical")] = Severity.WARNING
    threshold: Annotated[float, Doc("what the metric is compared with, in its own unit")] = 0.0
    for_: Annotated[float | None, at.Ge(0), at.Le(604800), Doc("breach that long before it fires", "s")] = None


@dataclass(frozen=True, slots=True)
class Rule(Options):
    """A condition on one kind of subject, with one level or a ladder of them, the mildest first.

    Immutable per version. Either `metric` with `levels`, or `when`, an expression that is true in a
    breach (then the severity is that of the one level). See `metrics.METRICS` for the metrics.
    """

    name: Annotated[str, at.MinLen(1), at.MaxLen(200), Doc("unique name")] = "rule"
    kind: Annotated[
        Literal["threshold", "expression", "no_traffic", "burn_rate", "event"], Doc("how it is evaluated")
    ] = "threshold"
    subject: Annotated[Subject, Doc("what it is about, one alert for each: api, route, hub, key, all")] = "api"
    metric: Annotated[str, at.MaxLen(100), Doc("what is measured")] = ""
    operator: Annotated[Operator, Doc("how it is compared with the threshold")] = ">"
    levels: Annotated[tuple[Level, ...], at.MaxLen(10), Doc("thresholds with their severities, mildest first")] = ()
    when: Annotated[str, at.MaxLen(4000), Doc("a condition over several metrics; see the documentation")] = ""
    match: Annotated[tuple[str, ...], at.MaxLen(50), Doc('only subjects with these labels: api=~"odds.*"')] = ()
    window: Annotated[float, at.Ge(10), at.Le(2592000), Doc("the metric covers that long", "s")] = 300.0
    for_: Annotated[float, at.Ge(0), at.Le(604800), Doc("breach that long before it fires", "s")] = 0.0
    keep_firing_for: Annotated[float, at.Ge(0), at.Le(604800), Doc("good that long before it resolves", "s")] = 60.0
    count: Annotated[int, at.Ge(1), at.Le(1000), Doc("breaches in a row before it fires", "evaluations")] = 1
    hysteresis: Annotated[
        float | None, at.Ge(0), Doc("how far beyond the threshold counts as good; none: the metric's own default")
    ] = None
    min_samples: Annotated[int, at.Ge(1), at.Le(100000), Doc("fewer are judged with care", "calls")] = 10
    no_data: Annotated[NoData, Doc("when nothing is known while it fires; alert: fires for that, too")] = "keep_last"
    no_data_after: Annotated[float, at.Ge(0), at.Le(604800), Doc("of ok_after: resolved after", "s")] = 3600.0
    objective: Annotated[float, at.Gt(0), at.Lt(100), Doc("burn_rate: the promised success rate", "%")] = 99.9
    min_failures: Annotated[int, at.Ge(0), at.Le(100000), Doc("burn_rate: fewer failures never fire", "calls")] = 10
    event: Annotated[str, at.MaxLen(100), Doc("event: which one, as api_down, hub_down, key_quarantined")] = ""
    description: Annotated[str, at.MaxLen(4000), Doc("what it means, for people")] = ""
    runbook: Annotated[str, at.MaxLen(2000), Doc("URL or words: what to do")] = ""
    labels: Annotated[dict[str, str], Doc("further labels, for policies and silences; not part of the identity")] = (
        field(default_factory=dict)
    )
    cooldown: Annotated[float, at.Ge(0), at.Le(604800), Doc("between two episodes that are told", "s")] = 300.0
    reminder: Annotated[
        float, at.Ge(0), at.Le(604800), Doc("first reminder after; then 2, 4 … times; 0: none", "s")
    ] = 3600.0
    ack_timeout: Annotated[float, at.Ge(0), at.Le(2592000), Doc("an acknowledgement ends after; 0: never", "s")] = 0.0
    escalation: Annotated[str, at.MaxLen(200), Doc("escalation policy; empty: the matching policy's own")] = ""
    escalation_threshold: Annotated[
        int | None, at.Ge(1), at.Le(1000), Doc("unacknowledged notifications before the next step; none: by time")
    ] = None
    enabled: Annotated[bool, Doc("whether it is evaluated")] = True
    version: Annotated[int, at.Ge(1), Doc("grows with each change; set by the store")] = 1


class Finding(StrEnum):
    """What an evaluation came to."""

    BREACH = "breach"
    OK = "ok"
    #: Not in breach any more, but not beyond the hysteresis either.
    DEADBAND = "deadband"
    NO_DATA = "no_data"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one evaluation of a rule found for one label set.

    `level` is the index of the worst level in breach, -1 when none is; `held` that of the worst level
    whose hysteresis has not been left (never below `level`). `value` in the metric's unit; `samples`
    calls were judged; `reason` for people and the trace.
    """

    finding: Finding
    level: int = -1
    held: int = -1
    value: float | None = None
    samples: int = 0
    reason: str = ""


class Phase(StrEnum):
    """Where an alert is."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
