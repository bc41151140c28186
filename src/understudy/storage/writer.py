"""The one thread that writes: control before statistics before upkeep, each in short transactions.

Control writes that came together are committed together. Statistics wait in the spool, or as jobs in a
queue, until they can be written, and take at most half of the time while there is much to do; upkeep
takes a twentieth. Nothing here is ever waited for by a call.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.errors import StoreUnavailable
from understudy.monitor.rollup import Row

from .backend import Backend, WriteRows
from .health import HealthBoard
from .jobs import Job, Outside, Steps, Work, fail, succeed
from .spool import Spool
from .trouble import Trouble

_log = logging.getLogger("understudy.storage")

T = TypeVar("T")

#: Most control writes in one transaction, and most jobs of statistics.
TOGETHER, JOBS_TOGETHER = 50, 20
#: Jobs of statistics that wait at most; then the oldest is given up.
MOST_JOBS = 2000
#: A transaction takes no further job after this, s.
LONG = 0.004
#: After a transaction that failed, the next try waits this long and then twice as long each time, s.
FIRST_WAIT, LONGEST_WAIT = 0.05, 5.0
#: Least rest after a transaction of statistics, s; and how many times its own length upkeep rests: a twentieth.
REST, UPKEEP_REST = 0.002, 19.0


def _nothing(*_: object) -> None:
    pass


class _Lane:
    """When a lane may be served next, after a failure or a rest."""

    __slots__ = ("after", "failures")

    def __init__(self) -> None:
        self.after = 0.0
        self.failures = 0

    def failed(self, now: float, longest: float = LONGEST_WAIT) -> None:
        self.after = now + min(longest, FIRST_WAIT * 2**self.failures)
        self.failures = min(self.failures + 1, 10)

    def worked(self, now: float, rest: float) -> None:
        self.after, self.failures = now + rest, 0


class _Task:
    """Upkeep: steps, and where their result goes."""

    __slots__ = ("future", "sent", "steps")

    def __init__(self, steps: Steps[Any]) -> None:
        self.steps = steps
        self.future: Future[Any] = Future()
        self.sent: Any = None


class Writer:
    """Owns the writing connections of a backend."""

    def __init__(
        self,
        backend: Backend,
        spool: Spool,
        board: HealthBoard,
        clock: Clock,
        pace: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._backend = backend
        self._spool = spool
        self._board = board
        self._clock = clock
        self._pace = pace  # the thread rests by real time, whatever the application's clock says
        self._wake = threading.Condition()
        self._control: deque[Job[Any]] = deque()
        self._jobs: deque[Job[Any]] = deque()
        self._flushes: list[Future[None]] = []
        self._tasks: deque[_Task] = deque()
        self._lanes = {"control": _Lane(), "statistics": _Lane(), "upkeep": _Lane()}
        self._closing_until: float | None = None
        #: Jobs of statistics that were given up because too many waited.
        self.dropped_jobs = 0
        #: Writes rows of a tier; set before the start.
        self.write_rows: WriteRows = _nothing
        #: Called on the thread when a transaction was not committed.
        self.on_failure: Callable[[], object] = _nothing
        #: How many times its own length a step of upkeep rests.
        self.upkeep_rest = UPKEEP_REST
        self._thread = threading.Thread(target=self._run, name="understudy-writer", daemon=True)

    # -- asked from any thread --------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def control(self, work: Work[T]) -> Future[T]:
        """Do `work` in a transaction that is safe from a loss of power; before everything else."""
        return self._add(self._control, Job(work))

    def statistics(self, work: Work[T]) -> Future[T]:
        """Do `work` in a transaction that is safe from the end of the process; tried until it works."""
        future = self._add(self._jobs, Job(work))
        with self._wake:
            while len(self._jobs) > MOST_JOBS:
                given_up = self._jobs.popleft()
                if not given_up.abandoned:
                    self.dropped_jobs += 1
                    fail(given_up.future, StoreUnavailable("too much waits to be written"))
        return future

    def flush(self) -> Future[None]:
        """Done when the spool was written, or could not be: then it is still there and will be tried again."""
        future: Future[None] = Future()
        with self._wake:
            if self._ended:
                succeed(future, None)
            else:
                self._flushes.append(future)
                self._wake.notify()
        return future

    def upkeep(self, steps: Steps[T]) -> Future[T]:
        """Do long work step by step while there is nothing better to do."""
        task = _Task(steps)
        with self._wake:
            if self._ended:
                fail(task.future, StoreUnavailable("the store is closed"))
            else:
                self._tasks.append(task)
                self._wake.notify()
        return task.future

    def close(self, timeout: float) -> None:
        """Write what waits, for at most `timeout` seconds, and end the thread."""
        with self._wake:
            self._closing_until = self._pace.monotonic() + timeout
            for lane in self._lanes.values():
                lane.after = 0.0
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout + 10.0)

    def _add(self, queue: deque[Job[Any]], job: Job[T]) -> Future[T]:
        with self._wake:
            if self._ended:
                fail(job.future, StoreUnavailable("the store is closed"))
            else:
                queue.append(job)
                self._wake.notify()
        return job.future

    @property
    def _ended(self) -> bool:
        return self._closing_until is not None

    # -- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self._refuse_rest()
            self._backend.drop()

    def _turn(self) -> bool:
        """Serve one lane, or wait; False when everything is over."""
        with self._wake:
            now = self._pace.monotonic()
            serve = self._choose(now)
            if serve is None:
                if self._over(now):
                    return False
                self._wake.wait(self._until(now))
                return True
        try:
            serve()
        except Exception as error:  # noqa: BLE001 - see below
            # A fault of ours must not end the thread that keeps the history of everybody.
            _log.exception("the store's writer met a fault of its own")
            self._board.set(last_error=f"{type(error).__name__}: {error}", last_error_at=self._clock.time())
            for lane in self._lanes.values():
                lane.failed(self._pace.monotonic())
        return True

    def _choose(self, now: float) -> Callable[[], None] | None:
        ready = {name: now >= lane.after for name, lane in self._lanes.items()}
        if self._control and ready["control"]:
            return self._serve_control
        if (self._jobs or self._flushes or len(self._spool)) and ready["statistics"]:
            return self._serve_statistics
        if self._tasks and ready["upkeep"] and not self._ended:
            return self._serve_upkeep
        return None

    def _waiting(self) -> list[_Lane]:
        lanes = []
        if self._control:
            lanes.append(self._lanes["control"])
        if self._jobs or self._flushes or len(self._spool):
            lanes.append(self._lanes["statistics"])
        if self._tasks and not self._ended:
            lanes.append(self._lanes["upkeep"])
        return lanes

    def _until(self, now: float) -> float | None:
        return min((max(0.0, lane.after - now) for lane in self._waiting()), default=None)

    def _over(self, now: float) -> bool:
        return self._closing_until is not None and (not self._waiting() or now >= self._closing_until)

    def _refuse_rest(self) -> None:
        with self._wake:
            self._closing_until = self._closing_until or 0.0
            rest = [job.future for job in (*self._control, *self._jobs)] + [task.future for task in self._tasks]
            flushes = list(self._flushes)
            self._control.clear()
            self._jobs.clear()
            self._tasks.clear()
            self._flushes.clear()
        for future in rest:
            fail(future, StoreUnavailable("the store was closed before this was written"))
        for flush in flushes:
            succeed(flush, None)

    # -- control ----------------------------------------------------------------------------------

    def _serve_control(self) -> None:
        jobs = self._take(self._control, TOGETHER)
        if jobs:
            self._transact(self._backend.control, jobs, control=True)
            self._put_back(self._control, jobs)

    def _take(self, queue: deque[Job[Any]], most: int) -> list[Job[Any]]:
        with self._wake:
            taken: list[Job[Any]] = []
            while queue and len(taken) < most:
                job = queue.popleft()
                if not job.abandoned:
                    taken.append(job)
        return taken

    def _put_back(self, queue: deque[Job[Any]], jobs: list[Job[Any]]) -> None:
        """Those that were not done, in front and in their order."""
        with self._wake:
            queue.extendleft(job for job in reversed(jobs) if not job.future.done())

    def _transact(self, connect: Callable[[], Connection], jobs: list[Job[Any]], *, control: bool) -> bool:
        """Do jobs in one transaction; False when none can be made now. The future of a job that was done says so."""
        lane = self._lanes["control" if control else "statistics"]
        began = self._pace.monotonic()
        try:
            connection = connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, no job is to blame
            self._failed(self._backend.trouble(error) or Trouble.IO, error, lane, control=control)
            return False
        try:
            ended = self._attempt(connection, jobs)
        except Exception as error:  # noqa: BLE001 - told to whoever waits, or handled as trouble
            trouble = self._backend.trouble(error)
            if trouble is not None:
                self._failed(trouble, error, lane, control=control)
                return False
            self._undone()
            if len(jobs) > 1:  # one of them spoiled it for all, so each has to stand by itself
                return min([self._transact(connect, [job], control=control) for job in jobs])
            fail(jobs[0].future, error)
            return True
        now = self._pace.monotonic()
        self._worked(control=control)
        lane.worked(now, 0.0 if control or self._ended else max(REST, now - began))
        for job, result, own in ended:
            if own is None:
                succeed(job.future, result)
            else:
                fail(job.future, own)
        return True

    def _attempt(self, connection: Connection, jobs: list[Job[Any]]) -> list[tuple[Job[Any], object, Exception | None]]:
        ended: list[tuple[Job[Any], object, Exception | None]] = []
        with connection.begin():
            # Who waited too long for the transaction to begin was told so, and must not find it done later.
            jobs = [job for job in jobs if not job.abandoned]
            if len(jobs) == 1:
                return [(jobs[0], jobs[0].work(connection), None)]
            began = self._pace.monotonic()
            for job in jobs:
                if self._pace.monotonic() - began > LONG:
                    break  # the rest comes next
                # Outside the `try`: where the transaction itself is over, no job is to blame.
                savepoint = connection.begin_nested()
                try:
                    with savepoint:
                        ended.append((job, job.work(connection), None))
                except Exception as error:
                    if self._backend.trouble(error) is not None:
                        raise
                    self.on_failure()
                    ended.append((job, None, error))
        return ended

    # -- statistics -------------------------------------------------------------------------------

    def _serve_statistics(self) -> None:
        lane = self._lanes["statistics"]
        if lane.failures and not self._backend.ready():
            self._not_now(lane)
            return
        jobs = self._take(self._jobs, JOBS_TOGETHER)
        if jobs:
            possible = self._transact(self._backend.statistics, jobs, control=False)
            self._put_back(self._jobs, jobs)
        else:
            tier, rows = self._spool.peek(self._backend.sizes)
            possible = not rows or self._write(tier, rows)
        if not possible or not (self._jobs or len(self._spool)):
            self._resolve_flushes()

    def _write(self, tier: int, rows: list[Row]) -> bool:
        """Write rows; False when that cannot be done now. Rows that can never be written are given up."""
        job: Job[None] = Job(lambda connection: self.write_rows(connection, tier, rows))
        if not self._transact(self._backend.statistics, [job], control=False):
            return False
        fault = job.future.exception()
        if fault is None:
            self._spool.done(tier, rows, self._pace.monotonic())
            return True
        if len(rows) > 1:
            return min([self._write(tier, [row]) for row in rows])
        _log.error("a row of %s cannot be kept: %s", rows[0].series.name, fault)
        self._spool.done(tier, rows, self._pace.monotonic())
        self._spool.dropped += 1
        return True

    def _not_now(self, lane: _Lane) -> None:
        lane.failed(self._pace.monotonic())
        self._resolve_flushes()

    def _resolve_flushes(self) -> None:
        with self._wake:
            flushes, self._flushes = self._flushes, []
        for flush in flushes:
            succeed(flush, None)

    # -- upkeep -----------------------------------------------------------------------------------

    def _serve_upkeep(self) -> None:
        task = self._tasks[0]
        lane = self._lanes["upkeep"]
        began = self._pace.monotonic()
        try:
            step = task.steps.send(task.sent)
            connection = self._backend.statistics()
            if isinstance(step, Outside):
                task.sent = step.work(connection)
            else:
                with connection.begin():
                    task.sent = step(connection)
        except StopIteration as end:
            self._tasks.popleft()
            succeed(task.future, end.value)
            return
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the task
            self._tasks.popleft()
            trouble = self._backend.trouble(error)
            if trouble is not None:
                self._failed(trouble, error, lane, control=False)
                error = StoreUnavailable(self._board.last_error)
            else:
                self._undone()
            fail(task.future, error)
            return
        now = self._pace.monotonic()
        lane.worked(now, self.upkeep_rest * (now - began))

    def _undone(self) -> None:
        self._backend.drop()
        self.on_failure()

    # -- trouble ----------------------------------------------------------------------------------

    def _failed(self, trouble: Trouble, error: Exception, lane: _Lane, *, control: bool) -> None:
        sentence = self._backend.sentence(trouble, error)
        if trouble is Trouble.AWAY:
            self._spool.again(self._pace.monotonic())
        if trouble in (Trouble.BUSY, Trouble.FULL):
            self.on_failure()  # the connection is as good as before
        else:
            self._undone()
        self._board.set(
            writable=False, trouble=trouble, last_error=sentence, last_error_at=self._clock.time(),
            **({} if control else {"statistics": trouble is not Trouble.FULL}),
        )  # fmt: skip
        if self._board.say("writing", sentence):
            _log.error("%s", sentence)
        if self._backend.remedy(trouble, control=control):
            lane.worked(self._pace.monotonic(), 0.0)
            lane.failures = 1
        else:
            # A lock may be free again any moment, and was waited for already; a server takes its time.
            lane.failed(self._pace.monotonic(), 0.25 if trouble is Trouble.BUSY else LONGEST_WAIT)

    def _worked(self, *, control: bool) -> None:
        if control and not self._board.look().statistics:
            self._board.set(last_commit_at=self._clock.time())
            return  # the disk is still full: only control data finds room
        self._board.set(writable=True, statistics=True, trouble=None, last_commit_at=self._clock.time())
        if self._board.over("writing"):
            _log.warning("the store can be written again")
