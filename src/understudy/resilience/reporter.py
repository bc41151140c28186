"""Tells the rest of the program what calls came to: events, counters and decision records."""

from __future__ import annotations

import random
from typing import Any

from understudy.core.clock import Clock
from understudy.core.events import Event, EventBus
from understudy.core.types import Explanation

from .call import Call
from .counters import Counters
from .decision import DecisionLog
from .ports import HealthView
from .registry import Binding

#: The kind of event for each state that a breaker may reach; other states give their own name.
_TRANSITIONS = {"open": "breaker.opened", "closed": "breaker.closed", "half_open": "breaker.half_opened"}


class Reporter:
    """One for each manager; nothing here decides anything."""

    def __init__(self, clock: Clock, rng: random.Random, events: EventBus, health: HealthView) -> None:
        self._clock = clock
        self._health = health
        self._boot = f"{rng.getrandbits(32):08x}"
        self.events = events
        self.counters = Counters()
        self.log = DecisionLog()

    def new_id(self) -> str:
        """An identifier for a call, unique in this process."""
        return self.log.next_id(self._boot)

    def emit(self, kind: str, *, api: str = "", route: str = "", **detail: Any) -> None:
        """An event that is happening now."""
        self.events.emit(Event(kind, self._clock.time(), api, route, detail))

    def transition(self, binding: Binding | None, breaker: str, old: str, new: str, cause: str) -> None:
        """A breaker changed its state; without a binding it is a hub's."""
        self.counters.transition(breaker, new)
        api = binding.api.name if binding is not None else ""
        route = binding.operation if binding is not None else ""
        actor = binding.breaker.view().actor if binding is not None else ""
        detail = {"breaker": breaker, "old": old, "cause": cause, **({"actor": actor} if actor else {})}
        self.emit(_TRANSITIONS.get(new, f"breaker.{new}"), api=api, route=route, **detail)

    def finished(self, call: Call, record: Explanation, error: BaseException | None) -> None:
        """A call ended, served or not."""
        lead = call.apis[0].name if call.apis else ""
        self.counters.finished(record, lead)
        route = call.route
        if record.outcome == "fallback":
            route.fallbacks += 1
            self.emit("fallback.served", api=record.chosen, route=route.name, lead=lead)
        elif record.outcome in ("failed", "deadline"):
            route.failures += 1
            self.emit("fallback.exhausted", route=route.name, outcome=record.outcome, error=type(error).__name__)
        proof = any(c.detail and c.api == record.chosen for c in record.candidates)  # a trial, or a first call
        if record.chosen and route.incumbent != record.chosen and not proof:
            if route.incumbent:
                self.emit("selection.changed", api=record.chosen, route=route.name, previous=route.incumbent)
            route.incumbent = record.chosen
        self.log.add(record)
        self._health.called(record, call.source.endpoint, call.causes, part=call.source.part)

    def abandoned(self, record: Explanation, endpoint: str, error: BaseException) -> None:
        """A call was given up by its caller on the prepared path, where nothing else was to be told of it."""
        self.counters.finished(record, "")
        self.log.add(record)
        self._health.called(record, endpoint, {record.attempts[0].api: error})
