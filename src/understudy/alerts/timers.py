"""When time alone would change an alert next, though whatever is found of it stays what it is.

Live, everything is evaluated each second, so nobody has to know. Where the past is known in buckets of a minute or an
hour only, a timer that runs out within one is to run out at its own time.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from .context import Prepared
from .model import Phase
from .state import AlertState

#: Breaches in a row are counted once in so many seconds, as they are live.
COUNTED_EACH = 1.0


def next_timer(state: AlertState, rule: Prepared, after: float) -> float:
    """The first moment later than `after` at which a timer of the alert runs out; `inf` when none runs."""
    return min((each for each in _timers(state, rule) if each > after), default=inf)


def _timers(state: AlertState, rule: Prepared) -> Iterator[float]:
    yield state.due_at
    if state.phase is Phase.INACTIVE:
        return
    yield from (since + wait for since, wait in zip(state.since, rule.fors, strict=False))
    yield state.blank_since + (rule.rule.no_data_after if rule.rule.no_data == "ok_after" else inf)
    if state.phase is Phase.PENDING:
        yield state.blank_since + rule.rule.window
        yield state.evaluated_at + COUNTED_EACH if state.breaches < rule.count else inf
        return
    yield from (left + rule.keep for left in state.left)
    yield state.recovering_since + rule.keep
