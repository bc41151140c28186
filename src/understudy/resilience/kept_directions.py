"""What people say of routes and APIs survives a restart, and holds in every instance that shares the store."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable
from understudy.core.events import Event, EventBus

from .by_hand import ByHand
from .directions import BEGUN, DIRECTION_EVENTS, ENDED, KINDS, PIN, Direction
from .ports import StateStore

_log = logging.getLogger("understudy.resilience")

#: How often an instance looks what others were told, s.
FOLLOWED_EVERY: Final = 2.0
#: What cannot be saved now is tried again after this, s.
_AGAIN: Final = 2.0
_PREFIX: Final = "direction/"


class KeptDirections:
    """Saves directions as soon as they are given, and follows those that other instances were given.

    One document for each: of two that are given at once on two instances, the one that is saved last holds, in both.
    """

    def __init__(self, fallback: ByHand, store: StateStore, clock: Clock, events: EventBus, *, shared: bool) -> None:
        self._fallback, self._store, self._clock = fallback, store, clock
        #: What the store is known to hold, by key.
        self._known: dict[str, Any] = {}
        #: What has to be saved: the document by key, None to forget it.
        self._due: dict[str, dict[str, Any] | None] = {}
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._shared = shared
        self._unsubscribe = events.subscribe(self._heard)

    def _heard(self, event: Event) -> None:
        if event.kind == "config.reloaded":
            self._apply_all()  # an API that has come back has its past
        if event.kind not in DIRECTION_EVENTS or event.detail.get("elsewhere"):
            return
        if event.detail.get("expired"):
            return  # a document whose time has passed says nothing; forgetting it might forget a newer one
        kind = next(each for each in KINDS if event.kind in (BEGUN[each], ENDED[each]))
        self._due[f"{_PREFIX}{kind}/{event.route if kind == PIN else event.api}"] = event.detail["after"]
        self._wake.set()

    async def take_up(self) -> None:
        """Put in force what was saved, before the first call.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        async with self._one_at_a_time:
            for kind, name, standing in self._fallback.directions():
                if standing is not None:  # code gave it before the application started
                    self._due.setdefault(f"{_PREFIX}{kind}/{name}", standing.as_dict())
            await self._look()

    async def run(self) -> None:
        """Save and follow until cancelled."""
        late = False
        while True:
            if not self._due:
                await self._awaited(FOLLOWED_EVERY if self._shared else None)
            try:
                await self.settle()
                late = False
            except StoreUnavailable as problem:
                if not late:  # once: every few seconds is too often to tell
                    _log.warning("pins, drains and pauses are neither saved nor followed: %s", problem)
                late = True
                await pause(self._clock, _AGAIN)

    async def _awaited(self, longest: float | None) -> None:
        """Return when something has to be saved, or after `longest` seconds."""
        self._wake.clear()
        timer = None if longest is None else self._clock.call_later(longest, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def settle(self) -> None:
        """Save what was given here, then look what was given elsewhere; returns when it is safe.

        Raises:
            StoreUnavailable: it was not saved; the next time tries again.
        """
        async with self._one_at_a_time:
            due = dict(self._due)
            if due:
                await asyncio.shield(self._store.save(due))
                for key, document in due.items():
                    if self._due.get(key, _NOTHING) == document:
                        del self._due[key]
                self._known = {key: each for key, each in (self._known | due).items() if each is not None}
            if self._shared:
                await self._look()

    async def _look(self) -> None:
        self._known = await self._store.load(_PREFIX)
        self._apply_all()

    def _apply_all(self) -> None:
        """Put in force what the store says, where nothing newer waits to be saved."""
        now = self._clock.time()
        for kind, name, standing in self._fallback.directions():
            key = f"{_PREFIX}{kind}/{name}"
            if key in self._due or (standing is not None and standing.over(now)):
                continue  # what is over is ended, and told, by itself
            wanted = self._read(key)
            if wanted is not None and wanted.over(now):
                wanted = None
            if wanted != standing:
                self._fallback.direct(kind, name, wanted, elsewhere=True)

    def _read(self, key: str) -> Direction | None:
        try:
            return Direction.from_dict(self._known[key]) if key in self._known else None
        except (KeyError, TypeError, ValueError) as error:
            _log.warning("what was saved as %s cannot be taken up: %s", key, type(error).__name__)
            del self._known[key]
            return None

    async def stop(self) -> None:
        """Save what waits."""
        self._unsubscribe()
        try:
            await self.settle()
        except StoreUnavailable as problem:
            _log.warning("the last pins, drains and pauses are not saved: %s", problem)


#: Stands for no document, as None means one that is to be forgotten.
_NOTHING: Final = object()
