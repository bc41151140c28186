"""What surrounds the alerts while they are evaluated: rules made ready, silences, timings, policies, options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import annotated_types as at

from understudy.core.notices import Severity
from understudy.core.options import Doc, Options

from .escalation import Escalation
from .identity import question
from .inhibition import Inhibitor, inhibitors
from .model import LABELS, Level, Rule
from .silences import Silences
from .timings import Timing


@dataclass(frozen=True, slots=True)
class EngineOptions(Options):
    """How alerts as a whole behave."""

    flap_changes: Annotated[int, at.Ge(2), at.Le(50), Doc("so many changes within the window are flapping")] = 4
    flap_window: Annotated[float, at.Ge(60), at.Le(86400), Doc("in which changes are counted", "s")] = 3600.0
    flap_quiet: Annotated[float, at.Ge(60), at.Le(86400), Doc("without a change that long, flapping ends", "s")] = (
        1800.0
    )
    resolved_when_quiet: Annotated[
        bool, Doc("the end of what was told is told in silences and muted hours too; pagers always are")
    ] = True
    hold: Annotated[float, at.Ge(0), at.Le(86400), Doc("after resolving by hand, no new episode before", "s")] = 300.0
    # Nothing by default: a warning that waits for company, unasked, is taken for one that was lost.
    group_by: Annotated[
        tuple[str, ...], at.MaxLen(20), Doc("labels of one message, where a policy names none; empty: no grouping")
    ] = ()
    group_wait: Annotated[
        float,
        at.Ge(0),
        at.Le(3600),
        Doc("where alerts are grouped, what is not critical waits for others to be told with", "s"),
    ] = 30.0
    group_interval: Annotated[float, at.Ge(0), at.Le(86400), Doc("between two messages of one group", "s")] = 300.0
    incident_apis: Annotated[
        int, at.Ge(0), at.Le(1000), Doc("so many APIs of one hub failing together are one incident; 0: never")
    ] = 3


#: The rule of what `correlation` finds.
INCIDENT: Final = Rule(
    "hub_incident", kind="event", event="hub_incident", subject="hub",
    levels=(Level(Severity.WARNING), Level(Severity.CRITICAL)),
    description="Several APIs of the hub fail together.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which labels one message has in common, how long it waits for others, and the time between two, s."""

    by: tuple[str, ...]
    wait: float = 30.0
    interval: float = 300.0


class Prepared:
    """A rule, with what the engine asks of it again and again worked out."""

    __slots__ = ("beside", "count", "fors", "keep", "question", "rule", "severities", "static", "upwards")

    def __init__(self, rule: Rule, beside: Mapping[str, str] | None = None) -> None:
        self.rule = rule
        #: Labels that every alert has besides those that tell it from others.
        self.beside = dict(beside or {})
        self.fors = tuple(rule.for_ if level.for_ is None else level.for_ for level in rule.levels) or (rule.for_,)
        self.severities = tuple(level.severity for level in rule.levels) or (Severity.WARNING,)
        self.keep, self.count = rule.keep_firing_for, rule.count
        self.question = question(rule)
        #: A greater value is worse.
        self.upwards = not rule.operator.startswith("<")
        self.static = {
            **rule.labels, "rule": rule.name, "metric": rule.metric, "event": rule.event, "kind": rule.kind,
            "subject": rule.subject, "operator": rule.operator, **self.beside,
        }  # fmt: skip

    def labels(self, own: Mapping[str, str], severity: Severity) -> dict[str, str]:
        """All labels that matchers may ask for: the rule's own, what it is, and the alert's identity."""
        return {**self.static, **own, "severity": severity.value}

    def threshold(self, level: int) -> float | None:
        """The threshold of a level; None of a rule that compares nothing, or other things besides."""
        levels = self.rule.levels
        compares = self.rule.kind in ("threshold", "burn_rate")
        return levels[level].threshold if compares and 0 <= level < len(levels) else None


@dataclass(frozen=True, slots=True)
class Handling:
    """What a notification policy says of the alerts that fall under it; without `grouping`, the options do."""

    escalation: str = ""
    grouping: Grouping | None = None


def unhandled(labels: Mapping[str, str]) -> Handling:
    """No policy says anything."""
    return Handling()


@dataclass(slots=True)
class Context:
    """All that decides over alerts besides the verdicts. Whoever edits it calls `changed` afterwards.

    `ids` makes ULIDs. `interval` is the time between two evaluations, s. `handling` is what the
    notification policy says that alerts with these labels fall under; a rule's own escalation goes before.
    """

    ids: Callable[[], str]
    rules: dict[str, Prepared] = field(default_factory=dict)
    options: EngineOptions = field(default_factory=EngineOptions)
    silences: Silences = field(default_factory=Silences)
    timings: tuple[Timing, ...] = ()
    inhibitors: tuple[Inhibitor, ...] = field(default_factory=lambda: inhibitors({}))
    escalations: Mapping[str, Escalation] = field(default_factory=dict)
    handling: Callable[[Mapping[str, str]], Handling] = unhandled
    interval: float = 1.0
    #: Labels of every alert besides those that tell it from others: the environment.
    beside: Mapping[str, str] = field(default_factory=dict)
    #: Breaches in a row are counted that often, s; 0: with each interval.
    counted_each: float = 0.0
    #: Grows with each change, so that what waits is looked at again.
    version: int = 0

    def set_rules(self, rules: Iterable[Rule]) -> None:
        """These are all the rules from now on; the one about incidents of hubs is there unless one of its name is."""
        known = self.rules
        rules = list(rules)
        if all(rule.name != INCIDENT.name for rule in rules):
            rules.append(INCIDENT)
        self.rules = {
            rule.name: found
            if (found := known.get(rule.name)) is not None and found.rule is rule and found.beside == self.beside
            else Prepared(rule, self.beside)
            for rule in rules
        }
        self.changed()

    def changed(self) -> None:
        """Something is different: what waits may go on."""
        self.version += 1


def identity(labels: Mapping[str, Any]) -> dict[str, str]:
    """Those of the labels that are part of an alert's identity."""
    return {name: labels[name] for name in LABELS if labels.get(name)}
