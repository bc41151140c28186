"""Two services on one PostgreSQL: the one that evaluates is killed, again and again, and the other goes on."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg

from servers import PASSWORD, Postgres

from .alert_kill import End, Seat, finish
from .alert_kill_check import Death, History, judge
from .alert_kill_world import Apis, Receivers
from .experiment import Report, Tell, quiet

TITLE = "kill -9 of that one of two services on PostgreSQL which alerts"
#: Alerts for each kill.
ALERTS = 5
#: The other one takes over within that long, s: the role's lease, and what a busy machine adds.
TAKEOVER = 30.0


class Database:
    """The store of both."""

    password = PASSWORD

    def __init__(self, server: Postgres) -> None:
        name = server.with_tables()
        self._where = f"host=127.0.0.1 port={server.port} user=tester dbname={name}"
        self.url, self.options = server.url(name), server.options(name)

    def read(self) -> Death:
        """What it holds now."""
        with closing(psycopg.connect(self._where, password=self.password)) as connection:
            pending = [str(row[0]) for row in connection.execute("SELECT id FROM outbox WHERE state = 'pending'")]
            events = [str(row[0]) for row in connection.execute("SELECT event_id FROM alert_event")]
            return Death.of(pending, events, connection.execute("SELECT labels, resolved_ms FROM alert_episode"))


async def kill(kills: int, seed: int, tell: Tell = quiet, alerts: int = ALERTS) -> Report:
    """So many kills. A new service takes the place of each one that was killed, and waits for its turn."""
    began, rng = time.perf_counter(), random.Random(seed)
    report = Report("alert_takeover", f"{kills} × {TITLE}")
    server = await asyncio.to_thread(Postgres)
    try:
        with tempfile.TemporaryDirectory() as folder:
            place, history = Path(folder), History()
            store, apis = Database(server), Apis(place / "world", rng)
            seats = [Seat(store, history, apis), Seat(store, history, apis)]
            async with Receivers() as receivers:
                receivers.on_arrival = lambda: [seat.sign("arrived") for seat in seats]
                try:
                    for seat in seats:
                        await seat.open(receivers.addresses, place / "world", place / "log")
                        seat.begin()
                    waits = []
                    for number in range(kills):
                        waits.append(await _one(seats, store, history, apis, rng, alerts))
                        tell((number + 1) / (kills + 1))
                    await finish(seats, store, apis, history)
                finally:
                    for seat in seats:
                        await seat.close()
            await judge(report, store, history, apis, receivers)
            report.at_most("slowest takeover", max(waits[1:], default=0.0), TAKEOVER, " s")
    finally:
        await asyncio.to_thread(server.close)
    report.seconds = time.perf_counter() - began
    return report


async def _one(
    seats: list[Seat], store: Database, history: History, apis: Apis, rng: random.Random, alerts: int
) -> float:
    """Kill the one that evaluates, and begin another in its place; how long it took until one did, s."""
    began = time.monotonic()
    while not (leading := [seat for seat in seats if seat.evaluates]):
        apis.tick()
        await asyncio.sleep(0.01)
        if time.monotonic() - began > 2 * TAKEOVER:
            raise RuntimeError("neither service evaluates")
    took = time.monotonic() - began
    apis.fail(alerts)
    seat = leading[0]
    seat.end_at(End.chosen(rng))
    while not seat.over.is_set():
        apis.tick()
        await asyncio.sleep(0.01)
    history.died(await asyncio.to_thread(store.read), apis)
    seat.begin()
    return took


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Two hundred kills, a thousand alerts."""
    return await kill(200, seed, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """Two kills."""
    return await kill(2, seed, tell, 3)
