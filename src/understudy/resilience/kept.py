"""What a restart must not forget: quotas, holds, quarantines, and breakers that are not closed.

Each API and hub has one document in the `StateStore`. What keeps calls away (an opened breaker, a
quarantined key, a spent quota, a hold) is saved as soon as it happens; numbers that fall with every
call are saved every ten seconds, as they may be low by what was used since.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection
from functools import partial
from typing import Any

from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable
from understudy.core.events import Event, EventBus
from understudy.core.turn import Slices

from .ports import StateStore
from .registry import Api, Hub
from .roster import Roster

_log = logging.getLogger("understudy.resilience")

#: How often everything that changed is saved, s.
EVERY = 10.0
#: Events whose consequence is saved at once; the part before the dot.
_TELLING = frozenset(("breaker", "key", "quota", "hold"))
_EVERYTHING = ""
#: Events this close together are saved in one go, s. By then the alert about them has been kept: on disk, too, the
#: messages to people go first.
_COALESCE = 0.03
_PREFIX = "resilience/"
#: Documents of another layout are not taken up.
_LAYOUT = 1


class Kept:
    """Saves and takes up the state of everything that is registered, on the loop that owns it."""

    def __init__(self, roster: Roster, store: StateStore, clock: Clock, events: EventBus) -> None:
        self._roster = roster
        self._store = store
        self._clock = clock
        self._saved: dict[str, str] = {}
        self._due = asyncio.Event()
        self._dirty: set[str] = set()
        self._loaded: dict[str, Any] = {}
        self._unsubscribe = events.subscribe(self._heard)
        #: Documents that could not be taken up, for people; the API then starts afresh.
        self.refused: list[str] = []

    def _heard(self, event: Event) -> None:
        if event.kind == "config.reloaded":
            for api in tuple(self._roster.apis.values()):  # one that has come back has its past
                self.restore(api)
        if event.kind.partition(".")[0] in _TELLING or event.kind == "fallback.reset":
            # A hub's event names no API, nor does a reset of all: then everything is looked at.
            self._dirty.add(event.api or _EVERYTHING)
            self._due.set()

    async def take_up(self) -> None:
        """Restore what was saved, before the first call.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        self._loaded = await self._store.load(_PREFIX)
        # What is over when it is looked at for the first time must be forgotten there, too.
        self._saved = {key[len(_PREFIX) :]: json.dumps(kept, sort_keys=True) for key, kept in self._loaded.items()}
        for hub in tuple(self._roster.hubs.values()):
            self._restore_hub(hub)
        for api in tuple(self._roster.apis.values()):
            self.restore(api)

    def restore(self, api: Api) -> None:
        """Give an API that is registered now what was saved under its name."""
        kept = self._known(f"api/{api.name}")
        if kept is None:
            return
        try:
            now, offset = self._clock.monotonic(), self._clock.time() - self._clock.monotonic()
            api.keys.import_state(kept["keys"])
            api.keys.ledger.import_state(kept["quotas"])
            if kept["hold_until"] is not None and kept["hold_until"] - offset > now:
                api.hold_until, api.hold_reason = kept["hold_until"] - offset, kept["hold_reason"]
            for operation, state in kept["breakers"].items():
                route = self._roster.routes.get(operation) if operation else self._roster.route(api.name)
                if route is not None:
                    self._roster.binding(api, route).breaker.import_state(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._refuse(f"api/{api.name}", error)

    def _restore_hub(self, hub: Hub) -> None:
        kept = self._known(f"hub/{hub.name}")
        if kept is None:
            return
        try:
            hub.breaker.import_state(kept["breaker"])
        except (KeyError, TypeError, ValueError) as error:
            self._refuse(f"hub/{hub.name}", error)

    def _known(self, name: str) -> dict[str, Any] | None:
        kept = self._loaded.pop(_PREFIX + name, None)
        return kept if isinstance(kept, dict) and kept.get("layout") == _LAYOUT else None

    def _refuse(self, name: str, error: Exception) -> None:
        self.refused.append(name)
        _log.warning("what was saved of %s cannot be taken up (%s); it starts afresh", name, type(error).__name__)

    async def run(self) -> None:
        """Save what happens until cancelled."""
        timer = self._clock.call_later(EVERY, self._everything)
        try:
            while True:
                await self._due.wait()
                await pause(self._clock, _COALESCE)
                self._due.clear()
                dirty, self._dirty = self._dirty, set()
                if _EVERYTHING in dirty:
                    timer.cancel()
                    timer = self._clock.call_later(EVERY, self._everything)
                if not await self._try(None if _EVERYTHING in dirty else dirty):
                    self._dirty |= dirty
        finally:
            timer.cancel()

    def _everything(self) -> None:
        self._dirty.add(_EVERYTHING)
        self._due.set()

    async def stop(self) -> None:
        """Save everything as it stands."""
        self._unsubscribe()
        await self._try(None)

    async def _try(self, names: set[str] | None) -> bool:
        try:
            await self.save(names)
        except StoreUnavailable as problem:
            _log.warning("quotas, holds and breakers are not saved: %s", problem)
            return False
        return True

    async def save(self, names: Collection[str] | None = None) -> None:
        """Save what has changed since the last time, of these APIs or of everything.

        Raises:
            StoreUnavailable: it was not saved; the next time tries again.
        """
        apis = [api for name, api in tuple(self._roster.apis.items()) if names is None or name in names]
        hubs = self._roster.hubs.values() if names is None else [api.hub for api in apis]
        looks = [(f"api/{api.name}", partial(self._api, api)) for api in apis]
        looks += [(f"hub/{hub.name}", partial(self._hub, hub)) for hub in dict.fromkeys(hubs)]
        slices = Slices(self._clock.monotonic)
        changed: dict[str, Any] = {}
        texts: dict[str, str] = {}
        for name, look in looks:
            await slices.breath()
            document = look()
            text = json.dumps(document, sort_keys=True)
            if self._saved.get(name, "null") != text:
                changed[_PREFIX + name] = document
                texts[name] = text
        if changed:
            await self._store.save(changed)
            self._saved |= texts

    def _api(self, api: Api) -> dict[str, Any] | None:
        now, offset = self._clock.monotonic(), self._clock.time() - self._clock.monotonic()
        held = api.hold_until > now
        breakers = {
            operation: state
            for operation, binding in api.bindings.items()
            if (state := binding.breaker.export_state()) is not None
        }
        keys, quotas = api.keys.export_state(), api.keys.ledger.export_state()
        if not (held or breakers or keys or quotas):
            return None
        return {
            "layout": _LAYOUT,
            "hold_until": round(api.hold_until + offset, 3) if held else None,
            "hold_reason": api.hold_reason if held else "",
            "keys": keys,
            "quotas": quotas,
            "breakers": breakers,
        }

    @staticmethod
    def _hub(hub: Hub) -> dict[str, Any] | None:
        state = hub.breaker.export_state()
        return None if state is None else {"layout": _LAYOUT, "breaker": state}
