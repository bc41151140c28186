"""Many alerts in one message: what waits for a channel in a flood, told by numbers and the ten worst. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, Priority

from .decisions import Decision, digested
from .lanes import Lane
from .queue import Waiting

#: Named one by one; the rest is counted.
NAMED = 10
#: Most rows of one digest: they change in one transaction.
MOST = 5000
#: A digest may wait that long before it is given up, s.
DEADLINE = 86_400.0


def members(lane: Lane) -> list[Waiting]:
    """What would be in a digest of a channel now, oldest first; the critical ones that go by themselves are not."""
    loose = sorted(lane.queue.items[each] for each in lane.queue.loose if not lane.queue.items[each].busy)
    spared = {each.row.id for each in [one for one in loose if one.urgency == 0][: lane.flood.spared()]}
    return [each for each in loose if each.row.id not in spared][:MOST]


def make(lane: Lane, members: Sequence[Waiting], row_id: str, wall: float) -> list[Decision]:
    """Fold these into one message, as urgent as they are; nothing for less than two."""
    if len(members) < 2:
        return []
    row = _row(lane, members, row_id, wall)
    decisions = [Decision(each, digested(each.row, row.id, "digest")) for each in members]
    decisions[0] = Decision(members[0], decisions[0].row, added=(row,))
    return decisions


def _row(lane: Lane, members: Sequence[Waiting], row_id: str, wall: float) -> OutboxRow:
    notices = sorted((each.row.notice for each in members), key=lambda notice: (-notice.severity.rank, notice.at))
    severity = Severity(notices[0].severity)
    notice = Notice(
        event_id=f"digest-{row_id}",
        kind=NoticeKind.DIGEST,
        severity=severity,
        at=wall,
        title="",
        members=tuple((str(each.severity), _called(each)) for each in notices[:NAMED]),
        counts=dict(Counter(str(each.severity) for each in notices)),
        started_at=min(each.at for each in notices),
    )
    return OutboxRow(
        id=row_id,
        event_id=notice.event_id,
        channel=lane.name,
        destination=lane.traits.destination,
        kind=NoticeKind.DIGEST,
        severity=severity,
        priority=max(Priority.RESOLVED_CRITICAL, min(each.row.priority for each in members)),
        created_at=wall,
        detected_at=wall,
        deadline_at=wall + DEADLINE,
        notice=notice,
    )


def _called(notice: Notice) -> str:
    about = next((notice.labels[name] for name in ("api", "route", "hub") if notice.labels.get(name)), "")
    title = f"{notice.title} · {about}" if about and about not in notice.title else notice.title
    return f"✓ {title}" if notice.kind is NoticeKind.RESOLVED else title
