"""What is decided about a row without asking its channel: merged, digested, handed on, given up. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow, RowState

from .lanes import Lane
from .merging import MERGED, because, cause
from .ports import Attempt
from .queue import Waiting

#: What a message about the end of an alert makes unnecessary, as far as it still waits.
_OUTDATED = frozenset(
    (
        NoticeKind.FIRED, NoticeKind.ESCALATED, NoticeKind.DOWNGRADED, NoticeKind.REMINDER, NoticeKind.STEP,
        NoticeKind.ACKED, NoticeKind.UNACKED, NoticeKind.SNOOZED,
    )
)  # fmt: skip
#: Reasons of rows that are not told on purpose.
OVER_BEFORE_PAGED, NO_END_WANTED, NO_SUCH_CHANNEL = "over before paged", "end not wanted", "channel removed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a row becomes; `row` replaces it. `added` come into being in the same transaction."""

    item: Waiting
    row: OutboxRow
    attempts: tuple[Attempt, ...] = ()
    added: tuple[OutboxRow, ...] = ()


def at_the_end(lane: Lane, item: Waiting, now: float) -> list[Decision]:
    """What the end of an alert changes about what still waits in front of it, and about itself.

    In chat and mail one message tells of both. A pager that has not been reached is told of neither: there
    is nothing left to get up for; unless an attempt ended without an answer, for then it may ring already.
    What another instance may be telling at this moment is left to it, and the end waits behind it.
    """
    if item.row.kind is not NoticeKind.RESOLVED or item.busy:
        return []
    before = [
        each
        for each in lane.queue.chain_of(item)
        if each < item and not each.busy and each.row.kind in _OUTDATED and each.row.episode == item.row.episode
    ]
    unwanted = Decision(item, replace(item.row, state=RowState.SUPPRESSED, reason=NO_END_WANTED))
    if any(each.held_until > now for each in before):
        return [] if lane.traits.resolves or item.row.pager else [unwanted]
    began = next((each for each in before if each.row.kind is NoticeKind.FIRED), None)
    pager = item.row.pager
    if pager and lane.traits.always_page:
        return []
    if began is not None and pager and not any(each.row.ambiguous for each in before):
        return [
            Decision(each, replace(each.row, state=RowState.SUPPRESSED, reason=OVER_BEFORE_PAGED))
            for each in (*before, item)
        ]
    told = [Decision(each, digested(each.row, item.row.id)) for each in before]
    if began is not None and not pager:
        # Whoever got the beginning all the same is not told that it was never sent.
        unsure = item.row.ambiguous or any(each.row.ambiguous for each in before)
        told.append(Decision(item, replace(item.row, reason=MERGED, ambiguous=unsure)))
    elif not (lane.traits.resolves or pager) and not before:
        told.append(unwanted)
    return told


def digested(row: OutboxRow, told_in: str, reason: str = "") -> OutboxRow:
    """The row, told within another message."""
    return replace(row, state=RowState.DIGESTED, told_in=told_in, reason=reason)


def given_up(items: Sequence[Waiting], away: Callable[[str], str]) -> list[Decision]:
    """Rows whose deadline has passed: dead letters; a test is only over.

    `away` says of a channel why it takes nothing now: that is the reason of what was never tried.
    """
    decisions = []
    for each in items:
        why = cause(each.row) or away(each.row.channel)
        said = because(each.row, f"not delivered in time: {why}" if why else "not delivered in time")
        state = RowState.DISCARDED if each.row.kind is NoticeKind.TEST else RowState.DEAD
        decisions.append(Decision(each, replace(each.row, state=state, reason=said)))
    return decisions


def without_channel(items: Sequence[Waiting]) -> list[Decision]:
    """Rows of a channel that is not configured any more."""
    return [
        Decision(each, replace(each.row, state=RowState.SUPPRESSED, reason=NO_SUCH_CHANNEL))
        for each in items
        if not each.busy
    ]
