"""Critical messages of a channel that does not work go to the one that stands in for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, Priority, RowState
from understudy.core.text import texts

from .ports import Traits
from .queue import Waiting
from .wording import clock_time

#: A critical message waits that long for a channel that does not work before another takes it, s.
PATIENCE = 60.0
#: Stand-ins of stand-ins are followed so far.
_LONGEST_CHAIN = 20


def due(item: Waiting, wall: float) -> bool:
    """Whether a message of a channel that does not work should go elsewhere now."""
    row = item.row
    return (
        not item.busy
        and row.priority <= Priority.RESOLVED_CRITICAL
        and row.kind is not NoticeKind.TEST
        and wall - row.created_at >= PATIENCE
    )


def target(row: OutboxRow, channels: Mapping[str, Traits], works: Callable[[str], bool]) -> str:
    """The channel that takes the row: the nearest stand-in that works; empty when there is none.

    Starts where the row was first meant to go and follows each channel's `fallback`; one that was passed
    already, or that the row stands in from, is no answer, so that no message goes round in circles.
    """
    passed = {row.channel, row.instead_of}
    name, seen = row.channel, set[str]()
    while len(seen) < _LONGEST_CHAIN and name in channels:
        seen.add(name)
        name = channels[name].fallback
        if name in seen or name not in channels:
            return ""
        if name not in passed and works(name):
            return name
    return ""


def stand_in(row: OutboxRow, name: str, traits: Traits, row_id: str, wall: float) -> OutboxRow:
    """The row that tells the same event on the other channel."""
    return replace(
        row,
        id=row_id,
        channel=name,
        destination=traits.destination,
        pager=traits.pager,
        created_at=wall,
        not_before_at=0.0,
        recipients=(),
        state=RowState.PENDING,
        attempts=0,
        plain=False,
        ambiguous=False,
        reason=row.reason,
        told_in="",
        instead_of=row.instead_of or row.channel,
        owner="",
        token=0,
        leased_until=0.0,
    )


def summary(channel: str, traits: Traits, told: Mapping[str, int], since: float, row_id: str, wall: float) -> OutboxRow:
    """One line for a channel that works again: what others were told in its place."""
    _ = texts(traits.language)
    title = _.plural(
        "This channel works again. {count} message went elsewhere between {since} and {until}: {names}.",
        "This channel works again. {count} messages went elsewhere between {since} and {until}: {names}.",
        sum(told.values()),
        since=clock_time(since, wall, traits.time_zone),
        until=clock_time(wall, since, traits.time_zone),
        names=", ".join(sorted(told)),
    )
    notice = Notice(f"back-{row_id}", NoticeKind.MESSAGE, Severity.INFO, wall, title)
    return OutboxRow(
        id=row_id,
        event_id=notice.event_id,
        channel=channel,
        destination=traits.destination,
        kind=notice.kind,
        severity=notice.severity,
        priority=Priority.HOUSEKEEPING,
        created_at=wall,
        detected_at=wall,
        deadline_at=wall + 3600.0,
        notice=notice,
        pager=False,
    )
