"""From what changed to who is told: events, notices, and what is kept from people for the time being.

Each change has exactly one event. It is told, or the event says what suppressed it. What people must still be
told is remembered in the state (`waiting`), and told as soon as nothing keeps it any more and it is still true.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from understudy.core.notices import NoticeKind, Severity

from . import escalation, flapping, records
from .context import Context, Prepared
from .escalation import Due
from .grouping import Groups
from .machine import Move
from .model import Phase
from .state import AlertState
from .suppression import COOLDOWN, FLAPPING, UNTOLD, Inhibiting, Kept, answered, from_outside, of_its_own
from .tick import Result, Telling

#: Reminders never lie further apart, s (but for a rule that says so).
LONGEST_REMINDER = 86400.0
#: Kinds that are told even where something keeps the rest quiet, once people know of the episode.
_ALWAYS = frozenset((NoticeKind.RESOLVED, NoticeKind.ACKED, NoticeKind.UNACKED, NoticeKind.SNOOZED))
#: What the row of the episode shows.
_EPISODE = frozenset((NoticeKind.FIRED, NoticeKind.ESCALATED, NoticeKind.DOWNGRADED, NoticeKind.RESOLVED))


def _rank(severity: Severity) -> int:
    return severity.rank


class Announcer:
    """Tells of one alert after the other, in one evaluation. The states that it is given are changed."""

    __slots__ = ("context", "groups", "inhibiting", "now", "result")

    def __init__(self, result: Result, context: Context, inhibiting: Inhibiting, groups: Groups) -> None:
        self.result, self.context, self.now = result, context, result.at
        self.inhibiting, self.groups = inhibiting, groups

    def announce(self, state: AlertState, rule: Prepared, moves: list[Move], actor: str = "") -> None:
        """Tell of what changed, and of what only time has brought; `actor` is who did it, if anybody did."""
        for move in moves:
            match move.kind:
                case NoticeKind.FIRED:
                    self._fired(state, rule, move)
                case NoticeKind.ESCALATED:
                    self._escalated(state, rule, move)
                case NoticeKind.DOWNGRADED:
                    self._downgraded(state, rule, move)
                case NoticeKind.RESOLVED:
                    self._resolved(state, rule, move, actor)
                case _:
                    self._answered(state, rule, move, actor)
        if not moves and state.phase is Phase.FIRING:
            self._look_for_flapping(state, rule)
        self._end_flapping(state, rule)
        if state.firing:
            self._end_answer(state, rule)
        if state.phase is Phase.FIRING:
            self._release(state, rule)
            self._escalate(state, rule)
            self._remind(state, rule)
        if any(move.kind in _EPISODE for move in moves):
            self.result.episodes.append(records.episode(state, rule, moves[-1].reason))
        state.due_at = self._due_at(state, rule)

    # -- moves ----------------------------------------------------------------------------------------------

    def _fired(self, state: AlertState, rule: Prepared, move: Move) -> None:
        flapping.changed(state, self.now)
        self._look_for_flapping(state, rule)
        if kept := self._kept(state, rule):
            self._suppress(state, rule, NoticeKind.FIRED, kept, reason=move.reason)
            state.waiting = kept.reason
        else:
            self._tell_firing(state, rule, NoticeKind.FIRED, reason=move.reason)

    def _escalated(self, state: AlertState, rule: Prepared, move: Move) -> None:
        # Whoever acknowledged it did not know of this.
        state.ack = None
        kept = self._outside(state, rule)
        if kept is None and not state.told:
            kept = self._kept(state, rule)
            # That it flaps or cools down is no reason to keep from people that it is worse than they know.
            last = state.notified_severity
            if kept and kept.reason == FLAPPING and (last is None or state.severity.rank > last.rank):
                kept = None
        if kept:
            self._suppress(state, rule, NoticeKind.ESCALATED, kept, reason=move.reason, previous=move.previous)
            state.waiting = kept.reason
            escalation.resume(state, self.now)
        else:
            self._tell_firing(state, rule, NoticeKind.ESCALATED, reason=move.reason, previous=move.previous)

    def _downgraded(self, state: AlertState, rule: Prepared, move: Move) -> None:
        kept = self._outside(state, rule) or answered(state)
        if not state.told or state.told_severity is None or state.told_severity.rank <= state.severity.rank:
            kept = Kept(state.waiting or UNTOLD)
        if kept:
            self._suppress(state, rule, NoticeKind.DOWNGRADED, kept, reason=move.reason, previous=move.previous)
            return
        self._tell(state, rule, NoticeKind.DOWNGRADED, reason=move.reason, previous=move.previous)
        state.told_severity = state.notified_severity = state.severity
        self._plan_reminder(state, rule)

    def _resolved(self, state: AlertState, rule: Prepared, move: Move, actor: str) -> None:
        flapping.changed(state, self.now)
        self._look_for_flapping(state, rule)
        if not state.told:
            self._suppress(
                state, rule, NoticeKind.RESOLVED, Kept(state.waiting or UNTOLD), reason=move.reason, actor=actor
            )
        elif state.flapping:
            state.owed = max(state.owed or state.told_peak, state.told_peak, key=_rank)
            self._suppress(state, rule, NoticeKind.RESOLVED, self._flaps(state), reason=move.reason, actor=actor)
        else:
            state.owed = None
            self._tell(state, rule, NoticeKind.RESOLVED, reason=move.reason, actor=actor)
        escalation.stop(state)
        state.told, state.told_severity, state.waiting, state.ack = False, None, "", None
        state.remind_at, state.noted, state.unanswered = inf, (), 0

    def _answered(self, state: AlertState, rule: Prepared, move: Move, actor: str) -> None:
        """Somebody has acknowledged, snoozed or taken that back: those are told who know of the episode."""
        if state.told:
            self._tell(state, rule, move.kind, reason=move.reason, actor=actor)
            self._plan_reminder(state, rule)
        else:
            self._suppress(state, rule, move.kind, Kept(state.waiting or UNTOLD), reason=move.reason, actor=actor)

    # -- what time brings -----------------------------------------------------------------------------------

    def _look_for_flapping(self, state: AlertState, rule: Prepared) -> None:
        if not flapping.begins(state, self.context.options, self.now):
            return
        state.flapping_since = self.now
        kept = self._outside(state, rule) or answered(state)
        if kept is None and not state.firing and not state.told and state.waiting not in ("", FLAPPING, COOLDOWN):
            # What kept the episode quiet has ended with it, as a cause does together with what follows from it.
            kept = Kept(state.waiting)
        if kept:
            self._suppress(state, rule, NoticeKind.FLAPPING_STARTED, kept)
        else:
            self._tell(state, rule, NoticeKind.FLAPPING_STARTED)
            state.owed = max(state.owed or state.severity, state.severity, key=_rank)

    def _end_flapping(self, state: AlertState, rule: Prepared) -> None:
        if self.now < flapping.ends_at(state, self.context.options):
            return
        state.flapping_since, state.flips = inf, ()
        if not state.firing:
            if state.owed is not None:
                self._tell(state, rule, NoticeKind.FLAPPING_ENDED, reason="resolved")
            else:
                self._suppress(state, rule, NoticeKind.FLAPPING_ENDED, Kept(UNTOLD), reason="resolved")
            state.owed = None
            return
        kept = self._outside(state, rule) or answered(state)
        if kept:
            self._suppress(state, rule, NoticeKind.FLAPPING_ENDED, kept, reason="firing")
            state.waiting = state.waiting if state.told else kept.reason
        elif state.told:
            self._tell(state, rule, NoticeKind.FLAPPING_ENDED, reason="firing")
        else:
            self._tell_firing(state, rule, NoticeKind.FLAPPING_ENDED, reason="firing")

    def _end_answer(self, state: AlertState, rule: Prepared) -> None:
        """An acknowledgement or a snooze has lasted long enough."""
        if state.ack is None or self.now < state.ack.until:
            return
        snoozed, state.ack = state.ack.snooze, None
        escalation.resume(state, self.now)
        if snoozed:
            state.remind_at = self.now if state.told else inf
            return
        self._answered(state, rule, Move(NoticeKind.UNACKED, "timeout"), "")

    def _release(self, state: AlertState, rule: Prepared) -> None:
        """Tell now what had to wait, if nothing keeps it any more and people do not know it yet."""
        if not state.waiting:
            return
        if state.told and state.told_severity is not None and state.told_severity.rank >= state.severity.rank:
            state.waiting = ""
            return
        kept = (self._outside(state, rule) or answered(state)) if state.told else self._kept(state, rule)
        if kept:
            state.waiting = kept.reason
            return
        if state.told:
            self._tell_firing(state, rule, NoticeKind.ESCALATED, reason=state.waiting, previous=state.told_severity)
        else:
            self._tell_firing(state, rule, NoticeKind.FIRED, reason=state.waiting)

    def _escalate(self, state: AlertState, rule: Prepared) -> None:
        policy = self.context.escalations.get(state.escalation)
        threshold = rule.rule.escalation_threshold
        if not state.told or state.ack or not escalation.waits(state, policy, self.now, threshold):
            return
        if kept := self._outside(state, rule):
            self._note(state, rule, NoticeKind.STEP, kept)
            return
        state.noted = tuple(kind for kind in state.noted if kind != NoticeKind.STEP)
        for due in escalation.due(state, policy, self.now, threshold):
            self._step(state, rule, due)

    def _step(self, state: AlertState, rule: Prepared, due: Due) -> None:
        reason = "late" if due.late else "repeated" if due.repeated else ""
        facts = {"step": str(due.number + 1)}
        self._tell(state, rule, NoticeKind.STEP, reason=reason, targets=due.step.targets, facts=facts)
        state.reached = tuple(dict.fromkeys((*state.reached, *due.step.targets)))

    def _remind(self, state: AlertState, rule: Prepared) -> None:
        if not state.told or state.ack or self.now < state.remind_at:
            return
        if kept := self._outside(state, rule) or (self._flaps(state) if state.flapping else None):
            self._note(state, rule, NoticeKind.REMINDER, kept)
            return
        state.noted = tuple(kind for kind in state.noted if kind != NoticeKind.REMINDER)
        state.reminders += 1
        self._tell(state, rule, NoticeKind.REMINDER)
        state.unanswered += 1
        self._plan_reminder(state, rule)

    # -- telling, or not --------------------------------------------------------------------------------------

    def _tell_firing(
        self, state: AlertState, rule: Prepared, kind: NoticeKind, *, reason: str, previous: Severity | None = None
    ) -> None:
        """People learn that it fires, or that it is worse: the clocks of cooldown, reminders and steps start."""
        self._tell(state, rule, kind, reason=reason, previous=previous)
        state.told, state.told_severity, state.waiting, state.noted = True, state.severity, "", ()
        state.told_peak = max(state.told_peak, state.severity, key=_rank)
        state.notified_severity, state.cooldown_until = state.severity, self.now + rule.rule.cooldown
        state.unanswered, state.reminders = state.unanswered + 1, 0
        self._plan_reminder(state, rule)
        name = rule.rule.escalation or self.context.handling(self._labels(state, rule)).escalation
        escalation.start(state, name, self.context.escalations.get(name), self.now)

    def _plan_reminder(self, state: AlertState, rule: Prepared) -> None:
        first = rule.rule.reminder
        if first and state.told:
            wait = min(first * 2.0 ** min(state.reminders, 40), max(first, LONGEST_REMINDER))
            state.remind_at = state.notified_at + wait
        else:
            state.remind_at = inf

    def _tell(
        self, state: AlertState, rule: Prepared, kind: NoticeKind, *, reason: str = "", actor: str = "",
        previous: Severity | None = None, targets: tuple[str, ...] = (), facts: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        notice = records.notice(
            state, rule, kind, self.now, reason=reason, actor=actor, previous=previous, facts=facts or {}
        )
        labels = rule.labels(state.labels, notice.severity)
        pagers_only = (
            kind in _ALWAYS
            and not self.context.options.resolved_when_quiet
            and from_outside(state, labels, self.now, self.context, self.inhibiting) is not None
        )
        group, hold_until = self.groups.hold(notice, labels)
        also = state.reached if not targets else ()
        telling = Telling(notice, labels, targets, also, hold_until, group, pagers_only)
        self.result.tellings.append(telling)
        self.result.events.append(records.event(state, rule, notice, told=records.way(telling)))
        state.notified_at = self.now

    def _suppress(
        self, state: AlertState, rule: Prepared, kind: NoticeKind, kept: Kept, *, reason: str = "", actor: str = "",
        previous: Severity | None = None,
    ) -> None:  # fmt: skip
        notice = records.notice(state, rule, kind, self.now, reason=reason, actor=actor, previous=previous, facts={})
        detail = {**kept.detail, **({"until": kept.until} if kept.until < inf else {})}
        self.result.events.append(records.event(state, rule, notice, kept.reason, detail))

    def _note(self, state: AlertState, rule: Prepared, kind: NoticeKind, kept: Kept) -> None:
        """Record once that something is due but kept back; it stays due."""
        if kind not in state.noted:
            state.noted = (*state.noted, kind.value)
            self._suppress(state, rule, kind, kept)

    def _outside(self, state: AlertState, rule: Prepared) -> Kept | None:
        return from_outside(state, self._labels(state, rule), self.now, self.context, self.inhibiting)

    def _kept(self, state: AlertState, rule: Prepared) -> Kept | None:
        ends = flapping.ends_at(state, self.context.options)
        return self._outside(state, rule) or of_its_own(state, state.severity, self.now, ends)

    def _flaps(self, state: AlertState) -> Kept:
        return Kept(FLAPPING, flapping.ends_at(state, self.context.options))

    def _labels(self, state: AlertState, rule: Prepared) -> dict[str, str]:
        return rule.labels(state.labels, state.severity)

    def _due_at(self, state: AlertState, rule: Prepared) -> float:
        """When to look again although nothing changes."""
        found = flapping.ends_at(state, self.context.options)
        if not state.firing:
            return found
        if state.ack is not None:
            found = min(found, state.ack.until)
        elif state.told:
            found = min(found, state.remind_at, state.repeat_at)
            if rule.rule.escalation_threshold is None:
                found = min(found, state.step_at)
        if state.waiting or state.noted:
            kept = self._kept(state, rule) if not state.told else self._outside(state, rule) or answered(state)
            until = kept.until if kept else self.now
            # What is due but kept back is looked at when what keeps it ends, not each time until then.
            found = min(until, found) if found > self.now else until
        return found
