"""When rules are evaluated: each second for everything, at once for what has just happened.

An event, as a breaker that opens, is looked at in the same turn of the loop, or a few milliseconds after the
last such look; it does not wait for the end of a round. Failures that no event told of are looked at a little
later, together, and never for more than a small share of the time. The instance that does not evaluate leaves
signals for the one that does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import inf

from understudy.alerts.manager import AlertManager
from understudy.alerts.ports import Signal
from understudy.core.clock import Clock, pause
from understudy.core.errors import LeaseLost, StoreUnavailable
from understudy.core.turn import Slices

from .elsewhere import EVERY as READ_OTHERS_EVERY
from .elsewhere import Elsewhere
from .signals import Posting, Remote, Touched
from .source import LiveSource
from .tally import Tallies

_log = logging.getLogger("understudy.alerting")

#: Two looks at what events told of are at least so far apart, s.
COALESCED = 0.005
#: Failures are looked at that long after the first, and for at most this share of the time.
FAILURES_AFTER, FAILURES_SHARE = 0.25, 0.05
#: The loop gets its turn after this much of a round, s.
_SLICE = 0.001
#: Signals of other instances are read as many at a time.
_MOST_POSTED = 1000
#: Without a round for so long, evaluation does not work, s.
STALLED = 60.0
#: Numbers of what is no more are forgotten that often, s.
_PRUNE_EVERY = 60.0


class Pulse:
    """Drives one `AlertManager` on the loop that owns the application."""

    def __init__(
        self,
        clock: Clock,
        manager: AlertManager,
        source: LiveSource,
        tallies: Tallies,
        elsewhere: Elsewhere,
        touched: Touched,
        drain: Callable[[], Awaitable[None]],
        instance: str,
    ) -> None:
        self._clock = clock
        self._manager = manager
        self._source = source
        self._tallies = tallies
        self._elsewhere = elsewhere
        self._touched = touched
        self._drain = drain
        self._instance = instance
        self._remote = Remote(clock)
        self._posting = Posting(clock, source.gauge)
        source.gauges.lasts = self._remote.lasts
        source.gauges.of_all["evaluation_lag"] = self.lag
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._look_at = self._failures_at = self._failures_rest = 0.0
        self._round_at = self._read_at = self._prune_at = 0.0
        #: When a round was last gone through; None while none should be.
        self._done_at: float | None = None
        #: What could not use the store the last time.
        self._late: set[str] = set()
        #: When something was first touched since the last look, epoch s.
        self._since: float | None = None
        touched.wake = self._wake
        tallies.on_failure = self._failed

    def lag(self) -> float:
        """By how much the evaluation of everything is late, s."""
        return max(0.0, self._clock.monotonic() - self._round_at) if self._woken is not None else 0.0

    def stalled(self) -> str:
        """Why alerts are not evaluated although they should be; empty while they are."""
        late = 0.0 if self._done_at is None else self._clock.monotonic() - self._done_at
        return f"alerts have not been evaluated for {late:.0f} s" if late > STALLED + self._manager.interval else ""

    # -- being woken ------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Something happened on this loop."""
        self._since = self._clock.time() if self._since is None else self._since
        self._source.gauges.forget()
        if self._woken is not None:
            self._woken.set()

    def _failed(self) -> None:
        """Something failed: the set of failed APIs is not empty. Any thread may say so."""
        if self._failures_at == 0.0:
            self._failures_at = max(self._clock.monotonic(), self._failures_rest) + FAILURES_AFTER
            if self._woken is not None and self._loop is not None and self._on_loop():
                self._woken.set()

    def _on_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    # -- the loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Evaluate until cancelled."""
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._round_at = self._clock.monotonic()
        self._done_at = self._round_at if self._done_at is None else self._done_at
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._rounds())
                tasks.create_task(self._looks(self._woken))
        except asyncio.CancelledError:
            self._done_at = None
            raise
        finally:
            self._woken = None

    async def _rounds(self) -> None:
        """Evaluate everything whenever it is due."""
        while True:
            await pause(self._clock, self._round_at - self._clock.monotonic())
            await self._safely("round", self._round(self._clock.monotonic()))

    async def _looks(self, woken: asyncio.Event) -> None:
        """Look at what has just happened."""
        while True:
            now = self._clock.monotonic()
            if now < (due := self._look_due()):
                woken.clear()
                timer = self._clock.call_later(due - now, woken.set) if due < inf else None
                try:
                    await woken.wait()
                finally:
                    if timer is not None:
                        timer.cancel()
            else:
                await self._safely("look", self._look(now))

    def _look_due(self) -> float:
        """When the next look is due."""
        events = self._look_at if self._since is not None else inf
        return min(events, self._failures_at or inf)

    async def _safely(self, kind: str, work: Awaitable[None]) -> None:
        try:
            await work
            self._late.discard(kind)
        except StoreUnavailable as problem:
            if not self._late:  # once: each second is too often to tell
                _log.info("signals and rules are read again later: %s", problem)
            self._late.add(kind)
        except LeaseLost as problem:
            _log.warning("%s", problem)

    async def _round(self, now: float) -> None:
        """Everything is due."""
        interval = self._manager.interval
        self._round_at = now + interval if now - self._round_at > interval else self._round_at + interval
        await self._drain()
        if now >= self._read_at:
            self._read_at = now + READ_OTHERS_EVERY
            await self._read_others()
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_EVERY
            self._source.prune()
        self._failures_at, self._tallies.failed = 0.0, set()
        if not await self._manager.ready():
            await self._manager.post(self._posting.changes(()), self._instance)
            self._done_at = self._clock.monotonic()
            return
        self._posting.forget()
        self._source.gauges.forget()
        # Subjects that only the others know are looked at here; the round itself goes through those that we know.
        heard = [self._remote.take(*each) for each in await self._posted()]
        self._tallies.want(self._manager.subjects, self._manager.longest_window)
        slices = Slices(self._clock.monotonic, _SLICE)
        await self._manager.look([each for each in heard if each is not None], None)
        await self._manager.round(slices.breath)
        self._done_at = self._clock.monotonic()

    async def _posted(self) -> list[tuple[str, Signal]]:
        try:
            return await self._manager.posted(_MOST_POSTED)
        except StoreUnavailable as problem:
            _log.info("what other instances left is read later: %s", problem)
            return []

    async def _read_others(self) -> None:
        try:
            await self._elsewhere.refresh(self._manager.longest_window)
        except StoreUnavailable as problem:
            _log.info("what others did is read again later: %s", problem)

    async def _look(self, now: float) -> None:
        """Look at what was touched, and, when it is time, at what failed."""
        touched, since = self._touched.take(), self._take_since()
        self._look_at = now + COALESCED
        failures = bool(self._failures_at) and now >= self._failures_at
        if failures:
            failed, self._tallies.failed = self._tallies.failed, set()
            self._failures_at = 0.0
            touched += [("api", self._source.labels_of(name)) for name in failed]
        if not await self._manager.ready():
            await self._manager.post(self._posting.changes(touched), self._instance)
            return
        await self._manager.look(touched, since)
        took = self._clock.monotonic() - now
        self._look_at = max(self._look_at, now + took + COALESCED)
        if failures:
            self._failures_rest = now + took / FAILURES_SHARE

    def _take_since(self) -> float | None:
        since, self._since = self._since, None
        return since
