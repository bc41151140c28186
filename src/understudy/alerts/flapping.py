"""Flapping: an alert that changes again and again is told of once, and once more when it has come to rest.

The state machine itself goes on as it does.
"""

from __future__ import annotations

from math import inf

from .context import EngineOptions
from .state import AlertState

#: More changes are not remembered.
_MOST = 50


def changed(state: AlertState, now: float) -> None:
    """Count a change: it fired, resolved, or fired again while it was about to be resolved."""
    state.flips = (*state.flips, now)[-_MOST:]


def begins(state: AlertState, options: EngineOptions, now: float) -> bool:
    """Whether the alert flaps from now on; what lies too far back is forgotten."""
    state.flips = tuple(found for found in state.flips if found > now - options.flap_window)
    return not state.flapping and len(state.flips) >= options.flap_changes


def ends_at(state: AlertState, options: EngineOptions) -> float:
    """When it has been quiet for long enough, if nothing changes until then."""
    if not state.flapping:
        return inf
    return max(state.flips[-1] if state.flips else state.flapping_since, state.flapping_since) + options.flap_quiet
