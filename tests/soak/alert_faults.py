"""One channel suffers, the others work: for every channel and every fault, through the whole pipeline.

Each run has a store of its own (SQLite, safe from a loss of power), the real channels and the strict receivers
over real sockets; time runs twenty times as fast. Between the runs with a fault are runs without one: what the
channels that work take is compared within one experiment.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles
from typing import Any

from certificates import Authority
from channel_kit import channel
from flows.channel_cases import CASES, mail_options
from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.decisions import OVER_BEFORE_PAGED
from understudy.notifications.manager import NotificationManager
from understudy.notifications.ports import Attempt, OutboxQuery
from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.testing.receivers import SmtpReceiver

from .alert_troubles import CALM, Trouble, everything
from .delivery_child import FASTER, FastClock, notice
from .experiment import Report, Tell, quiet

TITLE = "every fault of every channel, through the whole pipeline"
#: Alerts of one run, how many of them end in it, and real seconds between two events.
ALERTS, ENDING, APART = 4, 2, 0.06
#: What a channel that never works again is given up after, and how long a run may take, s of the fast clock.
DEADLINE, PATIENCE = 30.0, 600.0
#: The channels that work may take so many times as long, at the 95th percentile, as without a fault.
SLOWER = 1.2
HTTP = {case.name: case for case in CASES}
NAMES = (*HTTP, "email")


@dataclass
class Found:
    """What all runs found."""

    broken: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    #: By channel, seconds from noticing to delivery while it works, with a fault elsewhere and without.
    beside: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    calm: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ended: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


class Run:
    """One run: all channels, and one trouble of one of them."""

    def __init__(self, name: str, trouble: Trouble) -> None:
        self.name, self.trouble = name, trouble
        self.clock = FastClock()
        self.receivers: dict[str, Any] = {}

    @asynccontextmanager
    async def service(self, folder: Path) -> AsyncIterator[tuple[NotificationManager, SqliteStore]]:
        """The store and the running notifications."""
        store = SqliteStore(StorageOptions(url=f"sqlite:///{folder / 'understudy.db'}"), self.clock)
        async with AsyncExitStack() as stack:
            channels = {each: await self._channel(stack, each) for each in NAMES}
            manager = NotificationManager(store.outbox, self.clock, random.Random(1), state=store.state)
            manager.set_channels(channels)
            running = asyncio.ensure_future(manager.run())
            try:
                yield manager, store
            finally:
                await manager.stop(1.0)
                await asyncio.wait([running])
                await store.close()

    async def _channel(self, stack: AsyncExitStack, name: str) -> Any:
        trouble = self.trouble if name == self.name else CALM
        made = SmtpReceiver(**trouble.receiver) if name == "email" else HTTP[name].receiver(
            clock=self.clock, **trouble.receiver
        )  # fmt: skip
        at = self.receivers[name] = await made.__aenter__()
        if trouble.absent:
            await made.__aexit__(None, None, None)
        else:
            stack.push_async_exit(made)
        at.then(*trouble.given(self.clock.time()))
        at.always = trouble.always
        options = mail_options if name == "email" else HTTP[name].options
        return await stack.enter_async_context(channel(options(at, **trouble.options), clock=self.clock))

    async def go(self, folder: Path, found: Found) -> None:
        """Fire some alerts, end some of them, wait until all is settled, and judge."""
        async with self.service(folder) as (manager, store):
            await self._tell(manager, store)
            until = self.clock.monotonic() + PATIENCE
            while self.clock.monotonic() < until and (await store.outbox.pending(1) or manager.dispatcher.in_flight):
                await asyncio.sleep(0.02)
            rows = sorted(await store.outbox.rows(OutboxQuery(), 1000), key=lambda row: row.id)
            log = [each for _, each in await store.outbox.attempts(10_000)]
            account = await manager.accounting(0.0, self.clock.time() + 1)
        if account.missing or account.pending or account.rows != len(rows):
            found.broken["accounts that do not add up"].append(f"{self}: {account}")
        self._judge(rows, log, found)

    async def _tell(self, manager: NotificationManager, store: SqliteStore) -> None:
        events = [(f"a{number}", NoticeKind.FIRED) for number in range(ALERTS)]
        for name, kind in [*events, *((f"a{number}", NoticeKind.RESOLVED) for number in range(ENDING))]:
            rows = manager.leased(manager.plan(notice(name, kind, self.clock.time())))
            if self.trouble.lasts:
                early = self.clock.time() + DEADLINE
                rows = [replace(row, deadline_at=early) if row.channel == self.name else row for row in rows]
            await store.outbox.add(rows)
            manager.accept(rows)
            await asyncio.sleep(APART)

    def _judge(self, rows: list[OutboxRow], log: list[Attempt], found: Found) -> None:
        broken = found.broken
        for row in rows:
            found.ended[str(row.state)] += 1
            if why := self._wrong(row, rows):
                broken["rows that ended wrongly"].append(f"{self}: {row.kind} on {row.channel}: {why}")
        by_channel = defaultdict(list)
        for attempt in sorted(log, key=lambda each: each.at):
            by_channel[attempt.channel].append(attempt)
        if self._early(by_channel[self.name]):
            broken["asked again before the time that the service asked for"].append(str(self))
        for name, some in by_channel.items():
            if self._out_of_order([each for each in some if each.result == "delivered"], rows):
                broken["ends told before their beginnings"].append(f"{self}: {name}")
        opened = Counter(each.key for each in self.receivers["pagerduty"].incidents)
        aliases = Counter(each.alias for each in self.receivers["opsgenie"].alerts)
        for name, keys in (("pagerduty", opened), ("opsgenie", aliases)):
            for row in (each for each in rows if each.channel == name and each.kind is NoticeKind.FIRED):
                count = keys[row.notice.dedup_key]
                if count > 1 or (not count and row.state is RowState.DELIVERED):
                    broken["pagers without one incident for each alert"].append(
                        f"{self}: {count} of {row.notice.title} at {name}"
                    )
        times = found.beside if self.name else found.calm
        for each in log:
            if each.channel != self.name and each.since_detected is not None:
                times[each.channel].append(each.since_detected / FASTER)

    def _wrong(self, row: OutboxRow, rows: list[OutboxRow]) -> str:
        suffers = row.channel == self.name
        if row.state is RowState.DELIVERED:
            return "delivered by a service that was not there" if suffers and self.trouble.lasts else ""
        if row.state is RowState.DIGESTED and suffers:
            told_in = next((each for each in rows if each.id == row.told_in), None)
            return "" if told_in is not None and told_in.state is not RowState.PENDING else "told in nothing"
        if row.state is RowState.SUPPRESSED and suffers:
            return "" if row.reason == OVER_BEFORE_PAGED else row.reason
        if row.state is RowState.DEAD and suffers and (self.trouble.lasts or self.trouble.partly):
            return "" if row.reason else "given up without a reason"
        return f"{row.state}: {row.reason}"

    def _early(self, attempts: list[Attempt]) -> bool:
        held = 0.0
        for attempt in attempts:
            if attempt.at < held:
                return True
            if attempt.status == 429:
                held = attempt.at + (0.0 if self.trouble.dated else attempt.seconds + self.trouble.wait) - 0.01
        return False

    @staticmethod
    def _out_of_order(delivered: list[Attempt], rows: list[OutboxRow]) -> bool:
        about = {row.id: row.fingerprint for row in rows}
        last: dict[str, str] = {}
        for attempt in delivered:
            if attempt.row < last.get(about[attempt.row], ""):
                return True
            last[about[attempt.row]] = attempt.row
        return False

    def __str__(self) -> str:
        return f"{self.name} · {self.trouble.name}"


async def suffer(chosen: list[tuple[str, Trouble]], tell: Tell, *, ratio: bool) -> Report:
    """These troubles one after the other, each beside a run without any."""
    began, found = time.perf_counter(), Found()
    for number, (name, trouble) in enumerate(chosen):
        pair = Run("", CALM), Run(name, trouble)
        for run in pair if number % 2 else reversed(pair):
            with tempfile.TemporaryDirectory() as folder:
                await run.go(Path(folder), found)
        tell((number + 1) / len(chosen))
    report = Report("alert_faults", f"{len(chosen)} × {TITLE}")
    for text in (
        "accounts that do not add up", "rows that ended wrongly", "ends told before their beginnings",
        "asked again before the time that the service asked for", "pagers without one incident for each alert",
    ):  # fmt: skip
        report.none_of(text, found.broken.pop(text, []))
    if ratio:
        beside, calm = (_p95([took for some in each.values() for took in some]) for each in (found.beside, found.calm))
        report.at_most("p95 of the other channels, times that without a fault", beside / calm, SLOWER)
        worst = max(_p95(found.beside[name]) / _p95(found.calm[name]) for name in NAMES)
        report.figures.update(
            p95_beside_ms=round(beside * 1e3, 1), p95_calm_ms=round(calm * 1e3, 1), worst_channel=round(worst, 3)
        )
    report.figures.update(faults=len(chosen), rows=dict(found.ended))
    report.seconds = time.perf_counter() - began
    return report


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1]


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Every fault of every channel."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = everything(Authority(Path(folder)))
        random.Random(seed).shuffle(chosen)
        return await suffer(chosen, tell, ratio=True)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """A fault of each channel; too few runs to compare times."""
    with tempfile.TemporaryDirectory() as folder:
        everywhere = everything(Authority(Path(folder)))
        rng = random.Random(seed)
        chosen = [rng.choice([each for each in everywhere if each[0] == name]) for name in NAMES]
        return await suffer(chosen, tell, ratio=False)
