"""What the answers of channels teach: about the row, about the channel's breaker, about the destination's pauses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from understudy.core.clock import Clock
from understudy.core.outbox import RowState

from .compose import Composer
from .counters import DeliveryCounters
from .flights import Landed
from .lanes import Lane, Lanes
from .ports import Recorder, Settlement
from .queue import Waiting
from .settling import Effect, Step, step
from .standby import Standby


class Answers:
    """Takes them in, in the order in which they come. `changed` is told of what happens to a channel."""

    def __init__(
        self,
        lanes: Lanes,
        clock: Clock,
        composer: Composer,
        standby: Standby,
        recorder: Recorder | None,
        changed: Callable[[Lane, str], None],
    ) -> None:
        self._lanes = lanes
        self._clock = clock
        self._composer = composer
        self._standby = standby
        self._recorder = recorder
        self._changed = changed
        #: Attempts since the start, for `/metrics`.
        self.counters = DeliveryCounters()

    def take(self, landed: Landed) -> Settlement | None:
        """What is to be recorded of a row; None where that comes later, with its next attempt.

        What the answer says about the channel counts at once.
        """
        item, lane, channel = landed.item, landed.lane, landed.channel
        made = step(
            item.row, landed.outcome, started_at=landed.began, seconds=landed.seconds,
            recipients=channel.traits.recipients,
        )  # fmt: skip
        self._lanes.ended(lane)
        if self._recorder is not None:
            self._recorder.record(lane.name, landed.seconds, made.effect is Effect.WORKS, made.reason)
        made = self._learn(lane, item, made)
        if made.receipt is not None:
            self._composer.remember(made.row, made.receipt)
        for attempt in made.attempts:
            self.counters.note(attempt)
        attempts = (*item.log, *made.attempts)
        if item.kept or not made.again:
            return Settlement(made.row, attempts, made.receipt)
        # The store does not know of it yet: it is tried again all the same, and recorded later.
        item.row, item.log = made.row, attempts
        self._lanes.put_back(item, self._clock.monotonic())
        return None

    def _learn(self, lane: Lane, item: Waiting, made: Step) -> Step:
        """What the answer says about the channel and its destination; the row with the moment it may go again."""
        now, gate, row = self._clock.monotonic(), lane.gate, made.row
        item.failed = made.effect is not Effect.WORKS
        if item.failed:
            lane.failed.add(item)
        item.due = now
        if made.effect is Effect.WORKS:
            gate.succeeded()
            if row.state is RowState.DELIVERED or lane.circuit.closed:
                self._works_again(lane)
            else:
                lane.circuit.unanswered()
            if made.again and made.row.recipients:
                item.due = now + gate.own_wait(row.attempts, made.after, self._lanes.rng)
        elif made.effect is Effect.FATAL:
            if lane.circuit.fatal(self._clock.time(), made.reason):
                self._changed(lane, "disabled")
        else:
            item.due = now + gate.failed(now, row.attempts, made.after, self._lanes.rng)
            if lane.circuit.failed(now, self._clock.time(), made.reason, made.after):
                self._changed(lane, "opened")
        if made.after is not None or made.pause > 0:
            self._changed(lane, "paused")
        if not made.again:
            return made
        return replace(made, row=replace(row, not_before_at=self._clock.time() + item.due - now))

    def _works_again(self, lane: Lane) -> None:
        since = lane.circuit.opened_at
        while lane.failed:
            lane.failed.pop().failed = False
        if not lane.circuit.succeeded():
            return
        lane.queue.afresh(self._clock.monotonic())
        self._changed(lane, "closed")
        self._standby.works_again(lane, since)
