"""The threads that read: each with its own connection that cannot write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from understudy.core.errors import StoreUnavailable

from .backend import Backend
from .jobs import Job, Work, fail, outcome, succeed
from .trouble import Trouble

T = TypeVar("T")


class Readers:
    """A few threads that share one queue."""

    def __init__(self, backend: Backend, count: int, patience: float) -> None:
        self._backend = backend
        self._patience = patience
        self._queue: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"understudy-reader-{number}", daemon=True)
            for number in range(count)
        ]
        self._closed = False

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work[T]) -> Future[T]:
        """Do `work` in one read transaction: it sees one state of the store."""
        job = Job(work)
        if self._closed:
            fail(job.future, StoreUnavailable("the store is closed"))
        else:
            self._queue.put(job)
        return job.future

    async def read(self, work: Work[T]) -> T:
        """The result of `work`.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """
        return await outcome(self.submit(work), self._patience, _too_long(self._patience))

    def close(self, timeout: float) -> None:
        """End the threads; what waits is refused."""
        self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)
        while not self._queue.empty():
            job = self._queue.get()
            if job is not None:
                fail(job.future, StoreUnavailable("the store is closed"))

    def _run(self) -> None:
        connection: Connection | None = None
        generation = -1
        while (job := self._queue.get()) is not None:
            if job.abandoned:
                continue
            used = connection is not None
            try:
                if connection is not None and (generation != self._backend.generation or connection.invalidated):
                    _close(connection)
                    connection = None
                if connection is None:
                    generation = self._backend.generation
                    connection = self._backend.reader()
                with connection.begin():
                    result = job.work(connection)
                succeed(job.future, result)
            except Exception as error:  # noqa: BLE001 - told to whoever waits for the result
                if connection is not None:
                    _close(connection)
                    connection = None
                if used and self._backend.trouble(error) is Trouble.AWAY:
                    # The server may be back by now, and only this connection to it of before is gone.
                    self._queue.put(job)
                else:
                    fail(job.future, self._told(error))
        if connection is not None:
            _close(connection)

    def _told(self, error: Exception) -> Exception:
        trouble = self._backend.trouble(error)
        if trouble is None:
            return error
        told = StoreUnavailable(self._backend.sentence(trouble, error))
        told.__cause__ = error
        return told


def _close(connection: Connection) -> None:
    try:
        connection.close()
    except Exception:  # noqa: BLE001, S110 - it is given up because it is broken, in whatever way
        pass


def _too_long(patience: float) -> Callable[[], str]:
    return lambda: f"the store did not answer within {patience:g} s"
