"""Limits how many attempts on one API run at the same time (resilience rule R6)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.clock import Clock
from understudy.core.errors import BulkheadFull
from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class BulkheadOptions(Options):
    """At most `limit` attempts at once; the others wait in one fair line."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    limit: Annotated[int, at.Ge(1), at.Le(100000), Doc("attempts at the same time", "attempts")] = 100
    max_waiting: Annotated[int, at.Ge(0), at.Le(1000000), Doc("calls in the line; more are refused", "calls")] = 10_000
    max_wait: Annotated[float | None, at.Ge(0), Doc("longest wait; none: until the deadline", "s")] = None


class Bulkhead:
    """Places for attempts, handed on in the order of asking: who waits longest is next.

    A place that is given back goes straight to the first in the line, so that nobody who has just
    left can overtake those who wait.
    """

    __slots__ = ("_clock", "_limit", "_line", "_options", "active", "would_refuse")

    def __init__(self, options: BulkheadOptions, clock: Clock) -> None:
        self._clock = clock
        self._options = options
        self._limit = options.limit
        self._line: OrderedDict[asyncio.Future[bool], None] = OrderedDict()
        #: Places taken.
        self.active = 0
        #: Attempts that mode observe let through beyond the limit, since the start.
        self.would_refuse = 0

    @property
    def options(self) -> BulkheadOptions:
        """Settable: those who run and wait stay, the new limit holds from the next admission."""
        return self._options

    @options.setter
    def options(self, options: BulkheadOptions) -> None:
        self._options = options
        self.limit = options.limit

    @property
    def limit(self) -> int:
        """Places there are. Lowered below `active`, it takes nothing away: places that come free are not refilled."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    @property
    def waiting(self) -> int:
        """Calls in the line."""
        return len(self._line)

    def try_acquire(self) -> bool:
        """Take a place at once; False when none is free, or others came first."""
        if self.active < self._limit and not self._line:
            self.active += 1
            return True
        if self._options.mode is Mode.ENFORCE:
            return False
        if self._options.mode is Mode.OBSERVE:
            self.would_refuse += 1
        self.active += 1
        return True

    async def acquire(self, timeout: float | None = None) -> None:
        """Take a place, waiting in the line for at most `timeout` seconds (None: as long as it takes).

        Raises:
            BulkheadFull: the line is full, or the wait was too long. Nothing is held then.
        """
        if self.try_acquire():
            return
        if len(self._line) >= self._options.max_waiting:
            raise BulkheadFull(f"all {self._limit} places are taken and {len(self._line)} calls wait, the most allowed")
        if timeout is not None and timeout <= 0:
            raise BulkheadFull(f"all {self._limit} places are taken and there is no time to wait")
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line[place] = None
        timer = None if timeout is None else self._clock.call_later(timeout, lambda: self._give_up(place))
        try:
            admitted = await place
        except asyncio.CancelledError:
            if not self._leave(place) and not place.cancelled() and place.result():
                self.release()  # the place was handed over in the moment of cancelling: pass it on
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if not admitted:
            raise BulkheadFull(f"no place came free in {timeout:.3f} s; {self._limit} attempts are running")

    def release(self) -> None:
        """Give a place back; the first in the line gets it."""
        if self.active <= 0:
            raise RuntimeError("a place in the bulkhead was given back twice")
        self.active -= 1
        if self._line:
            self._admit()

    def _admit(self) -> None:
        while self._line and self.active < self._limit:
            place, _ = self._line.popitem(last=False)
            if not place.done():
                self.active += 1
                place.set_result(True)

    def _give_up(self, place: asyncio.Future[bool]) -> None:
        if self._leave(place) and not place.done():
            place.set_result(False)

    def _leave(self, place: asyncio.Future[bool]) -> bool:
        """Whether it was still in the line."""
        return self._line.pop(place, self) is None
