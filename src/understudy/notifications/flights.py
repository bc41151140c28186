"""Sends that are on their way: each is a task of its own, so that a slow channel keeps nobody waiting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from understudy.core.clock import Clock

from .compose import Composer
from .lanes import Lane, Lanes
from .message import Outcome, Retry
from .ports import Channel
from .queue import Waiting
from .sending import Sends, first_of
from .settling import asked

_log = logging.getLogger("understudy.notifications")


@dataclass(frozen=True, slots=True)
class Landed:
    """A send that has come back: when it began, epoch seconds, and how long it took, s."""

    lane: Lane
    item: Waiting
    channel: Channel
    outcome: Outcome
    began: float
    seconds: float


class Flights:
    """Runs sends. `back` is called whenever one has come back, or does not go after all."""

    def __init__(self, clock: Clock, composer: Composer, lanes: Lanes, back: Callable[[], None]) -> None:
        self._clock = clock
        self._composer = composer
        self._lanes = lanes
        self._back = back
        self._sends = Sends(clock)
        self._running: dict[asyncio.Task[None], Waiting] = {}
        self._landed: list[Landed] = []

    def __len__(self) -> int:
        return len(self._running) + len(self._landed)

    def begin(self, lane: Lane, item: Waiting, channel: Channel) -> None:
        """Let a message go, as `Lanes.due` said."""
        task = asyncio.ensure_future(self._fly(lane, item, channel))
        self._running[task] = item
        task.add_done_callback(lambda done: self._running.pop(done, None))

    def stay(self, lane: Lane) -> None:
        """A message that was about to go does not, and nothing was learnt of its channel."""
        self._lanes.ended(lane)
        lane.circuit.unanswered()
        self._back()

    def put_off(self, lane: Lane, item: Waiting, due: float) -> None:
        """A message that was about to go does not before `due`, monotonic."""
        self.stay(lane)
        item.due = max(item.due, due)
        self._lanes.put_back(item, self._clock.monotonic())

    def landed(self) -> list[Landed]:
        """What has come back since this was asked last."""
        landed, self._landed = self._landed, []
        return landed

    async def wait(self, until: float) -> None:
        """Return when all have come back, or at a moment, monotonic."""
        while self._running and self._clock.monotonic() < until:
            await first_of(self._running, until - self._clock.monotonic(), self._clock)

    def cut_off(self) -> list[Waiting]:
        """End all that run; what they were sending, which may arrive or not."""
        running, self._running = self._running, {}
        for task in running:
            task.cancel()
        return list(running.values())

    async def _fly(self, lane: Lane, item: Waiting, channel: Channel) -> None:
        began = self._clock.time()
        try:
            message = await self._composer.message(item.row, lane.traits)
            if lane.gate.asked_until > self._clock.monotonic():
                # Another send of the destination has come back meanwhile, and wants a pause.
                self.put_off(lane, item, lane.gate.asked_until)
                return
            if item.kept and item.until < self._clock.monotonic() + lane.traits.timeout:
                # The process stood still, or the store was slow: by now somebody else may have told this, and the end.
                self.put_off(lane, item, self._clock.monotonic())
                return
            began = self._clock.time()
            outcome, seconds = await self._sends.send(channel, message)
        except asyncio.CancelledError:
            if asyncio.current_task() in self._running:  # the loop ends without a word; another one may go on
                cut = Retry("cut off while it was being sent", ambiguous=True)
                self._landed.append(Landed(lane, item, channel, cut, began, self._clock.time() - began))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the row must come back, and be tried again
            _log.exception("the row %s could not be sent", item.row.id)
            began, outcome, seconds = self._clock.time(), Retry(f"{type(error).__name__}: {error}"), 0.0
        # What is sent a moment later must know of it already.
        lane.gate.hold(self._clock.monotonic() + asked(outcome))
        self._landed.append(Landed(lane, item, channel, outcome, began, seconds))
        self._back()
