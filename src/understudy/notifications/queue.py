"""What waits for one channel, in the order in which it may go.

Rows of one alert form a chain: only its head may go, so that a resolution never overtakes the firing. A chain
is as urgent as the most urgent row in it, or else an escalation would wait behind the warning that it
escalates. Between chains priority decides, then age; what has waited for a quarter of an hour ranks with the
most urgent. Pure; moments are monotonic seconds.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Iterator

from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow, Priority

from .ports import Attempt

#: What has waited that long is not overtaken any more, s.
OVERTAKEN_AT_MOST = 900.0
#: Kinds that go before everything: a person waits for a test, and a digest stands for many.
_EXPRESS = {NoticeKind.TEST: -2, NoticeKind.DIGEST: -1}


class Waiting:
    """A row that waits or is being sent."""

    __slots__ = (
        "ages_at", "busy", "chain", "due", "entered", "expires", "failed", "group", "held_until", "kept", "log",
        "loose", "row", "token", "unkept_sent", "until", "urgency",
    )  # fmt: skip

    def __init__(self, row: OutboxRow, now: float, wall: float, *, kept: bool = True) -> None:
        self.row = row
        self.entered = now
        # Wall time counts once; a clock that is set later changes no wait, nor does one that was set back to
        # before the row was made.
        wall = max(wall, row.created_at)
        #: May go from then on.
        self.due = now + max(0.0, row.not_before_at - wall)
        self.expires = now + row.deadline_at - wall
        self.ages_at = now + row.created_at - wall + OVERTAKEN_AT_MOST
        self.chain = chain_name(row)
        self.urgency = urgency_of(row)
        #: It is told with what else is due of this group; empty: by itself.
        self.group = ""
        #: It is being sent, or how it went is being recorded.
        self.busy = False
        #: It may be told in a digest.
        self.loose = False
        #: It failed since the destination last took something.
        self.failed = False
        #: The store has it; otherwise it is told before it could be kept.
        self.kept = kept
        self.unkept_sent = not kept
        #: Attempts that are to be recorded with the next one.
        self.log: tuple[Attempt, ...] = ()
        #: Another instance may be sending it until then (monotonic).
        self.held_until = 0.0
        #: Our lease: its token, and until when it lasts (monotonic).
        self.token: int | None = None
        self.until = 0.0

    def __lt__(self, other: Waiting) -> bool:
        return self.row.id < other.row.id


def chain_name(row: OutboxRow) -> str:
    """What rows go out in their order: those of one alert; a row without an alert waits for nobody."""
    return row.fingerprint or f"\0{row.id}"


def urgency_of(row: OutboxRow) -> int:
    """Where a row stands by itself; smaller goes first."""
    return _EXPRESS.get(row.kind, row.priority)


class ChannelQueue:
    """The rows of one channel."""

    def __init__(self, *, digests: bool = True) -> None:
        self._digests = digests
        self.items: dict[str, Waiting] = {}
        self._chains: dict[str, list[Waiting]] = {}
        #: Chains that wait for a digest in which an earlier event of theirs is told.
        self._held: dict[str, str] = {}
        self._ready: list[tuple[int, str]] = []
        self._later: list[tuple[float, str]] = []
        self._aging: list[tuple[float, str]] = []
        #: Items that may be told in a digest, and those of them that are told with others of their group.
        self.loose: set[str] = set()
        self._groups: dict[str, set[str]] = {}
        #: Items as urgent as a critical alert.
        self.urgent: set[str] = set()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self.items.values())

    def add(self, item: Waiting, now: float) -> None:
        """Take a row in; one that is known already stays as it is."""
        if item.row.id in self.items:
            return
        self.items[item.row.id] = item
        chain = self._chains.setdefault(item.chain, [])
        insort(chain, item)
        if item.row.priority <= Priority.RESOLVED_CRITICAL:
            self.urgent.add(item.row.id)
        if self._digests and not item.row.pager and item.row.kind not in _EXPRESS:
            self.loose.add(item.row.id)
            item.loose = True
            if item.row.group:
                item.group = item.row.group
                self._groups.setdefault(item.group, set()).add(item.row.id)
        self._offer(chain, now)

    def remove(self, item: Waiting, now: float) -> None:
        """A row is finished, or not ours any more."""
        if self.items.pop(item.row.id, None) is None:
            return
        self.loose.discard(item.row.id)
        self.urgent.discard(item.row.id)
        self.alone(item)
        chain = self._chains[item.chain]
        chain.remove(item)
        if chain:
            self._offer(chain, now)
        else:
            del self._chains[item.chain]

    def put_back(self, item: Waiting, now: float) -> None:
        """A row that was busy waits again, from `item.due` on."""
        item.busy = False
        if item.row.id in self.items:
            self._offer(self._chains[item.chain], now)

    def chain_of(self, item: Waiting) -> list[Waiting]:
        """The rows of the same alert, oldest first, itself among them."""
        return list(self._chains.get(item.chain, ()))

    def afresh(self, now: float) -> None:
        """The channel was away until now: what waited for it was overtaken by nothing."""
        for item in self.items.values():
            item.ages_at = max(item.ages_at, now + OVERTAKEN_AT_MOST)

    def waits(self, chain: str) -> bool:
        """Whether rows of that alert are here."""
        return chain in self._chains

    def alone(self, item: Waiting) -> None:
        """Let a row be told by itself after all."""
        if (group := self._groups.get(item.group)) is not None:
            group.discard(item.row.id)
            if not group:
                del self._groups[item.group]
        item.group = ""

    def together(self, item: Waiting, now: float) -> tuple[Waiting, ...]:
        """What is to be told as one message with this row: what is due of its group, oldest first."""
        found: list[Waiting] = []
        for each in sorted(self.items[name] for name in self._groups.get(item.group, ())):
            before = self._chains[each.chain]
            free = not (each.busy or each.row.attempts or each.due > now or each.chain in self._held)
            if free and all(other in found for other in before[: before.index(each)]):
                found.append(each)
        return tuple(found)

    def hold(self, chains: set[str], digest: str) -> None:
        """Let these chains wait until the digest is finished."""
        for each in chains:
            self._held[each] = digest

    def release(self, digest: str, now: float) -> None:
        """The digest is finished."""
        for each in [chain for chain, by in self._held.items() if by == digest]:
            del self._held[each]
            if chain := self._chains.get(each):
                self._offer(chain, now)

    def best(self, now: float, *, other: bool = False, aging: bool = True) -> Waiting | None:
        """What should go next, if anything may.

        `other`: one that has not failed lately, where there is one. `aging`: what has waited long ranks with the
        most urgent; while the channel is away that is everything, and so means nothing.
        """
        while self._later and self._later[0][0] <= now:
            _, name = heapq.heappop(self._later)
            if (item := self.items.get(name)) is not None and self._is_free(item):
                self._push(item, now)
        top = self._top(now, other=other) or (self._top(now, other=False) if other else None)
        aged = self._aged(now) if aging else None
        if top is None or aged is None:
            return top or aged
        # Both rank with the most urgent: the older one goes.
        return aged if top.urgency >= 0 and (top.urgency > 0 or aged.row.id < top.row.id) else top

    def next_at(self, now: float) -> float | None:
        """When `best` may have something that it has not now; None when only a change brings that about."""
        while self._later:
            due, name = self._later[0]
            item = self.items.get(name)
            if item is not None and item.due == due and self._is_free(item):
                return max(now, due)
            heapq.heappop(self._later)
        return None

    def _top(self, now: float, *, other: bool) -> Waiting | None:
        passed: list[tuple[int, str]] = []
        found = None
        while self._ready:
            urgency, name = self._ready[0]
            item = self.items.get(name)
            if item is None or item.urgency != urgency or item.due > now or not self._is_free(item):
                heapq.heappop(self._ready)  # taken back in when it is due, or when it is the head of its chain
            elif other and item.failed:
                passed.append(heapq.heappop(self._ready))
            else:
                found = item
                break
        for each in passed:
            heapq.heappush(self._ready, each)
        return found

    def _aged(self, now: float) -> Waiting | None:
        while self._aging and self._aging[0][0] <= now:
            at, name = self._aging[0]
            item = self.items.get(name)
            if item is not None and item.ages_at > at:
                heapq.heapreplace(self._aging, (item.ages_at, name))
                continue
            if item is not None and item.due <= now and self._is_free(item):
                return item
            heapq.heappop(self._aging)
        return None

    def _is_free(self, item: Waiting) -> bool:
        return not item.busy and item.chain not in self._held and self._chains[item.chain][0] is item

    def _offer(self, chain: list[Waiting], now: float) -> None:
        """Let the head of a chain take its place."""
        head = chain[0]
        if head.group and not head.row.attempts:
            # What waits for others to be told with keeps nothing back that is told at once.
            head.due = min(each.due for each in chain)
        head.urgency = min(urgency_of(each.row) for each in chain)
        if self._is_free(head):
            if head.due > now:
                heapq.heappush(self._later, (head.due, head.row.id))
            else:
                self._push(head, now)

    def _push(self, item: Waiting, now: float) -> None:
        if item.due > now:
            heapq.heappush(self._later, (item.due, item.row.id))
            return
        heapq.heappush(self._ready, (item.urgency, item.row.id))
        heapq.heappush(self._aging, (item.ages_at, item.row.id))
