"""Which message goes next, to each destination by itself: a pure scheduler over what waits.

One lane for each destination: its rate and pauses; in it one queue for each channel, with the channel's
breaker. No lane waits for another. Moments are monotonic seconds.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow

from .bucket import strictest
from .circuit import Circuit
from .flood import Flood
from .gate import Gate
from .ports import Rate, Traits
from .queue import ChannelQueue, Waiting, chain_name, urgency_of

#: Rows in memory; what is beyond waits in the store. A critical one finds room for as many again.
MOST_ROWS = 20_000
#: A service that wants to be left alone for longer than this is as good as broken, s.
LONG_PAUSE = 60.0


class Lane:
    """One channel: what waits for it, and whether it can take it."""

    def __init__(self, name: str, traits: Traits, gate: Gate) -> None:
        self.name = name
        self.traits = traits
        self.gate = gate
        self.queue = ChannelQueue(digests=traits.digests)
        self.circuit = Circuit(traits.revision)
        self.flood = Flood()
        self.in_flight = 0
        #: What failed since the channel last took something.
        self.failed: set[Waiting] = set()

    def away(self, now: float) -> str:
        """Why it takes nothing now nor soon, in words; empty while it does."""
        if not self.circuit.closed:
            return self.circuit.reason or str(self.circuit.state)
        if self.gate.asked_until - now > LONG_PAUSE:
            return "rate limited"
        return ""


@dataclass(frozen=True, slots=True)
class Due:
    """What to do now: send these, and fold these of a channel into a digest; none of them: what waits in a flood."""

    sends: tuple[tuple[Lane, Waiting], ...] = ()
    digests: tuple[tuple[Lane, tuple[Waiting, ...]], ...] = ()


class Lanes:
    """All that waits, and what may go now."""

    def __init__(self, rng: random.Random, most: int = MOST_ROWS) -> None:
        self.lanes: dict[str, Lane] = {}
        self.gates: dict[str, Gate] = {}
        self._rng = rng
        self._most = most
        self._expiring: list[tuple[float, str, str]] = []
        self._where: dict[str, Lane] = {}
        #: Rows were left in the store for want of room.
        self.overflowed = False
        #: Rows of channels that are not there, by channel.
        self.strays: dict[str, dict[str, Waiting]] = {}

    def __len__(self) -> int:
        return len(self._where) + sum(map(len, self.strays.values()))

    def __contains__(self, row_id: str) -> bool:
        return row_id in self._where or any(row_id in some for some in self.strays.values())

    def items(self) -> Iterator[Waiting]:
        """Everything that waits or is on its way."""
        for lane in self.lanes.values():
            yield from lane.queue
        for some in self.strays.values():
            yield from some.values()

    def get(self, row_id: str) -> Waiting | None:
        """A row that waits for a channel that is there."""
        lane = self._where.get(row_id)
        return None if lane is None else lane.queue.items.get(row_id)

    # -- channels ---------------------------------------------------------------------------------

    def set_channels(self, traits: Mapping[str, Traits], now: float) -> None:
        """Go on with these channels. What waits for one that has gone is a stray; strays of new ones go in."""
        for name in [name for name in self.lanes if name not in traits]:
            lane = self.lanes.pop(name)
            for item in list(lane.queue):
                del self._where[item.row.id]
                item.entered = now  # it waits for its channel from now on
                self.strays.setdefault(name, {})[item.row.id] = item
        rates: dict[str, list[Rate]] = {}
        for each in traits.values():
            rates.setdefault(each.destination, []).append(each.rate)
        for destination, found in rates.items():
            rate, gate = strictest(found), self.gates.get(destination)
            if gate is None:
                self.gates[destination] = Gate(rate, now)
            elif gate.bucket.rate != rate:
                gate.bucket.change(rate, now)
        for name, each in traits.items():
            self._set_channel(name, each, now)

    def _set_channel(self, name: str, traits: Traits, now: float) -> None:
        gate = self.gates[traits.destination]
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane(name, traits, gate)
            for item in self.strays.pop(name, {}).values():
                self._enter(lane, item, now)
            return
        if lane.traits.revision != traits.revision:
            lane.circuit = Circuit(traits.revision)  # what was switched off may be mended
        lane.traits, lane.gate = traits, gate

    # -- rows -------------------------------------------------------------------------------------

    def add(self, row: OutboxRow, now: float, wall: float, *, kept: bool = True) -> bool:
        """Take a row in, unless it is known; False when there is no room and it must be asked for again later."""
        if row.id in self:
            return True
        urgent = row.priority == 0
        if len(self) >= (2 * self._most if urgent else self._most) or (self.overflowed and not urgent):
            self.overflowed = True
            return False
        item = Waiting(row, now, wall, kept=kept)
        lane = self.lanes.get(row.channel)
        if lane is None:
            self.strays.setdefault(row.channel, {})[row.id] = item
        else:
            self._enter(lane, item, now)
        return True

    def room(self) -> int:
        """How many rows that were left in the store may be asked for again; a few are not worth it."""
        left = self._most - len(self)
        return left if left >= self._most // 2 else 0

    def unkept(self) -> bool:
        """Whether something waits that the store does not have yet."""
        return any(not item.kept for item in self.items())

    def _enter(self, lane: Lane, item: Waiting, now: float) -> None:
        self._where[item.row.id] = lane
        lane.queue.add(item, now)
        heapq.heappush(self._expiring, (item.expires, item.row.id, lane.name))

    def remove(self, item: Waiting, now: float) -> None:
        """A row is finished, or not ours any more."""
        lane = self._where.pop(item.row.id, None)
        if lane is not None:
            lane.queue.remove(item, now)
            lane.failed.discard(item)
            if item.row.kind is NoticeKind.DIGEST:
                lane.queue.release(item.row.id, now)
        for some in self.strays.values():
            some.pop(item.row.id, None)

    def put_back(self, item: Waiting, now: float) -> None:
        """A row that was busy waits again, from `item.due` on."""
        item.busy = False
        lane = self._where.get(item.row.id)
        if lane is not None:
            lane.queue.put_back(item, now)
            heapq.heappush(self._expiring, (item.expires, item.row.id, lane.name))

    def forget_idle(self, now: float) -> None:
        """Leave everything to another instance, but for what is on its way or only here."""
        for item in [each for each in self.items() if not each.busy and each.kept]:
            self.remove(item, now)

    def expired(self, now: float) -> list[Waiting]:
        """Rows whose deadline has passed and that are not on their way; each is told once."""
        found: dict[str, Waiting] = {}  # a row that has been put back stands there more than once
        while self._expiring and self._expiring[0][0] <= now:
            _, name, _ = heapq.heappop(self._expiring)
            item = self.get(name)
            if item is not None and not item.busy and item.expires <= now:
                found[name] = item
        return list(found.values())

    # -- what goes now ----------------------------------------------------------------------------

    def due(self, now: float) -> Due:
        """What may go now. What is told here is taken to be on its way: tokens are spent, rows are busy."""
        sends: list[tuple[Lane, Waiting]] = []
        digests: list[tuple[Lane, tuple[Waiting, ...]]] = []
        by_gate: dict[int, list[Lane]] = {}
        for lane in self.lanes.values():
            if lane.queue.items:
                by_gate.setdefault(id(lane.gate), []).append(lane)
        for lanes in by_gate.values():
            self._due_at(lanes, now, sends, digests)
        return Due(tuple(sends), tuple(digests))

    def at_once(self, name: str, rows: Iterable[OutboxRow], now: float) -> list[str]:
        """The ids of those of some new rows of a channel that would go out at this moment."""
        lane = self.lanes.get(name)
        if lane is None or not lane.circuit.closed or lane.gate.ready_at(now) > now:
            return []
        free = min(max(1, lane.traits.concurrency) - lane.in_flight, lane.gate.bucket.spare(now))
        first = lane.queue.best(now)
        heads: dict[str, tuple[int, str]] = {}
        for row in sorted(rows, key=lambda row: row.id):
            urgency, head = heads.get(chain_name(row), (urgency_of(row), row.id))
            heads[chain_name(row)] = min(urgency, urgency_of(row)), head
        goes = [
            head
            for chain, head in heads.items()
            if not lane.queue.waits(chain) and (first is None or head[0] < first.urgency)
        ]
        return [row_id for _, row_id in sorted(goes)[: max(0, free)]]

    def _due_at(
        self, lanes: list[Lane], now: float, sends: list[tuple[Lane, Waiting]],
        digests: list[tuple[Lane, tuple[Waiting, ...]]],
    ) -> None:  # fmt: skip
        gate = lanes[0].gate
        crowd = sum(len(lane.queue.loose) for lane in lanes)
        asked = set[str]()
        while gate.ready_at(now) <= now:
            best: tuple[int, str, Lane, Waiting] | None = None
            for lane in lanes:
                if lane.name in asked or not self._open(lane, now):
                    continue
                item = lane.queue.best(now, other=gate.try_another, aging=lane.circuit.closed)
                if item is None:
                    continue
                if not lane.flood.lets_through(item, crowd, gate, now):
                    asked.add(lane.name)
                    if lane.flood.next_digest <= now:
                        digests.append((lane, ()))
                    continue
                if item.group and len(members := lane.queue.together(item, now)) > 1:
                    asked.add(lane.name)
                    digests.append((lane, members))
                    continue
                if best is None or (item.urgency, item.row.id) < best[:2]:
                    best = (item.urgency, item.row.id, lane, item)
            if best is None:
                return
            _, _, lane, item = best
            crowd -= item.row.id in lane.queue.loose
            self._begin(lane, item, now)
            sends.append((lane, item))

    def _open(self, lane: Lane, now: float) -> bool:
        if lane.in_flight >= max(1, lane.traits.concurrency):
            return False
        ready = lane.circuit.ready_at(now)
        return (ready is not None and ready <= now) or _tests(lane, now)

    def _begin(self, lane: Lane, item: Waiting, now: float) -> None:
        lane.circuit.sending()
        lane.flood.sent(item)
        lane.gate.bucket.take(now)
        lane.gate.in_flight += 1
        lane.in_flight += 1
        item.busy = True

    def ended(self, lane: Lane) -> None:
        """A send of this lane has come back."""
        lane.in_flight -= 1
        lane.gate.in_flight -= 1

    def next_at(self, now: float) -> float | None:
        """When `due` or `expired` may have something that they have not now; None when only a change brings it."""
        moments = []
        if self._expiring:
            moments.append(self._expiring[0][0])
        for lane in self.lanes.values():
            if not lane.queue.items or lane.in_flight >= max(1, lane.traits.concurrency):
                continue
            ready = now if _tests(lane, now) else lane.circuit.ready_at(now)
            if ready is None:
                continue
            item = lane.queue.best(now)
            first = now if item is not None else lane.queue.next_at(now)
            if first is not None:
                moments.append(max(first, ready, lane.gate.ready_at(now), lane.flood.waits_until(item, now)))
        return min(moments, default=None)

    @property
    def rng(self) -> random.Random:
        """The source of jitter."""
        return self._rng


def _tests(lane: Lane, now: float) -> bool:
    """Whether a test waits: it goes out also where nothing else does, for it may show that all is well again."""
    item = None if lane.circuit.closed else lane.queue.best(now)
    return item is not None and item.row.kind is NoticeKind.TEST
