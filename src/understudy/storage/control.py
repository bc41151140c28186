"""How the control ports write and wait: at once, safe on disk, with a bound."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TypeVar

from understudy.core.errors import StoreUnavailable

from .health import HealthBoard
from .jobs import Work, outcome
from .readers import Readers
from .writer import Writer

_log = logging.getLogger("understudy.storage")

T = TypeVar("T")


class Desk:
    """Takes control writes and reads to the threads that do them, and waits for the result."""

    def __init__(self, writer: Writer, readers: Readers, board: HealthBoard, patience: float) -> None:
        self._writer = writer
        self._readers = readers
        self._board = board
        self._patience = patience

    async def write(self, work: Work[T]) -> T:
        """The result of `work`, committed and safe from a loss of power.

        Raises:
            StoreUnavailable: it could not be done in time. It was not done, except where the store went
                away while it was being done; what must happen once has to be known again by the work.
        """
        return await outcome(self._writer.control(work), self._patience, self._why)

    async def statistics(self, work: Work[T]) -> T:
        """As `write`, for statistics: safe from the end of the process."""
        return await outcome(self._writer.statistics(work), self._patience, self._why)

    def later(self, work: Work[None], what: str) -> None:
        """Do `work` as statistics whenever that is possible, without anybody who waits for it."""

        def told(future: Future[None]) -> None:
            error = future.exception()
            if isinstance(error, StoreUnavailable):
                _log.debug("%s were given up: %s", what, error)  # counted, and the store's state tells why
            elif error is not None:
                _log.error("%s could not be kept: %s", what, error)

        self._writer.statistics(work).add_done_callback(told)

    async def settled(self) -> None:
        """Return when everything that waits was written, or could not be now and waits on."""
        try:
            await outcome(self._writer.flush(), self._patience, str)
        except StoreUnavailable:
            pass  # it is still in the queue

    async def read(self, work: Work[T]) -> T:
        """The result of `work` in one read transaction.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """
        return await self._readers.read(work)

    def _why(self) -> str:
        told = self._board.last_error
        return told or f"the store could not be written within {self._patience:g} s"
