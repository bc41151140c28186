"""Looks after channels that do not work: hands their critical messages on, and sums up when they are back."""

from __future__ import annotations

from collections.abc import Callable

from understudy.core.clock import Clock
from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow, RowState

from . import failover
from .decisions import Decision, digested
from .feed import Feed
from .lanes import Lane, Lanes
from .queue import Waiting

#: How often it looks, s.
EVERY = 1.0
#: Episodes that were told elsewhere and are remembered, so that their end is told there, too.
_REMEMBERED = 10_000


class Standby:
    """Knows what was told where in place of a channel that does not work. `unreachable` is told of a lane with none."""

    def __init__(
        self,
        lanes: Lanes,
        feed: Feed,
        clock: Clock,
        make_id: Callable[[], str],
        unreachable: Callable[[Lane], None],
    ) -> None:
        self._lanes = lanes
        self._feed = feed
        self._clock = clock
        self._make_id = make_id
        self._unreachable = unreachable
        #: By channel: how many messages each other channel told in its place.
        self._elsewhere: dict[str, dict[str, int]] = {}
        #: (channel, episode) -> the channel that tells it in its place.
        self._episodes: dict[tuple[str, str], str] = {}
        self._next = 0.0

    def next_at(self, now: float) -> float | None:
        """When to look again; None while every channel works or has nothing urgent."""
        busy = any(lane.queue.urgent and lane.away(now) for lane in self._lanes.lanes.values())
        return max(now, self._next) if busy else None

    async def look(self, now: float) -> list[Decision]:
        """What goes elsewhere now.

        Raises:
            StoreUnavailable: it is not known what was told already; it is looked at again.
        """
        decisions: list[Decision] = []
        if now < self._next:
            return decisions
        self._next = now + EVERY
        wall = self._clock.time()
        for lane in [each for each in self._lanes.lanes.values() if each.queue.urgent and each.away(now)]:
            for item in [lane.queue.items[each] for each in sorted(lane.queue.urgent)]:
                if failover.due(item, wall) and (decision := await self._hand_on(lane, item, now, wall)):
                    decisions.append(decision)
        return decisions

    async def _hand_on(self, lane: Lane, item: Waiting, now: float, wall: float) -> Decision | None:
        traits = {name: each.traits for name, each in self._lanes.lanes.items()}
        name = failover.target(item.row, traits, lambda name: not self._lanes.lanes[name].away(now))
        if not name:
            self._unreachable(lane)
            return None
        known = await self._feed.told(item.row.event_id, name)
        if known is not None and known.state in (RowState.DEAD, RowState.DISCARDED):
            return None  # it was given up there already
        made = None if known is not None else failover.stand_in(item.row, name, traits[name], self._make_id(), wall)
        told = made or known
        if item.busy or told is None or item.row.id not in self._lanes:
            return None  # it went on its way while the store was asked
        counts = self._elsewhere.setdefault(lane.name, {})
        counts[name] = counts.get(name, 0) + 1
        self._remember(item.row, name)
        row = digested(item.row, told.id, f"told on {name}: {lane.away(now)}")
        return Decision(item, row, added=(made,) if made is not None else ())

    def _remember(self, row: OutboxRow, name: str) -> None:
        if row.episode:
            self._episodes[row.channel, row.episode] = name
            if len(self._episodes) > _REMEMBERED:
                del self._episodes[next(iter(self._episodes))]

    def entered(self, row: OutboxRow) -> None:
        """A new row: the end of an alert that was told elsewhere is told there as well."""
        if row.kind is not NoticeKind.RESOLVED or row.instead_of:
            return
        name = self._episodes.pop((row.channel, row.episode), "")
        lane = self._lanes.lanes.get(name)
        if lane is not None:
            wall = self._clock.time()
            self._feed.to_add.append(failover.stand_in(row, name, lane.traits, self._make_id(), wall))

    def works_again(self, lane: Lane, since: float | None) -> None:
        """A channel is back: one line tells it what went elsewhere; nothing is told again."""
        told = self._elsewhere.pop(lane.name, {})
        if told:
            wall = self._clock.time()
            row = failover.summary(lane.name, lane.traits, told, since or wall, self._make_id(), wall)
            self._feed.to_add.append(row)
