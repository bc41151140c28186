"""The rows and notices in which a change of an alert is written down."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from understudy.core.notices import Notice, NoticeKind, Severity

from .context import Prepared
from .identity import event_id
from .metrics import METRICS
from .model import Rule
from .ports import EpisodeRow, EventRow
from .state import AlertState
from .tick import Telling


def notice(
    state: AlertState, rule: Prepared, kind: NoticeKind, now: float, *, reason: str, actor: str,
    previous: Severity | None, facts: Mapping[str, str],
) -> Notice:  # fmt: skip
    """What is to be told, or would have been: it is counted in the state, so that its id is its own."""
    nth = state.counts.get(kind, 0)
    state.counts = {**state.counts, kind.value: nth + 1}
    ended = kind is NoticeKind.RESOLVED or (kind is NoticeKind.FLAPPING_ENDED and not state.firing)
    severity = state.severity
    if ended and (state.owed is not None or state.told):
        # Whoever was told at the worst of it is told of the end.
        severity = max(state.owed or state.told_peak, state.told_peak, key=lambda found: found.rank)
    about = rule.rule
    # Reminders that were kept back are not counted: nobody knows of them.
    which = max(1, state.reminders) if kind is NoticeKind.REMINDER else nth + 1
    until = state.ack.until if kind is NoticeKind.SNOOZED and state.ack is not None else None
    return Notice(
        event_id(state.fingerprint, state.episode, kind, nth), kind, severity, now, about.name,
        content=about.description, rule=about.name, fingerprint=state.fingerprint, episode=state.episode,
        number=state.number, nth=which, labels={**rule.beside, **state.labels}, metric=measured(about),
        operator=about.operator, value=state.value, threshold=rule.threshold(max(0, state.level)),
        window=_window(about), started_at=state.started_at, ended_at=state.resolved_at if ended else until,
        previous=previous, reason=reason, actor=actor,
        runbook=about.runbook, facts={**_condition(state, about), **state.facts, **facts},
    )  # fmt: skip


def measured(rule: Rule) -> str:
    """What the value of a rule's alerts is called; empty where it has no name of its own."""
    return "burn_rate" if rule.kind == "burn_rate" else rule.metric


def _window(rule: Rule) -> float | None:
    """What the value covers, s; None for a number of the present."""
    metric = METRICS.get(rule.metric)
    return rule.window if metric is not None and metric.sampled else None


def _condition(state: AlertState, rule: Rule) -> dict[str, str]:
    """A condition over several metrics, and what they were: no single value says it."""
    return {"condition": rule.when, "values": state.reason} if rule.kind == "expression" else {}


def way(telling: Telling) -> dict[str, Any]:
    """How something is told where it is not simply to whom the policies name, at once; JSON-ready."""
    found = {
        "targets": list(telling.targets), "also": list(telling.also), "group": telling.group,
        "hold_until": telling.hold_until, "pagers_only": telling.pagers_only,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def event(
    state: AlertState, rule: Prepared, about: Notice, suppressed_by: str = "", detail: Mapping[str, Any] = {},
    told: Mapping[str, Any] = {},
) -> EventRow:  # fmt: skip
    """The line of the timeline, with what it came from, what suppressed it, and how it was told."""
    trace: dict[str, Any] = {
        "phase": state.phase.value, "found": state.reason, "value": state.value, "samples": state.samples,
        "level": state.level, "rule_version": rule.rule.version,
    }  # fmt: skip
    if state.active_at < inf:
        trace["breach_since"] = state.active_at
    if suppressed_by:
        trace["suppressed"] = {"by": suppressed_by, **detail}
    if told:
        trace["told"] = dict(told)
    return EventRow(
        about.event_id, state.episode, state.fingerprint, state.rule, about.kind.value, about.at, about.severity.value,
        about.actor, suppressed_by, about.as_dict(), trace,
    )  # fmt: skip


def episode(state: AlertState, rule: Prepared, reason: str) -> EpisodeRow:
    """The episode as it is now; `reason` is why it changed last, kept where that was its end."""
    doc: dict[str, Any] = {"description": rule.rule.description, "facts": dict(state.facts)}
    if state.reopened:
        doc["reopened"] = True
    ended = state.resolved_at < inf
    return EpisodeRow(
        state.episode, state.fingerprint, state.number, state.rule, rule.rule.version, dict(state.labels),
        state.severity.value, state.peak.value, state.started_at, state.resolved_at if ended else None,
        reason if ended else "", state.extreme, doc,
    )  # fmt: skip
