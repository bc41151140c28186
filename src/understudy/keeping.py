"""What remembers: joins the store with the rooms whose past it keeps, and runs their background work.

Part of the composition root. Calls never wait for anything here: rooms hand over what happened in
batches, and whatever the store cannot take now it takes later.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .alerts.ports import AlertStore, EpisodeQuery, EpisodeRow
from .cluster.roles import ALERTS, Roles
from .core.accounts import AccountStore
from .core.audit import AuditEntry, AuditLog
from .core.clock import Clock, pause
from .core.errors import LeaseLost, StoreUnavailable
from .core.events import Event
from .lifecycle import Lifecycle
from .monitor import PerformanceMonitor
from .monitor.collector import Collector
from .monitor.history import History, Retention, SeriesHistory
from .monitor.instances import Instances
from .monitor.ports import DeltaStore, RequestStore
from .monitor.reported import RECENT
from .monitor.requestlog import RequestLog
from .monitor.requests import Comparison, Cursor, ErrorGroup, RequestEntry, RequestQuery
from .monitor.rollup import Row, SeriesName
from .monitor.rollups import Rollups
from .reports import Reports
from .reports.folder import FolderDeliverer
from .reports.ports import ApiFacts, QuotaFacts, RouteFacts
from .reports.schedule import ReportSchedule, Scheduler
from .resilience import FallbackManager
from .resilience.directions import DIRECTION_EVENTS, PIN_EVENTS
from .resilience.kept import Kept
from .resilience.kept_directions import KeptDirections
from .storage import StorageOptions

if TYPE_CHECKING:
    from .storage.store import Store

_log = logging.getLogger("understudy.keeping")

#: Entries of the request log that are read at a time.
_PAGE = 500
#: The role under which one of several services does what only one may do, and how often it is done, s.
UPKEEP, UPKEEP_EVERY = "upkeep", 10.0
#: Events that go into the audit log.
_ACTS = frozenset(("fallback.reset", "config.reloaded", "config.refused")) | DIRECTION_EVENTS
#: Acts that wait to be entered into the audit log; beyond that the oldest is only in the log file.
MOST_ACTS = 1000
#: They are a problem when the oldest waits for longer, s: each is entered at once, in its own time.
ACTS_WAIT = 5.0


class Keeping:
    """Everything that is kept by one running application. Made when it starts, ended when it stops."""

    def __init__(
        self,
        store: Store,
        options: StorageOptions,
        clock: Clock,
        rng: random.Random,
        monitor: PerformanceMonitor,
        fallback: FallbackManager,
        instance: str,
        schedules: Mapping[str, ReportSchedule],
    ) -> None:
        self.store = store
        self._options = options
        self.instance = instance
        self._clock = clock
        self._monitor = monitor
        self._fallback = fallback
        self.collector = Collector()
        self.collector.price_of = fallback.roster.price_of
        self._rollups = Rollups(self.collector, store.rollups, clock, monitor.drain_in_turns)
        self.request_log = RequestLog(store.requests, clock, rng, instance)
        self._kept = Kept(fallback.roster, store.state, clock, fallback.events)
        self.directions = KeptDirections(fallback, store.state, clock, fallback.events, shared=options.shared)
        self.roles = Roles(store.leases, instance, (UPKEEP, ALERTS), clock, rng, alone=store.alone)
        keep = {10: float(options.keep_10s), 60: float(options.keep_1m), 3600: float(options.keep_1h), 86400: None}
        #: How long each tier of the history is kept.
        self.retention = Retention(keep)
        self.history = History(store.rollups, clock, self.retention)
        self.instances = Instances(clock)
        self.reports = Reports(
            _Histories(self.history), _Failures(store.requests), _Episodes(store.alerts), _Registered(fallback), clock
        )
        self.scheduler = Scheduler(
            schedules, self.reports, store.state, clock, FolderDeliverer(Path.cwd()), chosen=self._is_chosen
        )
        self._acts: deque[AuditEntry] = deque(maxlen=MOST_ACTS)
        self._acted = asyncio.Event()
        self._entering = asyncio.Lock()

    @property
    def requests(self) -> RequestStore:
        """The request log."""
        return self.store.requests

    @property
    def deltas(self) -> DeltaStore:
        """Takes what other processes report."""
        return self.store.deltas

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        return self.store.audit

    @property
    def accounts(self) -> AccountStore:
        """Who may sign in."""
        return self.store.accounts

    def heard(self, rows: Iterable[Row]) -> None:
        """What another process did just now counts for pages and alerts, too; its rows are kept already."""
        now, roster = self._clock.time(), self._fallback.roster
        for row in rows:
            if row.series.kind == "api" and abs(now - row.ts) <= RECENT:
                self._monitor.reported(row)
                api = roster.apis.get(row.series.name)
                if api is not None:
                    api.hear(row.ok, row.err)

    async def start(self, lifecycle: Lifecycle) -> None:
        """Take up what was kept, and begin to keep. Each part is stopped before what it needs."""
        lifecycle.on_stop("store", self.store.close)
        try:
            await self._kept.take_up()
            await self.directions.take_up()
        except StoreUnavailable as problem:
            _log.warning("quotas, holds and breakers start afresh: %s", problem)
        lifecycle.on_stop("roles", self.roles.release)
        lifecycle.background("roles", self.roles.run)
        lifecycle.background("upkeep", self._upkeep)
        lifecycle.on_stop("acts", self._last_acts)
        lifecycle.background("acts", self._follow_acts)
        self._unsubscribe = self._fallback.events.subscribe(self._heard)
        self._note(AuditEntry(self._clock.time(), "system", "service.started", self.instance))
        lifecycle.on_stop("kept state", self._kept.stop)
        lifecycle.background("kept state", self._kept.run)
        lifecycle.on_stop("directions", self.directions.stop)
        lifecycle.background("directions", self.directions.run)
        lifecycle.on_stop("request log", self._end_request_log)
        lifecycle.background("request log", self.request_log.run)
        lifecycle.on_stop("history", self._end_history)
        lifecycle.background("history", self._rollups.run)
        lifecycle.background("reports", self.scheduler.run)
        self._monitor.collect_into(self.collector)
        self._monitor.request_log = self.request_log

    def _is_chosen(self) -> bool:
        """Whether this is the one of several services on one store that does what is done once."""
        return self.roles.held(UPKEEP) is not None

    async def _last_acts(self) -> None:
        self._unsubscribe()
        await self.acted(AuditEntry(self._clock.time(), "system", "service.stopped", self.instance))

    async def _end_history(self) -> None:
        await self._rollups.stop()
        self._monitor.collect_into(None)

    async def _end_request_log(self) -> None:
        self._monitor.request_log = None
        await self.request_log.stop()

    async def _upkeep(self) -> None:
        """Close, move, forget, make room, every few seconds."""
        while True:
            await pause(self._clock, UPKEEP_EVERY)
            try:
                await asyncio.shield(self._enter_acts())
                await self.store.upkeep(self.roles.held(UPKEEP))
            except (StoreUnavailable, LeaseLost) as problem:
                if isinstance(problem, LeaseLost):
                    self.roles.ask_again()
                _log.info("upkeep of the store stopped half way and goes on later: %s", problem)

    # -- the audit log ------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        """Events that tell of an act: a reset, a direction, a configuration taken in or refused."""
        if event.kind not in _ACTS or event.detail.get("elsewhere"):
            return  # nobody's act, or one that the instance where it was done enters
        if event.detail.get("expired") and self._options.shared and not self._is_chosen():
            return  # every instance sees it end; one enters it
        detail = dict(event.detail)
        actor = str(detail.pop("actor", "")) or "system"
        about = event.route if event.kind in PIN_EVENTS else event.api or event.route
        before = detail.pop("before", None)
        after = detail.pop("after", None) or detail
        self._note(AuditEntry(event.at, actor, event.kind, about, before, after))

    def _note(self, entry: AuditEntry) -> None:
        self._acts.append(entry)
        self._acted.set()
        _log.info("audit: %s %s %s", entry.actor, entry.action, entry.object)

    async def acted(self, entry: AuditEntry | None = None) -> None:
        """Enter an administrative act, and those that events told of; what cannot be entered now is later."""
        if entry is not None:
            self._note(entry)
        await self._enter_acts()

    async def _follow_acts(self) -> None:
        while True:
            await self._acted.wait()
            self._acted.clear()
            # A cancellation must not fall between the store's commit and our knowing of it.
            await asyncio.shield(self._enter_acts())

    async def _enter_acts(self) -> None:
        async with self._entering:  # one after the other: an act must not be entered twice
            while self._acts:
                entry = self._acts[0]
                try:
                    await self.store.audit.append(entry)
                except StoreUnavailable as problem:
                    _log.warning("%d acts wait to be entered into the audit log: %s", len(self._acts), problem)
                    return
                if self._acts and self._acts[0] is entry:
                    self._acts.popleft()

    async def back_up(self, file: Path) -> None:
        """Copy the store into a new file while everything goes on.

        Raises:
            StoreUnusable, StoreUnavailable: it cannot be copied; the text says why.
        """
        from .storage.admin import back_up_store

        await asyncio.to_thread(back_up_store, self._options, file, self._clock)

    # -- state --------------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """What is wrong with keeping, for people; calls go on whatever it is."""
        found = list(self.store.health().problems)
        if self._acts and self._clock.time() - min(act.at for act in self._acts) > ACTS_WAIT:
            found.append(f"{len(self._acts)} administrative acts wait to be entered into the audit log")
        found += self.scheduler.problems.values()
        if self._kept.refused:
            found.append(f"saved state could not be taken up: {', '.join(self._kept.refused[:5])}")
        return found

    def as_dict(self) -> dict[str, Any]:
        """Store, roles and instances as they stand, JSON-ready."""
        return {
            "instance": self.instance,
            "store": self.store.health().as_dict(),
            "roles": self.roles.as_dict(),
            "flushed_at": self._rollups.flushed_at,
            "requests_only_counted": self.request_log.only_counted,
            "requests_dropped": self.request_log.dropped,
            "acts_waiting": len(self._acts),
            "instances": [each.as_dict() for each in self.instances.all()],
        }


class _Histories:
    """The history, as reports ask for it."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def api(self, name: str, start: float, end: float, points: int) -> SeriesHistory:
        return await self._history.series(SeriesName("api", name), start, end, points)

    async def route(self, name: str, start: float, end: float, points: int) -> SeriesHistory:
        return await self._history.series(SeriesName("route", name), start, end, points)

    async def wholes(
        self, kind: Literal["api", "route"], names: Sequence[str], start: float, end: float
    ) -> dict[str, SeriesHistory]:
        found = await self._history.wholes([SeriesName(kind, name) for name in names], start, end)
        return {name.name: past for name, past in found.items()}


class _Failures:
    """The request log, as reports ask for it."""

    def __init__(self, requests: RequestStore) -> None:
        self._requests = requests

    async def groups(self, start: float, end: float, api: str, limit: int) -> Sequence[ErrorGroup]:
        return await self._requests.groups(start, end, api, limit)

    async def failed(self, api: str, start: float, end: float, limit: int) -> Sequence[RequestEntry]:
        wanted = RequestQuery(apis=(api,), excluded_outcomes=("success", "cancelled"), start=start, end=end)
        found = await self._requests.search(wanted, limit * 4)
        return [entry for entry in found if _failed_on(entry, api)][:limit]

    async def slowest(self, start: float, end: float, limit: int) -> Sequence[RequestEntry]:
        """The slowest of the whole span: each page asks only for what is slower than the slowest so far."""
        slowest: list[RequestEntry] = []
        before: Cursor | None = None
        while True:
            above = (Comparison(">", slowest[-1].latency),) if len(slowest) == limit else ()
            page = await self._requests.search(RequestQuery(latency=above, start=start, end=end), _PAGE, before)
            slowest = sorted((*slowest, *page), key=lambda entry: -entry.latency)[:limit]
            if len(page) < _PAGE:
                return slowest
            before = page[-1].cursor


class _Episodes:
    """What fired, as reports ask for it."""

    def __init__(self, alerts: AlertStore) -> None:
        self._alerts = alerts

    async def between(self, start: float, end: float, api: str, limit: int) -> Sequence[EpisodeRow]:
        labels = {"api": api} if api else {}
        return await self._alerts.episodes(EpisodeQuery(labels=labels, start=start, end=end), limit)


def _failed_on(entry: RequestEntry, api: str) -> bool:
    return any(
        attempt.get("api") == api and attempt.get("outcome") != "success"
        for attempt in entry.record.get("attempts", ())
    )


class _Registered:
    """Who there is, as reports ask for it."""

    def __init__(self, fallback: FallbackManager) -> None:
        self._fallback = fallback

    def apis(self) -> Sequence[ApiFacts]:
        return [
            ApiFacts(
                api.name,
                api.hub.name,
                api.options.price,
                tuple(
                    QuotaFacts(
                        each["key"],
                        each["object"],
                        each["limit"],
                        each["remaining"],
                        each["reset_after"],
                        each["per_second"],
                    )
                    for each in api.keys.quotas()
                ),
            )
            for api in self._fallback.roster.apis.values()
        ]

    def routes(self) -> Sequence[RouteFacts]:
        return [
            RouteFacts(route.name, tuple(api.name for api in route.apis))
            for route in self._fallback.roster.routes.values()
        ]
