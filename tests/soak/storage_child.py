"""The process that `storage_kill` kills: works on a store without end, and says what was acknowledged.

It is told over its input: each line `PATH NUMBER SEED` begins one life, in a copy of itself, so that
the libraries are imported once only. The first line of a life's answers is its process number.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from understudy.core.audit import AuditEntry
from understudy.monitor.requests import ErrorGroup, RequestEntry
from understudy.monitor.rollup import Bucket, Row, SeriesName
from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.testing import FakeClock

from .storage_alerts import LEASE, alert, sent

NOON = 1_800_000_000
#: Series; seconds of the store's time in one life, so that hours end and are moved; and errors in a batch.
SERIES, LIFE, ERRORS = 30, 7200, 3


NAMES = tuple(SeriesName("api", f"api {number}") for number in range(SERIES))
REPORTED = (SeriesName("api", "reported"),)


def rows_of(ts: int, times: int, names: tuple[SeriesName, ...] = NAMES) -> list[Row]:
    """A row for each series, of so many calls."""
    bucket = Bucket()
    bucket.n = bucket.ok = times
    return [bucket.row(ts, name) for name in names]


def say(*what: object) -> None:
    """Tell what is safe now; the line is with the reader before anything else is done."""
    os.write(1, (" ".join(map(str, what)) + "\n").encode())


async def live(path: str, number: int, seed: int) -> None:
    """One life: works until it is killed."""
    rng = random.Random(seed)
    began = NOON + number * LIFE
    clock = FakeClock(epoch=began)
    store = SqliteStore(StorageOptions(url=f"sqlite:///{path}", keep_10s=20 * LIFE, requests_per_api=50), clock)
    store._writer.upkeep_rest = rng.choice((0.0, 1.0))
    say("opened", number)

    async def control() -> None:
        turn = 0
        while True:
            turn += 1
            await store.state.save({f"life {number} {turn}": turn, f"last {number}": turn})
            say("state", number, turn)
            await store.audit.append(AuditEntry(float(turn), f"life {number}", "act"))
            say("act", number, turn)

    async def history() -> None:
        turn = 0
        while True:
            turn += 1
            ts = began + (turn // 5) * 10 % LIFE
            times = turn
            await store.rollups.write({10: rows_of(ts, times), 60: rows_of(ts // 60 * 60, times)})
            say("history", ts, times)
            clock.tick(2.0)

    async def requests() -> None:
        turn = 0
        while True:
            turn += 1
            at = clock.time()
            group = ErrorGroup(f"life {number}", "api 1", "provider", "down", at, at, ERRORS)
            await store.requests.append([RequestEntry(at, f"c{turn}", "route", "api 1", "failed", 0.1, 1)], [group])
            say("errors", number, turn * ERRORS)
            await store.deltas.apply("reporter", f"life {number}", turn, rows_of(began, 1, REPORTED))
            say("reports", number, turn)

    async def alerts() -> None:
        turn = 0
        while True:
            turn += 1
            name = f"{number:04}-{turn:05}"
            await store.alerts.commit(alert(name, clock.time()))
            say("alert", name)

    async def sends(owner: str) -> None:
        while True:
            waiting = {row.id: row for row in await store.outbox.pending(5) if row.id > f"{number:04}-"}
            tokens = await store.outbox.claim(waiting, owner, LEASE)
            for name, token in tokens.items():
                say("claimed", name.replace(" ", "/"), token)
            await store.outbox.settle([sent(waiting[name], token, clock.time()) for name, token in tokens.items()])
            for name in tokens:
                say("settled", name.replace(" ", "/"))
            await asyncio.sleep(0)

    async def upkeep() -> None:
        while True:
            await store.upkeep()
            await asyncio.sleep(0.005)

    await asyncio.gather(control(), history(), requests(), alerts(), sends("one"), sends("two"), upkeep())


def main() -> None:
    """Begin a life for each line."""
    for line in sys.stdin:
        path, number, seed = line.split()
        child = os.fork()
        if child == 0:
            asyncio.run(live(path, int(number), int(seed)))
        say("process", child)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
