"""The silences that people make, kept as documents, beside those that the configuration plans."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from understudy.core.clock import Clock
from understudy.core.errors import UnknownName

from .ports import DocumentStore
from .silences import PlannedSilence, Silence, SilenceError

_log = logging.getLogger("understudy.alerts")

#: What silences are called among the documents.
KIND: Final = "silence"
#: One that has ended is still shown for so long, s.
SHOWN_AFTER: Final = 86_400.0


class SilenceShelf:
    """All silences. `on_change` is called when any has come, changed or gone."""

    def __init__(self, documents: DocumentStore, clock: Clock, make_id: Callable[[], str]) -> None:
        self._documents = documents
        self._clock = clock
        self._make_id = make_id
        self._planned: dict[str, Silence] = {}
        self._made: dict[str, Silence] = {}
        self.on_change: Callable[[], None] = lambda: None

    def all(self) -> list[Silence]:
        """Those that hold now or later, and those that have ended lately."""
        now = self._clock.time()
        found = (*self._planned.values(), *self._made.values())
        return [each for each in found if each.ends_at is None or now < each.ends_at + SHOWN_AFTER]

    def configured(self, planned: Mapping[str, PlannedSilence]) -> None:
        """Replace those of the configuration as a whole.

        Raises:
            SilenceError: one of them cannot be kept as it is; nothing has changed.
        """
        found = {name: each.silence(name) for name, each in planned.items()}
        self._planned = {silence.id: silence for silence in found.values()}
        self.on_change()

    async def load(self) -> None:
        """Take in what is stored, and what another instance changed meanwhile.

        Raises:
            StoreUnavailable: it cannot be read now; everything stays as it is.
        """
        made: dict[str, Silence] = {}
        for document in await self._documents.newest(KIND):
            try:
                made[document.name] = Silence.from_dict({**(document.doc or {}), "id": document.name})
            except (SilenceError, ValueError, TypeError) as problem:
                _log.error("the stored silence %s cannot be used: %s", document.name, problem)
        if made != self._made:
            self._made = made
            self.on_change()

    async def put(self, silence: Silence, actor: str) -> Silence:
        """Keep a new silence; answers it with its name.

        Raises:
            StoreUnavailable: it was not kept.
        """
        kept = replace(silence, id=self._make_id(), created_at=self._clock.time())
        await self._documents.put(KIND, kept.id, kept.as_dict(), actor=actor, comment=kept.reason)
        self._made[kept.id] = kept
        self.on_change()
        return kept

    async def expire(self, name: str, actor: str) -> Silence:
        """End a silence now; one that has ended already stays as it is.

        Raises:
            UnknownName: there is none of that name, or it stands in the configuration.
            StoreUnavailable: it could not be kept; the silence holds.
        """
        known = self._made.get(name)
        if known is None:
            nearest = difflib.get_close_matches(name[:200], list(self._made), 1)
            raise UnknownName("silence that can be ended here", name, nearest[0] if nearest else "")
        now = self._clock.time()
        if known.over(now):
            return known
        ended = known.expired(now)
        await self._documents.put(KIND, name, ended.as_dict(), actor=actor, comment="expired")
        self._made[name] = ended
        self.on_change()
        return ended
