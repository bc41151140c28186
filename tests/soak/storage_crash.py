"""A store that dies at every single write: each state that the disk could be in is opened, and nothing may be missing.

The store works once on a file system that writes down every write, cut, flush and deletion in order.
Then for each number of writes k the files are put together as they were after the first k: once as a
killed process leaves them, and once as a loss of power may: of what was not flushed, nothing or a
random part is there. Each such state is opened by the real store.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from understudy.core.audit import AuditEntry
from understudy.monitor.requests import ErrorGroup, RequestEntry, RequestQuery
from understudy.monitor.rollup import Bucket, Row, SeriesName
from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.testing import FakeClock

from .apsw_dbapi import Connection
from .experiment import Report, Tell, quiet
from .storage_alerts import LEASE, Answered, alert, faults, sent

TITLE = "a crash at every single write, by a killed process and by a loss of power"
NOON = 1_800_000_000
NAME = "understudy.db"
#: Series, and rounds of the work that is recorded.
SERIES, ROUNDS = 12, 8


class Step(NamedTuple):
    """One thing that happened to a file: `write`, `cut`, `flush`, `delete`; or `told`: the store has answered."""

    kind: str
    file: str = ""
    place: int = 0
    data: bytes = b""
    fact: tuple[Any, ...] = ()


class _File(apsw.VFSFile):
    def __init__(self, steps: list[Step], name: Any, flags: list[int]) -> None:
        self._steps = steps
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._steps.append(Step("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._steps.append(Step("cut", self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._steps.append(Step("flush", self._name))


class Recorder(apsw.VFS):
    """A file system that does what is asked, and writes it down."""

    _numbers = count(1)

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.name = f"recorder {next(self._numbers)}"
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self.steps, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.steps.append(Step("delete", Path(filename).name))

    def open(self, path: str) -> Connection:
        """A connection over this file system."""
        return Connection(path, self.name)


# -- the work ---------------------------------------------------------------------------------------


def rows_of(ts: int, times: int) -> list[Row]:
    """A row for each series, of so many calls."""
    rows = []
    for number in range(SERIES):
        bucket = Bucket()
        for _ in range(times):
            bucket.add_one(0.1)
        rows.append(bucket.row(ts, SeriesName("api", f"api {number}")))
    return rows


async def work(folder: Path, recorder: Recorder, rounds: int) -> None:
    """Everything a store does, from an empty folder on; each answer is noted where it was given."""

    def told(*fact: Any) -> None:
        recorder.steps.append(Step("told", fact=fact))

    clock = FakeClock(epoch=NOON)
    options = StorageOptions(url=f"sqlite:///{folder / NAME}", keep_10s=7200, requests_per_api=10, readers=1)
    store = SqliteStore(options, clock, open_it=recorder.open)
    store._writer.upkeep_rest = 0.0
    told("opened")
    for number in range(rounds):
        ts = NOON + number * 1800
        await store.rollups.write({10: rows_of(ts, number + 1), 60: rows_of(ts // 60 * 60, number + 1)})
        told("history", ts, number + 1)
        await store.state.save({f"key {number}": number, "last": number})
        told("state", number)
        await store.audit.append(AuditEntry(float(number), "ana", "act"))
        told("audit", number + 1)
        lease = await store.leases.claim("upkeep", f"holder {number}", 6.0)
        assert lease is not None
        told("lease", lease.token)
        group = ErrorGroup("f", "api 1", "provider", "down", float(ts), float(ts), 5)
        entry = RequestEntry(float(ts), f"call {number}", "route", "api 1", "failed", 0.1, 1)
        await store.requests.append([entry], [group])
        told("requests", number + 1)
        await store.deltas.apply("reporter", "boot", number, rows_of(ts, 1))
        told("reports", number + 1)
        await alerts(store, number, float(ts), told)
        clock.tick(1800)
        await store.upkeep(lease)
    await store.close()
    told("closed")


async def alerts(store: SqliteStore, number: int, at: float, told: Callable[..., None]) -> None:
    """An alert fires, is told on one channel, and somebody edits its rule."""
    [chat, _] = await store.alerts.commit(alert(f"alert {number}", at))
    told("alert", number)
    token = (await store.outbox.claim([chat.id], "a sender", LEASE))[chat.id]
    told("claimed", number, token)
    await store.outbox.settle([sent(chat, token, at)])
    told("settled", number)
    await store.documents.put("rule", "slow", {"n": number}, actor="ana")
    told("document", number + 1)


# -- the disk at each moment ------------------------------------------------------------------------


@dataclass
class Disk:
    """The files after some steps: as a process sees them, and as they are without what was not flushed."""

    seen: dict[str, bytearray] = field(default_factory=dict)
    safe: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Step]] = field(default_factory=dict)
    facts: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Let one step happen."""
        if step.kind == "told":
            self.facts[step.fact[0]] = step.fact[1:]
        elif step.kind == "delete":
            for files in (self.seen, self.safe, self.pending):
                files.pop(step.file, None)
        elif step.kind == "flush":
            for each in self.pending.pop(step.file, []):
                _do(self.safe, each)
            self.safe.setdefault(step.file, bytearray())
        else:
            _do(self.seen, step)
            self.pending.setdefault(step.file, []).append(step)

    def after_power_loss(self, rng: random.Random, share: float) -> dict[str, bytearray]:
        """The files with a random part of what was not flushed; writes may be torn at a sector."""
        found = {name: bytearray(content) for name, content in self.safe.items()}
        for steps in self.pending.values():
            for step in steps:
                if rng.random() >= share:
                    continue
                torn = step.kind == "write" and rng.random() < 0.2
                _do(found, step._replace(data=step.data[: rng.randrange(0, len(step.data) + 1, 512)]) if torn else step)
        return found


def _do(files: dict[str, bytearray], step: Step) -> None:
    content = files.setdefault(step.file, bytearray())
    if step.kind == "cut":
        del content[step.place :]
        return
    if len(content) < step.place:
        content.extend(bytes(step.place - len(content)))
    content[step.place : step.place + len(step.data)] = step.data


# -- what must hold ---------------------------------------------------------------------------------


@dataclass
class Found:
    """What was wrong, over all states."""

    states: int = 0
    unsound: list[str] = field(default_factory=list)
    control: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    slowest: float = 0.0


async def check(folder: Path, files: dict[str, bytearray], facts: dict[str, tuple[Any, ...]], lost: bool, found: Found,
                moment: str) -> None:  # fmt: skip
    """Open a state with the real store, and compare it with what had been answered; `lost`: power was."""
    for each in folder.iterdir():
        each.unlink()
    for name, content in files.items():
        if not name.endswith("-shm"):
            (folder / name).write_bytes(content)
    (folder / f"{NAME}.lock").touch()  # a store of ours was here
    found.states += 1
    began = time.perf_counter()
    options = StorageOptions(url=f"sqlite:///{folder / NAME}", readers=1)
    try:
        store = SqliteStore(options, FakeClock(epoch=NOON + ROUNDS * 1800 + 3600))
    except Exception as error:
        found.unsound.append(f"{moment}: not opened: {type(error).__name__}: {error}")
        return
    found.slowest = max(found.slowest, time.perf_counter() - began)
    store._writer.upkeep_rest = 0.0
    try:
        if store.health().quarantined:
            found.unsound.append(f"{moment}: taken for damaged")
        await _compare(store, facts, lost, found, moment)
        found.alerts += [f"{moment}: {fault}" for fault in await _alerts(store, facts)]
        await store.state.save({"afterwards": 1})
        await store.upkeep()
    except Exception as error:
        found.unsound.append(f"{moment}: {type(error).__name__}: {error}")
    finally:
        await store.close()
    with closing(sqlite3.connect(folder / NAME)) as raw:
        fault = raw.execute("PRAGMA integrity_check").fetchone()[0]
    if fault != "ok":
        found.unsound.append(f"{moment}: {fault}")


async def _compare(
    store: SqliteStore, facts: dict[str, tuple[Any, ...]], lost: bool, found: Found, moment: str
) -> None:
    state, acts = await store.state.load(), await store.audit.read(limit=1000)
    if "state" in facts:
        [last] = facts["state"]
        missing = [number for number in range(last + 1) if state.get(f"key {number}") != number]
        if missing or state["last"] < last:
            found.control.append(f"{moment}: state {missing}")
    if len(acts) < facts.get("audit", (0,))[0]:
        found.control.append(f"{moment}: {facts['audit'][0]} acts were told, {len(acts)} are there")
    fault = await store.audit.verify()
    if fault:
        found.control.append(f"{moment}: {fault}")
    if "lease" in facts:
        lease = await store.leases.claim("upkeep", "after the crash", 6.0)
        if lease is None or lease.token <= facts["lease"][0]:
            found.control.append(f"{moment}: a token was given twice: {lease}")
    groups = await store.requests.groups(0, 2 * NOON)
    entries = await store.requests.search(RequestQuery(), 1000)
    counted = groups[0].count if groups else 0
    whole = [number for number in range(len(entries) + 2) if counted == 5 * number]
    if not whole:
        found.twice.append(f"{moment}: a group counts {counted}")
    names = [SeriesName("api", f"api {number}") for number in range(SERIES)]
    rows = await store.rollups.read(10, names, 0, 2 * NOON, list)
    if any(sum(1 for row in rows if (row.ts, row.series) == key) > 2 for key in {(row.ts, row.series) for row in rows}):
        found.twice.append(f"{moment}: a row is read twice")
    if lost:
        return  # the last statistics may be gone with the power; they are not with the process
    if counted < 5 * facts.get("requests", (0,))[0]:
        found.history.append(f"{moment}: errors were counted and are not there: {counted}")
    if "history" in facts:
        ts, times = facts["history"]
        own = {row.series: row for row in await store.rollups.own(10, ts, ts + 1)}
        if any(own.get(name) is None or own[name].n < times for name in names):
            found.history.append(f"{moment}: history of {ts}")


async def _alerts(store: SqliteStore, facts: dict[str, tuple[Any, ...]]) -> list[str]:
    kept, settled = facts.get("alert", (-1,))[0], facts.get("settled", (-1,))[0]
    answered = Answered(
        {f"alert {number}" for number in range(kept + 1)}, {f"alert {number} chat" for number in range(settled + 1)}
    )
    if "claimed" in facts:
        number, token = facts["claimed"]
        answered.claimed(f"alert {number} chat", token)
    versions = [each.version for each in await store.documents.versions("rule", "slow")]
    behind = [] if len(versions) >= facts.get("document", (0,))[0] else [f"versions {versions}"]
    gaps = [] if versions == list(range(len(versions), 0, -1)) else [f"versions {versions}"]
    return [*await faults(store, answered), *behind, *gaps]


# -- running it -------------------------------------------------------------------------------------


async def crash(moments: Iterable[int] | None, seed: int, tell: Tell = quiet, rounds: int = ROUNDS) -> Report:
    """Crash at these numbers of steps; at every one without."""
    began = time.perf_counter()
    recorder = Recorder()
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "work"
        folder.mkdir()
        await work(folder, recorder, rounds)
        writes = sum(step.kind != "told" for step in recorder.steps)
        chosen = None if moments is None else set(moments)
        disk, found, states = Disk(), Found(), Path(place) / "state"
        states.mkdir()
        done = 0
        for step in recorder.steps:
            disk.take(step)
            if step.kind == "told":
                continue
            done += 1
            tell(done / writes)
            if chosen is not None and done not in chosen:
                continue
            await check(states, disk.seen, disk.facts, False, found, f"killed after write {done}")
            for share in (0.0, rng.random()):
                files = disk.after_power_loss(rng, share)
                await check(states, files, disk.facts, True, found, f"power lost after write {done}, {share:.2f} there")
            await asyncio.sleep(0)
    report = Report("storage_crash", TITLE)
    report.none_of("states that are not sound", found.unsound)
    report.none_of("acknowledged control data lost", found.control)
    report.none_of("alerts lost, halved, or given to two", found.alerts)
    report.none_of("acknowledged statistics lost to a killed process", found.history)
    report.none_of("anything counted twice", found.twice)
    report.at_most("slowest opening", found.slowest, 2.0, " s")
    report.figures.update(writes=writes, states=found.states)
    report.seconds = time.perf_counter() - began
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Every write."""
    return await crash(None, seed, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """A few writes of a shorter run, from its beginning to its end."""
    rng = random.Random(seed)
    return await crash(rng.sample(range(1, 900), 25), seed, tell, rounds=4)
