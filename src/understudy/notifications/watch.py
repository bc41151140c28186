"""Who watches the watchman: breakers that survive a restart, a heartbeat out, and what is wrong with notifications."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable, UnderstudyError
from understudy.core.http import HttpClient, HttpRequest
from understudy.core.notices import Severity
from understudy.core.outbox import OutboxRow

from .backoff import LONGEST_PAUSE
from .circuit import Circuit, CircuitState
from .dispatch import Dispatcher
from .lanes import Lane, Lanes
from .options import NotificationOptions
from .ports import StateStore
from .shown import ChannelView

_log = logging.getLogger("understudy.notifications")

#: What a breaker is kept under, and what a pause that a service asked for is.
_PREFIX, _PAUSE = "channel:", "channel-pause:"
#: A critical message that waits for longer is a problem, s; so is a dispatcher whose turn takes longer.
OLDEST_CRITICAL, STALLED = 120.0, 60.0
#: How often breakers are kept and the heartbeat is thought of, s.
EVERY = 1.0
#: Seconds for one heartbeat.
HEARTBEAT_TIMEOUT = 10.0


class Watch:
    """Looks after the channels."""

    def __init__(
        self,
        lanes: Lanes,
        dispatcher: Dispatcher,
        clock: Clock,
        options: Callable[[], NotificationOptions],
        state: StateStore | None,
        http: HttpClient | None,
    ) -> None:
        self._lanes = lanes
        self._dispatcher = dispatcher
        self._clock = clock
        self._options = options
        self._state = state
        self._http = http
        self._kept: dict[str, Any] = {}
        self._unsaved: set[str] = set()
        self._pauses: dict[str, dict[str, float]] = {}
        self._news = asyncio.Event()
        self._unreachable: set[str] = set()
        self._next_beat = 0.0
        #: What was wrong with the last heartbeat; empty when it was answered well.
        self.beat_problem = ""
        #: Why what makes the messages does not work, so that nobody would be told; empty while it does.
        self.unmade: Callable[[], str] = str

    # -- breakers -----------------------------------------------------------------------------------

    async def load(self) -> None:
        """Take up how channels stood before a restart."""
        if self._state is None:
            return
        try:
            self._kept = {**await self._state.load(_PREFIX), **await self._state.load(_PAUSE)}
        except StoreUnavailable as problem:
            _log.warning("the breakers of channels start afresh: %s", problem)
            return
        self.restore()

    def restore(self) -> None:
        """Bring what was kept to channels that have just come; each takes it up once."""
        now, wall = self._clock.monotonic(), self._clock.time()
        for name, lane in self._lanes.lanes.items():
            kept = self._kept.pop(f"{_PREFIX}{name}", None)
            if isinstance(kept, dict) and lane.circuit.closed and not lane.circuit.failures:
                lane.circuit.restore(kept, now)
        for name, gate in self._lanes.gates.items():
            kept = self._kept.pop(f"{_PAUSE}{name}", None)
            if isinstance(kept, dict):
                began, until = float(kept.get("at", 0.0)), float(kept.get("until", 0.0))
                # A clock that was set back since makes no pause longer than it was.
                gate.hold(now + min(LONGEST_PAUSE, until - max(wall, began)))

    def changed(self, lane: Lane, change: str) -> None:
        """A breaker opened, closed, was switched off; a service asked for a pause; or nobody can be reached."""
        if change == "paused":
            now, wall = self._clock.monotonic(), self._clock.time()
            until = wall + lane.gate.asked_until - now
            self._pauses[lane.traits.destination] = {"at": wall, "until": until}
            self._news.set()
            return
        if change == "unreachable":
            if lane.name not in self._unreachable:
                self._unreachable.add(lane.name)
                _log.critical(
                    "critical alerts wait for the channel %s, which does not work (%s), and none stands in for it",
                    lane.name, lane.circuit.reason,
                )  # fmt: skip
            return
        if change == "closed":
            self._unreachable.discard(lane.name)
            _log.warning("the channel %s works again", lane.name)
        else:
            _log.error("the channel %s is %s: %s", lane.name, lane.circuit.state, lane.circuit.reason)
        self._unsaved.add(lane.name)
        self._news.set()

    async def save(self) -> None:
        """Keep what has changed about breakers and pauses."""
        if self._state is None or not (self._unsaved or self._pauses):
            return
        names, self._unsaved = self._unsaved, set()
        pauses, self._pauses = self._pauses, {}
        lanes = self._lanes.lanes
        values = {f"{_PREFIX}{name}": lanes[name].circuit.as_dict() if name in lanes else None for name in names}
        values |= {f"{_PAUSE}{name}": each for name, each in pauses.items()}
        try:
            await self._state.save(values)
        except StoreUnavailable as problem:
            self._unsaved |= names
            self._pauses = {**pauses, **self._pauses}
            _log.info("the breakers of channels are kept later: %s", problem)

    # -- the loop -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled, on whatever loop runs now."""
        self._news = asyncio.Event()
        while True:
            await self._wait()
            await asyncio.shield(self.save())
            await self._beat()

    async def _wait(self) -> None:
        """Until there is something to keep, or a second has passed; after a failure no sooner than that."""
        if self._unsaved or self._pauses:
            await pause(self._clock, EVERY)
        timer = self._clock.call_later(EVERY, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()
        self._news.clear()

    async def _beat(self) -> None:
        """Tell the dead man's switch that all is well; silence tells it the contrary."""
        options, now = self._options(), self._clock.monotonic()
        if options.heartbeat_url is None or self._http is None or now < self._next_beat or self.stalled():
            return
        self._next_beat = now + options.heartbeat_every
        try:
            request = HttpRequest(
                "GET", options.heartbeat_url.reveal(), {}, idle_timeout=HEARTBEAT_TIMEOUT, max_body=64 * 1024
            )
            response = await self._http.send(request)
            self.beat_problem = "" if 200 <= response.status < 300 else f"status {response.status}"
        except UnderstudyError as problem:
            self.beat_problem = type(problem).__name__  # its text may hold the URL, which is a secret

    # -- what is wrong ------------------------------------------------------------------------------

    def stalled(self) -> str:
        """Why nobody is told although somebody should be; empty while all is well."""
        if self._dispatcher.store_problem:
            return f"the outbox cannot be used: {self._dispatcher.store_problem}"
        turned = self._dispatcher.turned_at
        if turned is not None and self._clock.monotonic() - turned > STALLED:
            return f"the dispatcher has not turned for {self._clock.monotonic() - turned:.0f} s"
        return self.unmade()

    def oldest_critical(self) -> float:
        """How long the oldest critical message has been waiting, s; 0 when none waits."""
        return self._age(row for row in self._waiting() if row.severity is Severity.CRITICAL)

    def oldest(self) -> float:
        """How long the oldest message has been waiting, s; 0 when none waits."""
        return self._age(self._waiting())

    def _waiting(self) -> Iterator[OutboxRow]:
        return (item.row for lane in self._lanes.lanes.values() for item in lane.queue)

    def _age(self, rows: Iterable[OutboxRow]) -> float:
        since = min((row.created_at for row in rows), default=None)
        return 0.0 if since is None else max(0.0, self._clock.time() - since)

    def problems(self) -> list[str]:
        """For people; empty when nothing is wrong."""
        found = []
        for name, lane in self._lanes.lanes.items():
            if lane.circuit.state is CircuitState.DISABLED:
                found.append(f"channel {name} refuses everything ({lane.circuit.reason}): mend it, then test it")
            elif not lane.circuit.closed:
                found.append(f"channel {name} does not work: {lane.circuit.reason}")
        found += [
            f"critical alerts cannot reach {name}, and no channel stands in" for name in sorted(self._unreachable)
        ]
        if (waited := self.oldest_critical()) > OLDEST_CRITICAL:
            found.append(f"a critical message has been waiting for {waited:.0f} s")
        if why := self.stalled():
            found.append(why)
        if self.beat_problem:
            found.append(f"the dead man's switch does not answer: {self.beat_problem}")
        return found

    def view(self, lane: Lane) -> ChannelView:
        """One channel for people."""
        now, wall = self._clock.monotonic(), self._clock.time()
        traits, circuit = lane.traits, lane.circuit
        paused = lane.gate.paused_until
        return ChannelView(
            name=lane.name,
            kind=traits.kind,
            state=str(circuit.state),
            destination=traits.destination,
            pager=traits.pager,
            min_severity=str(traits.min_severity),
            language=traits.language,
            fallback=traits.fallback,
            reason=circuit.reason,
            since=circuit.opened_at,
            next_probe_at=wall + max(0.0, circuit.probe_at - now) if _is_open(circuit) else None,
            failures=circuit.failures,
            waiting=len(lane.queue),
            in_flight=lane.in_flight,
            paused_until=wall + paused - now if paused > now else None,
            flooded=lane.flood.on,
        )


def _is_open(circuit: Circuit) -> bool:
    return circuit.state is CircuitState.OPEN
