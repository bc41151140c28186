"""From a row of the outbox to the message that a channel gets: the words, the notes, the links, the thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnavailable
from understudy.core.legible import line
from understudy.core.notices import Notice, NoticeKind
from understudy.core.outbox import OutboxRow

from . import notes, template
from .merging import cause, is_merged
from .message import Card, Message, Receipt
from .ports import OutboxStore, Traits
from .render import card

_log = logging.getLogger("understudy.notifications")

#: What comes later than this says so, s.
LATE = 60.0
#: Receipts that are remembered.
_KEPT = 2000

#: Makes the links of a message: notice and channel to URLs by what they do.
Linker = Callable[[Notice, str], Mapping[str, str]]


def no_links(notice: Notice, channel: str) -> Mapping[str, str]:
    """Where nothing is there to lead to."""
    return {}


class Composer:
    """Makes messages."""

    def __init__(self, store: OutboxStore, clock: Clock, linker: Linker = no_links) -> None:
        self._store = store
        self._clock = clock
        self.linker = linker
        self._receipts: dict[tuple[str, str], Receipt] = {}

    async def message(self, row: OutboxRow, traits: Traits) -> Message:
        """What the channel is to send now for this row."""
        now = self._clock.time()
        notice = replace(row.notice, merged=True) if is_merged(row) else row.notice
        return Message(
            id=row.id,
            notice=notice,
            card=self._card(row, notice, traits, now),
            at=now,
            attempt=row.attempts + 1,
            plain=row.plain,
            repeat=row.ambiguous,
            recipients=row.recipients,
            root=row.episode,
            living=await self._living(row, traits),
        )

    def remember(self, row: OutboxRow, receipt: Receipt) -> None:
        """What the service gave for this row: the next message of the episode edits or answers it."""
        if row.episode:
            self._receipts.pop((row.channel, row.episode), None)
            self._receipts[row.channel, row.episode] = receipt
            if len(self._receipts) > _KEPT:
                del self._receipts[next(iter(self._receipts))]

    async def _living(self, row: OutboxRow, traits: Traits) -> Receipt | None:
        if traits.living == "none" or not row.episode:
            return None
        known = self._receipts.get((row.channel, row.episode))
        if known is not None or row.kind is NoticeKind.FIRED:
            return known
        try:
            return await self._store.receipt(row.channel, row.episode)
        except StoreUnavailable:
            return None  # a message of its own, then

    def imagined(self, row: OutboxRow, traits: Traits) -> Card:
        """What the channel would show of a row that is not sent: without links, as there is nothing to act upon."""
        return self._card(row, row.notice, traits, row.notice.at, no_links)

    def _card(self, row: OutboxRow, notice: Notice, traits: Traits, now: float, linker: Linker | None = None) -> Card:
        said = self._notes(row, notice, traits, now)
        links = (linker or self.linker)(notice, row.channel)
        try:
            made = card(
                notice, traits.language, links=links, at=now, notes=said,
                zone=traits.time_zone, merged=notice.merged,
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - a notice holds anybody's texts; that it exists must be told all the same
            _log.exception("the notice %s could not be put into words", notice.event_id)
            title = line(notice.title) or notice.event_id
            return Card(title, title, notice.severity, notice.kind, traits.language, now, notes=said)
        if not traits.template or notice.kind in (NoticeKind.DIGEST, NoticeKind.TEST):
            return made
        try:
            words = template.write(traits.template, template.places(notice, made))
        except template.TemplateError as problem:
            return replace(made, notes=(*made.notes, notes.template(traits.language, str(problem))))
        return replace(made, paragraphs=(words,), fields=())

    @staticmethod
    def _notes(row: OutboxRow, notice: Notice, traits: Traits, now: float) -> tuple[str, ...]:
        language, said = traits.language, []
        if now - row.detected_at > LATE:
            said.append(notes.late(language, row.detected_at, now, cause(row), traits.time_zone))
        if row.ambiguous and not notice.merged:
            said.append(notes.repeat(language))
        if row.instead_of:
            said.append(notes.stand_in(language, row.instead_of))
        if notice.merged:
            said.append(notes.merged(language, unsure=row.ambiguous))
        if row.plain:
            said.append(notes.plain(language, cause(row)))
        return tuple(said)
