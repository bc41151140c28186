"""What pagers have in common: an alert is opened, acknowledged or closed there, by a key of ours.

Neither service says what a character is to it. Lengths are counted in UTF-16 units, which are never fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from understudy.core import legible
from understudy.core.legible import clean, cut, line, utf16
from understudy.core.notices import Notice, NoticeKind
from understudy.core.options import Doc
from understudy.notifications.message import Card

from .options import ChannelOptions


@dataclass(frozen=True, slots=True)
class PagerOptions(ChannelOptions):
    """What every pager takes."""

    always_page: Annotated[bool, Doc("whether it is told also of what began and ended before it could be reached")] = (
        False
    )


class Action(StrEnum):
    """What a notice means to a pager."""

    OPEN = "open"
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"


_ACTIONS = {
    NoticeKind.ACKED: Action.ACKNOWLEDGE,
    # Somebody knows of it and has asked for quiet: pagers call that acknowledged.
    NoticeKind.SNOOZED: Action.ACKNOWLEDGE,
    NoticeKind.RESOLVED: Action.CLOSE,
}


def action_of(notice: Notice) -> Action:
    """What the pager is to do. Opening what is open already changes nothing there, so it may be said again."""
    if notice.kind is NoticeKind.FLAPPING_ENDED and notice.ended_at is not None:
        return Action.CLOSE  # the alert ended while its coming and going was kept quiet
    return _ACTIONS.get(notice.kind, Action.OPEN)


def source_of(notice: Notice) -> str:
    """The name of what is unwell: the API, or the widest thing that the labels name."""
    for label in ("api", "route", "hub", "key", "environment"):
        if visible := line(notice.labels.get(label, "")):
            return visible
    return "understudy"


def summary_of(card: Card, limit: int) -> str:
    """The title on one line, at most `limit` characters (UTF-16 units: whoever counts, it fits), never empty."""
    return cut(line(card.title), limit, utf16) or "Understudy"


def description_of(card: Card, limit: int, *more: str) -> str:
    """All that the card says in words, and `more`: notes first, for they tell how to read the rest."""
    return legible.fitted(
        (clean(part) for part in (*card.notes, *card.paragraphs, *more) if part.strip()), limit, utf16
    )


def details_of(card: Card, notice: Notice) -> dict[str, str]:
    """Name to value: the card's fields, then the labels, in their order; a name that is taken is not replaced."""
    pairs = [(field.name, field.value) for field in card.fields]
    pairs += [(name, value) for name, value in (*notice.labels.items(), ("rule", notice.rule)) if value]
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(line(name) or "-", clean(value))
    return found


def fitted(details: Mapping[str, str], total: int, each: int) -> dict[str, str]:
    """The first pairs that fit into `total` characters, names and values together, none longer than `each`."""
    found: dict[str, str] = {}
    left = total
    for name, value in details.items():
        key = cut(name, each, utf16)
        room = min(each, left - utf16(key))
        if room < 1:
            break
        found[key] = cut(value, room, utf16)
        left -= utf16(key) + utf16(found[key])
    return found
