"""The wall clock jumps by an hour, forward and back, while calls go on: nothing that Understudy does changes.

The same traffic is run twice on a clock of its own, with and without jumps. The upstreams know the true time and
tell it as real ones do, in a `Date` header: their resets and dates count from there. Compared is everything that
calls, breakers, holds, keys, quotas and statistics come to, second by second; what shows a time of day is not.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from understudy.app import Understudy
from understudy.core.http import HttpRequest
from understudy.core.secrets import Secret
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.healthcheck import HealthCheckOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.testing import FakeClock
from understudy.testing.scripted_http import Answer, ScriptedHttp

from .experiment import Report, Tell, quiet

TITLE = "The wall clock jumps by an hour, forward and back"
HOUR = 3600.0
#: Seconds of traffic, and between two calls.
LENGTH, PAUSE = 420.0, 0.5
#: The true time at which every run begins: in the middle of a day, and of its second.
EPOCH = 1_800_000_000.4


class World:
    """Three upstreams and the true time. Each has phases in which it fails in its own way."""

    def __init__(self, clock: FakeClock, seed: int) -> None:
        self._clock = clock
        self._chance = random.Random(seed)
        self._start = clock.monotonic()
        self._left = 40
        self._reset_at = 0.0
        self._tokens = 0

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._clock.monotonic() - self._start

    def _date(self, after: float = 0.0) -> str:
        """An HTTP date, in whole seconds as all of them."""
        return format_datetime(datetime.fromtimestamp(int(EPOCH + self.now + after), UTC), usegmt=True)

    def answer(self, request: HttpRequest) -> Answer:
        """What the upstream named in the URL answers now."""
        host = request.url.split("/")[2].split(".")[0]
        answer: Answer = getattr(self, host)(request)
        return Answer(answer.status, answer.body, {"Date": self._date(), **answer.headers}, answer.delay)

    def lead(self, request: HttpRequest) -> Answer:
        """Fails by phases of twenty seconds: dates, seconds, plain errors until its breaker opens, silence."""
        delay = self._chance.uniform(0.02, 0.08)
        match int(self.now / 20) % 7:
            case 1:
                return Answer(503, b"later", {"Retry-After": self._date(6.0)}, delay)
            case 3:
                return Answer(503, b"later", {"Retry-After": "5"}, delay)
            case 4:
                return Answer(500, b"broken", {}, delay)
            case 6:
                return Answer(200, b"{}", {}, 60.0)
        return Answer(200, b"{}", {}, delay)

    def keyed(self, request: HttpRequest) -> Answer:
        """Counts forty calls a window of half a minute, whose end it tells as a moment; refuses at times by rate."""
        if self.now >= self._reset_at:
            self._left, self._reset_at = 40, self.now + 30.0
        headers = {
            "X-RateLimit-Requests-Limit": "40", "X-RateLimit-Requests-Remaining": str(max(0, self._left - 1)),
            "X-RateLimit-Requests-Reset": str(int(EPOCH + self._reset_at)),
        }  # fmt: skip
        if self._left <= 0:
            return Answer(429, b"You have exceeded the MONTHLY quota", headers, 0.01)
        self._left -= 1
        if self._chance.random() < 0.05:
            reset = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0"}
            return Answer(429, b"slow", {**reset, "X-RateLimit-Reset": str(int(EPOCH + self.now) + 3)}, 0.01)
        return Answer(200, b"{}", headers, self._chance.uniform(0.03, 0.1))

    def signed(self, request: HttpRequest) -> Answer:
        """Wants a token, whose end it tells as a moment."""
        if request.url.endswith("/token"):
            self._tokens += 1
            told = {"access_token": f"token-{self._tokens}", "expires_in": EPOCH + self.now + 45.0}
            return Answer(200, json.dumps(told).encode(), {}, 0.03)
        if self._chance.random() < 0.03:
            return Answer(429, b"slow", {"Retry-After-Ms": "1500"}, 0.01)
        return Answer(200, b"{}", {}, self._chance.uniform(0.05, 0.15))

    @property
    def tokens(self) -> int:
        """Tokens given out."""
        return self._tokens


def furnish(app: Understudy) -> None:
    """One route over the three, and each of them alone."""
    register = app.fallback.register_api
    limits = TimeoutOptions(attempt=2.0)
    check = HealthCheckOptions(path="/status", cost="free", interval=15.0, open_interval=3.0)
    keys = tuple(KeyOptions(Secret(f"secret-{n}"), alias=f"key{n}") for n in (1, 2))
    register(
        "lead", 1, "route", base_url="http://lead.example", timeout=limits, health_check=check,
        breaker=BreakerOptions(open_for=6.0),
    )  # fmt: skip
    named = AuthOptions(kind="header", name="X-Key", keys=keys)
    register("keyed", 2, "route", base_url="http://keyed.example", timeout=limits, auth=named)
    token = AuthOptions(kind="token_request", keys=keys[:1], token_url="http://signed.example/token")
    register("signed", 3, "route", base_url="http://signed.example", timeout=limits, auth=token)
    app.fallback.register_route("route", mode="priority", deadline=6.0)


@dataclass(slots=True)
class Transcript:
    """Everything that a run came to, a line for each thing, in order."""

    lines: list[str] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    tokens: int = 0


def state(app: Understudy, start: float) -> Iterator[str]:
    """Breakers, holds, keys, quotas and numbers as they stand; times from the monotonic clock."""
    now = app.clock.monotonic()
    for api in app.fallback.roster.apis.values():
        yield f"{api.name}: hold {max(0.0, round(api.hold_until - now, 3))}"
        yield f"{api.name}: keys {api.keys.view()}"
        yield f"{api.name}: quotas {api.keys.quotas()}"
        for name, binding in api.bindings.items():
            view = binding.breaker.view()
            wait = None if view.retry_after is None else round(view.retry_after, 3)
            yield f"{api.name}/{name}: {view.state} {view.generation} {wait} {view.failures}/{view.calls}"
        for window in ("1m", "5m"):
            seen = app.monitor.snapshot(api.name, window)
            yield f"{api.name} {window}: {seen.total} {seen.failures} {seen.p50} {seen.p95} {seen.requests_per_minute}"
    yield f"at {round(now - start, 3)}"


async def run(seed: int, jumps: bool) -> Transcript:
    """The traffic of `LENGTH` seconds; with jumps, some ten of them, up and down by turns and by chance."""
    clock = FakeClock(epoch=EPOCH)
    world = World(clock, seed)
    found = Transcript()
    chance = random.Random(seed + 1)
    moments = sorted(chance.uniform(5.0, LENGTH) for _ in range(10)) if jumps else []
    start = clock.monotonic()
    async with Understudy.build(clock=clock, http=ScriptedHttp(world.answer, clock), seed=seed) as app:
        furnish(app)
        calls = int(LENGTH / PAUSE)
        tasks: list[asyncio.Task[None]] = []
        for number in range(calls):
            while moments and clock.monotonic() - start >= moments[0]:
                moments.pop(0)
                clock.jump_wall(chance.choice((HOUR, -HOUR)))
            route = ("route", "route", "keyed", "signed")[number % 4]
            tasks.append(asyncio.ensure_future(call(app, route, number, start, found)))
            await clock.advance(PAUSE)
            if number % 8 == 0:
                found.lines.extend(state(app, start))
        await clock.advance(10.0)
        await asyncio.gather(*tasks)
        found.lines.extend(state(app, start))
    found.tokens = world.tokens
    return found


async def call(app: Understudy, route: str, number: int, start: float, found: Transcript) -> None:
    """One call and its record, without the times of day in it."""
    begun = app.clock.monotonic() - start
    try:
        response = await app.route(route).get("/things")
        record: Any = response.explain()
        ended = f"{response.status} by {response.api}"
    except Exception as error:
        record = getattr(error, "explanation", None)
        ended = f"{type(error).__name__}: {error}"
    attempts = [
        (a.api, a.key, round(a.started_at, 3), round(a.duration, 3), a.outcome.value, a.status, a.quota_left)
        for a in (record.attempts if record is not None else ())
    ]
    outcome = record.outcome if record is not None else "failed"
    found.outcomes[outcome] = found.outcomes.get(outcome, 0) + 1
    took = app.clock.monotonic() - start - begun
    found.lines.append(f"call {number} at {begun:.3f} took {took:.3f}: {ended}, {outcome}, {attempts}")


async def compare(seed: int, runs: int, tell: Tell) -> Report:
    """Runs with jumps against the same without."""
    report = Report("clock_jumps", TITLE)
    different: list[str] = []
    outcomes: dict[str, int] = {}
    lines = tokens = 0
    for number in range(runs):
        steady, jumped = await run(seed + number, False), await run(seed + number, True)
        for before, after in zip(steady.lines, jumped.lines, strict=True):
            if before != after:
                different.append(f"seed {seed + number}: {before[:150]} became {after[:150]}")
                break
        for outcome, count in steady.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        lines += len(steady.lines)
        tokens += steady.tokens
        tell((number + 1) / runs)
    report.none_of("runs that differ from the same run without jumps", different)
    report.at_least("calls that were fallbacks, in the runs compared", outcomes.get("fallback", 0), 100)
    report.at_least("tokens that were fetched", tokens, 5 * runs)
    report.figures = {"runs": runs, "lines compared": lines, "outcomes": outcomes, "tokens": tokens}
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Forty pairs of runs."""
    return await compare(seed, 40, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """Three pairs."""
    return await compare(seed, 3, tell)
