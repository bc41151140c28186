"""The state machine of one alert: from what an evaluation found to what changed.

    inactive ── breach ──▶ pending ── long enough, often enough ──▶ firing ⇄ recovering ── long enough ──▶ inactive

`step` changes the state that it is given and answers the moves that people may be told of. It knows neither
silences nor people: who is told is `announce`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import NamedTuple

from understudy.core.notices import NoticeKind, Severity

from . import flapping
from .context import Prepared
from .model import Finding, Phase, Verdict
from .state import AlertState

#: So many intervals without an evaluation are missed ones: their time counts for nothing.
MISSED = 3.0
#: After a longer outage, timers begin anew; after a shorter one, a breach is seen afresh for that long at most.
OUTAGE, AFRESH = 3600.0, 600.0
#: Two rounds are at least such a part of their distance apart.
_ROUND = 0.9
#: Epoch seconds are exact to a quarter of a microsecond.
_EXACT = 1e-6


class Move(NamedTuple):
    """A change of the alert that has an event of its own."""

    kind: NoticeKind
    reason: str = ""
    previous: Severity | None = None


def quiet(state: AlertState, rule: Prepared, verdict: Verdict) -> bool:
    """Whether an evaluation changes nothing: it fires as before, and no timer runs."""
    if state.phase is not Phase.FIRING or state.errors or state.gone_since < inf:
        return False
    if min(state.left, default=inf) < inf or min(state.since[state.level + 1 :], default=inf) < inf:
        return False
    if verdict.finding is Finding.NO_DATA:
        return state.blank_since < inf and rule.rule.no_data != "ok_after"
    if verdict.finding is not Finding.BREACH or verdict.level != state.level or state.blank_since < inf:
        return False
    # An edit of the rule may have made the same level a severer or a milder one.
    return rule.severities[state.level] is state.severity


def step(
    state: AlertState, rule: Prepared, verdict: Verdict, facts: Mapping[str, str], now: float, interval: float,
    ids: Callable[[], str], counted_each: float = 0.0,
) -> list[Move]:  # fmt: skip
    """Take one verdict in. One that is not newer than the last one is left out."""
    counted_each = counted_each or interval
    if now <= state.evaluated_at:
        return []
    state.evaluated_at = now
    state.gone_since = inf
    if verdict.finding is Finding.ERROR:
        # Nothing is known of the subject, and nothing changes but the number of errors in a row.
        state.errors += 1
        state.reason = verdict.reason
        return []
    state.errors = 0
    gap = now - state.judged_at if state.judged_at else 0.0
    state.judged_at = now
    if gap > MISSED * interval:
        _stand_still(state, gap)
        state.recovering_since += gap
        gap = 0.0
    if verdict.finding is Finding.NO_DATA:
        return _blank(state, rule, verdict, now, gap, counted_each, ids)
    state.blank_since = inf
    _count(state, verdict, now, counted_each)
    _measure(state, rule, verdict, facts, now)
    return _known(state, rule, verdict.finding, now, ids)


def refresh(state: AlertState, rule: Prepared, verdict: Verdict, facts: Mapping[str, str], now: float) -> None:
    """Take in a verdict of which `quiet` says that it changes nothing: only the value moves."""
    state.evaluated_at = state.judged_at = now
    if verdict.finding is Finding.BREACH:
        _measure(state, rule, verdict, facts, now)


def resolve(state: AlertState, now: float, reason: str = "") -> list[Move]:
    """End the episode, if there is one, and forget what was about to become one."""
    ended = state.firing
    state.phase, state.level, state.active_at = Phase.INACTIVE, -1, inf
    state.since, state.left, state.breaches, state.counted_at = (), (), 0, -inf
    state.recovering_since = state.blank_since = state.gone_since = inf
    state.proven_at = 0.0
    if not ended:
        return []
    state.resolved_at = now
    return [Move(NoticeKind.RESOLVED, reason)]


def restored(state: AlertState, now: float, rule: Prepared | None) -> None:
    """Go on after a time in which nobody evaluated; `now` is the first evaluation's time or just before."""
    outage = max(0.0, now - state.judged_at)
    if state.phase is Phase.PENDING and outage > OUTAGE:
        resolve(state, now)
    elif state.phase is Phase.PENDING and rule is not None:
        state.proven_at = now + min(AFRESH, max(rule.fors))
    elif state.firing:
        _levels_afresh(state, now, rule, known=outage <= OUTAGE)
        if state.phase is Phase.RECOVERING and outage > OUTAGE:
            state.recovering_since = now
    if state.judged_at:
        state.judged_at = max(state.judged_at, now)


def _levels_afresh(state: AlertState, now: float, rule: Prepared | None, *, known: bool) -> None:
    """Let no level be reached on what nobody saw. After a short outage its timer goes on, but its breach must be
    seen afresh, as that of a pending alert; after a long one (not `known`) timers begin anew."""
    fors = rule.fors if rule is not None else ()
    since = list(state.since)
    for level in range(state.level + 1, min(len(since), len(fors))):
        lasted = min(AFRESH, fors[level]) if known else fors[level]
        if since[level] < inf:
            since[level] = max(since[level], now + lasted - fors[level])
    state.since = tuple(since)
    if not known:
        state.left = tuple(max(found, now) for found in state.left)


def shift(state: AlertState, seconds: float) -> None:
    """Move all times by as much as the wall clock was set, so that it neither ends nor prolongs anything.

    Only a snooze stays what it is: somebody said until when.
    """
    for name in _TIMES:
        setattr(state, name, getattr(state, name) + seconds)
    for name in ("since", "left", "flips"):
        setattr(state, name, tuple(found + seconds for found in getattr(state, name)))
    for name in ("evaluated_at", "judged_at", "proven_at", "held_until"):
        if getattr(state, name):
            setattr(state, name, getattr(state, name) + seconds)
    if state.ack is not None and not state.ack.snooze:
        state.ack = replace(state.ack, at=state.ack.at + seconds, until=state.ack.until + seconds)
    # It is looked at, and kept, by the next evaluation.
    state.due_at = state.saved_at = -inf


_TIMES = (
    "active_at", "recovering_since", "blank_since", "gone_since", "started_at", "resolved_at", "notified_at",
    "counted_at", "remind_at", "cooldown_until", "flapping_since", "step_at", "repeat_at",
)  # fmt: skip


def _known(state: AlertState, rule: Prepared, finding: Finding, now: float, ids: Callable[[], str]) -> list[Move]:
    breach = finding is Finding.BREACH
    match state.phase:
        case Phase.INACTIVE | Phase.PENDING:
            if not breach:
                if finding is Finding.OK:
                    state.held_until = 0.0
                return resolve(state, now)
            state.active_at = min(state.active_at, now)
            if now < state.held_until - _EXACT:
                return []
            state.phase = Phase.PENDING
            return _fire(state, rule, now, ids)
        case Phase.FIRING if finding is Finding.OK:
            state.phase, state.recovering_since = Phase.RECOVERING, now
            return _recover(state, rule, now)
        case Phase.FIRING:
            return _change_level(state, rule, now)
    if finding is Finding.OK:
        return _recover(state, rule, now)
    if not breach:
        state.recovering_since = now
        return _change_level(state, rule, now)
    state.phase, state.recovering_since = Phase.FIRING, inf
    flapping.changed(state, now)
    return _change_level(state, rule, now)


def _fire(state: AlertState, rule: Prepared, now: float, ids: Callable[[], str]) -> list[Move]:
    """Begin an episode if a level has been in breach long enough, at the worst one of those."""
    reached = [n for n, since in enumerate(state.since) if now - since >= rule.fors[n] - _EXACT]
    if not reached or state.breaches < rule.count or now < state.proven_at - _EXACT:
        return []
    state.phase, state.level = Phase.FIRING, reached[-1]
    state.severity = state.peak = rule.severities[reached[-1]]
    state.reopened, state.held_until, state.proven_at = state.held_until > 0, 0.0, 0.0
    state.episode, state.number = ids(), state.number + 1
    state.started_at, state.resolved_at, state.extreme = now, inf, state.value
    state.left = (inf,) * len(state.since)
    state.counts, state.noted, state.waiting = {}, (), ""
    state.told, state.told_severity, state.told_peak = False, None, Severity.INFO
    state.unanswered = state.reminders = 0
    state.remind_at, state.ack, state.reached = inf, None, ()
    state.escalation, state.step, state.step_at, state.step_left, state.repeat_at = "", 0, inf, None, inf
    return [Move(NoticeKind.FIRED, "reopened" if state.reopened else state.reason)]


def _change_level(state: AlertState, rule: Prepared, now: float) -> list[Move]:
    """Go up to a level that has been in breach long enough, or down from one that has been left long enough."""
    level = min(state.level, len(rule.fors) - 1)
    up = [n for n in range(level + 1, len(rule.fors)) if now - state.since[n] >= rule.fors[n] - _EXACT]
    if up:
        level = up[-1]
    else:
        while level > 0 and now - state.left[level] >= rule.keep - _EXACT:
            level -= 1
    before = state.severity
    state.level, state.severity = level, rule.severities[level]
    if state.severity.rank == before.rank:
        return []
    if state.severity.rank > before.rank:
        state.peak = max(state.peak, state.severity, key=lambda found: found.rank)
        return [Move(NoticeKind.ESCALATED, state.reason, before)]
    return [Move(NoticeKind.DOWNGRADED, state.reason, before)]


def _recover(state: AlertState, rule: Prepared, now: float, reason: str = "") -> list[Move]:
    return resolve(state, now, reason) if now - state.recovering_since >= rule.keep - _EXACT else []


def _blank(
    state: AlertState, rule: Prepared, verdict: Verdict, now: float, gap: float, counted_each: float,
    ids: Callable[[], str],
) -> list[Move]:  # fmt: skip
    """Nothing is known: what that means is the rule's choice."""
    policy = rule.rule.no_data
    state.blank_since = min(state.blank_since, now)
    blank = now - state.blank_since
    if policy == "alert" and state.phase in (Phase.INACTIVE, Phase.PENDING):
        state.reason = verdict.reason
        taken_for = Verdict(Finding.BREACH, max(0, state.level), max(0, state.level))
        _count(state, taken_for, now, counted_each)
        _measure(state, rule, taken_for, {}, now)
        return _known(state, rule, Finding.BREACH, now, ids)
    match state.phase:
        case Phase.INACTIVE:
            state.blank_since = inf
            return []
        case Phase.PENDING:
            longest = min(rule.rule.window, rule.rule.no_data_after) if policy == "ok_after" else rule.rule.window
            if policy == "resolve" or blank > longest:
                return resolve(state, now)
            _stand_still(state, gap)
            return []
    if policy == "resolve" or (policy == "ok_after" and blank >= rule.rule.no_data_after - _EXACT):
        return resolve(state, now, "no_data")
    _stand_still(state, gap)
    if state.phase is Phase.RECOVERING:
        if policy == "alert":
            state.phase, state.recovering_since = Phase.FIRING, inf
            flapping.changed(state, now)
            return []
        # What was known last was good.
        return _recover(state, rule, now, "no_data")
    return []


def _count(state: AlertState, verdict: Verdict, now: float, each: float) -> None:
    """Count breaches in a row. Looks between two rounds, after something happened, are none of their own."""
    if verdict.finding is Finding.BREACH and now - state.counted_at >= _ROUND * each:
        state.breaches += 1
        state.counted_at = now


def _measure(state: AlertState, rule: Prepared, verdict: Verdict, facts: Mapping[str, str], now: float) -> None:
    """Keep the value, and since when each level is in breach or has been left."""
    count = len(rule.fors)
    since, left = state.since, state.left
    if len(since) != count:
        since = (*since, *(inf,) * count)[:count]
    if len(left) != count:
        left = (*left, *(inf,) * count)[:count]
    level, held = verdict.level, max(verdict.held, verdict.level)
    state.since = tuple(min(found, now) if level >= n else inf for n, found in enumerate(since))
    if state.firing:
        state.left = tuple(inf if held >= n else min(found, now) for n, found in enumerate(left))
    state.value, state.samples, state.reason = verdict.value, verdict.samples, verdict.reason
    if facts:
        state.facts = dict(facts)
    if verdict.value is not None and state.firing:
        worse = max if rule.upwards else min
        state.extreme = verdict.value if state.extreme is None else worse(state.extreme, verdict.value)


def _stand_still(state: AlertState, seconds: float) -> None:
    """Let time pass that counts for nothing, neither for a breach nor for its being over."""
    state.since = tuple(found + seconds for found in state.since)
    state.left = tuple(found + seconds for found in state.left)
