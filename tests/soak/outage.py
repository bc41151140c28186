"""A lead answers 503 for a minute while calls come every four seconds: who serves, and what it costs the lead.

The same course over real HTTP in real time, and over scripted HTTP on a clock that jumps.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from understudy.app import Understudy
from understudy.cli.simulated import load_sample
from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.http import HttpRequest
from understudy.resilience.healthcheck import HealthCheckOptions
from understudy.simulator import Fault, Simulator
from understudy.testing import FakeClock
from understudy.testing.scripted_http import Answer, ScriptedHttp

from .experiment import Report, Tell, quiet

#: Seconds between calls, seconds that the lead is down, calls from the beginning of the outage on.
PAUSE, DOWN, CALLS = 4.0, 60.0, 20
#: Calls after those, while the lead has not served yet.
PATIENCE = 10
TITLE = f"A lead answers 503 for {DOWN:.0f} s while {CALLS} calls come {PAUSE:.0f} s apart"


@dataclass(slots=True)
class Course:
    """What one outage came to. `back` is seconds from recovery to the lead's next served call."""

    served: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    attempts: int = 0
    probes: int = 0
    back: float = float("inf")


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead's own side: how it is broken for a time, and what it has seen."""

    name: str
    fail: Callable[[float], None]
    attempts: Callable[[], int]
    probes: Callable[[], int]


async def course(app: Understudy, lead: Lead, clock: Clock, warm: int, tell: Tell = quiet) -> Course:
    """`warm` calls in good times, the outage, and calls until the lead serves again."""
    found = Course()

    async def call() -> str:
        try:
            response = await app.route("fixtures").get("/fixtures")
        except Exception as error:
            found.failed.append(f"{type(error).__name__}: {error}")
            return ""
        return response.api

    for _ in range(warm):
        await call()
        await clock.sleep(PAUSE)
    attempts, probes = lead.attempts(), lead.probes()
    began = clock.monotonic()
    lead.fail(DOWN)
    for number in range(CALLS + PATIENCE):
        await clock.sleep(began + number * PAUSE - clock.monotonic())
        at = clock.monotonic() - began
        who = await call()
        if number < CALLS:
            found.served.append(who)
        if at < DOWN:
            found.attempts, found.probes = lead.attempts() - attempts, lead.probes() - probes
        elif who == lead.name:
            found.back = min(found.back, at - DOWN)
        tell(number / (CALLS + 1))
        if number >= CALLS - 1 and found.back < float("inf"):
            return found
    return found


async def over_http(seed: int, *, probe: bool, tell: Tell = quiet) -> Course:
    """The course over real HTTP, in real time."""
    chance = random.Random(seed)
    async with Simulator(seed, ["fixtures_pro", "fixtures_lite"]) as simulator:
        check = ["interval=60", "open_interval=5"] if probe else ["path="]
        overrides = ['routes.fixtures.apis=["fixtures_pro", "fixtures_lite"]']
        overrides += [f"apis.fixtures_pro.health_check.{option}" for option in check]
        settings = load_sample(simulator, overrides).settings
        lead = Lead(
            "fixtures_pro",
            lambda seconds: simulator.inject("fixtures_pro", Fault("status", status=503), seconds),
            lambda: simulator.requests("fixtures_pro"),
            lambda: simulator.probes("fixtures_pro"),
        )
        async with Understudy.build(settings, seed=seed) as app:
            await SYSTEM_CLOCK.sleep(chance.uniform(0.0, PAUSE))  # not all runs in step
            return await course(app, lead, SYSTEM_CLOCK, 2, tell)


async def over_script(seed: int, *, probe: bool, mode: str = "priority") -> Course:
    """The same on a clock that jumps: every other option is its default, and the upstreams are a script."""
    clock = FakeClock()
    down_until = 0.0
    seen = {"/fixtures": 0, "/status": 0}

    def fail(seconds: float) -> None:
        nonlocal down_until
        down_until = clock.monotonic() + seconds

    def answer(request: HttpRequest) -> Answer:
        if "standby" in request.url:
            return Answer(200, b"{}", delay=0.06)
        seen[request.url.removeprefix("http://lead.example")] += 1
        return Answer(503 if clock.monotonic() < down_until else 200, b"{}", delay=0.04)

    async with Understudy.build(clock=clock, http=ScriptedHttp(answer, clock), seed=seed) as app:
        check = HealthCheckOptions(path="/status", cost="free") if probe else HealthCheckOptions()
        app.fallback.register_api("lead", 1, "fixtures", base_url="http://lead.example", health_check=check)
        app.fallback.register_api("standby", 2, "fixtures", base_url="http://standby.example")
        app.fallback.register_route("fixtures", mode=mode)
        lead = Lead("lead", fail, lambda: seen["/fixtures"], lambda: seen["/status"])
        return await course(app, lead, clock, 5)


def judge(runs: dict[bool, list[Course]], how: str) -> Report:
    """The promises over all runs, with the probe (True) and without."""
    report = Report("outage", f"{TITLE}, {how}")
    for probe, attempts, back in ((True, 4, 10.0), (False, 7, 25.0)):
        courses = runs[probe]
        kind = "with a free probe" if probe else "without a probe"
        lost = [error for found in courses for error in found.failed]
        lost += [f"{found.served.count('')} of {CALLS} not served" for found in courses if "" in found.served]
        report.none_of(f"{kind}: calls that are not served", lost)
        report.at_most(f"{kind}: call attempts at the lead", max(found.attempts for found in courses), attempts)
        report.at_most(f"{kind}: the lead serves again after", max(found.back for found in courses), back, " s")
        report.at_least(f"{kind}: call attempts at the lead, at least", min(found.attempts for found in courses), 1)
        report.figures[f"{kind}: runs"] = len(courses)
        report.figures[f"{kind}: attempts at the lead"] = spread([found.attempts for found in courses])
        report.figures[f"{kind}: probes of the lead"] = spread([found.probes for found in courses])
        report.figures[f"{kind}: back after, s"] = spread([round(found.back, 1) for found in courses])
    return report


def spread(values: Sequence[float]) -> str:
    """Least, middle and most."""
    return f"{min(values)} / {median(values):g} / {max(values)} (least / median / most)"


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Five outages of each kind at the same time, over real HTTP in real time."""
    seeds = range(seed, seed + 5)
    kinds = [(probe, number) for probe in (True, False) for number in seeds]
    found = await asyncio.gather(
        *(
            over_http(number, probe=probe, tell=tell if place == 0 else quiet)
            for place, (probe, number) in enumerate(kinds)
        )
    )
    runs: dict[bool, list[Course]] = {True: [], False: []}
    for (probe, _), one in zip(kinds, found, strict=True):
        runs[probe].append(one)
    return judge(runs, "over real HTTP")


async def sample(seed: int, tell: Tell = quiet, runs: int = 20) -> Report:
    """Many outages on a clock that jumps."""
    found: dict[bool, list[Course]] = {True: [], False: []}
    for number in range(runs):
        for probe in (True, False):
            for mode in ("priority", "balanced"):
                found[probe].append(await over_script(seed + number, probe=probe, mode=mode))
        tell((number + 1) / runs)
    return judge(found, "over scripted HTTP")
