"""The end of a silence is told beforehand, where something still fires that it keeps quiet."""

from __future__ import annotations

from understudy.core.notices import Notice, NoticeKind, Severity

from .identity import event_id
from .ports import EventRow
from .silences import Silence
from .standing import Standing
from .state import AlertState
from .tick import Result, Telling

_LISTED = 10


def remind(result: Result, standing: Standing, now: float) -> None:
    """Tell of the silences that end soon and still keep something quiet: once of each."""
    for silence in standing.context.silences.items:
        reminder_at = silence.reminder_at()
        if reminder_at is None or silence.id in standing.reminded or not reminder_at <= now < (silence.ends_at or now):
            continue
        kept = [state for state in standing.firing() if silence.covers(standing.labels(state))]
        if kept:
            result.reminded.add(silence.id)
            _tell(result, silence, kept, now)


def _tell(result: Result, silence: Silence, kept: list[AlertState], now: float) -> None:
    # The id names the end as well: a silence that was prolonged is told of again.
    name = event_id("silence", silence.id, "silence_ends", int(silence.ends_at or 0))
    notice = Notice(
        name, NoticeKind.MESSAGE, Severity.INFO, now, "silence_ends",
        content=silence.reason, rule="silence_ends", ended_at=silence.ends_at, reason="silence_ends",
        actor=silence.author,
        members=tuple((state.severity.value, state.rule) for state in kept[:_LISTED]),
        counts={severity.value: count for severity in Severity if (count := sum(s.severity is severity for s in kept))},
        facts={"silence": silence.id, "matchers": ", ".join(map(str, silence.matchers))},
    )  # fmt: skip
    result.tellings.append(Telling(notice, {"severity": "info", "rule": "silence_ends"}))
    result.events.append(
        EventRow(name, "", "", "silence_ends", notice.kind.value, now, "info", notice=notice.as_dict())
    )
