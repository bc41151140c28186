"""An alert that does not fire: what would be told if it did, at some time, and what would keep it from being told.

It goes the way of a real one as far as it can be gone without changing anything: the same notice, the same silences,
muted hours and inhibitions, the same escalation steps. Silences and muted hours are those of that time; which alerts
fire and inhibit others is known of the present only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from understudy.core.notices import Notice, NoticeKind, Severity

from . import records
from .context import Context, Prepared, identity
from .identity import fingerprint
from .state import AlertState
from .suppression import Inhibiting, Kept, from_outside

#: How long an imagined alert has been firing when its end, or a reminder, is imagined, s.
LASTED = 600.0
#: What can be imagined: what a rule by itself leads to.
KINDS = (NoticeKind.FIRED, NoticeKind.ESCALATED, NoticeKind.DOWNGRADED, NoticeKind.REMINDER, NoticeKind.RESOLVED)


@dataclass(frozen=True, slots=True)
class Imagined:
    """The notice, all labels that matchers may ask for, what keeps it back if anything does, and who is told later."""

    notice: Notice
    labels: Mapping[str, str]
    kept: Kept | None
    escalation: str = ""
    #: When, whom and how often: (epoch seconds, channels, repeated each so many seconds).
    steps: tuple[tuple[float, tuple[str, ...], float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "rule": self.notice.rule,
            "kind": self.notice.kind.value,
            "severity": self.notice.severity.value,
            "at": self.notice.at,
            "labels": dict(self.notice.labels),
            "suppressed_by": self.kept.reason if self.kept is not None else "",
            "until": self.kept.until if self.kept is not None and self.kept.until < float("inf") else None,
            "escalation": self.escalation,
            "steps": [{"at": at, "targets": list(who), "repeat": again} for at, who, again in self.steps],
        }


def imagine(
    rule: Prepared, labels: Mapping[str, str], severity: Severity | None, kind: NoticeKind, at: float,
    value: float | None, context: Context, inhibiting: Inhibiting,
) -> Imagined:  # fmt: skip
    """What an alert of the rule would lead to at `at` (epoch seconds). Without `severity`, its worst."""
    own = identity(labels)
    chosen = severity or max(rule.severities, key=lambda each: each.rank)
    level = max((n for n, each in enumerate(rule.severities) if each is chosen), default=0)
    since = at if kind is NoticeKind.FIRED else at - LASTED
    state = AlertState(fingerprint(rule.rule.name, own), rule.rule.name, own, rule.rule.version, severity=chosen)
    state.peak, state.level, state.number, state.started_at = chosen, level, 1, since
    state.value = value if value is not None else rule.threshold(level)
    if kind is NoticeKind.RESOLVED:
        state.resolved_at = at
    notice = records.notice(state, rule, kind, at, reason="", actor="", previous=_previous(rule, kind, level), facts={})
    seen = rule.labels(own, chosen)
    kept = from_outside(state, seen, at, context, inhibiting)
    name = rule.rule.escalation or context.handling(seen).escalation
    policy = context.escalations.get(name)
    steps = [] if policy is None or kind is NoticeKind.RESOLVED else [
        (since + step.after, step.targets, step.repeat) for step in policy.steps
        if step.min_severity.rank <= chosen.rank
    ]  # fmt: skip  # a condition and what it leads to
    # An event that never was has an id that none has.
    return Imagined(replace(notice, event_id=f"imagined-{notice.event_id}"), seen, kept, name, tuple(steps))


def _previous(rule: Prepared, kind: NoticeKind, level: int) -> Severity | None:
    if kind is NoticeKind.ESCALATED:
        return rule.severities[max(0, level - 1)]
    return rule.severities[min(len(rule.severities) - 1, level + 1)] if kind is NoticeKind.DOWNGRADED else None
