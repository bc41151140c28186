"""Sends what waits: claims rows, hands them to their channels, records how it went.

One task does everything in turns, and a turn happens only when something was accepted, came back or fell due.
Each turn records what came back in one transaction and claims what goes out in another; sends run as tasks of
their own, so that a slow channel keeps nobody waiting. What was sent is never sent again because it could not
be recorded: its answer is kept until the store has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from understudy.core.clock import Clock
from understudy.core.errors import StoreUnavailable
from understudy.core.ids import Ulids
from understudy.core.outbox import OutboxRow, RowState
from understudy.core.turn import Slices

from . import digest
from .compose import Composer
from .counters import DeliveryCounters
from .decisions import Decision, at_the_end, given_up, without_channel
from .feed import Feed
from .lanes import Due, Lane, Lanes
from .message import Outcome, Retry
from .ports import Channel, OutboxStore, Recorder, Settlement
from .queue import Waiting
from .records import Records
from .sending import Sends, first_of
from .settling import Effect, Step, asked, step
from .standby import Standby

_log = logging.getLogger("understudy.notifications")

#: A row is leased that long, s, and at least that much longer than its send may take.
LEASE, LEASE_MARGIN = 30.0, 5.0
#: The store is tried again after this, s.
STORE_AGAIN = 1.0
#: Without anything to do it looks round that often, s.
LOOK_ROUND = 10.0
#: Turns that nothing called for are never closer together, s.
SHORTEST_PAUSE = 0.001
#: Rows of a channel that is not there wait that long for it: callbacks are registered after the start, s.
STRAYS_WAIT = 60.0


class Dispatcher:
    """Delivers rows. `told` is called with each row that was finished, after the store has it."""

    def __init__(
        self,
        store: OutboxStore,
        clock: Clock,
        lanes: Lanes,
        composer: Composer,
        feed: Feed,
        *,
        owner: str,
        make_id: Ulids,
        recorder: Recorder | None = None,
        told: Callable[[OutboxRow], None] = lambda row: None,
        changed: Callable[[Lane, str], None] = lambda lane, change: None,
    ) -> None:
        self.lanes = lanes
        self._store = store
        self._clock = clock
        self._composer = composer
        self._feed = feed
        self._owner = owner
        self._make_id = make_id
        self._recorder = recorder
        self._told = told
        self._changed = changed
        self._sends = Sends(clock)
        self._standby = Standby(lanes, feed, clock, make_id, lambda lane: changed(lane, "unreachable"))
        self._channels: Mapping[str, Channel] = {}
        self._wake = asyncio.Event()
        self._turning = asyncio.Lock()
        self._flights: dict[asyncio.Task[None], Waiting] = {}
        self._landed: list[tuple[Lane, Waiting, Channel, Outcome, float, float]] = []
        self._records = Records(store, owner, LEASE)
        self._doubtful: list[Waiting] = []
        self._decided: list[Decision] = []
        self._store_again = 0.0
        self._draining = False
        #: Attempts since the start, for `/metrics`.
        self.counters = DeliveryCounters()
        #: When a turn last ended, monotonic; and why the store could not be used then.
        self.turned_at: float | None = None
        self.store_problem = ""
        #: Answers that came after another had claimed the row: messages that may have been sent twice.
        self.fenced = 0

    # -- what others say --------------------------------------------------------------------------

    def set_channels(self, channels: Mapping[str, Channel]) -> None:
        """Go on with these channels; what is on its way with an earlier one comes back all the same."""
        self._channels = dict(channels)
        self.lanes.set_channels({name: each.traits for name, each in channels.items()}, self._clock.monotonic())
        self._wake.set()

    def accept(self, rows: Sequence[OutboxRow], *, kept: bool = True) -> None:
        """Rows to deliver, at once. `kept`: the store has them; others are told first and recorded later."""
        for row in rows:
            known = self.lanes.get(row.id)
            if known is not None:
                known.kept = known.kept or kept  # an instance that delivers no more must record what it sent, too
            elif row.state is RowState.PENDING and (self._feed.active() or not kept):
                self._enter(row, kept=kept)
        self._wake.set()

    def leased(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Rows that are to be kept and accepted next, leased to this instance from the beginning where they go at once.

        So their commit is their claim, and the message leaves a whole commit earlier.
        """
        if not self._feed.active() or self._draining:
            return list(rows)
        wall = self._clock.time()
        until = wall + self._lease()
        return [
            replace(row, owner=self._owner, token=1, leased_until=until)
            if row.state is RowState.PENDING and row.not_before_at <= wall and not row.owner
            else row
            for row in rows
        ]

    def wake(self) -> None:
        """Something has changed that may let messages go."""
        self._wake.set()

    @property
    def in_flight(self) -> int:
        """Sends that run now, and answers that are not recorded yet."""
        return len(self._flights) + len(self._landed) + len(self._records)

    def _enter(self, row: OutboxRow, *, kept: bool = True) -> None:
        now, wall = self._clock.monotonic(), self._clock.time()
        self._make_id.go_behind(row.id)
        known = self.lanes.get(row.id)
        if known is not None:
            known.kept = known.kept or kept
            return
        foreign = bool(row.owner) and row.owner != self._owner
        if foreign and not row.ambiguous:
            # Whoever held it has not said how it went: it may have been sent.
            row = replace(row, ambiguous=True)
        if not self.lanes.add(row, now, wall, kept=kept):
            return
        item, lane = self.lanes.get(row.id), self.lanes.lanes.get(row.channel)
        if item is None or lane is None:
            return
        if foreign and row.leased_until > wall:
            item.due = max(item.due, now + row.leased_until - wall)
            self.lanes.put_back(item, now)
        elif row.token and row.owner == self._owner and row.leased_until > wall:
            item.token, item.until = row.token, now + row.leased_until - wall
        self._standby.entered(row)
        self._decide(at_the_end(lane, item))

    # -- the loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until cancelled, or until everything was drained; on whatever loop runs now."""
        self._draining, self._wake, self._turning = False, asyncio.Event(), asyncio.Lock()
        while not self._draining:
            self._wake.clear()
            turn = asyncio.ensure_future(self._one_turn())
            try:
                await asyncio.shield(turn)
            except asyncio.CancelledError:
                # A cancellation must not fall between the store's commit and our knowing of it.
                await asyncio.wait((turn,))
                raise
            self.turned_at = self._clock.monotonic()
            if self._wake.is_set() or self._draining:
                continue
            timer = self._clock.call_later(self._idle_for(), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    async def _one_turn(self) -> None:
        async with self._turning:
            await self._turn()

    async def _turn(self) -> None:
        self._landing()
        now = self._clock.monotonic()
        if now >= self._store_again and not self._draining:
            await self._refill()
        if not self._feed.active():
            self.lanes.forget_idle(now)  # another instance delivers them
        self._expire(self._clock.monotonic())
        await self._fail_over()
        await self._record()
        if self._draining or not self._feed.active() or not (self._feed.ready or self.lanes.unkept()):
            return  # before all is known that waits, something could overtake it
        due = self.lanes.due(self._clock.monotonic())
        if due.digests:
            for lane, members in due.digests:
                await self._collapse(lane, members)
            await self._record()
            more = self.lanes.due(self._clock.monotonic())
            due = Due((*due.sends, *more.sends))
        if due.sends:
            await self._launch(due.sends)

    def _idle_for(self) -> float:
        now = self._clock.monotonic()
        moments = [now + LOOK_ROUND]
        if self._store_again > now:
            moments.append(self._store_again)  # nothing else can be done before
        elif self._decided or self._doubtful or self._records.writable:
            moments.append(now)
        else:
            moments.append(self._feed.next_at(now))
            if self._feed.active():
                moments.append(self.lanes.next_at(now) or moments[0])
        if (moment := self._standby.next_at(now)) is not None:
            moments.append(moment)
        return max(SHORTEST_PAUSE, min(moments) - now)

    async def _refill(self) -> None:
        """Take in what others have put into the store."""
        try:
            found = await self._feed.look(self._clock.monotonic(), self.lanes.room())
            slices = Slices(self._clock.monotonic)
            for row in found:
                self._enter(row)
                await slices.breath()
        except StoreUnavailable as problem:
            self._store_failed(problem)
        if self._feed.looked:
            self.lanes.overflowed = not self._feed.complete

    def _store_failed(self, problem: StoreUnavailable) -> None:
        if not self.store_problem:
            _log.warning("the outbox cannot be used now; nothing is lost: %s", problem)
        self.store_problem = str(problem)
        self._store_again = self._clock.monotonic() + STORE_AGAIN

    # -- decisions --------------------------------------------------------------------------------

    def _decide(self, decisions: Sequence[Decision]) -> None:
        for each in decisions:
            each.item.busy = True
        self._decided.extend(decisions)
        if decisions:
            self._wake.set()

    def _expire(self, now: float) -> None:
        self._decide(given_up(self.lanes.expired(now)))
        for some in self.lanes.strays.values():
            self._decide(without_channel([each for each in some.values() if now >= each.entered + STRAYS_WAIT]))

    async def _collapse(self, lane: Lane, group: tuple[Waiting, ...]) -> None:
        """Fold a group, or what waits for a channel in a flood, into a digest, but for what another instance holds."""
        members = group or digest.members(lane)
        now = self._clock.monotonic()
        if not group:
            lane.flood.digested(now)
        try:
            tokens = await self._store.claim([each.row.id for each in members], self._owner, LEASE)
        except StoreUnavailable as problem:
            self._store_failed(problem)
            lane.flood.next_digest = now if not group else lane.flood.next_digest
            return
        ours = [each for each in members if each.row.id in tokens]
        for each in ours:
            each.token = tokens[each.row.id]
        for each in group:
            if each.row.id not in tokens or len(ours) < 2:  # what is alone of its group goes by itself
                lane.queue.alone(each)
        row_id = self._make_id()
        decisions = digest.make(lane, ours, row_id, self._clock.time())
        lane.queue.hold({each.item.chain for each in decisions}, row_id)
        self._decide(decisions)

    async def _fail_over(self) -> None:
        """Hand critical messages of channels that do not work to those that stand in for them."""
        try:
            self._decide(await self._standby.look(self._clock.monotonic()))
        except StoreUnavailable as problem:
            self._store_failed(problem)

    # -- sending ----------------------------------------------------------------------------------

    async def _launch(self, sends: Sequence[tuple[Lane, Waiting]]) -> None:
        """Claim what is to go, and let it go; what another instance holds is left alone for now."""
        now = self._clock.monotonic()
        wanted = [item for lane, item in sends if item.kept and item.until < now + self._needed(lane)]
        tokens: dict[str, int] = {}
        if wanted:
            try:
                tokens = await self._store.claim([each.row.id for each in wanted], self._owner, self._lease())
                self.store_problem = ""
            except StoreUnavailable as problem:
                self._store_failed(problem)
                for lane, item in sends:
                    self._call_back(lane, item, now + STORE_AGAIN)
                return
        for item in wanted:
            if item.row.id in tokens:
                item.token, item.until = tokens[item.row.id], now + self._lease()
            else:
                item.token, item.until = None, 0.0
        for lane, item in sends:
            channel = self._channels.get(lane.name)
            if (item.kept and item.token is None) or channel is None:
                self.lanes.ended(lane)
                lane.circuit.unanswered()
                self._doubtful.append(item)
                self._wake.set()
                continue
            task = asyncio.ensure_future(self._fly(lane, item, channel))
            self._flights[task] = item
            task.add_done_callback(self._flights.pop)

    def _needed(self, lane: Lane) -> float:
        return lane.traits.timeout + LEASE_MARGIN

    def _lease(self) -> float:
        longest = max((each.traits.timeout for each in self._channels.values()), default=0.0)
        return max(LEASE, longest + 2 * LEASE_MARGIN)

    def _call_back(self, lane: Lane, item: Waiting, due: float) -> None:
        """A message that was about to go does not."""
        self.lanes.ended(lane)
        lane.circuit.unanswered()
        item.due = max(item.due, due)
        self.lanes.put_back(item, self._clock.monotonic())

    async def _fly(self, lane: Lane, item: Waiting, channel: Channel) -> None:
        began = self._clock.time()
        try:
            message = await self._composer.message(item.row, lane.traits)
            if lane.gate.asked_until > self._clock.monotonic():
                # Another send of the destination has come back meanwhile, and wants a pause.
                self._call_back(lane, item, lane.gate.asked_until)
                return
            began = self._clock.time()
            outcome, seconds = await self._sends.send(channel, message)
        except asyncio.CancelledError:
            if not self._draining:  # the loop ends without a word; another one may go on
                cut = Retry("cut off while it was being sent", ambiguous=True)
                self._landed.append((lane, item, channel, cut, began, self._clock.time() - began))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the row must come back, and be tried again
            _log.exception("the row %s could not be sent", item.row.id)
            began, outcome, seconds = self._clock.time(), Retry(f"{type(error).__name__}: {error}"), 0.0
        # What is sent a moment later must know of it already.
        lane.gate.hold(self._clock.monotonic() + asked(outcome))
        self._landed.append((lane, item, channel, outcome, began, seconds))
        self._wake.set()

    def _landing(self) -> None:
        """Take in what came back: what it says about the channel counts at once."""
        landed, self._landed = self._landed, []
        for lane, item, channel, outcome, began, seconds in landed:
            made = step(item.row, outcome, started_at=began, seconds=seconds, recipients=channel.traits.recipients)
            self.lanes.ended(lane)
            if self._recorder is not None:
                self._recorder.record(lane.name, seconds, made.effect is Effect.WORKS, made.reason)
            made = self._learn(lane, item, made)
            if made.receipt is not None:
                self._composer.remember(made.row, made.receipt)
            for attempt in made.attempts:
                self.counters.note(attempt)
            attempts = (*item.log, *made.attempts)
            if not item.kept and made.again:
                # The store does not know of it yet: it is tried again all the same, and recorded later.
                item.row, item.log = made.row, attempts
                self.lanes.put_back(item, self._clock.monotonic())
            else:
                self._records.add(item, Settlement(made.row, attempts, made.receipt))

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
                item.due = now + gate.own_wait(row.attempts, made.after, self.lanes.rng)
        elif made.effect is Effect.FATAL:
            if lane.circuit.fatal(self._clock.time(), made.reason):
                self._changed(lane, "disabled")
        else:
            item.due = now + gate.failed(now, row.attempts, made.after, self.lanes.rng)
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
        self._changed(lane, "closed")
        self._standby.works_again(lane, since)

    # -- recording --------------------------------------------------------------------------------

    async def _record(self) -> None:
        """Bring into the store what is known of rows; what it does not take now is kept for the next turn."""
        for each in self._decided:
            self._records.add(each.item, Settlement(each.row, each.attempts, None, each.added))
        self._decided = []
        if self._clock.monotonic() < self._store_again:
            return
        try:
            for row in await self._feed.add():
                self._enter(row)
            while batch := await self._records.batch():
                await self._written(batch, await self._records.write(batch))
            await self._look_again()
            self.store_problem = ""
        except StoreUnavailable as problem:
            self._store_failed(problem)

    async def _written(self, batch: Sequence[tuple[Waiting, Settlement]], refused: Collection[str]) -> None:
        """The store has these; what others have claimed since is theirs."""
        slices = Slices(self._clock.monotonic)
        for item, settlement in batch:
            await slices.breath()
            row, now = settlement.row, self._clock.monotonic()
            if row.id in refused:
                self.fenced += bool(settlement.attempts)
                item.token, item.until = None, 0.0
                self._doubtful.append(item)
                continue
            item.row = replace(row, owner="", leased_until=0.0)
            item.token, item.until, item.log = None, 0.0, ()
            if row.state is RowState.PENDING:
                self.lanes.put_back(item, now)
            else:
                self.lanes.remove(item, now)
                self._told(row)
            for added in settlement.added:
                self._enter(added)

    async def _look_again(self) -> None:
        """See how rows stand that another instance holds or has finished; what follows them waits as long."""
        while self._doubtful:
            item = self._doubtful[0]
            row = await self._feed.row(item.row.id)
            self._doubtful.pop(0)
            now = self._clock.monotonic()
            if row is None or row.state is not RowState.PENDING:
                self.lanes.remove(item, now)
                if row is not None:
                    self._told(row)
                continue
            foreign = row.owner not in ("", self._owner)
            held = row.leased_until - self._clock.time() if foreign else 0.0
            item.row = replace(row, ambiguous=row.ambiguous or item.row.ambiguous or foreign)
            item.due = now + max(STORE_AGAIN, min(held, 2 * self._lease()))
            self.lanes.put_back(item, now)

    # -- the end ----------------------------------------------------------------------------------

    async def drain(self, seconds: float) -> None:
        """Start nothing more; wait for what is on its way, at most that long, and record it.

        What is cut off is recorded as an attempt without an answer; its row can be claimed at once.
        """
        self._draining = True
        self._wake.set()
        until = self._clock.monotonic() + seconds
        async with self._turning:  # a turn that runs may still begin something
            while self._flights and self._clock.monotonic() < until:
                await first_of(self._flights, until - self._clock.monotonic(), self._clock)
            for task, item in list(self._flights.items()):
                task.cancel()
                row = replace(item.row, ambiguous=True, reason="stopped while it was being sent")
                self._records.add(item, Settlement(row))
            for item in self.lanes.items():
                if item.token is not None and not item.busy:
                    self._decide([Decision(item, item.row)])  # its lease ends with this
            self._landing()
            self._store_again = 0.0
            await self._record()
