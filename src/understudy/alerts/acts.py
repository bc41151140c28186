"""What people do with an alert: acknowledge, snooze, take that back, resolve by hand.

Each answers a `Result` as an evaluation does, to be kept and taken over in the same way. Doing again what is done
already changes nothing. On an alert that does not fire, all raise `NotActive`.
"""

from __future__ import annotations

from math import inf

from understudy.core.errors import NotActive
from understudy.core.notices import NoticeKind

from . import escalation, machine
from .context import Context, Prepared
from .engine import Tick
from .model import Phase
from .standing import Standing
from .state import Ack, AlertState
from .tick import Result


def acknowledge(
    standing: Standing, fingerprint: str, now: float, context: Context, *, actor: str, comment: str = ""
) -> Result:
    """Somebody knows of it: no reminders and no escalation, until it ends, gets worse, or the rule's `ack_timeout`.

    Raises:
        NotActive: it does not fire.
    """
    act, state, rule = _begin(standing, fingerprint, now, context)
    if state.ack is not None and not state.ack.snooze:
        return act.result
    timeout = rule.rule.ack_timeout
    state.ack = Ack(actor, now, now + timeout if timeout else inf, comment)
    return _answered(act, state, rule, NoticeKind.ACKED, comment, actor)


def snooze(
    standing: Standing, fingerprint: str, until: float, now: float, context: Context, *, actor: str, comment: str = ""
) -> Result:  # fmt: skip
    """As an acknowledgement that ends at `until`: what still fires then is told of again.

    Raises:
        NotActive: it does not fire.
        ValueError: `until` is not in the future.
    """
    act, state, rule = _begin(standing, fingerprint, now, context)
    if not now < until < inf:
        raise ValueError("an alert is snoozed until a moment in the future")
    if state.ack is not None and state.ack.snooze and state.ack.until == until:
        return act.result
    state.ack = Ack(actor, now, until, comment, snooze=True)
    return _answered(act, state, rule, NoticeKind.SNOOZED, comment, actor)


def unacknowledge(
    standing: Standing, fingerprint: str, now: float, context: Context, *, actor: str, comment: str = ""
) -> Result:
    """Take an acknowledgement or a snooze back: reminders and escalation go on.

    Raises:
        NotActive: it does not fire.
    """
    act, state, rule = _begin(standing, fingerprint, now, context)
    if state.ack is None:
        return act.result
    state.ack = None
    escalation.resume(state, now)
    return act.tell(state, rule, [machine.Move(NoticeKind.UNACKED, comment)], actor)


def resolve(
    standing: Standing, fingerprint: str, now: float, context: Context, *, actor: str, reason: str = ""
) -> Result:
    """End the episode by hand. If the breach goes on, a new one begins after a while, marked as reopened.

    Raises:
        NotActive: it does not fire.
    """
    act, state, rule = _begin(standing, fingerprint, now, context)
    breaching = state.phase is Phase.FIRING
    moves = machine.resolve(state, now, reason or "by_hand")
    if breaching:
        state.held_until = now + max(context.options.hold, *rule.fors)
    return act.tell(state, rule, moves, actor)


def _answered(act: Tick, state: AlertState, rule: Prepared, kind: NoticeKind, comment: str, actor: str) -> Result:
    escalation.pause(state, state.ack.at if state.ack else 0.0)
    state.unanswered = 0
    return act.tell(state, rule, [machine.Move(kind, comment)], actor)


def _begin(standing: Standing, fingerprint: str, now: float, context: Context) -> tuple[Tick, AlertState, Prepared]:
    known = standing.states.get(fingerprint)
    rule = context.rules.get(known.rule) if known is not None else None
    if known is None or rule is None or not known.firing:
        raise NotActive("the alert does not fire: there is nothing to acknowledge, snooze or resolve")
    return Tick(standing, now, context), known.copy(), rule
