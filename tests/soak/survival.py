"""Every API of the simulator fails in turn while calls go on: how many succeed, how late is the latest, and
does each record say why the lead did not serve.

Real HTTP servers, real sockets, real time. Nine calls in ten are made on routes with standbys, most of
them under the route's own deadline (the prepared path), some under a shorter one of their own. The tenth
asks one API alone, with a second to spare: it may fail, but never late.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from understudy.app import Understudy
from understudy.cli.simulated import PATHS, load_sample
from understudy.core.types import Explanation, OutcomeClass
from understudy.simulator import Simulator
from understudy.simulator.scenarios import each_api_in_turn

from .experiment import LoopLag, Report, Tell, quiet

#: Deadline of the routes, of calls with one of their own, and of calls on one API alone, s.
ROUTE_DEADLINE, OWN_DEADLINE, ALONE_DEADLINE = 5.0, 3.0, 1.0
#: A call may end that much after its deadline, s.
GRACE = 0.1
SUCCESS = 0.999
TRIAL = "a recovering standby was tried"
TITLE = "Every API fails in turn under 50 calls a second, over real HTTP"
#: What each API alone is asked, and the order in which they fail: no route loses two of its APIs in a row, unless it
#: has a third, so that every call has a healthy standby for as long as it lives.
ALONE = {
    "fixtures_pro": "/fixtures", "odds_prime": "/odds", "predictions_ai": "/predictions",
    "fixtures_lite": "/fixtures", "odds_open": "/odds", "predictions_stats": "/predictions",
    "fixtures_world": "/fixtures",
}  # fmt: skip


@dataclass
class Tally:
    """What came of the calls of one run."""

    calls: int = 0
    failed: int = 0
    alone: int = 0
    alone_failed: int = 0
    stood_in: int = 0
    reached_deadline: int = 0
    latest: float = 0.0
    late: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def timed(self, name: str, spent: float, deadline: float) -> None:
        """How late a call ended."""
        self.latest = max(self.latest, spent - deadline)
        self.reached_deadline += spent >= deadline
        if spent > deadline + GRACE:
            self.late.append(f"{name} {1000 * (spent - deadline):.0f} ms after its deadline")


def why_not(record: Explanation, lead: str) -> str:
    """Why the lead did not serve, in the words of the record; empty when the record does not say."""
    for attempt in record.attempts:
        if attempt.api == lead and attempt.outcome is not OutcomeClass.SUCCESS and attempt.reason:
            return f"tried: {attempt.outcome}"
    for candidate in record.candidates:
        if candidate.api == lead and candidate.gate and candidate.gate != "tried":
            return f"passed over: {candidate.gate}"
        if candidate.api == lead and candidate.detail:
            return f"passed over: {candidate.detail}"
    for candidate in record.candidates:
        if candidate.api == record.chosen and candidate.detail:
            return f"{TRIAL}: {candidate.detail}"
    return ""


async def on_route(app: Understudy, route: str, deadline: float | None, tally: Tally) -> None:
    """One call on a route, counted; a standby that served must be explained."""
    tally.calls += 1
    began = time.perf_counter()
    try:
        response = await app.route(route).get(PATHS[route], deadline=deadline)
    except Exception as error:
        tally.failed += 1
        tally.errors[f"{type(error).__name__}: {error}"[:300]] += 1
    else:
        tally.served[response.api] += 1
        lead = app.fallback.roster.route(route).apis[0].name
        if response.api != lead:
            tally.stood_in += 1
            explained(app, response.explain(), response.api, lead, tally)
    tally.timed(route, time.perf_counter() - began, ROUTE_DEADLINE if deadline is None else deadline)


def explained(app: Understudy, record: Explanation, served: str, lead: str, tally: Tally) -> None:
    """Look for what a person would look for: a kept record of a fallback that names who served, and why."""
    reason = why_not(record, lead)
    tally.reasons[reason] += 1
    # A trial of a recovering standby is a choice, not a fallback: the lead would have served.
    outcome = "success" if reason.startswith(TRIAL) else "fallback"
    kept = app.fallback.decision(record.call_id)
    if not reason or record.outcome != outcome or record.chosen != served or kept is not record:
        tally.unexplained.append(f"{record.call_id or 'no id'}: {record}".replace("\n", " |"))


async def alone(app: Understudy, api: str, tally: Tally) -> None:
    """One call that no standby can save; only its deadline is promised."""
    tally.alone += 1
    began = time.perf_counter()
    try:
        await app.route(api).get(ALONE[api], deadline=ALONE_DEADLINE)
    except Exception as error:
        tally.alone_failed += 1
        tally.errors[f"alone: {type(error).__name__}"] += 1
    tally.timed(api, time.perf_counter() - began, ALONE_DEADLINE)


async def survive(seconds: float, rate: float = 50.0, seed: int = 7, tell: Tell = quiet) -> Report:
    """Run the experiment: `rate` calls a second in all, for `seconds`."""
    tally = Tally()
    chance = random.Random(seed)
    apis, routes = list(ALONE), list(PATHS)
    overrides = [f"routes.{route}.deadline={ROUTE_DEADLINE}" for route in routes]
    async with Simulator(seed=seed) as simulator:
        app = Understudy.build(load_sample(simulator, overrides).settings, seed=seed)
        async with app, LoopLag() as lag:
            simulator.play(each_api_in_turn(seconds, tuple(ALONE)))
            tasks: set[asyncio.Task[None]] = set()
            started = time.perf_counter()
            number = 0
            while (elapsed := time.perf_counter() - started) < seconds:
                if number % 10 == 9:
                    call = alone(app, chance.choice(apis), tally)
                else:
                    own = OWN_DEADLINE if chance.random() < 0.25 else None
                    call = on_route(app, chance.choice(routes), own, tally)
                task = asyncio.ensure_future(call)
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                number += 1
                tell(elapsed / seconds)
                await asyncio.sleep(max(0.0, number / rate - (time.perf_counter() - started)))
            await asyncio.gather(*tasks)
        left = left_behind(app)  # only now: a health check takes a key too
    return judge(tally, left, lag.worst)


def left_behind(app: Understudy) -> list[str]:
    """What is still taken although every call has ended."""
    found = []
    for api in app.fallback.roster.apis.values():
        taken = api.bulkhead.active + api.bulkhead.waiting if api.bulkhead is not None else 0
        held = sum(row["in_flight"] for row in api.keys.view())
        if api.in_flight or taken or held:
            found.append(f"{api.name}: {api.in_flight} in flight, {taken} in the bulkhead, {held} on keys")
    return found


def judge(tally: Tally, left: list[str], lag: float) -> Report:
    """The promises, and what the run says of them."""
    report = Report("survival", TITLE)
    success = 1.0 - tally.failed / tally.calls if tally.calls else 0.0
    report.at_least("calls on a route with one healthy standby that succeed", 100 * success, 100 * SUCCESS, " %")
    report.none_of("calls that end more than 100 ms after their deadline", tally.late)
    report.none_of("calls by a standby whose record does not say why the lead did not serve", tally.unexplained)
    report.none_of("places, permits or keys still taken at the end", left)
    report.at_least("calls that a standby saved", tally.stood_in, 1)
    report.at_least("calls that reached their deadline", tally.reached_deadline, 1)
    report.figures = {
        "calls on routes": tally.calls, "failed": tally.failed, "served by a standby": tally.stood_in,
        "calls on one API alone": tally.alone, "of these failed": tally.alone_failed,
        "reached their deadline": tally.reached_deadline, "latest, ms after its deadline": round(1000 * tally.latest),
        "worst lag of the event loop, ms": round(1000 * lag), "why the lead did not serve": dict(tally.reasons),
        "served": dict(tally.served), "errors": dict(tally.errors.most_common(10)),
    }  # fmt: skip
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Ten minutes."""
    return await survive(600.0, seed=seed, tell=tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """Half a minute: each API still fails once, and some calls still reach their deadline."""
    return await survive(30.0, seed=seed, tell=tell)
