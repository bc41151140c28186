"""PostgreSQL is away for a whole minute while calls go on: none fails, none waits, and every one is counted after."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from statistics import median, quantiles

from servers import Postgres
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.types import Mode
from understudy.monitor.rollup import SeriesName

from .experiment import Report, Tell, quiet

TITLE = "calls while PostgreSQL is away for a minute"
#: Calls in a second, and one in so many whose lead fails.
RATE, FAILING = 200, 10


class Down(Exception):
    """What the lead fails with."""

    status = 503


async def _answer() -> str:
    return "served"


async def _fail() -> str:
    raise Down("out of order")


class Calls:
    """Calls at an even rate, each timed; they go on until told to stop."""

    def __init__(self, app: Understudy) -> None:
        self._app = app
        self.failed: list[str] = []
        self.made = 0

    async def during(self, seconds: float) -> list[float]:
        """How long each call of the next `seconds` took."""
        took = []
        began = time.perf_counter()
        for number in range(round(seconds * RATE)):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            operation = _fail if self.made % FAILING == 0 else _answer
            at = time.perf_counter()
            try:
                await self._app.fallback.execute_with_fallback("lead", operation)
            except Exception as error:
                self.failed.append(f"{type(error).__name__}: {error}")
            took.append(time.perf_counter() - at)
            self.made += 1
        return took


async def away(calm: float, gone: float, seed: int, tell: Tell = quiet, *, timed: bool = True) -> Report:
    """Calls for `calm` seconds, then `gone` seconds without the server, then until all is written."""
    server = await asyncio.to_thread(Postgres)
    try:
        database = await asyncio.to_thread(server.with_tables)
        settings = dataclasses.replace(Settings(), storage=server.options(database, patience=1.0))
        app = Understudy.build(settings, seed=seed, keep=True)
        app.fallback.register_route("odds", mode="priority")
        app.fallback.register_api("lead", 1, "odds", _answer, breaker={"mode": Mode.OFF})
        app.fallback.register_api("standby", 2, "odds", _answer)
        async with app:
            calls = Calls(app)
            await calls.during(min(2.0, calm))  # what is slow the first time is not measured
            before = await calls.during(calm)
            tell(0.4)
            await asyncio.to_thread(server.stop)
            during = await calls.during(gone)
            noticed = bool(app.keeping and not app.keeping.store.health().writable)
            tell(0.9)
            await asyncio.to_thread(server.start)
            came_back = time.perf_counter()
            while app.keeping and not app.keeping.store.health().writable and time.perf_counter() < came_back + 60:
                await asyncio.sleep(0.05)
            back = time.perf_counter() - came_back
        counted, grouped = await _counted(settings)
    finally:
        await asyncio.to_thread(server.close)
    report = Report("store_away", TITLE)
    report.none_of("calls that failed", calls.failed)
    report.exactly("noticed while it was away", noticed, True)
    report.exactly("calls in the history afterwards, of those that were made", counted, calls.made)
    report.exactly("failures counted afterwards", grouped, -(-calls.made // FAILING))
    if timed:
        p99 = [quantiles(each, n=100)[98] * 1000 for each in (before, during)]
        report.at_most("p99 of a call beyond that of before", p99[1] - p99[0], 1.0, " ms")
        report.at_most("written again after the server is back", back, 10.0, " s")
        report.figures = {
            "calls": calls.made, "seconds away": gone, "p99 before, ms": round(p99[0], 3),
            "p99 while away, ms": round(p99[1], 3), "median before, ms": round(median(before) * 1000, 3),
            "median while away, ms": round(median(during) * 1000, 3),
        }  # fmt: skip
    return report


async def _counted(settings: Settings) -> tuple[int, int]:
    """Calls of the route, and failures of the lead, that a later start finds."""
    async with Understudy.build(settings, keep=True) as app:
        assert app.keeping is not None
        end = time.time() + 20
        past = await app.keeping.history.series(SeriesName("route", "odds"), end - 7200, end, 100)
        groups = await app.keeping.requests.groups(0, end)
        return past.whole.n, sum(group.count for group in groups)


async def full(seed: int, tell: Tell) -> Report:
    """A minute without the server."""
    return await away(30.0, 60.0, seed, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """Three seconds, and nothing that another process on the machine could spoil."""
    return await away(1.0, 3.0, seed, tell, timed=False)
