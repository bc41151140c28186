"""Sends what waits: claims rows, hands them to their channels, records how it went.

One task does everything in turns, and a turn happens only when something was accepted, came back or fell due.
Each turn records what came back and claims what goes out, which the store commits as one; sends run as tasks of
their own. What was sent is never sent again because it could not be recorded: its answer is kept until the store
has it.
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
from .answers import Answers
from .claims import LEASE, Claims
from .compose import Composer
from .counters import DeliveryCounters
from .decisions import Decision, at_the_end, given_up, without_channel
from .feed import Feed
from .flights import Flights
from .lanes import Due, Lane, Lanes
from .ports import Channel, OutboxStore, Recorder, Settlement
from .queue import Waiting
from .records import Records
from .standby import Standby

_log = logging.getLogger("understudy.notifications")

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
        self._feed = feed
        self._make_id = make_id
        self._told = told
        self._standby = Standby(lanes, feed, clock, make_id, lambda lane: changed(lane, "unreachable"))
        self._answers = Answers(lanes, clock, composer, self._standby, recorder, changed)
        self._claims = Claims(store, clock, lanes, owner)
        self._flights = Flights(clock, composer, lanes, self.wake)
        self._channels: Mapping[str, Channel] = {}
        self._wake = asyncio.Event()
        self._turning = asyncio.Lock()
        self._records = Records(store, owner, LEASE)
        self._doubtful: list[Waiting] = []
        self._decided: list[Decision] = []
        self._store_again = 0.0
        self._draining = False
        #: When a turn last ended, monotonic; and why the store could not be used then.
        self.turned_at: float | None = None
        self.store_problem = ""

    # -- what others say --------------------------------------------------------------------------

    def set_channels(self, channels: Mapping[str, Channel]) -> None:
        """Go on with these channels; what is on its way with an earlier one comes back all the same."""
        self._channels = dict(channels)
        self._claims.set_channels(channels)
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
        """Rows that are to be kept and accepted next: those that go out at once are leased to this instance by that."""
        if self._draining or not self._feed.active():
            return list(rows)
        return self._claims.with_the_commit(rows)

    def wake(self) -> None:
        """Something has changed that may let messages go."""
        self._wake.set()

    @property
    def counters(self) -> DeliveryCounters:
        """Attempts since the start, for `/metrics`."""
        return self._answers.counters

    @property
    def in_flight(self) -> int:
        """Sends that run now, and answers that are not recorded yet."""
        return len(self._flights) + len(self._records)

    def _enter(self, row: OutboxRow, *, kept: bool = True) -> None:
        now, wall = self._clock.monotonic(), self._clock.time()
        self._make_id.go_behind(row.id)
        known = self.lanes.get(row.id)
        if known is not None:
            known.kept = known.kept or kept
            return
        if row.owner not in ("", self._claims.owner) and not row.ambiguous:
            # Whoever held it has not said how it went: it may have been sent.
            row = replace(row, ambiguous=True)
        if not self.lanes.add(row, now, wall, kept=kept):
            self._feed.left_one()
            return
        item, lane = self.lanes.get(row.id), self.lanes.lanes.get(row.channel)
        if item is None or lane is None:
            return
        if self._claims.found(item):
            self.lanes.put_back(item, now)
        self._standby.entered(row)
        self._decide(at_the_end(lane, item, now))

    # -- the loop ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """Before `run`, on the loop that runs now. What is drained from here on stays so."""
        self._draining, self._wake, self._turning = False, asyncio.Event(), asyncio.Lock()

    async def run(self) -> None:
        """Deliver until cancelled, or until everything was drained."""
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
        due = self._due()
        # What goes now needs no word of what came back, and the store commits together what it is given together.
        wrote, _ = await asyncio.gather(self._record(), self._launch(due.sends))
        for lane, members in due.digests:
            await self._collapse(lane, members)
        if wrote:
            self._wake.set()  # what was recorded may let others go

    def _due(self) -> Due:
        """What may go now; nothing before all is known that waits, or something could overtake it."""
        if self._draining or not self._feed.active() or not (self._feed.ready or self.lanes.unkept()):
            return Due()
        return self.lanes.due(self._clock.monotonic())

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
        self._decide(given_up(self.lanes.expired(now), lambda name: self.lanes.lanes[name].away(now)))
        for some in self.lanes.strays.values():
            self._decide(without_channel([each for each in some.values() if now >= each.entered + STRAYS_WAIT]))

    async def _collapse(self, lane: Lane, group: tuple[Waiting, ...]) -> None:
        """Fold a group, or what waits for a channel in a flood, into a digest, but for what another instance holds."""
        waits = [each for each in group if not each.busy and self.lanes.get(each.row.id) is each]
        members = waits if group else digest.members(lane)
        now = self._clock.monotonic()
        if not group:
            lane.flood.digested(now)
        try:
            await self._claims.claim(members)
        except StoreUnavailable as problem:
            self._store_failed(problem)
            lane.flood.next_digest = now if not group else lane.flood.next_digest
            return
        # What was decided meanwhile stays so.
        ours = [each for each in members if each.token is not None and not each.busy]
        for each in group:
            if each not in ours or len(ours) < 2:  # what is alone of its group goes by itself
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
        """Let go what is ours already; claim the rest and let it go. What another instance holds is left to it now."""
        unclaimed: list[tuple[Lane, Waiting]] = []
        for lane, item in sends:
            if self._claims.lacks(lane, item):
                unclaimed.append((lane, item))
            else:
                self._let_go(lane, item)
        if not unclaimed:
            return
        try:
            await self._claims.claim([item for _, item in unclaimed])
            self.store_problem = ""
        except StoreUnavailable as problem:
            self._store_failed(problem)
            for lane, item in unclaimed:
                self._flights.put_off(lane, item, self._clock.monotonic() + STORE_AGAIN)
            return
        for lane, item in unclaimed:
            self._let_go(lane, item)

    def _let_go(self, lane: Lane, item: Waiting) -> None:
        channel = self._channels.get(lane.name)
        if channel is None or (item.kept and item.token is None):
            self._flights.stay(lane)
            self._doubtful.append(item)
        else:
            self._flights.begin(lane, item, channel)

    # -- recording --------------------------------------------------------------------------------

    def _landing(self) -> None:
        """Take in what came back."""
        for landed in self._flights.landed():
            settlement = self._answers.take(landed)
            if settlement is not None:
                self._records.add(landed.item, settlement)

    async def _record(self) -> bool:
        """Bring what is known of rows into the store; whether it took something. The rest is kept for the next turn."""
        wrote = False
        for each in self._decided:
            self._records.add(each.item, Settlement(each.row, each.attempts, None, each.added))
        self._decided = []
        if self._clock.monotonic() < self._store_again:
            return wrote
        try:
            for row in await self._feed.add():
                self._enter(row)
                wrote = True
            while batch := await self._records.batch():
                await self._written(batch, await self._records.write(batch))
                wrote = True
            wrote = await self._look_again() or wrote
            self.store_problem = ""
        except StoreUnavailable as problem:
            self._store_failed(problem)
        return wrote

    async def _written(self, batch: Sequence[tuple[Waiting, Settlement]], refused: Collection[str]) -> None:
        """The store has these; what others have claimed since is theirs."""
        slices = Slices(self._clock.monotonic)
        for item, settlement in batch:
            await slices.breath()
            row, now = settlement.row, self._clock.monotonic()
            if row.id in refused:
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

    async def _look_again(self) -> bool:
        """See how rows stand that another instance holds or has finished; what follows them waits as long."""
        looked = bool(self._doubtful)
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
            foreign = row.owner not in ("", self._claims.owner)
            held = row.leased_until - self._clock.time() if foreign else 0.0
            item.row = replace(row, ambiguous=row.ambiguous or item.row.ambiguous or foreign)
            item.held_until = now + min(held, 2 * self._claims.seconds)
            item.due = max(now + STORE_AGAIN, item.held_until)
            self.lanes.put_back(item, now)
        return looked

    # -- the end ----------------------------------------------------------------------------------

    async def drain(self, seconds: float) -> None:
        """Start nothing more; wait for what is on its way, at most that long, and record it.

        What is cut off is recorded as an attempt without an answer; its row can be claimed at once.
        """
        self._draining = True
        self._wake.set()
        until = self._clock.monotonic() + seconds
        async with self._turning:  # a turn that runs may still begin something
            await self._flights.wait(until)
            for item in self._flights.cut_off():
                row = replace(item.row, ambiguous=True, reason="stopped while it was being sent")
                self._records.add(item, Settlement(row))
            for item in self.lanes.items():
                if item.token is not None and not item.busy:
                    self._decide([Decision(item, item.row)])  # its lease ends with this
            self._landing()
            self._store_again = 0.0
            await self._record()
