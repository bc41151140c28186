"""A process that works on its store is killed at a random moment, again and again, on one and the same file."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.testing import FakeClock

from .experiment import Report, Tell, quiet
from .storage_alerts import HEIR, LEASE, Answered, faults, sent
from .storage_child import ERRORS, LIFE, NAMES, NOON, REPORTED

TITLE = "kill -9 at a random moment of a working store"
#: Longest time from the first sign of work to the kill, s.
LONGEST = 0.4


@dataclass
class Told:
    """What one life said was safe."""

    state: int = 0
    act: int = 0
    errors: int = 0
    reports: int = 0
    history: dict[int, int] = field(default_factory=dict)
    alerts: Answered = field(default_factory=Answered)

    def take(self, line: str) -> None:
        """One line of it."""
        kind, number, *rest = line.split()
        if kind == "history":
            self.history[int(number)] = int(rest[0])
        elif kind in ("state", "act", "errors", "reports"):
            setattr(self, kind, int(rest[0]))
        elif kind == "alert":
            self.alerts.alerts.add(number)
        elif kind == "claimed":
            self.alerts.claimed(number.replace("/", " "), int(rest[0]))
        elif kind == "settled":
            self.alerts.settled.add(number.replace("/", " "))


class Lives:
    """Lives of the child, one after the other."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self._path, self._rng = path, rng
        self._process = subprocess.Popen(
            [sys.executable, "-m", "soak.storage_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip
        self._rest = b""

    def one(self, number: int) -> Told:
        """Let it live and kill it; what it said."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self._path} {number} {self._rng.randrange(1 << 30)}\n".encode())
        told, process, until = Told(), 0, 0.0
        while True:
            line = self._line()
            if line.startswith("process"):
                process = int(line.split()[1])
            elif line == "ended":
                return told
            else:
                told.take(line)
                # From the opening on: some die before their first answer.
                until = until or time.perf_counter() + self._rng.random() ** 2 * LONGEST
            if until and process and time.perf_counter() >= until:
                os.kill(process, signal.SIGKILL)
                until = float("inf")

    def _line(self) -> str:
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            piece = os.read(self._process.stdout.fileno(), 1 << 16)
            if not piece:
                raise RuntimeError("the child ended by itself")
            self._rest += piece
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode()

    def close(self) -> None:
        """No more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass
class Found:
    """What was wrong, over all lives."""

    unsound: list[str] = field(default_factory=list)
    control: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    slowest: float = 0.0
    acknowledged: int = 0


async def check(path: Path, number: int, told: Told, acts: int, found: Found) -> int:
    """Open the file as the next start would, and compare; how many acts there are by now."""
    began = time.perf_counter()
    clock = FakeClock(epoch=NOON + (number + 1) * LIFE)
    store = SqliteStore(StorageOptions(url=f"sqlite:///{path}", keep_10s=20 * LIFE, requests_per_api=50), clock)
    found.slowest = max(found.slowest, time.perf_counter() - began)
    store._writer.upkeep_rest = 0.0
    try:
        if store.health().quarantined:
            found.unsound.append(f"life {number}: taken for damaged")
        state = await store.state.load(f"life {number} ")
        missing = [turn for turn in range(1, told.state + 1) if state.get(f"life {number} {turn}") != turn]
        if missing:
            found.control.append(f"life {number}: {len(missing)} values are missing")
        newest = await store.audit.read(limit=1)
        kept = newest[0].seq if newest else 0
        if kept < acts + told.act:
            found.control.append(f"life {number}: {acts + told.act} acts were told, {kept} are there")
        if number % 20 == 0 and (fault := await store.audit.verify()):
            found.control.append(f"life {number}: {fault}")
        await _history(store, number, told, found)
        found.alerts += [f"life {number}: {each}" for each in await faults(store, told.alerts, f"{number:04}-")]
        await _deliver_rest(store)
        await store.upkeep()
        await _history(store, number, told, found)
    finally:
        await store.close()
    with closing(sqlite3.connect(path)) as raw:
        fault = raw.execute("PRAGMA integrity_check").fetchone()[0]
    if fault != "ok":
        found.unsound.append(f"life {number}: {fault}")
    found.acknowledged += told.state + told.act + len(told.alerts.alerts) + len(told.alerts.settled)
    return kept


async def _deliver_rest(store: SqliteStore) -> None:
    """As the next start does: what waits is sent."""
    rows = {row.id: row for row in await store.outbox.pending(100_000)}
    tokens = await store.outbox.claim(rows, HEIR, LEASE)
    await store.outbox.settle([sent(rows[name], token, rows[name].created_at) for name, token in tokens.items()])


async def _history(store: SqliteStore, number: int, told: Told, found: Found) -> None:
    for ts, times in list(told.history.items())[-30:]:
        rows = {row.series: row.n for row in await store.rollups.own(10, ts, ts + 10)}
        behind = [name for name in NAMES if rows.get(name, 0) < times]
        if behind:
            found.history.append(f"life {number}: {len(behind)} rows of {ts}")
    began = NOON + number * LIFE
    reported = await store.rollups.read(10, REPORTED, began, began + 10, lambda rows: sum(row.n for row in rows))
    if reported not in (told.reports, told.reports + 1):
        found.twice.append(f"life {number}: {told.reports} reports were told, {reported} are there")
    groups = {group.fingerprint: group.count for group in await store.requests.groups(0, 2 * NOON)}
    counted = groups.get(f"life {number}", 0)
    if counted not in (told.errors, told.errors + ERRORS):
        found.twice.append(f"life {number}: {told.errors} errors were told, {counted} are counted")


async def kill(lives: int, seed: int, tell: Tell = quiet) -> Report:
    """So many lives on one file."""
    began = time.perf_counter()
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "understudy.db"
        child = Lives(path, random.Random(seed))
        acts = 0
        try:
            for number in range(lives):
                told = await asyncio.to_thread(child.one, number)
                acts = await check(path, number, told, acts, found)
                tell((number + 1) / lives)
        finally:
            child.close()
        size = path.stat().st_size
    report = Report("storage_kill", f"{lives} × {TITLE}")
    report.none_of("files that are not sound", found.unsound)
    report.none_of("acknowledged control data lost", found.control)
    report.none_of("alerts lost, halved, or given to two", found.alerts)
    report.none_of("acknowledged statistics lost", found.history)
    report.none_of("anything counted twice", found.twice)
    report.at_most("slowest opening", found.slowest, 2.0, " s")
    report.figures.update(lives=lives, acknowledged_control_writes=found.acknowledged, file_bytes=size)
    report.seconds = time.perf_counter() - began
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Two hundred lives."""
    return await kill(200, seed, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """A few lives."""
    return await kill(8, seed, tell)
