"""From the state of an alert, and its rule, to what people see of it."""

from __future__ import annotations

from math import inf

from .context import Prepared
from .records import measured
from .shown import AlertView
from .state import AlertState


def view(state: AlertState, rule: Prepared | None) -> AlertView:
    """The alert as it stands; of a rule that is gone, what the alert itself remembers."""
    ack = state.ack
    return AlertView(
        fingerprint=state.fingerprint,
        rule=state.rule,
        phase=state.phase.value,
        severity=state.severity.value if state.firing or rule is None else _pending_severity(state, rule),
        labels=dict(state.labels),
        episode=state.episode if state.firing else "",
        number=state.number,
        started_at=_moment(state.started_at) if state.firing else None,
        active_at=_moment(state.active_at),
        value=state.value,
        threshold=rule.threshold(max(0, state.level)) if rule is not None else None,
        metric=measured(rule.rule) if rule is not None else "",
        operator=rule.rule.operator if rule is not None and rule.rule.metric else "",
        reason=state.reason,
        description=rule.rule.description if rule is not None else "",
        runbook=rule.rule.runbook if rule is not None else "",
        told=state.told,
        notified_at=_moment(state.notified_at),
        suppressed_by=state.waiting,
        acknowledged_by=ack.actor if ack is not None and not ack.snooze else "",
        acknowledged_at=ack.at if ack is not None and not ack.snooze else None,
        comment=ack.comment if ack is not None else "",
        snoozed_until=ack.until if ack is not None and ack.snooze else None,
        flapping=state.flapping,
    )


def _pending_severity(state: AlertState, rule: Prepared) -> str:
    """What it would fire with: the worst level that is in breach."""
    breached = [number for number, since in enumerate(state.since) if since < inf]
    place = min(max(breached, default=0), len(rule.severities) - 1)
    return rule.severities[place].value


def _moment(at: float) -> float | None:
    return at if -inf < at < inf else None
