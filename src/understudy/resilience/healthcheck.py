"""Active checks: a declared probe, within its cost budget (resilience rule R8)."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import annotated_types as at

from understudy.core.clock import Clock, pause
from understudy.core.errors import OptionError
from understudy.core.options import Doc, Options
from understudy.core.redaction import REDACTOR
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class HealthCheckOptions(Options):
    """A request that shows whether the API works; without a path, only real traffic is watched."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    path: Annotated[str, Doc("path of the probe; empty: passive only")] = ""
    method: Annotated[Literal["GET", "HEAD", "POST"], Doc("method of the probe")] = "GET"
    cost: Annotated[Literal["free", "metered"], Doc("whether a probe draws on the quota")] = "metered"
    interval: Annotated[float, at.Ge(0.1), at.Le(86400), Doc("time between probes, ±10 %", "s")] = 60.0
    open_interval: Annotated[float, at.Ge(0.1), at.Le(86400), Doc("the same while open (free probes)", "s")] = 5.0
    timeout: Annotated[float, at.Gt(0), at.Le(600), Doc("limit of one probe", "s")] = 5.0
    unhealthy_after: Annotated[int, at.Ge(1), at.Le(100), Doc("failed probes in a row", "probes")] = 3
    healthy_after: Annotated[int, at.Ge(1), at.Le(100), Doc("good probes in a row", "probes")] = 2
    max_per_day: Annotated[int, at.Ge(0), at.Le(100000), Doc("metered probes a day", "probes")] = 24

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        if "?" in self.path and REDACTOR.redact(self.path) != self.path:
            expected = 'a path that holds no key: [auth] signs probes too, with kind = "query" in the query'
            raise OptionError("HealthCheckOptions", "path", "a value that is not shown", expected)


#: How often the schedule looks whether a breaker has opened meanwhile, s.
_LOOK_EVERY = 1.0
#: However close the next probe is, the schedule pauses at least that long, s.
_SHORTEST_LOOK = 0.01
#: Random share added to or taken from every wait, so that probes of many APIs and instances spread.
_JITTER = 0.1
#: A metered probe may use this share of the smallest known quota window.
_QUOTA_SHARE = 0.01
#: Of the metered budget, the share that may be spent while the API works; the rest is for outages.
_CALM_SHARE = 0.5
_DAY = 86_400.0
#: Results of an API that are remembered for people.
_KEPT = 60


class Health(StrEnum):
    """What the probes say about an API."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How a probe ended. `ok` is None when it says nothing about the API, as a 429 does."""

    ok: bool | None
    seconds: float = 0.0
    status: int | None = None
    reason: str = ""
    #: The failure is that of the hub before the API.
    of_hub: bool = False


Probe = Callable[[str], Awaitable[ProbeResult]]


class _Watched:
    """One API with its schedule: its next probe is due `interval * factor` after `base`."""

    def __init__(
        self,
        api: str,
        options: HealthCheckOptions,
        is_open: Callable[[], bool],
        last_success_at: Callable[[], float | None],
        quota_left: Callable[[], int | None],
        quota_limit: Callable[[], int | None],
        on_result: Callable[[str, ProbeResult], None],
        on_any: Callable[[str, ProbeResult], None] | None,
        paused: Callable[[], str],
    ) -> None:
        self.api = api
        self.paused = paused
        self.options = options
        self.is_open = is_open
        self.last_success_at = last_success_at
        self.quota_left = quota_left
        self.quota_limit = quota_limit
        self.on_result = on_result
        self.on_any = on_any
        self.base = 0.0
        self.factor = 1.0
        self.open_since: float | None = None
        self.last: ProbeResult | None = None
        self.last_at = 0.0
        self.judged_at: float | None = None
        self.health = Health.UNKNOWN
        self.good = self.bad = 0
        self.skipped = ""
        self.day_began = 0.0
        self.today = 0
        self.in_quota_window = 0
        self.left_before: int | None = None
        self.task: asyncio.Task[ProbeResult] | None = None
        #: Results apart from those of real calls: when, `ok`, seconds.
        self.series: deque[tuple[float, bool | None, float]] = deque(maxlen=_KEPT)

    @property
    def free(self) -> bool:
        return self.options.cost == "free"

    def due(self, now: float) -> float:
        """When the next probe should start, monotonic seconds."""
        options = self.options
        due = self.base + options.interval * self.factor
        if not self.is_open():
            self.open_since = None
            return due
        if self.open_since is None:
            self.open_since = now
        if self.free:
            due = min(due, max(self.base, self.open_since) + options.open_interval * self.factor)
        return due

    def why_not(self, now: float) -> str:
        """The reason to leave this probe out; the empty string when it should run."""
        if said := self.paused():
            return f"paused: {said}"
        if not self.is_open():
            last = self.last_success_at()
            if last is not None and now - last < self.options.interval:
                return f"real traffic succeeded {now - last:.0f} s ago"
        return "" if self.free else self._too_dear(now)

    def _too_dear(self, now: float) -> str:
        left, limit = self.quota_left(), self.quota_limit()
        if left is None or limit is None:
            return "quota unknown: traffic itself will show whether the API works"
        if left <= 0:
            return "quota exhausted"
        if self.left_before is not None and left > self.left_before:
            self.in_quota_window = 0  # the quota was reset
        self.left_before = left
        if now - self.day_began >= _DAY:
            self.day_began, self.today = now, 0
        share = 1.0 if self.is_open() else _CALM_SHARE
        if self.today >= self.options.max_per_day * share:
            return f"{self.today} of {self.options.max_per_day} metered probes of the day are used"
        if self.in_quota_window + 1 > limit * _QUOTA_SHARE * share:
            return f"one more probe would use over {_QUOTA_SHARE * share:.1%} of a quota of {limit}"
        return ""

    def begin(self, now: float, rng: random.Random) -> None:
        """Count a probe that starts now."""
        if now - self.day_began >= _DAY:
            self.day_began, self.today = now, 0
        self.today += 1
        self.in_quota_window += 1
        self.skipped = ""
        self.put_off(now, rng)

    def put_off(self, now: float, rng: random.Random) -> None:
        """Plan the next one."""
        self.base = now
        self.factor = 1.0 + _JITTER * (2.0 * rng.random() - 1.0)

    def note(self, result: ProbeResult, now: float) -> None:
        """Take a result into the health; a neutral one changes nothing but the last result."""
        self.last, self.last_at = result, now
        self.series.append((now, result.ok, result.seconds))
        if result.ok is None:
            return
        self.judged_at = now
        self.good = self.good + 1 if result.ok else 0
        self.bad = 0 if result.ok else self.bad + 1
        if self.bad >= self.options.unhealthy_after:
            self.health = Health.UNHEALTHY
        elif self.good >= (1 if self.is_open() else self.options.healthy_after):
            self.health = Health.HEALTHY

    def stale(self, now: float) -> bool:
        return self.judged_at is None or now - self.judged_at > 2.0 * self.options.interval


class HealthChecker:
    """Decides when each API is probed; how a probe is made is told by `probe`.

    Probes start at a random phase, keep their interval with some jitter, run at most `max_parallel` at
    a time, and are left out while real traffic shows the same or the quota does not allow them.
    """

    def __init__(self, clock: Clock, rng: random.Random, probe: Probe, max_parallel: int = 4) -> None:
        self._clock = clock
        self._rng = rng
        self._probe = probe
        self._max_parallel = max_parallel
        self._watched: dict[str, _Watched] = {}
        self._running: set[asyncio.Task[ProbeResult]] = set()

    def add(
        self,
        api: str,
        options: HealthCheckOptions,
        *,
        is_open: Callable[[], bool],
        last_success_at: Callable[[], float | None],
        quota_left: Callable[[], int | None],
        quota_limit: Callable[[], int | None],
        on_result: Callable[[str, ProbeResult], None],
        on_any: Callable[[str, ProbeResult], None] | None = None,
        paused: Callable[[], str] = lambda: "",
    ) -> None:
        """Watch an API from now on, in place of an earlier entry of the same name.

        Args:
            api: its name.
            options: schedule and budget. In mode off nothing is planned, though `check_now` works;
                in mode observe results are shown, but `on_result` is not told.
            is_open: whether a breaker keeps calls away.
            last_success_at: monotonic time of the last real success, None without one.
            quota_left: what is left of the smallest known quota window, None when unknown.
            quota_limit: the whole of that window, None when unknown.
            on_result: told of each result; one that says nothing (`ok` None) included.
            on_any: told the same, in mode observe too.
            paused: why nothing is probed for now; empty while the schedule holds.
        """
        self.remove(api)
        entry = _Watched(api, options, is_open, last_success_at, quota_left, quota_limit, on_result, on_any, paused)
        now = self._clock.monotonic()
        entry.day_began = now
        entry.base = now - options.interval * self._rng.random()
        self._watched[api] = entry

    def remove(self, api: str) -> None:
        """Forget an API; a probe of it under way is cancelled."""
        entry = self._watched.pop(api, None)
        if entry is not None and entry.task is not None:
            entry.task.cancel()

    async def run(self) -> None:
        """Probe until cancelled; probes under way are cancelled too, and waited for."""
        try:
            while True:
                await pause(self._clock, self._start_due())
        finally:
            running = tuple(self._running)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def check_now(self, api: str) -> ProbeResult:
        """Probe at once, whatever the schedule says; joins a probe that is under way.

        Raises:
            KeyError: the API is not watched.
        """
        entry = self._watched[api]
        if entry.task is None:
            self._start(entry, self._clock.monotonic())
        task = entry.task
        assert task is not None  # noqa: S101 - started above; for the type checker
        await asyncio.wait((task,))
        return ProbeResult(None, reason="cancelled") if task.cancelled() else task.result()

    def view(self, api: str) -> dict[str, Any]:
        """What the probes of an API say, JSON-ready; `age` is seconds since the last result.

        Raises:
            KeyError: the API is not watched.
        """
        entry = self._watched[api]
        now = self._clock.monotonic()
        last = entry.last
        return {
            "health": (Health.UNKNOWN if entry.stale(now) else entry.health).value,
            "age": None if last is None else now - entry.last_at,
            "ok": None if last is None else last.ok,
            "seconds": None if last is None else last.seconds,
            "status": None if last is None else last.status,
            "reason": "" if last is None else last.reason,
            "series": [
                {"age": round(now - at, 3), "ok": ok, "seconds": round(seconds, 6)} for at, ok, seconds in entry.series
            ],
            "probes_today": entry.today if now - entry.day_began < _DAY else 0,
            "skipped": entry.skipped,
            "mode": entry.options.mode.value,
            "cost": entry.options.cost,
        }

    def _start_due(self) -> float:
        """Start what is due and may run; seconds until the schedule should be looked at again."""
        now = self._clock.monotonic()
        waiting = sorted(
            ((entry.due(now), entry) for entry in self._watched.values() if self._planned(entry)),
            key=lambda pair: pair[0],
        )
        pause = _LOOK_EVERY
        for due, entry in waiting:
            if due > now:
                pause = min(pause, due - now)
                break
            if len(self._running) >= self._max_parallel:
                break
            entry.skipped = entry.why_not(now)
            if entry.skipped:
                entry.put_off(now, self._rng)
            else:
                self._start(entry, now)
        return max(pause, _SHORTEST_LOOK)

    @staticmethod
    def _planned(entry: _Watched) -> bool:
        return entry.options.mode is not Mode.OFF and entry.task is None

    def _start(self, entry: _Watched, now: float) -> None:
        entry.begin(now, self._rng)
        task = entry.task = asyncio.get_running_loop().create_task(self._run(entry))
        self._running.add(task)

        def ended(done: asyncio.Task[ProbeResult]) -> None:
            self._running.discard(done)
            entry.task = None

        task.add_done_callback(ended)

    async def _run(self, entry: _Watched) -> ProbeResult:
        """One probe within its time limit."""
        result = await self._within(entry)
        if self._watched.get(entry.api) is entry:
            entry.note(result, self._clock.monotonic())
            if entry.on_any is not None:
                entry.on_any(entry.api, result)
            if entry.options.mode is not Mode.OBSERVE:
                entry.on_result(entry.api, result)
        return result

    async def _within(self, entry: _Watched) -> ProbeResult:
        started = self._clock.monotonic()
        probing = asyncio.ensure_future(self._probe(entry.api))
        timer = self._clock.call_later(entry.options.timeout, probing.cancel)
        try:
            await asyncio.wait((probing,))
        finally:
            timer.cancel()
            if not probing.done():
                probing.cancel()
                await asyncio.wait((probing,))
        seconds = self._clock.monotonic() - started
        if probing.cancelled():
            return ProbeResult(False, seconds, reason=f"no answer within {entry.options.timeout:g} s")
        error = probing.exception()
        if error is not None:  # the probe reports failures as results; what it raises is a fault of ours
            return ProbeResult(None, seconds, reason=f"the probe itself failed: {type(error).__name__}")
        return probing.result()
