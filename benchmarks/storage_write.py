"""Writing history: what it takes of the event loop, rows a second, and the room that rows take which came live.

A thousand APIs, each busy in every ten seconds. The rollups of one process gather, close and hand over as in the
service, with ten seconds of history passing in a fraction of one; beside it a task asks to be woken each
millisecond, and its lateness is how long the loop was held up. The store is SQLite, in a folder for temporary
files. Run: `python benchmarks/storage_write.py`.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

from common import QUICK, Table
from understudy.core.clock import SystemClock
from understudy.monitor.collector import Collector
from understudy.monitor.rollup import Bucket, Row, SeriesName
from understudy.monitor.rollups import Rollups
from understudy.simulator.past_shapes import Example, Shapes, unpacked
from understudy.simulator.past_weather import nature
from understudy.storage import StorageOptions, open_store
from understudy.storage.store import Store

APIS, SEED = 1000, 7
HOUR = 3600
#: Ten seconds of history pass in this time, s: a minute's writing in little more than three seconds.
PACE = 0.5
#: Steps of the paced part, and hours of history that are written as fast as it goes, then moved.
STEPS, HOURS = (6, 1) if QUICK else (72, 3)
#: How many times its own length a step of moving rests here; 19 in the service.
RESTS = 0.0 if QUICK else 3.0
TICK = 0.001


class Shifted(SystemClock):
    """The machine's clock, but for the time of day, which stands where it is put."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.time = lambda: self.at


class Busy(Collector):
    """Hands over a bucket of each API, drawn before: what is measured begins where the gathering ends."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        natures = [nature(number, rng) for number in range(APIS)]
        shapes = [Shapes(each, rng, alone=False) for each in natures]
        self.names = [SeriesName("api", each.name) for each in natures]
        examples = [one.pool("well", 1.0, 10) for one in shapes]
        self._drawn = [self._draw(examples, rng) for _ in range(12)]
        self._next = 0

    def _draw(self, examples: list[list[Example]], rng: Random) -> dict[SeriesName, Bucket]:
        chosen = {name: rng.choice(some) for name, some in zip(self.names, examples, strict=True)}
        return {name: unpacked(each.packed, each.low, each.high) for name, each in chosen.items() if each.packed}

    def take(self) -> dict[SeriesName, Bucket]:
        self._next = (self._next + 1) % len(self._drawn)
        return dict(self._drawn[self._next])


async def nothing() -> None:
    pass


class Ticker:
    """A task that wants to be woken each millisecond, and notes how late it was."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        wanted = loop.time() + TICK
        while True:
            await asyncio.sleep(wanted - loop.time())
            now = loop.time()
            self.late.append(1e3 * max(0.0, now - wanted))
            wanted = now + TICK

    async def during(self, work: Awaitable[object]) -> tuple[float, float, float]:
        """Milliseconds of lateness while `work` went on: median, 99th percentile, the worst."""
        self.late = []
        task = asyncio.ensure_future(self.run())
        await work
        task.cancel()
        late = sorted(self.late)
        return median(late), late[int(0.99 * len(late))], late[-1]


async def paced(rollups: Rollups, clock: Shifted) -> None:
    for _ in range(STEPS):
        began = time.perf_counter()
        clock.at += 10
        await rollups.flush()
        await asyncio.sleep(max(0.0, PACE - (time.perf_counter() - began)))


async def flat_out(store: Store, collector: Busy, start: int) -> tuple[int, float]:
    """Write hours of ten-second and minute rows, one stamp after another; rows and seconds of writing."""
    rows, spent = 0, 0.0
    names = collector.names
    drawn = [collector.take() for _ in range(6)]
    for ts in range(start, start + HOURS * HOUR, 10):
        buckets = drawn[ts // 10 % 6]
        batch: dict[int, list[Row]] = {10: [buckets[name].row(ts, name) for name in names if name in buckets]}
        if ts % 60 == 50:
            batch[60] = [buckets[name].row(ts - 50, name) for name in names if name in buckets]
        began = time.perf_counter()
        await store.rollups.write(batch)
        spent += time.perf_counter() - began
        rows += sum(map(len, batch.values()))
    return rows, spent


async def idle(seconds: float = 3.0) -> None:
    await asyncio.sleep(seconds)


async def measure(folder: Path) -> tuple[list[list[object]], dict[str, float]]:
    start = int(time.time()) // HOUR * HOUR - 30 * HOUR
    clock = Shifted(float(start))
    options = StorageOptions(url=f"sqlite:///{folder / 'write.db'}", waiting_rows=200_000)
    store = await asyncio.to_thread(open_store, options, clock)
    collector, ticker = Busy(Random(SEED)), Ticker()
    # What was drawn for the benchmark is not the service's, and so are looks through it for garbage.
    gc.collect()
    gc.freeze()
    found: list[list[object]] = []
    numbers: dict[str, float] = {}

    async def lateness(label: str, work: Callable[[], Awaitable[object]]) -> None:
        found.append([label, *(await ticker.during(work()))])

    try:
        await lateness("nothing else going on", idle)
        rollups = Rollups(collector, store.rollups, clock, nothing)
        await rollups.begin()
        await lateness(f"ten seconds of {APIS:,} APIs each {PACE} s", lambda: paced(rollups, clock))
        numbers["p99"] = float(str(found[-1][2]))

        async def writing() -> None:
            rows, spent = await flat_out(store, collector, start + 2 * HOUR)
            numbers["rows"], numbers["rows/s"] = rows, rows / spent

        await lateness("rows as fast as they are taken", writing)
        clock.at = float(start + (HOURS + 3) * HOUR)
        began = time.perf_counter()
        store._writer.upkeep_rest = RESTS  # type: ignore[attr-defined]  # how it is paced is the store's own affair
        await lateness(f"{HOURS} hours moved to where old hours lie", store.upkeep)
        numbers["moving"] = time.perf_counter() - began
    finally:
        await store.close(30.0)
    numbers["bytes/row"] = in_place(folder / "write.db")
    return found, numbers


def in_place(path: Path) -> float:
    """Bytes that a row takes where old hours lie."""
    connection = sqlite3.connect(path)
    try:
        rows, taken = 0, 0
        for table in ("roll_10s", "roll_1m"):
            rows += connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            taken += connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (table,)).fetchone()[0]
        return taken / rows
    except sqlite3.OperationalError:  # built without the table of pages
        return float("nan")
    finally:
        connection.close()


def main() -> bool:
    table = Table("storage_write", f"Writing the history of {APIS:,} APIs", ("sqlalchemy",), unit="ms")
    with tempfile.TemporaryDirectory(prefix="understudy-write-") as folder:
        found, numbers = asyncio.run(measure(Path(folder)))
    table.section("How late a task was that is woken each millisecond, ms", ["while", "median", "p99", "worst"], found)
    table.section(
        "Rows",
        ["rows", "rows/s", "bytes/row after the move", "s to move"],
        [[numbers["rows"], numbers["rows/s"], numbers["bytes/row"], numbers["moving"]]],
    )
    table.goal("the loop is held up by ≤ 3 ms at p99 while history is written", numbers["p99"], 3.0)
    table.note(
        f"In the service ten seconds take ten seconds; here they take {PACE}, so writing, gathering included, is "
        f"{10 / PACE:.0f} times as dense, and moving rests {RESTS:g} times its own length between its steps, where the "
        "service lets it rest 19 times. Rows that came live lie in pages that were split on the way, so they take "
        "more than those of history.md, which were written in the order of their keys."
    )
    return table.write()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
