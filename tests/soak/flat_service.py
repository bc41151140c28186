"""Eight hours of a live service in fast motion: calls, alerts, browsers that come and go. Memory must stay where it is.

The clock is fake, everything else is real: the store is a SQLite file, the hub tells each second what is new. The first
stretch fills windows, rings and caches to their bounds; from then on nothing may grow.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import random
import tempfile
import weakref
from collections import Counter
from pathlib import Path

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.types import Attribution, OutcomeClass
from understudy.storage import StorageOptions
from understudy.testing import FakeClock, MemoryChannel
from understudy.web.auth.permissions import Identity, Role
from understudy.web.live.hub import Hub, hub_of
from understudy.web.live.viewer import Viewer

from .experiment import Report, Tell, quiet

TITLE = "Eight hours of a live service in fast motion"
HOUR = 3600
#: Seconds that are lived through; those after which everything is full; how often memory is looked at, s.
FULL, FILLED, LOOKED = 8 * HOUR, 2 * HOUR, HOUR // 4
SAMPLE, SAMPLE_FILLED, SAMPLE_LOOKED = 40, 20, 20
APIS, CALLS, VIEWERS = 24, 20, 6
#: One API is out of order for so long in each such span, s, so that alerts begin and end.
OUTAGE, EVERY = 60, HOUR
WHO = Identity("viewer", Role.ADMIN.permissions, "loopback")


class Life:
    """The service and those who look at it, second by second."""

    def __init__(self, app: Understudy, clock: FakeClock, channel: MemoryChannel, rng: random.Random) -> None:
        self.app, self.clock, self.channel, self.rng = app, clock, channel, rng
        self.names = list(app.fallback.roster.apis)
        self.hub: Hub = hub_of(app)
        self.viewers: list[Viewer] = []
        self._all: weakref.WeakSet[Viewer] = weakref.WeakSet()
        self.came = self.told = self.frames = 0

    async def second(self, number: int) -> None:
        """One second of calls, with whoever looks."""
        for _ in range(CALLS):
            self._call(self.rng.choice(self.names[1:]))
        for _ in range(3):
            self._call(self.names[0], fails=number % EVERY < OUTAGE)
        if number % 10 == 0:
            self._change()
        await self.clock.advance(1.0)
        for viewer in self.viewers:
            self.frames += bool(self.hub.again(viewer) if viewer.lost else viewer.take())
            self.hub.sent(viewer)
        await asyncio.sleep(0.001 if number % 5 == 0 else 0)  # the store's threads get their turn
        self.told += len(self.channel.delivered)
        self.channel.delivered.clear()

    def _call(self, name: str, *, fails: bool = False) -> None:
        series = self.app.monitor.series(name)
        seconds = self.rng.lognormvariate(-2.5, 0.5)
        if fails or self.rng.random() < 0.01:
            series.failed(seconds, OutcomeClass.PROVIDER, Attribution.PROVIDER, "HTTP 503", 503)
        else:
            series.append(seconds)

    def _change(self) -> None:
        """One browser leaves, another comes and looks at something else."""
        if len(self.viewers) >= VIEWERS:
            self.hub.leave(self.viewers.pop(0))
        some = self.rng.sample(self.names, 4)
        topics = ["overview", "alerts", "events", "requests:", "rows:" + ",".join(some), f"series:{some[0]}"]
        self.viewers.append(self.hub.enter(WHO, "127.0.0.1", topics))
        self._all.add(self.viewers[-1])
        self.came += 1

    def leave(self) -> None:
        """Everybody goes."""
        while self.viewers:
            self.hub.leave(self.viewers.pop())

    def known(self) -> int:
        """How many of all who ever came are still held in memory."""
        gc.collect()
        return len(self._all)


def resident() -> float:
    """Memory of this process, MiB."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def objects() -> Counter[str]:
    """What the garbage collector follows, by kind."""
    gc.collect()
    return Counter(type(each).__qualname__ for each in gc.get_objects())


async def experiment(seed: int, seconds: int, filled: int, looked: int, tell: Tell = quiet) -> Report:
    """Live through so many seconds; memory is compared from `filled` on."""
    report = Report("flat_service", TITLE)
    clock, rng = FakeClock(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(Settings(), storage=StorageOptions(url=f"sqlite:///{folder}/u.db"))
        app = Understudy.build(settings, clock=clock, seed=seed, keep=True)
        for number in range(APIS):
            app.fallback.register_api(
                f"api{number:02}", base_url=f"http://host{number}.test", route=f"route{number // 4}"
            )
        channel = MemoryChannel(clock=clock)
        app.add_channel("people", channel)
        async with app:
            life = Life(app, clock, channel, rng)
            memory: list[float] = []
            kinds: list[Counter[str]] = []
            for number in range(seconds):
                await life.second(number)
                if number + 1 >= filled and (number + 1 - filled) % looked == 0:
                    kinds.append(objects())
                    memory.append(resident())
                tell(number / seconds)
            life.leave()
            report.exactly("browsers that are still known when all have left", life.known(), 0)
            _judged(report, life, memory, kinds, seconds)
    return report


def _judged(report: Report, life: Life, memory: list[float], kinds: list[Counter[str]], seconds: int) -> None:
    third = max(1, len(memory) // 3)
    early, late = sum(memory[:third]) / third, sum(memory[-third:]) / third
    first, last = _fewest(kinds[:third]), _fewest(kinds[-third:])
    more = {name: (first[name], count) for name, count in last.items() if count - first[name] > 200}
    more.pop("ProgressSample", None)  # of the bar that shows people how far the experiment is
    grown = [f"{name} {before} → {after}" for name, (before, after) in more.items()]
    if seconds >= FULL:  # before, windows and rings still fill
        report.at_most("memory that is added after all is full", late - early, 4.0, " MiB")
        report.at_most("objects that are added", float(last.total() - first.total()), 2000.0)
        report.none_of("kinds of object of which more than 200 are added", grown)
    report.at_least("times that people were told of an alert", float(life.told), float(seconds // EVERY))
    report.figures.update(
        seconds=seconds, calls=seconds * (CALLS + 3), browsers=life.came, frames=life.frames, told=life.told,
        memory_mib=[round(each, 1) for each in memory], objects=[each.total() for each in kinds],
    )  # fmt: skip


def _fewest(kinds: list[Counter[str]]) -> Counter[str]:
    """The least that was there of each kind in some looks: what waits for its turn comes and goes."""
    found = kinds[0].copy()
    for each in kinds[1:]:
        found &= each
    return found


async def full(seed: int, tell: Tell = quiet) -> Report:
    """All eight hours."""
    return await experiment(seed, FULL, FILLED, LOOKED, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """Less than a minute: it works, and what is looked at is there."""
    return await experiment(seed, SAMPLE, SAMPLE_FILLED, SAMPLE_LOOKED, tell)
