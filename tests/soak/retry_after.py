"""Retry-After is obeyed to the letter: what arrives at the server before the moment it named is counted there.

Real HTTP and real time. For each form in which servers name that moment, callers do what callers do: wait, come
in crowds, go to a standby, come by another route, stand in the line of a bulkhead, bring another key, have no time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import product
from typing import Any

from understudy.app import Understudy
from understudy.core.secrets import Secret
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.keys import AuthOptions, KeyOptions

from .experiment import Report, Tell, quiet, settled
from .upstream import Asked, Upstream, answer

TITLE = "Retry-After, in all its forms, measured at the server"
#: A call may end that much after its deadline, s.
GRACE = 0.1
#: What a wait may be longer than it was told to be: jitter upwards, the second that dates are cut to, and the road
#: of a machine that has other work.
LONGER, CUT, ROAD = 0.1, 1.0, 2.0
#: Cases that are played at the same time: few enough that they do not make one another late.
TOGETHER = 12


def http_date(epoch: float) -> str:
    """An HTTP date; they have no fractions."""
    return format_datetime(datetime.fromtimestamp(int(epoch), UTC), usegmt=True)


@dataclass(frozen=True, slots=True)
class Form:
    """How a server says when to come back: `headers(seconds, epoch)` of its wish for that many seconds from `epoch`.

    With `whole`, the moment is cut to a whole second, as dates and epoch seconds are.
    """

    name: str
    status: int
    headers: Callable[[float, float], list[str]]
    whole: bool = False


def _limit(reset: Callable[[float, float], str]) -> Callable[[float, float], list[str]]:
    return lambda s, at: [f"X-RateLimit-Reset: {reset(s, at)}", "X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 0"]


FORMS = (
    Form("seconds", 503, lambda s, at: [f"Retry-After: {s:g}"]),
    Form("seconds", 429, lambda s, at: [f"Retry-After: {s:g}"]),
    Form("several, the strictest counts", 503, lambda s, at: [f"Retry-After: {s / 4:g}, {s:g}"]),
    Form("a date, beside Date", 503,
         lambda s, at: [f"Date: {http_date(at)}", f"Retry-After: {http_date(at + s)}"], True),
    Form("a date alone", 503, lambda s, at: [f"Retry-After: {http_date(at + s)}"], True),
    Form("a date alone", 429, lambda s, at: [f"Retry-After: {http_date(at + s)}"], True),
    Form("retry-after-ms", 503, lambda s, at: [f"Retry-After-Ms: {1000 * s:.0f}"]),
    Form("x-ms-retry-after-ms", 429, lambda s, at: [f"X-Ms-Retry-After-Ms: {1000 * s:.0f}"]),
    Form("reset in seconds", 429, _limit(lambda s, at: f"{s:g}")),
    Form("reset as a duration", 429, _limit(lambda s, at: f"{1000 * s:.0f}ms")),
    Form("reset in epoch seconds, beside Date", 429,
         lambda s, at: [f"Date: {http_date(at)}", *_limit(lambda s, at: f"{int(at + s)}")(s, at)], True),
    Form("reset in epoch seconds", 429, _limit(lambda s, at: f"{int(at + s)}"), True),
    Form("reset in epoch milliseconds", 429, _limit(lambda s, at: f"{1000 * (at + s):.0f}")),
    Form("RateLimit of the IETF", 429, lambda s, at: [f'RateLimit: "default";r=0;t={s:.0f}']),
)  # fmt: skip


class Server:
    """Refuses its first requests in the given form, and counts who comes back before the moment it named."""

    def __init__(self, form: Form, wait: float, refusals: int = 1, waits: tuple[float, ...] = ()) -> None:
        self.form = form
        self.waits = waits or (wait,) * refusals
        self.until: dict[str, float] = {}
        self.early: list[float] = []
        self.after: list[float] = []
        self.per_key: dict[str, int] = {}

    async def handle(self, asked: Asked) -> bytes:
        """The server's handler."""
        key = asked.headers.get("x-key", "")
        until = self.until.get(key, 0.0)
        if asked.at < until:
            self.early.append(until - asked.at)
        self.per_key[key] = self.per_key.get(key, 0) + 1
        if not self.waits or (key and self.per_key[key] > 1):
            self.after.append(asked.at)
            return answer()
        wait, *rest = self.waits
        self.waits = tuple(rest)
        await asyncio.sleep(0.02)
        now, epoch = time.perf_counter(), time.time()
        moment = int(epoch + wait) if self.form.whole else epoch + wait
        self.until[key] = max(self.until.get(key, 0.0), now + moment - epoch)
        return answer(self.form.status, b"later", *self.form.headers(wait, epoch))

    @property
    def named(self) -> float:
        """The latest moment that was named."""
        return max(self.until.values(), default=time.perf_counter())


@dataclass
class Finding:
    """What one case came to."""

    name: str
    faults: list[str] = field(default_factory=list)
    early: list[float] = field(default_factory=list)
    #: Seconds from the moment named to the first request after it.
    after: list[float] = field(default_factory=list)
    #: Seconds after their deadline at which calls ended.
    late: list[float] = field(default_factory=list)


class Case:
    """One form, one way of calling: a server, an application, and what the callers do."""

    def __init__(self, server: Server, app: Understudy, upstream: Upstream, standby: Upstream, wait: float) -> None:
        self.server, self.app, self.upstream, self.standby, self.wait = server, app, upstream, standby, wait
        self.found = Finding("")

    def register(self, **options: Any) -> None:
        """The API under test; its breaker stays out of it."""
        calm = BreakerOptions(consecutive=1000, consecutive_with_standby=1000, failure_ratio=1.0, min_calls=10_000)
        self.app.fallback.register_api("lead", 1, base_url=self.upstream.url, breaker=calm, **options)

    async def call(self, route: str = "lead", deadline: float | None = 8.0) -> str:
        """Who served, or the error's name; how late the call ended is kept."""
        began = time.perf_counter()
        try:
            response = await self.app.route(route).get("/", deadline=deadline)
            ended = str(response.api)
        except Exception as error:
            ended = type(error).__name__
        self.found.late.append(time.perf_counter() - began - (deadline or 30.0))
        return ended

    async def crowd(self, count: int, route: str = "lead", deadline: float | None = 8.0) -> list[str]:
        """Callers at random moments of the wait, none of whom would still be there at its end if he cannot wait."""

        async def one(moment: float) -> str:
            await asyncio.sleep(moment)
            return await self.call(route, deadline)

        chance = random.Random(count)
        left = self.server.named - time.perf_counter() - 0.1
        until = left if deadline is None else max(0.0, left - min(deadline, self.wait / 2))
        return list(await asyncio.gather(*(one(chance.uniform(0.0, until)) for _ in range(count))))

    async def refused(self) -> None:
        """The first caller has been refused, and knows it."""
        await settled(lambda: bool(self.server.until))
        await asyncio.sleep(0.05)

    def expect(self, what: str, measured: object, promised: object) -> None:
        """A fault unless both are the same."""
        if measured != promised:
            self.found.faults.append(f"{what}: {measured} instead of {promised}")


async def patient(case: Case) -> None:
    """One caller with time enough waits, and is served."""
    case.register()
    case.expect("served by", await case.call(), "lead")


async def many(case: Case) -> None:
    """A crowd comes during the wait; all are served after it."""
    case.register()
    first = asyncio.ensure_future(case.call())
    await case.refused()
    case.expect("served", (await case.crowd(20)).count("lead"), 20)
    case.expect("the first was served by", await first, "lead")


async def by_plan(case: Case) -> None:
    """As `many`, on the prepared path: no call brings a deadline of its own."""
    case.register()
    first = asyncio.ensure_future(case.call(deadline=None))
    await case.refused()
    case.expect("served", (await case.crowd(20, deadline=None)).count("lead"), 20)
    case.expect("the first was served by", await first, "lead")


async def covered(case: Case) -> None:
    """With a standby nobody waits, and nobody comes early either."""
    case.register(route="pair")
    case.app.fallback.register_api("standby", 2, "pair", base_url=case.standby.url)
    case.app.fallback.register_route("pair", mode="priority")
    case.expect("the first was served by", await case.call("pair"), "standby")
    results = await case.crowd(20, "pair", None)
    case.expect("served", sum(name in ("standby", "lead") for name in results), 20)
    case.expect("some of them by the standby", "standby" in results, True)
    await asyncio.sleep(max(0.0, case.server.named - time.perf_counter()) + CUT + 0.2)
    case.expect("served afterwards by", await case.call("pair"), "lead")


async def other_route(case: Case) -> None:
    """The API serves a second route, whose calls have a plan at hand when the first is refused."""
    waits, case.server.waits = case.server.waits, ()
    case.register(route="one")
    case.app.fallback.register_route("two", apis=("lead",))
    for _ in range(3):
        await case.call("two", None)
    case.server.after.clear()
    case.server.waits = waits
    first = asyncio.ensure_future(case.call("one", None))
    await case.refused()
    case.expect("served", (await case.crowd(10, "two", None)).count("lead"), 10)
    case.expect("the first was served by", await first, "lead")


async def queued(case: Case) -> None:
    """Callers stand in the line of a bulkhead while the one before them is refused."""
    case.register(bulkhead=BulkheadOptions(limit=1))
    results = await asyncio.gather(*(case.call() for _ in range(8)))
    case.expect("served", results.count("lead"), 8)


async def two_moments(case: Case) -> None:
    """Two answers at the same time name different moments: the later one counts."""
    case.server.waits = (case.wait, case.wait / 4)
    case.register()
    results = await asyncio.gather(*(case.call() for _ in range(2)))
    case.expect("served", results, ["lead", "lead"])


async def hurried(case: Case) -> None:
    """A caller who has less time than the wait is told at once, or at the latest when his time is up."""
    case.register()
    deadline = 0.4
    began = time.perf_counter()
    ended = await case.call(deadline=deadline)
    case.expect("served", ended == "lead", False)
    case.expect("requests", case.upstream.requests, 1)
    case.expect("told before the wait is over", time.perf_counter() - began < case.wait, True)
    await case.crowd(5, deadline=0.2)


async def keys(case: Case) -> None:
    """One key is refused: the other goes at once, and the first not before its time."""
    pair = tuple(KeyOptions(Secret(f"secret-{n}"), alias=f"key{n}") for n in (1, 2))
    case.register(auth=AuthOptions(kind="header", name="X-Key", keys=pair))
    case.expect("the first was served by", await case.call(), "lead")
    case.expect("without waiting for the other key", time.perf_counter() < case.server.named, True)
    case.server.after.clear()  # the other key's affair
    case.expect("served", (await case.crowd(20)).count("lead"), 20)
    await asyncio.sleep(max(0.0, case.server.named - time.perf_counter()) + CUT + 0.2)
    await asyncio.gather(*(case.call() for _ in range(4)))
    case.expect("keys in use afterwards", sorted(case.server.per_key), ["secret-1", "secret-2"])
    case.server.after.clear()


#: Each way of calling, and whether it waits for the moment (so that the wait can be too long too).
WAYS: tuple[tuple[Callable[[Case], Awaitable[None]], bool], ...] = (
    (patient, True), (many, True), (by_plan, True), (covered, False), (other_route, True), (queued, True),
    (two_moments, True), (hurried, False), (keys, False),
)  # fmt: skip


async def play(form: Form, way: Callable[[Case], Awaitable[None]], waits: bool, wait: float, seed: int) -> Finding:
    """One way of calling against one form."""
    server = Server(form, wait)

    async def fine(_: Asked) -> bytes:
        return answer()

    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(Upstream(server.handle))
        standby = await stack.enter_async_context(Upstream(fine))
        app = await stack.enter_async_context(Understudy.build(seed=seed))
        case = Case(server, app, upstream, standby, wait)
        case.found.name = f"{form.name} ({form.status}), {way.__name__}"
        await way(case)
        found = case.found
        found.early = server.early
        if waits and server.after:
            found.after = [min(server.after) - server.named]
            longest = LONGER * wait + ROAD + (CUT if form.whole else 0.0)
            if found.after[0] > longest:
                found.faults.append(
                    f"came {found.after[0]:.2f} s after the moment named, at most {longest:.2f} s are due"
                )
        return found


async def experiment(seed: int, waits: tuple[float, ...], share: int, tell: Tell) -> Report:
    """Every way against every form, for each length of the wait; or one in `share` of these."""
    report = Report("retry_after", TITLE)
    found: list[Finding] = []
    together = asyncio.Semaphore(TOGETHER)

    async def one(form: Form, way: Callable[[Case], Awaitable[None]], waiting: bool, wait: float) -> None:
        # Forms in whole seconds need whole seconds.
        length = float(max(2, round(wait))) if form.whole or "IETF" in form.name else wait
        async with together:
            found.append(await play(form, way, waiting, length, seed))
        tell(len(found) / len(plays))

    plays = [
        one(form, way, waiting, wait)
        for number, (wait, (place, form), (way, waiting)) in enumerate(product(waits, enumerate(FORMS), WAYS))
        # A key is refused by rate, an API by 503 too.
        if (way is not keys or form.status == 429) and (number + place) % share == 0
    ]
    await asyncio.gather(*plays)
    early = [f"{one.name}: {1000 * max(one.early):.0f} ms early" for one in found if one.early]
    late = [f"{one.name}: {1000 * max(one.late):.0f} ms late" for one in found if max(one.late) > GRACE]
    faults = [f"{one.name}: {fault}" for one in found for fault in one.faults]
    report.none_of("requests that came before the moment the server named", early)
    report.none_of("calls that ended more than 100 ms after their deadline", late)
    report.none_of("callers not served as they should be", faults)
    after = [moment for one in found for moment in one.after]
    report.at_least("cases in which somebody waited", len(after), 1)
    report.figures = {
        "cases": len(found), "forms": len(FORMS), "ways of calling": len(WAYS), "waits, s": str(waits),
        "first request after the moment named, ms": f"{1000 * min(after):.1f} to {1000 * max(after):.0f}",
    }  # fmt: skip
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Waits of several lengths."""
    return await experiment(seed, (0.6, 1.0, 1.5, 2.0, 3.0), 1, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """A third of the cases, each form and each way among them, with one length of the wait."""
    return await experiment(seed, (0.6,), 3, tell)
