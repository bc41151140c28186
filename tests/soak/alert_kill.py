"""A service is killed at a random moment, again and again, while alerts begin, are told on four channels, and end."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from json import dumps
from math import inf
from pathlib import Path

from understudy.storage import StorageOptions

from .alert_kill_check import OPENING, Death, History, Store, judge
from .alert_kill_world import Apis, Receivers
from .experiment import Report, Tell, quiet

TITLE = "kill -9 at a random moment of a service that alerts on four channels"
#: Alerts of one life; longest life, s; how long after its sign a kill comes at most, s.
ALERTS, LONGEST, AFTER = 5, 2.5, 0.01
#: Signs at which a life is killed: some time, the store took an event, a message reached somebody.
MOMENTS = ("time", "kept", "arrived")
#: The last life has that long to end every alert and deliver everything, s.
PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class End:
    """When a life ends: after so many seconds, or a little `after` the so manieth of its signs, if that is earlier."""

    seconds: float = inf
    sign: str = ""
    number: int = 0
    after: float = 0.0

    @classmethod
    def chosen(cls, rng: random.Random) -> End:
        """One by chance. Some come before the service has opened its store."""
        moment = rng.choice(MOMENTS)
        if moment == "time":
            return cls(rng.random() ** 2 * LONGEST)
        return cls(LONGEST, moment, rng.randint(1, 2 * ALERTS), rng.random() * AFTER)


class Seat:
    """Lives of a service, one after the other, and what the present one says."""

    def __init__(self, store: Store, history: History, apis: Apis) -> None:
        self._store, self._history, self._apis = store, history, apis
        self._server: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._process, self._signs, self._end = 0, 0, End()
        self._log = Path()
        #: Whether nobody lives here now; whether the one who does evaluates.
        self.over, self.evaluates = asyncio.Event(), False
        #: How often in a row it told that nothing waits.
        self.idle = 0

    async def open(self, addresses: str, world: Path, log: Path) -> None:
        """Start what begins lives."""
        self._log = log
        with log.open("ab") as errors:
            self._server = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "soak.alert_kill_child", addresses, str(world), stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=errors, cwd=Path(__file__).parents[1],
            )  # fmt: skip
        self._reading = asyncio.create_task(self._read())

    def begin(self, end: End = End()) -> None:
        """Begin a life."""
        assert self._server is not None and self._server.stdin is not None
        self.over.clear()
        self._process, self._signs, self._end, self.evaluates, self.idle = 0, 0, end, False, 0
        self._server.stdin.write((dumps([self._store.url, self._store.password]) + "\n").encode())

    def end_at(self, end: End) -> None:
        """Let the present life end so, from now on."""
        self._signs, self._end = 0, end
        self._kill_in(end.seconds)

    def sign(self, name: str) -> None:
        """Something happened at which it may have to end."""
        if name == self._end.sign:
            self._signs += 1
            if self._signs == self._end.number:
                self._kill_in(self._end.after)

    def kill(self, process: int | None = None) -> None:
        """Kill it now, if it lives; `process`: only if it is still that one."""
        if self._process and not self.over.is_set() and process in (None, self._process):
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)

    def _kill_in(self, seconds: float) -> None:
        if seconds < inf:
            asyncio.get_running_loop().call_later(seconds, self.kill, self._process)

    async def close(self) -> None:
        """No more lives."""
        self.kill()
        if self._server is not None and self._server.stdin is not None:
            self._server.stdin.close()
            await self._server.wait()
        if self._reading is not None:
            await self._reading

    async def _read(self) -> None:
        assert self._server is not None and self._server.stdout is not None
        while line := await self._server.stdout.readline():
            self._said(*line.decode().split())
        self.over.set()

    def _said(self, what: str, *rest: str) -> None:
        match what:
            case "process":
                self._process = int(rest[0])
                self._kill_in(self._end.seconds)
            case "opened":
                self._history.openings.append(float(rest[0]))
            case "evaluates":
                self.evaluates = rest[0] == "1"
            case "kept":
                kind, api, event = rest
                self._history.told.add(event)
                if kind in ("fired", "resolved"):
                    self._apis.told(api, ended=kind == "resolved")
                self.sign("kept")
            case "account":
                self.idle = 0 if int(rest[0]) else self.idle + 1
                self._history.accounts.append((int(rest[1]), int(rest[2])))
            case "ended":
                if int(rest[0]) != signal.SIGKILL:
                    last = self._log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
                    self._history.faults.append(f"a service ended by itself: {last}")
                self.over.set()


class File:
    """The store in a file. What it holds is read from a copy, so that whoever starts next finds it as it was left."""

    password = ""

    def __init__(self, folder: Path) -> None:
        self._path, self._copy = folder / "understudy.db", folder / "copy"
        self._copy.mkdir()
        self.url = f"sqlite:///{self._path}"
        self.options = StorageOptions(url=self.url)

    def read(self) -> Death:
        """What it holds now."""
        for end in ("", "-wal"):
            self._copy.joinpath(f"copy.db{end}").unlink(missing_ok=True)
            if (source := self._path.with_name(self._path.name + end)).exists():
                shutil.copy(source, self._copy / f"copy.db{end}")
        if not (self._copy / "copy.db").exists():
            return Death()  # it died before there was one
        with closing(sqlite3.connect(self._copy / "copy.db")) as copy:
            tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
            if "alert_event" not in tables:
                return Death()
            pending = [name for (name,) in copy.execute("SELECT id FROM outbox WHERE state = 'pending'")]
            events = [name for (name,) in copy.execute("SELECT event_id FROM alert_event")]
            return Death.of(pending, events, copy.execute("SELECT labels, resolved_ms FROM alert_episode"))


async def kill(lives: int, seed: int, tell: Tell = quiet, alerts: int = ALERTS) -> Report:
    """So many lives on one store, before the same receivers."""
    began, rng = time.perf_counter(), random.Random(seed)
    report = Report("alert_kill", f"{lives} × {TITLE}")
    with tempfile.TemporaryDirectory() as folder:
        place, history = Path(folder), History()
        store, apis = File(place), Apis(place / "world", rng)
        async with Receivers() as receivers:
            seat = Seat(store, history, apis)
            receivers.on_arrival = lambda: seat.sign("arrived")
            try:
                await seat.open(receivers.addresses, place / "world", place / "log")
                for number in range(lives):
                    apis.fail(alerts)
                    seat.begin(End.chosen(rng))
                    while not seat.over.is_set():
                        apis.tick()
                        await asyncio.sleep(0.01)
                    history.died(store.read(), apis)
                    tell((number + 1) / (lives + 1))
                seat.begin()
                await finish([seat], store, apis, history)
            finally:
                await seat.close()
        await judge(report, store, history, apis, receivers)
    report.at_most("slowest opening", max(history.openings, default=0.0), OPENING, " s")
    report.seconds = time.perf_counter() - began
    return report


async def finish(seats: Sequence[Seat], store: Store, apis: Apis, history: History) -> None:
    """Let those who live end every alert and deliver everything."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not any(seat.over.is_set() for seat in seats):
        apis.tick()
        await asyncio.sleep(0.05)
        if not apis.busy and all(seat.idle > 1 for seat in seats):
            found = await asyncio.to_thread(store.read)
            if not found.pending and all(ended for _, ended in found.episodes):
                history.finished = True
                return
            await asyncio.sleep(1.0)


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Two hundred lives, a thousand alerts."""
    return await kill(200, seed, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """A few lives."""
    return await kill(4, seed, tell, 3)
