"""Reading history: one API over 30 days, all APIs over the last hour, reports; and how much room it all takes.

The past is made up by the generator of `understudy simulate-history`, in every tier, and read through the same
rooms as in the service. By default it is that of 50 APIs over 30 days; `--full` (`make bench-history`) makes
that of 1,000, which takes a quarter of an hour and 7 GiB in the folder for temporary files.
Run: `python benchmarks/history.py [--full] [--file=PATH]`; a file is kept, and asked again without being made anew.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Literal

sys.path.insert(0, str(Path(__file__).parent))

from common import QUICK, Table
from understudy.alerts.ports import EpisodeQuery, EpisodeRow
from understudy.core.clock import SYSTEM_CLOCK, SystemClock
from understudy.monitor.history import History, Retention, SeriesHistory
from understudy.monitor.requests import ErrorGroup, RequestEntry, RequestQuery
from understudy.monitor.rollup import TIER_NAMES, SeriesName
from understudy.reports import Reports
from understudy.reports.ports import ApiFacts, RouteFacts
from understudy.reports.render import to_html
from understudy.simulator.past import PastOptions, group_past
from understudy.simulator.past_requests import requests
from understudy.storage import StorageOptions, open_store
from understudy.storage.bulk import open_bulk
from understudy.storage.store import Store

FULL = "--full" in sys.argv[1:]
APIS, DAYS, SEED = (1000, 30, 7) if FULL else (10, 2, 7) if QUICK else (50, 30, 7)
HOUR, DAY = 3600, 86400
#: How often each question is asked, of another API each time where there is one.
ROUNDS = 3 if QUICK else 25

MONTH = f"one API, {DAYS} days, 360 points with p50, p95, p99"

#: Under this key the file remembers how it was made.
_KEY = "measured"

Question = Callable[[int], Awaitable[object]]


class Standing(SystemClock):
    """The machine's clock, but for the time of day: that is always the end of the history."""

    def __init__(self, at: float) -> None:
        self.time = lambda: at


def made(path: Path) -> dict[str, float]:
    """Make the history, unless it is there: its rows, the seconds that it took, and its end."""
    options = StorageOptions(url=f"sqlite:///{path}")
    with open_bulk(options, SYSTEM_CLOCK) as bulk:
        known: dict[str, float] | None = bulk.remembered(_KEY)
    if known is not None:
        return known
    end = int(time.time())
    rows, seconds = fill(options, end)
    facts = {"rows": rows, "seconds": seconds, "end": end}
    with open_bulk(options, SYSTEM_CLOCK) as bulk:
        bulk.write({}, end, remember={_KEY: facts})
    return facts


def fill(options: StorageOptions, end: int) -> tuple[int, float]:
    """Make the history; rows and seconds."""
    past = PastOptions(APIS, DAYS, SEED, end, options.keep_10s, options.keep_1m)
    rows, began = 0, time.perf_counter()
    with open_bulk(options, SYSTEM_CLOCK) as bulk:
        for group in range(past.groups):
            made = group_past(past, group)
            since = past.end - options.keep_requests
            entries, errors = requests(made.natures, made.troubles, made.route, since, past.end, f"{SEED}/{group}")
            rows += bulk.write(made.rows, past.end, entries, errors)
            if FULL:
                print(f"\r{group + 1} of {past.groups} groups of APIs", end="", flush=True)
    return rows, time.perf_counter() - began


def sizes(path: Path) -> list[list[object]]:
    """Rows, bytes and bytes a row of each tier."""
    connection = sqlite3.connect(path)
    try:
        found: list[list[object]] = []
        for tier, name in TIER_NAMES.items():
            tables = [f"roll_{name}", *([f"hot_{name}"] if tier < HOUR else [])]
            rows = sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
            try:
                marks = ", ".join("?" * len(tables))
                total = connection.execute(f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({marks})", tables)
                taken = total.fetchone()[0] or 0
            except sqlite3.OperationalError:  # built without the table of pages
                taken = float("nan")
            found.append([name, rows, taken / 2**20, taken / rows if rows else float("nan")])
        return found
    finally:
        connection.close()


class World:
    """The store as reports ask for it."""

    def __init__(self, store: Store, history: History, names: Sequence[str], routes: Sequence[str]) -> None:
        self._store, self._history, self._names, self._routes = store, history, names, routes

    def apis(self) -> list[ApiFacts]:
        return [ApiFacts(name, f"hub{place % 20}", 1.0) for place, name in enumerate(self._names)]

    def routes(self) -> list[RouteFacts]:
        return [RouteFacts(name, ()) for name in self._routes]

    async def api(self, name: str, start: float, end: float, points: int) -> SeriesHistory:
        return await self._history.series(SeriesName("api", name), start, end, points)

    async def route(self, name: str, start: float, end: float, points: int) -> SeriesHistory:
        return await self._history.series(SeriesName("route", name), start, end, points)

    async def wholes(
        self, kind: Literal["api", "route"], names: Sequence[str], start: float, end: float
    ) -> dict[str, SeriesHistory]:
        found = await self._history.wholes([SeriesName(kind, name) for name in names], start, end)
        return {name.name: past for name, past in found.items()}

    async def between(self, start: float, end: float, api: str, limit: int) -> Sequence[EpisodeRow]:
        return await self._store.alerts.episodes(EpisodeQuery(start=start, end=end), limit)

    async def groups(self, start: float, end: float, api: str, limit: int) -> Sequence[ErrorGroup]:
        return await self._store.requests.groups(start, end, api, limit)

    async def failed(self, api: str, start: float, end: float, limit: int) -> Sequence[RequestEntry]:
        return await self._store.requests.search(RequestQuery(apis=(api,), start=start, end=end), limit)

    async def slowest(self, start: float, end: float, limit: int) -> Sequence[RequestEntry]:
        return await self._store.requests.search(RequestQuery(start=start, end=end), limit)


async def asked(question: Question, rounds: int = ROUNDS) -> tuple[float, float, float]:
    """Milliseconds of the first answer, the middle one of the later ones, and the slowest of these."""
    took = []
    for number in range(rounds):
        began = time.perf_counter()
        await question(number)
        took.append(1e3 * (time.perf_counter() - began))
    later = took[1:] or took
    return took[0], median(later), max(later)


async def ask(path: Path, end: int) -> tuple[dict[str, tuple[float, float, float]], int]:
    """The answers' times by question, and how many points a month has."""
    options = StorageOptions(url=f"sqlite:///{path}", max_bytes=64 << 30)
    clock = Standing(end)
    store = await asyncio.to_thread(open_store, options, clock)
    try:
        keep = {10: float(options.keep_10s), 60: float(options.keep_1m), 3600: float(options.keep_1h), 86400: None}
        history = History(store.rollups, clock, Retention(keep))
        now = clock.time()
        names = list(await history.overview("api", now - DAY, now))
        routes = list(await history.overview("route", now - DAY, now))
        world = World(store, history, names, routes)
        reports = Reports(world, world, world, world, clock)

        def one(seconds: float, points: int) -> Question:
            # Another API each time, so that the pages of each are touched for the first time.
            return lambda number: history.series(
                SeriesName("api", names[number * 37 % len(names)]), now - seconds, now, points
            )

        def same(seconds: float, points: int) -> Question:
            return lambda _: history.series(SeriesName("api", names[0]), now - seconds, now, points)

        six = [SeriesName("api", name) for name in names[:6]]
        made = await history.series(SeriesName("api", names[0]), now - DAYS * DAY, now, 360)
        questions: dict[str, Question] = {
            MONTH: one(DAYS * DAY, 360),
            "the same API again and again": same(DAYS * DAY, 360),
            f"one API, {DAYS} days, one number": one(DAYS * DAY, 1),
            "one API, 24 hours, 300 points": one(DAY, 300),
            "one API, last hour, 60 points": one(HOUR, 60),
            f"six APIs compared, {DAYS} days, 300 points": lambda _: history.compare(six, now - DAYS * DAY, now, 300),
            "one API beside last week": lambda number: history.against_last_week(
                SeriesName("api", names[number % len(names)]), now - DAY, now
            ),
            "all APIs, last hour": lambda _: history.overview("api", now - HOUR, now),
            f"all APIs, {DAYS} days": lambda _: history.overview("api", now - DAYS * DAY, now),
            "request log: one API, newest 100": lambda number: store.requests.search(
                RequestQuery(apis=(names[number % len(names)],)), 100
            ),
        }
        found = {label: await asked(question) for label, question in questions.items()}

        async def report(_: int) -> None:
            to_html(await reports.make("summary", now - DAYS * DAY, now))

        found[f"a report about all APIs over {DAYS} days, as HTML"] = await asked(report, 2)
        return found, len(made.points)
    finally:
        await store.close()


def main() -> bool:
    name = "history-full" if FULL else "history"
    table = Table(name, f"Reading the history of {APIS:,} APIs over {DAYS} days", ("sqlalchemy",), unit="ms")
    with tempfile.TemporaryDirectory(prefix="understudy-history-") as folder:
        kept = [each.removeprefix("--file=") for each in sys.argv[1:] if each.startswith("--file=")]
        path = Path(kept[0]) if kept else Path(folder) / "history.db"
        facts = made(path)
        rows, seconds, end = int(facts["rows"]), facts["seconds"], int(facts["end"])
        size = path.stat().st_size
        tiers = sizes(path)
        found, points = asyncio.run(ask(path, end))
    table.section("Questions, ms", ["question", "first", "median", "slowest"], [[q, *t] for q, t in found.items()])
    table.section("Size", ["tier", "rows", "MiB", "bytes/row"], tiers)
    table.section(
        "Making it",
        ["rows", "seconds", "rows/s", "file GiB", "bytes/row"],
        [[rows, seconds, rows / seconds, size / 2**30, size / rows]],
    )
    table.goal(
        f"one API over {DAYS} days, {points} points with p95, ≤ 20 ms",
        found[MONTH][1],
        20.0,
    )
    table.goal("all APIs over the last hour, warm, ≤ 30 ms", found["all APIs, last hour"][1], 30.0)
    if FULL:
        table.goal("the file with all tiers ≤ 7 GiB", size / 2**30, 7.0)
        table.goal("made in less than 20 minutes", seconds / 60, 20.0)
    else:
        table.note(
            f"This is the small one, {APIS} APIs. The goals are about 1,000: `make bench-history` makes as many and "
            "writes history-full.md."
        )
    table.note(
        "Times are those of a caller on the event loop, the wait for a reader's thread included. The median is over "
        "questions about different APIs, except where all are asked about. The file was written in the order of its "
        "keys; storage_write.md has what rows take that came one flush after another."
    )
    return table.write()


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
