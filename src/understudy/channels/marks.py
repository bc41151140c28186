"""Signs and colours by which a reader knows at a glance what a message is."""

from __future__ import annotations

from typing import Final

from understudy.core.notices import NoticeKind, Severity
from understudy.notifications.message import Card

GREEN: Final = 0x2E9E5B
#: Of the bar beside a message; readable on light and dark backgrounds.
COLOURS: Final = {Severity.CRITICAL: 0xD1242F, Severity.WARNING: 0xD98E04, Severity.INFO: 0x2F6FDE}
#: One sign for each, distinct in shape too: colours alone do not reach everybody.
_SIGNS: Final = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
_KINDS: Final = {
    NoticeKind.RESOLVED: "✅",
    NoticeKind.FLAPPING_ENDED: "✅",
    NoticeKind.ACKED: "👀",
    NoticeKind.SNOOZED: "💤",
    NoticeKind.TEST: "🧪",
}
#: What nobody has to be disturbed for: where a message can be edited, these change the last one in place.
QUIET: Final = frozenset((NoticeKind.ACKED, NoticeKind.SNOOZED, NoticeKind.DOWNGRADED))
#: What is news and changes the last message besides, so that nobody who scrolls back takes it for present.
ENDS: Final = frozenset((NoticeKind.RESOLVED,))
#: The longest that the news waits for that change, s: the message before matters less than this one.
FOR_EDIT: Final = 2.0


def mark(card: Card) -> str:
    """The sign that stands before the title."""
    return _KINDS.get(card.kind) or _SIGNS[card.severity]


def colour(card: Card) -> int:
    """The colour of the bar, as 0xRRGGBB."""
    return GREEN if card.kind in (NoticeKind.RESOLVED, NoticeKind.FLAPPING_ENDED) else COLOURS[card.severity]
