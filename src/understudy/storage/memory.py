"""The store in plain dictionaries: the reference for the others, and enough where nothing has to survive.

Everything happens at once on the caller's loop. Upkeep keeps what the SQL stores would keep.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count, pairwise
from typing import Any, TypeVar

from understudy.core.audit import AuditEntry, AuditRecord, first_fault, follow
from understudy.core.clock import Clock
from understudy.core.errors import LeaseLost
from understudy.core.lease import Lease
from understudy.monitor.facets import COUNTED, Counted, ErrorFacet, Facets, counted
from understudy.monitor.requests import Cursor, ErrorGroup, RequestEntry, RequestQuery, answers
from understudy.monitor.rollup import TIERS, Bucket, Row, SeriesName, Total

from .health import StoreHealth
from .memory_accounts import MemoryAccounts
from .memory_alerts import MemoryAlerts, MemoryDocuments
from .memory_outbox import MemoryOutbox
from .options import StorageOptions

T = TypeVar("T")

#: Most finished rows of the outbox, and ended episodes, that are forgotten in one round.
_FORGOTTEN = 1000
#: Most of either that are kept here, however young they are.
_MOST_ENDED = 10_000

#: Who wrote a row: this process, or those that report to it.
_OWN, _REPORTED = 0, 1


class MemoryRollups:
    """A `RollupStore` in memory."""

    def __init__(self) -> None:
        self.tiers: dict[int, dict[tuple[SeriesName, int, int], Row]] = {tier: {} for tier in TIERS}

    async def write(self, rows: Mapping[int, Sequence[Row]]) -> None:
        """As `monitor.ports.RollupStore.write`."""
        for tier, some in rows.items():
            self.put(tier, some, _OWN)

    def put(self, tier: int, rows: Iterable[Row], inst: int) -> None:
        """Keep rows of one writer."""
        self.tiers[tier].update({(row.series, row.ts, inst): row for row in rows})

    def get(self, tier: int, start: int, end: int, inst: int | None = None) -> list[Row]:
        """Rows by series and start."""
        kept = self.tiers[tier]
        chosen = [key for key in kept if start <= key[1] < end and inst in (None, key[2])]
        return [kept[key] for key in sorted(chosen)]

    async def read(
        self, tier: int, names: Sequence[SeriesName] | None, start: int, end: int, fold: Callable[[Iterable[Row]], T]
    ) -> T:
        """As `monitor.ports.RollupStore.read`."""
        wanted = None if names is None else set(names)
        return fold([row for row in self.get(tier, start, end) if wanted is None or row.series in wanted])

    async def totals(self, tier: int, kind: str, start: int, end: int) -> dict[str, Total]:
        """As `monitor.ports.RollupStore.totals`."""
        found: dict[str, Total] = {}
        for row in self.get(tier, start, end):
            if row.series.kind == kind:
                mine = Total._make(getattr(row, field) for field in Total._fields)
                known = found.get(row.series.name)
                found[row.series.name] = mine if known is None else Total._make(map(operator.add, known, mine))
        return found

    async def own(self, tier: int, start: int, end: int) -> list[Row]:
        """As `monitor.ports.RollupStore.own`."""
        return self.get(tier, start, end, _OWN)

    async def others(self, tier: int, start: int, end: int, fold: Callable[[Iterable[Row]], T]) -> T:
        """As `monitor.ports.RollupStore.others`."""
        return fold(self.get(tier, start, end, _REPORTED))

    async def last(self, tier: int) -> int | None:
        """As `monitor.ports.RollupStore.last`."""
        return max((ts for _, ts, inst in self.tiers[tier] if inst == _OWN), default=None)


class MemoryDeltas:
    """A `DeltaStore` in memory: every tier is added to at once."""

    def __init__(self, rollups: MemoryRollups) -> None:
        self._rollups = rollups
        self._seen: dict[tuple[str, str], int] = {}
        self.closed: dict[int, int] = {}

    async def apply(self, instance: str, boot: str, seq: int, rows: Sequence[Row]) -> bool:
        """As `monitor.ports.DeltaStore.apply`."""
        if seq <= self._seen.get((instance, boot), -1):
            return False
        self._seen[instance, boot] = seq
        self._add(TIERS[0], rows)
        for tier in TIERS[1:]:
            self.closed.setdefault(tier, min((row.ts for row in rows), default=0) // tier * tier)
            self._add(tier, [row for row in rows if row.ts < self.closed[tier]])
        return True

    def _add(self, tier: int, rows: Iterable[Row]) -> None:
        kept = self._rollups.tiers[tier]
        for row in rows:
            key = (row.series, row.ts // tier * tier, _REPORTED)
            bucket = Bucket()
            bucket.take_in(row)
            if key in kept:
                bucket.take_in(kept[key])
            kept[key] = bucket.row(key[1], row.series)

    def close(self, now: float) -> None:
        """Add up the periods that are over."""
        for finer, tier in pairwise(TIERS):
            start, end = self.closed.get(tier), int(now // tier) * tier
            if start is None or start >= end:
                continue
            sums: dict[tuple[int, SeriesName], Bucket] = {}
            for row in self._rollups.get(finer, start, end, _REPORTED):
                sums.setdefault((row.ts // tier * tier, row.series), Bucket()).take_in(row)
            self._rollups.put(tier, [bucket.row(*key) for key, bucket in sums.items()], _REPORTED)
            self.closed[tier] = end


class MemoryRequests:
    """A `RequestStore` in memory."""

    def __init__(self) -> None:
        self._ids = count(1)
        self.entries: list[RequestEntry] = []
        self.errors: dict[str, ErrorGroup] = {}

    async def append(self, entries: Sequence[RequestEntry], groups: Sequence[ErrorGroup]) -> None:
        """As `monitor.ports.RequestStore.append`."""
        self.entries += [replace(entry, id=next(self._ids), at=round(entry.at * 1000) / 1000) for entry in entries]
        for group in groups:
            known = self.errors.get(group.fingerprint)
            self.errors[group.fingerprint] = group if known is None else replace(
                known, message=group.message, last_at=max(known.last_at, group.last_at), count=known.count + group.count
            )  # fmt: skip

    async def search(self, query: RequestQuery, limit: int, before: Cursor | None = None) -> list[RequestEntry]:
        """As `monitor.ports.RequestStore.search`."""
        found = [entry for entry in self.entries if (before is None or entry.cursor < before) and answers(entry, query)]
        return sorted(found, key=lambda entry: entry.cursor, reverse=True)[:limit]

    async def groups(self, start: float, end: float, api: str = "", limit: int = 100) -> list[ErrorGroup]:
        """As `monitor.ports.RequestStore.groups`."""
        found = [each for each in self.errors.values() if each.last_at >= start and each.first_at < end]
        chosen = [each for each in found if not api or each.api == api]
        return sorted(chosen, key=lambda each: (-each.count, each.fingerprint))[:limit]

    async def facets(self, query: RequestQuery, most: int = COUNTED) -> Facets:
        """As `monitor.ports.RequestStore.facets`."""
        found = await self.search(query, most + 1)
        known = {
            name: ErrorFacet(name, 0, group.api, group.error_class, group.message)
            for name, group in self.errors.items()
        }
        rows = [
            Counted(entry.cursor.ts_ms, entry.tried, entry.route, entry.outcome, entry.status, entry.fingerprint)
            for entry in found
        ]
        return counted(rows, query.start, query.end, known, most)

    def forget(self, oldest: float, most: int) -> None:
        """Keep what is younger than `oldest`, and of each API at most so many, failures before successes."""
        kept = [entry for entry in self.entries if entry.at >= oldest]
        by_api: dict[str, list[RequestEntry]] = {}
        for entry in kept:
            by_api.setdefault(entry.api, []).append(entry)
        gone: set[int] = set()
        for some in by_api.values():
            in_order = sorted(some, key=lambda entry: (entry.outcome != "success", entry.cursor))
            gone.update(entry.id for entry in in_order[: max(0, len(some) - most)])
        self.entries = [entry for entry in kept if entry.id not in gone]
        self.errors = {name: group for name, group in self.errors.items() if group.last_at >= oldest}


class MemoryState:
    """A `StateStore` in memory."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    async def load(self, prefix: str = "") -> dict[str, Any]:
        """As `resilience.ports.StateStore.load`."""
        return {key: json.loads(value) for key, value in self._values.items() if key.startswith(prefix)}

    async def save(self, values: Mapping[str, Any]) -> None:
        """As `resilience.ports.StateStore.save`."""
        kept = {key: json.dumps(value) for key, value in values.items() if value is not None}
        for key in values:
            self._values.pop(key, None)
        self._values.update(kept)


class MemoryAudit:
    """An `AuditLog` in memory."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    async def append(self, entry: AuditEntry) -> AuditRecord:
        """As `core.audit.AuditLog.append`."""
        last = (self.records[-1].seq, self.records[-1].hash) if self.records else None
        self.records.append(follow(last, entry))
        return self.records[-1]

    async def read(self, limit: int = 100, before: int | None = None) -> list[AuditRecord]:
        """As `core.audit.AuditLog.read`."""
        return [record for record in reversed(self.records) if before is None or record.seq < before][:limit]

    async def verify(self) -> str:
        """As `core.audit.AuditLog.verify`."""
        return first_fault(self.records)


class MemoryLeases:
    """A `LeaseStore` in memory, by the clock's monotonic time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leases: dict[str, Lease] = {}

    async def claim(self, role: str, holder: str, ttl: float) -> Lease | None:
        """As `cluster.ports.LeaseStore.claim`."""
        now = self._clock.monotonic()
        last = self._leases.get(role)
        if last is not None and last.holder != holder and now < last.until:
            return None
        token = 1 if last is None else last.token + (last.holder != holder)
        self._leases[role] = Lease(role, holder, token, now + ttl)
        return self._leases[role]

    async def release(self, lease: Lease) -> None:
        """As `cluster.ports.LeaseStore.release`."""
        last = self._leases.get(lease.role)
        if last is not None and (last.holder, last.token) == (lease.holder, lease.token):
            self._leases[lease.role] = last._replace(holder="", until=0.0)

    async def leaders(self) -> dict[str, tuple[str, int]]:
        """As `cluster.ports.LeaseStore.leaders`."""
        now = self._clock.monotonic()
        return {role: (each.holder, each.token) for role, each in self._leases.items() if now < each.until}

    def fence(self, lease: Lease) -> None:
        """Raise `LeaseLost` unless `lease` is the last that was given."""
        last = self._leases.get(lease.role)
        if last is None or (last.holder, last.token) != (lease.holder, lease.token):
            raise LeaseLost(f"the role {lease.role} was taken over by another instance: nothing was written")


class MemoryStore:
    """A `Store` that forgets everything when the process ends. Several applications of it may use one."""

    alone = False

    def __init__(self, clock: Clock, options: StorageOptions | None = None) -> None:
        self._clock = clock
        self._options = options or StorageOptions(url="memory:")
        self.rollups = MemoryRollups()
        self.deltas = MemoryDeltas(self.rollups)
        self.requests = MemoryRequests()
        self.state = MemoryState()
        self.audit = MemoryAudit()
        self.leases = MemoryLeases(clock)
        self.outbox = MemoryOutbox(clock)
        self.alerts = MemoryAlerts(self.outbox, self.leases.fence)
        self.documents = MemoryDocuments(clock)
        self.accounts = MemoryAccounts()

    def health(self) -> StoreHealth:
        """As `Store.health`."""
        return StoreHealth("memory", "memory")

    async def upkeep(self, lease: Lease | None = None) -> None:
        """As `Store.upkeep`."""
        if lease is not None:
            self.leases.fence(lease)
        now = self._clock.time()
        self.deltas.close(now)
        for tier, keep in ((10, self._options.keep_10s), (60, self._options.keep_1m), (3600, self._options.keep_1h)):
            kept = self.rollups.tiers[tier]
            for key in [key for key in kept if key[1] < now - keep]:
                del kept[key]
        self.requests.forget(now - self._options.keep_requests, self._options.requests_per_api)
        await self.alerts.forget(now - self._options.keep_alerts, _FORGOTTEN)
        await self.outbox.forget(now - self._options.keep_deliveries, _FORGOTTEN)
        self.alerts.trim(_MOST_ENDED)
        self.outbox.trim(_MOST_ENDED)
        still_told_of = {each.episode for each in self.alerts.open_episodes()}
        self.outbox.forget_receipts(now - self._options.keep_deliveries, still_told_of)

    async def close(self, timeout: float = 5.0) -> None:
        """As `Store.close`: there is nothing to write."""
