"""Ten thousand random cancellations, at every stage of a call: nothing of ours is left behind.

Half of them strike HTTP calls over real sockets (`cancel_http`), half calls of wrapped operations
(`cancel_operations`). What is looked for afterwards: places in bulkheads, permits of breakers, keys, attempts
in flight, tasks, timers, threads, connections on both sides, and memory that grew between two equal halves.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from understudy.app import Understudy
from understudy.resilience.decision import DecisionLog

from .experiment import Report, Tell, quiet, settled
from .upstream import Upstream

TITLE = "Random cancellations at every stage of a call"
#: Calls that are under way at the same time.
CROWD = 60
#: Bytes and objects that a half of the run may leave behind beyond the other half: caches fill unevenly.
SLACK_BYTES, SLACK_OBJECTS = 150_000, 1_000

Call = Callable[[], Coroutine[Any, Any, None]]
#: A call at one stage; the `Random` decides what the stage leaves to chance.
Stage = Callable[[random.Random], Coroutine[Any, Any, Any]]


class Swallowed(Exception):
    """Raised by an operation in place of the cancellation that it was given."""


@dataclass
class Tally:
    """What came of the victims."""

    cancelled: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    #: Cancelled by us, and ended as something else.
    converted: list[str] = field(default_factory=list)
    #: Tasks that still believe that somebody wants them cancelled.
    marked: list[str] = field(default_factory=list)


class Executioner:
    """Runs stages, and ends each call at a random moment in one of the ways in which calls are ended."""

    def __init__(self, stages: dict[str, Stage], tally: Tally, chance: random.Random) -> None:
        self._stages = stages
        self._tally = tally
        self._chance = chance

    async def run(self, cancellations: int, told: Callable[[int], None]) -> None:
        """Go on until that many calls were cancelled."""
        goal = self._tally.cancelled.total() + cancellations

        async def one() -> None:
            while (done := self._tally.cancelled.total()) < goal:
                await self._victim(self._chance.choice(list(self._stages)))
                told(cancellations - (goal - done))

        async with asyncio.TaskGroup() as group:
            for _ in range(CROWD):
                group.create_task(one())

    async def _victim(self, name: str) -> None:
        how = self._chance.choices(("cancel", "timeout", "group", "spare"), (80, 8, 8, 4))[0]
        marks: list[int] = []
        stage = self._stages[name]

        async def call() -> None:
            try:
                await stage(self._chance)
            finally:
                task = asyncio.current_task()
                marks.append(task.cancelling() if task is not None else 0)

        if how == "timeout":
            await self._timeout(name, call)
        elif how == "group":
            await self._group(name, call)
        else:
            await self._cancel(name, call, marks, spare=how == "spare")

    async def _moment(self) -> None:
        """Before the first step, after a few turns of the loop, or while whatever it is is under way."""
        kind = self._chance.random()
        if kind < 0.1:
            return
        if kind < 0.3:
            for _ in range(self._chance.randrange(1, 12)):
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(self._chance.uniform(0.0, 0.08))

    async def _cancel(self, name: str, call: Call, marks: list[int], *, spare: bool) -> None:
        task = asyncio.create_task(call())
        asked = False
        if not spare:
            await self._moment()
            asked = task.cancel()
        if not await self._ended(name, task):
            return
        if marks and marks[0] > asked:
            self._tally.marked.append(f"{name}: {marks[0]} cancellations are marked, {int(asked)} were asked for")
        if task.cancelled():
            if asked:
                self._tally.cancelled[name] += 1
            else:
                self._tally.converted.append(f"{name}: cancelled, which nobody had asked for")
            return
        error = task.exception()
        if asked and not isinstance(error, Swallowed) and not name.startswith("stubborn"):
            self._tally.converted.append(f"{name}: cancelled, and ended as {type(error).__name__}: {error}")
        elif error is None:
            self._tally.finished[name] += 1
        else:
            self._tally.errors[f"{name}: {type(error).__name__}"] += 1

    async def _ended(self, name: str, task: asyncio.Task[Any]) -> bool:
        await asyncio.wait({task}, timeout=20)
        if not task.done():
            self._tally.converted.append(f"{name}: still runs 20 s after its cancellation")
            task.cancel()
        return task.done()

    async def _timeout(self, name: str, call: Call) -> None:
        """The caller's own time-out, in a task that lives on after it."""
        expired: list[bool] = []

        async def caller() -> int:
            task = asyncio.current_task()
            assert task is not None
            try:
                async with asyncio.timeout(self._chance.uniform(0.0, 0.08)) as limit:
                    await call()
            except TimeoutError:
                pass
            finally:
                expired.append(limit.expired())
            return task.cancelling()

        task = asyncio.create_task(caller())
        if not await self._ended(name, task):
            return
        if expired[0]:
            self._tally.cancelled[name] += 1
            error = None if task.cancelled() else task.exception()
            if task.cancelled() or (error is not None and not isinstance(error, Swallowed)):
                self._tally.converted.append(f"{name}: timed out by its caller, and ended as {error or 'cancelled'!r}")
            elif error is None and task.result():
                self._tally.marked.append(f"{name}: {task.result()} cancellations are marked after a time-out")
        elif task.cancelled():
            self._tally.converted.append(f"{name}: cancelled, which nobody had asked for")
        elif (error := task.exception()) is not None:
            self._tally.errors[f"{name}: {type(error).__name__}"] += 1

    async def _group(self, name: str, call: Call) -> None:
        """A task group that is aborted because a sister failed."""

        async def sister() -> None:
            await self._moment()
            raise ZeroDivisionError

        calls: list[asyncio.Task[None]] = []

        async def parent() -> None:
            async with asyncio.TaskGroup() as group:
                calls.extend(group.create_task(call()) for _ in range(2))
                group.create_task(sister())

        task = asyncio.create_task(parent())
        if await self._ended(name, task):
            task.exception()
            self._tally.cancelled[name] += sum(each.cancelled() for each in calls)


def taken(app: Understudy) -> list[str]:
    """What calls hold of an application now."""
    found = []
    for api in app.fallback.roster.apis.values():
        bulkhead = api.bulkhead
        keys = sum(key.account.in_flight for key in api.keys)
        permits = sum(len(binding.breaker._out) for binding in api.bindings.values()) + len(api.hub.breaker._out)
        held = {
            "in flight": api.in_flight, "places": 0 if bulkhead is None else bulkhead.active,
            "waiting": 0 if bulkhead is None else bulkhead.waiting, "keys": keys, "permits": permits,
        }  # fmt: skip
        found += [f"{api.name}: {count} {what}" for what, count in held.items() if count]
    abandoned = app.fallback._invoker.abandoned
    return [*found, *([f"{abandoned} abandoned threads"] if abandoned else [])]


def timers(app: Understudy) -> list[str]:
    """Calls that a wheel still watches."""
    found = []
    wheel = app.fallback._wheel
    if wheel is not None and wheel._scopes:
        found.append(f"the deadline wheel watches {len(wheel._scopes)} tasks")
    client = app._http
    session = getattr(client, "_current", None)
    if session is not None:
        if len(session.wheel):
            found.append(f"the client's wheel watches {len(session.wheel)} requests")
        if session.connector._acquired:
            found.append(f"{len(session.connector._acquired)} connections are still taken from the pool")
    return found


def serves(task: asyncio.Task[Any]) -> bool:
    """Whether a task is the server's, for a connection that the client keeps."""
    return getattr(task.get_coro(), "__qualname__", "").startswith(Upstream.__name__)


class Watch:
    """Hears what asyncio and the interpreter complain about while nobody listens."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._warnings: Any = None
        self._caught: list[warnings.WarningMessage] = []

    def __enter__(self) -> Watch:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.complaints.append(str(context.get("message"))))
        self._warnings = warnings.catch_warnings(record=True)
        self._caught = self._warnings.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, *_: object) -> None:
        gc.collect()
        self._warnings.__exit__(None, None, None)
        self.complaints += [f"{caught.category.__name__}: {caught.message}" for caught in self._caught]
        asyncio.get_running_loop().set_exception_handler(None)


def measure() -> tuple[int, int]:
    """Traced bytes and live objects, after collection."""
    for _ in range(3):
        gc.collect()
    return tracemalloc.get_traced_memory()[0], len(gc.get_objects())


async def strike(
    name: str, app: Understudy, stages: dict[str, Stage], cancellations: int, seed: int, report: Report, tell: Tell
) -> Tally:
    """Cancel that many calls in two equal halves, and look for what is left after each."""
    app.fallback._reporter.log = DecisionLog(keep_events=100, keep_samples=100)  # a full ring would hide a leak
    tally, chance = Tally(), random.Random(seed)
    executioner = Executioner(stages, tally, chance)
    sizes: list[tuple[int, int]] = []
    halves = (cancellations // 4, cancellations * 3 // 8, cancellations - cancellations // 4 - cancellations * 3 // 8)
    before = asyncio.all_tasks()
    left: list[str] = []
    tracemalloc.start()
    done = 0
    with Watch() as watch:
        for half in halves:  # the first, shorter one fills caches
            await executioner.run(half, lambda count, done=done: tell((done + count) / cancellations))
            done += half
            await settled(lambda: not taken(app) and not timers(app))
            app.monitor.drain()
            left += taken(app) + timers(app)
            left += [f"task {task.get_coro()}" for task in asyncio.all_tasks() - before if not serves(task)]
            app.fallback._invoker.known.clear()  # new code of a stage is remembered, within bounds of its own
            sizes.append(measure())
    tracemalloc.stop()
    grown = [(late[0] - early[0], late[1] - early[1]) for early, late in pairwise(sizes)]
    report.at_least(f"{name}: calls cancelled", tally.cancelled.total(), cancellations)
    report.none_of(f"{name}: stages that were never cancelled", sorted(set(stages) - set(tally.cancelled)))
    report.none_of(f"{name}: places, permits, keys, timers, connections, threads, tasks left behind", left)
    report.none_of(f"{name}: cancellations that ended as something else", tally.converted)
    report.none_of(f"{name}: tasks left marked as cancelled", tally.marked)
    report.none_of(f"{name}: complaints of the interpreter", watch.complaints)
    report.at_most(f"{name}: bytes that the second half left behind", grown[-1][0], SLACK_BYTES)
    report.at_most(f"{name}: objects that the second half left behind", grown[-1][1], SLACK_OBJECTS)
    report.figures[f"{name}: cancelled"] = dict(tally.cancelled)
    report.figures[f"{name}: finished first"] = dict(tally.finished)
    report.figures[f"{name}: ended in an error of their own"] = dict(tally.errors)
    report.figures[f"{name}: growth of the halves, bytes and objects"] = str(grown)
    return tally


async def experiment(seed: int, cancellations: int, tell: Tell = quiet) -> Report:
    """Half of the cancellations over sockets, half with operations."""
    from . import cancel_http, cancel_operations

    report = Report("cancellations", TITLE)
    chance = random.Random(seed)
    with cancel_http.nowhere() as dead:
        async with cancel_http.serve(chance) as server:
            async with Understudy.build(seed=seed) as app:
                cancel_http.furnish(app, server.url, dead)
                half = cancellations // 2
                await strike("HTTP", app, cancel_http.stages(app), half, seed, report, lambda s: tell(s / 2))
                idle = len(app.http._current.connector._conns) if app.http._current is not None else 0
                report.at_most("HTTP: connections kept for the next call", server.open, 2 * CROWD + 10)
                report.exactly("HTTP: requests still handled at the server", server.active, 0)
            await settled(lambda: server.open == 0)
            report.exactly("HTTP: connections open at the server after the application has stopped", server.open, 0)
            report.figures["HTTP: requests at the server"] = server.requests
            report.figures["HTTP: connections made"] = server.connections
            report.figures["HTTP: hosts with idle connections"] = idle
    async with Understudy.build(seed=seed) as app:
        cancel_operations.furnish(app)
        half = cancellations - cancellations // 2
        await strike("operations", app, cancel_operations.stages(app), half, seed, report, lambda s: tell(0.5 + s / 2))
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Ten thousand."""
    return await experiment(seed, 10_000, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """Eight hundred."""
    return await experiment(seed, 800, tell)
