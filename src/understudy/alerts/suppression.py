"""What keeps an alert from being told, in the order in which it is asked: the first reason is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

from understudy.core.notices import Severity

from .context import Context
from .state import AlertState
from .timings import muting

#: Answers inhibition, source's fingerprint and end, for a fingerprint with all its labels.
Inhibiting = Callable[[str, Mapping[str, str]], "tuple[str, str, float] | None"]

ACKNOWLEDGED, SNOOZED, FLAPPING, COOLDOWN = "acknowledged", "snoozed", "flapping", "cooldown"
#: The episode was never told, so that nothing that follows is.
UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Kept:
    """Why something is not told, and until when as far as that is known; `detail` is for the trace."""

    reason: str
    until: float = inf
    detail: Mapping[str, str] = field(default_factory=dict)


def from_outside(
    state: AlertState, labels: Mapping[str, str], now: float, context: Context, inhibiting: Inhibiting
) -> Kept | None:
    """Maintenance, silence, inhibition, mute timing."""
    for kind in ("maintenance", "silence"):
        if found := context.silences.covering("maintenance" if kind == "maintenance" else "silence", labels, now):
            silence, until = found
            return Kept(f"{kind}:{silence.id}", until, {"reason": silence.reason, "author": silence.author})
    if source := inhibiting(state.fingerprint, labels):
        return Kept(f"inhibition:{source[0]}", source[2], {"source": source[1]})
    if muted := muting(context.timings, labels, now):
        return Kept(f"mute:{muted[0].name}", muted[1])
    return None


def of_its_own(state: AlertState, severity: Severity, now: float, flap_ends_at: float) -> Kept | None:
    """Acknowledgement or snooze, flapping, cooldown. A severity higher than what was told last passes the cooldown."""
    if kept := answered(state):
        return kept
    if state.flapping:
        return Kept(FLAPPING, flap_ends_at)
    last = state.notified_severity
    if now < state.cooldown_until and (last is None or severity.rank <= last.rank):
        return Kept(COOLDOWN, state.cooldown_until)
    return None


def answered(state: AlertState) -> Kept | None:
    """Acknowledgement or snooze."""
    if state.ack is None:
        return None
    return Kept(SNOOZED if state.ack.snooze else ACKNOWLEDGED, state.ack.until, {"actor": state.ack.actor})
